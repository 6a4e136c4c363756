"""The model of a clip: trained once, kept, used again; given models; what identifies them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from seglift.base.errors import UserError
from seglift.base.weights import load_weights, save_weights
from seglift.inference.predict import Predictor
from seglift.models.compact_unet import CompactUNet
from seglift.training.loop.step import OptimizerSteps
from seglift.training.segmentation import NetworkConfig, SegmentationRecipe
from seglift.workflows.label import auto_model
from seglift.workflows.label.auto_model import KeyframeSamples, auto_recipe, get_clip_model
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.plan import LabelPlan, make_plan

SPACE = """
name: toy
ignore: 9
classes:
  - {id: 1, name: road, color: [90, 0, 0], train_id: 0, category: flat}
  - {id: 4, name: lake, color: [0, 0, 90], train_id: 1, category: flat}
  - {id: 9, name: void, color: [0, 0, 0], train_id: 255, category: void}
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three frames with labels on the first and the last."""
    generator = np.random.default_rng(0)
    (tmp_path / "space.yaml").write_text(SPACE)
    for folder in ("frames", "keys"):
        (tmp_path / folder).mkdir()
    for index in range(3):
        label = np.full((40, 56), 1, np.uint8)
        label[8 + index : 24 + index, 20:44] = 4
        label[:2] = 9
        image = np.where((label == 4)[..., None], (200, 60, 30), (60, 160, 60)) + generator.integers(0, 20, (40, 56, 3))
        cv2.imwrite(str(tmp_path / "frames" / f"f{index}.png"), image.astype(np.uint8))
        if index != 1:
            cv2.imwrite(str(tmp_path / "keys" / f"f{index}.png"), label)
    return tmp_path


@pytest.fixture
def plan(clip: Path) -> Callable[..., LabelPlan]:
    """Checks the inputs as they lie there now."""

    def make(model: str = "auto", **options: object) -> LabelPlan:
        steps = {"model_steps": 3} if model == "auto" else {}
        given = {"space": str(clip / "space.yaml"), "device": "cpu", **steps, **options}
        return make_plan(LabelConfig(clip / "frames", clip / "keys", clip / "out", model=model, **given))

    return make


@pytest.fixture
def work(clip: Path) -> Path:
    return clip / "out" / "work"


@pytest.fixture(autouse=True)
def steps_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A small recipe that keeps every step; the list says which steps were taken."""

    def small(steps: int, minutes: float | None, seed: int) -> SegmentationRecipe:
        recipe = auto_recipe(steps, minutes, seed)
        network = NetworkConfig(recipe.network.architecture, {"widths": [8, 8, 8]})
        fit = dataclasses.replace(recipe.fit, checkpoint_every=1)
        return dataclasses.replace(recipe, network=network, fit=fit, crop=(32, 32))

    taken: list[int] = []
    take = OptimizerSteps.take

    def counted(self: OptimizerSteps, step: int, parts: list[object]) -> None:
        taken.append(step)
        return take(self, step, parts)

    monkeypatch.setattr(auto_model, "auto_recipe", small)
    monkeypatch.setattr(OptimizerSteps, "take", counted)
    return taken


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], pytest.MonkeyPatch]:
    """Interrupts training when it comes to the step given; undone by the patch's ``undo``."""

    def stop(at: int) -> pytest.MonkeyPatch:
        patch = pytest.MonkeyPatch()
        take = OptimizerSteps.take

        def interrupted(self: OptimizerSteps, step: int, parts: list[object]) -> None:
            if step == at:
                raise KeyboardInterrupt
            return take(self, step, parts)

        patch.setattr(OptimizerSteps, "take", interrupted)
        return patch

    return stop


def relabel(clip: Path) -> None:
    path = clip / "keys" / "f2.png"
    label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    label[30:36, 4:12] = 4
    cv2.imwrite(str(path), label)


def test_trained_once_and_used_again(plan, work, steps_taken, capfd):
    first = get_clip_model(plan(), work)
    assert steps_taken == [0, 1, 2]
    weights = work / "model" / "best.safetensors"
    before = weights.read_bytes(), weights.stat().st_mtime_ns
    again = get_clip_model(plan(), work)
    assert steps_taken == [0, 1, 2]
    assert (weights.read_bytes(), weights.stat().st_mtime_ns) == before
    assert again.fingerprint == first.fingerprint == first.about["sha256"]
    assert again.about == first.about
    assert first.about["spec"] == "auto"
    assert first.about["trained_on"] == ["f0", "f2"]
    assert (first.about["steps"], first.about["stopped_at_step"]) == (3, None)
    assert "used again" not in capfd.readouterr().err


def test_a_cap_on_time_that_was_hit_is_told(plan, work, steps_taken):
    about = get_clip_model(plan(model_steps=50, model_minutes=1e-9), work).about
    assert steps_taken == [0]
    assert (about["steps"], about["stopped_at_step"]) == (1, 1)
    assert get_clip_model(plan(model_steps=50, model_minutes=1e-9), work).about == about


def test_what_is_had_labels_the_clip(plan, work):
    model = get_clip_model(plan(), work).model
    assert isinstance(model, Predictor)
    assert model.settings.flip
    assert model.space_classes == ("road", "lake")
    assert isinstance(model.model.network, CompactUNet)
    logits = model.logits(torch.rand(1, 3, 40, 56))
    assert logits.shape == (1, 2, 40, 56)
    assert not logits.requires_grad


def test_it_can_be_trained_within_inference_mode(plan, work, steps_taken):
    with torch.inference_mode():
        get_clip_model(plan(), work)
    assert steps_taken == [0, 1, 2]


def test_equal_seeds_train_equal_models_and_others_do_not(plan, work):
    prints = [get_clip_model(plan(seed=seed), work / str(n)).fingerprint for n, seed in enumerate((0, 0, 1))]
    assert prints[0] == prints[1] != prints[2]


def test_other_keyframes_use_it_again_and_say_so(clip, plan, work, steps_taken, capfd):
    first = get_clip_model(plan(), work)
    capfd.readouterr()
    relabel(clip)
    again = get_clip_model(plan(), work)
    assert steps_taken == [0, 1, 2]
    assert again.fingerprint == first.fingerprint
    said = [line for line in capfd.readouterr().err.splitlines() if "used again" in line]
    assert len(said) == 1
    assert "--overwrite" in said[0]
    (clip / "keys" / "f0.png").unlink()
    fewer = get_clip_model(plan(), work)
    assert fewer.fingerprint == first.fingerprint
    assert fewer.about["trained_on"] == ["f0", "f2"]  # what it was trained on, not what lies there today
    assert "used again" in capfd.readouterr().err


def test_interrupted_training_goes_on_to_the_same_model(plan, work, steps_taken, stop_at):
    undisturbed = get_clip_model(plan(), work / "other").fingerprint
    steps_taken.clear()
    patch = stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        get_clip_model(plan(), work)
    patch.undo()
    assert not (work / "model" / "best.safetensors").exists()
    assert get_clip_model(plan(), work).fingerprint == undisturbed
    assert steps_taken == [0, 1, 2]
    assert not (work / "model" / "checkpoint.safetensors").exists()


def test_interrupted_training_starts_anew_for_other_keyframes(clip, plan, work, steps_taken, stop_at, capfd):
    patch = stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        get_clip_model(plan(), work)
    patch.undo()
    steps_taken.clear()
    relabel(clip)
    model = get_clip_model(plan(), work)
    assert steps_taken == [0, 1, 2]
    assert "used again" not in capfd.readouterr().err
    assert model.fingerprint == get_clip_model(plan(), work / "other").fingerprint
    note = json.loads((work / "model" / "trained_on.json").read_text())
    assert note.keys() == {f"f{index}" for index in plan().label_fingerprints}
    assert note == json.loads((work / "other" / "model" / "trained_on.json").read_text())


def test_keyframes_are_read_as_samples_of_train_ids(clip, plan):
    samples = KeyframeSamples(plan())
    assert len(samples) == 2
    raw = cv2.imread(str(clip / "keys" / "f2.png"), cv2.IMREAD_UNCHANGED)
    image = cv2.imread(str(clip / "frames" / "f2.png"))[..., ::-1]
    expected = np.select([raw == 1, raw == 4], [0, 1], 255)
    assert np.array_equal(samples[1].label, expected)
    assert np.array_equal(samples[1].image, image)
    assert [sample.fingerprint() for sample in samples[:]] == [samples[0].fingerprint(), samples[1].fingerprint()]
    with pytest.raises(IndexError):
        samples[2]


def test_the_recipe_follows_the_options():
    recipe = auto_recipe(77, 1.5, 8)
    assert (recipe.fit.steps, recipe.fit.minutes, recipe.fit.seed) == (77, 1.5, 8)
    assert recipe.network.architecture == "compact_unet"
    assert recipe.class_balance > 0


@pytest.fixture
def given(plan, work, tmp_path) -> Path:
    """A checkpoint to give with --model."""
    get_clip_model(plan(), work)
    path = tmp_path / "given" / "mine.safetensors"
    path.parent.mkdir()
    (work / "model" / "best.safetensors").rename(path)
    return path


def test_a_given_model_is_loaded_and_nothing_trained(given, plan, work, steps_taken):
    steps_taken.clear()
    model = get_clip_model(plan(str(given)), work / "fresh")
    assert steps_taken == []
    assert not (work / "fresh").exists()
    assert model.about["spec"] == str(given)
    assert model.model.logits(torch.rand(1, 3, 40, 56)).shape == (1, 2, 40, 56)


def test_tuning_a_model_of_other_classes_is_refused_before_anything_is_written(given, clip, plan):
    (clip / "other.yaml").write_text(SPACE.replace("lake", "pond"))
    before = sorted(clip.rglob("*"))
    with pytest.raises(UserError, match=r"mine\.safetensors has other classes than .*leave --tune out"):
        plan(str(given), tune=True, space=str(clip / "other.yaml"))
    assert sorted(clip.rglob("*")) == before
    assert plan(str(given), tune=True).config.tune


def test_tuning_a_model_that_is_not_there(plan):
    with pytest.raises(UserError, match="neither a file nor a folder"):
        plan("nowhere.safetensors", tune=True)


@pytest.mark.parametrize("as_folder", [False, True])
def test_the_fingerprint_follows_the_weights(given, plan, work, as_folder):
    if as_folder:
        given = given.rename(given.with_name("best.safetensors"))
    spec = str(given.parent if as_folder else given)
    first = get_clip_model(plan(spec), work).fingerprint
    assert get_clip_model(plan(spec), work).fingerprint == first
    tensors, metadata = load_weights(given)
    tensors["classifier.bias"] = tensors["classifier.bias"] + 1.0
    save_weights(given, tensors, metadata)
    assert get_clip_model(plan(spec), work).fingerprint != first


@pytest.mark.parametrize("spec", ["nowhere.safetensors", "no/such/folder", "hf:no/such/folder/anywhere"])
def test_a_model_that_is_not_there_is_the_users_error(plan, work, tmp_path, spec):
    spec = spec if spec.startswith("hf:") else str(tmp_path / spec)
    with pytest.raises(UserError) as caught:
        get_clip_model(plan(spec), work)
    assert spec in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_model_of_ours_is_the_users_error(given, plan, work):
    tensors = load_file(given)
    save_file(tensors, given)  # the weights alone, without what they are
    with pytest.raises(UserError, match=r"mine\.safetensors"):
        get_clip_model(plan(str(given)), work)
    given.write_bytes(b"not weights at all")
    with pytest.raises(UserError, match=r"mine\.safetensors"):
        get_clip_model(plan(str(given)), work)


def test_labels_without_an_evaluated_class_are_the_users_error(clip, plan, work):
    for path in (clip / "keys").iterdir():
        cv2.imwrite(str(path), np.full((40, 56), 9, np.uint8))
    with pytest.raises(UserError, match="no pixel"):
        get_clip_model(plan(), work)
