"""``--refiner keyframes``: what there is to learn from, when it is used, and that it stays as it is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.metrics.confusion import Confusion
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.loop.step import OptimizerSteps
from seglift.training.segmentation import NetworkConfig, SegmentationRecipe
from seglift.workflows.label import auto_model, keyframe_refiner
from seglift.workflows.label.auto_model import auto_recipe
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.keyframe_refiner import judged, keyframe_recipe, some_of
from seglift.workflows.label.run import run_label

SPACE = """
name: lamps
ignore: 9
classes:
  - {id: 1, name: wall, color: [90, 90, 90], train_id: 0, category: flat}
  - {id: 4, name: lit, color: [250, 60, 30], train_id: 1, category: lamp}
  - {id: 5, name: unlit, color: [40, 60, 200], train_id: 2, category: lamp}
  - {id: 9, name: void, color: [0, 0, 0], train_id: 255, category: void}
"""
HEIGHT, WIDTH, COUNT = 48, 64, 17
KEYS = tuple(range(0, COUNT, 2))
LAMPS = ((6, 8), (6, 38), (26, 8), (26, 38))


def drawn(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Lamps that go on and off from frame to frame: labels carried over time are wrong, and the picture says so."""
    generator = np.random.default_rng(index)
    label = np.full((HEIGHT, WIDTH), 1, np.uint8)
    image = np.full((HEIGHT, WIDTH, 3), 120, np.int64)
    for top, left in LAMPS:
        lit = generator.random() < 0.5
        label[top : top + 14, left : left + 16] = 4 if lit else 5
        image[top : top + 14, left : left + 16] = (240, 70, 40) if lit else (50, 70, 190)
    image += np.random.default_rng(99).integers(-15, 16, image.shape)
    return image.astype(np.uint8), label


class Clip:
    def __init__(self, folder: Path, keys: tuple[int, ...] = KEYS) -> None:
        self.folder, self.out = folder, folder / "out"
        (folder / "space.yaml").write_text(SPACE)
        for name in ("frames", "truth", "keys"):
            (folder / name).mkdir()
        for index in range(COUNT):
            image, label = drawn(index)
            cv2.imwrite(str(folder / "frames" / f"{index:02d}.png"), image[..., ::-1])
            cv2.imwrite(str(folder / "truth" / f"{index:02d}.png"), label)
        for index in keys:
            shutil.copy(folder / "truth" / f"{index:02d}.png", folder / "keys")

    def config(self, out: Path | None = None, **options: object) -> LabelConfig:
        given = {"device": "cpu", "refiner": "keyframes", "model_steps": 2, "scene_cuts": "none", **options}
        space = str(self.folder / "space.yaml")
        return LabelConfig(self.folder / "frames", self.folder / "keys", out or self.out, space, **given)

    def label(self, out: Path | None = None, **options: object) -> dict[str, object]:
        """What run.json says of the refiner."""
        run_label(self.config(out, **options))
        return json.loads(((out or self.out) / "run.json").read_text())["model"]["refiner"]

    def files(self, out: Path | None = None) -> dict[str, bytes]:
        out = out or self.out
        names = [path for path in out.rglob("*") if path.is_file() and path.name != "timing.json"]
        return {str(path.relative_to(out)): path.read_bytes() for path in names if ".seglift" not in path.parts}

    def right(self, out: Path | None = None) -> float:
        """Share of the lamps' pixels that are right on frames that are no keyframes."""
        found = []
        for index in set(range(COUNT)) - set(KEYS):
            labels = cv2.imread(str((out or self.out) / "labels" / f"{index:02d}.png"), cv2.IMREAD_UNCHANGED)
            truth = drawn(index)[1]
            found.append((labels == truth)[truth != 1].mean())
        return float(np.mean(found))


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return Clip(tmp_path)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small recipes; the segmentation model learns next to nothing."""

    def small_model(steps: int, minutes: float | None, seed: int) -> SegmentationRecipe:
        recipe = auto_recipe(steps, minutes, seed)
        network = NetworkConfig(recipe.network.architecture, {"widths": [8, 8, 8]})
        return dataclasses.replace(recipe, network=network, crop=(32, 32))

    def small_refiner(steps: int, seed: int) -> object:
        recipe = keyframe_recipe(steps, seed)
        fit = dataclasses.replace(recipe.fit, average=0.9, learning_rate=0.02, checkpoint_every=5)
        views = AugmentationConfig(scale=(1.0, 1.0), jitter=0, blur=None)
        return dataclasses.replace(recipe, fit=fit, crop=(40, 48), augmentation=views)

    monkeypatch.setattr(auto_model, "auto_recipe", small_model)
    monkeypatch.setattr(keyframe_refiner, "keyframe_recipe", small_refiner)
    monkeypatch.setattr(keyframe_refiner, "STEPS", 10)


def lines(capfd: pytest.CaptureFixture[str], words: str) -> list[str]:
    return [line for line in capfd.readouterr().err.splitlines() if words in line]


def test_one_that_helps_is_used(clip, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(keyframe_refiner, "STEPS", 60)
    about = clip.label()
    assert about["used"] is True
    assert about["after"]["miou"] > about["before"]["miou"] + 0.1
    assert about["held_out"] == ["02", "08", "14"]
    assert sorted(about["held_out"] + about["learnt_from"]) == [f"{index:02d}" for index in KEYS]
    told = lines(capfd, "refiner on held-out keyframes")
    assert len(told) == 1 and f"{100 * about['after']['miou']:.2f}" in told[0] and "it is used" in told[0]
    plain = tmp_path / "plain"
    run_label(clip.config(plain, refiner="auto"))
    assert clip.right() > clip.right(plain) + 0.1
    assert {path.name for path in (clip.out / ".seglift" / "refiner").iterdir() if path.is_dir()} == {"network"}
    before = clip.files()
    (clip.out / "labels" / "03.png").unlink()
    assert clip.label() == about and clip.files() == before


def test_one_that_harms_is_not_used(clip, tmp_path, monkeypatch, capfd):
    recipe = keyframe_refiner.keyframe_recipe

    def wild(steps: int, seed: int) -> object:
        made = recipe(steps, seed)
        return dataclasses.replace(made, fit=dataclasses.replace(made.fit, learning_rate=3.0, clip_norm=None))

    monkeypatch.setattr(keyframe_refiner, "keyframe_recipe", wild)
    monkeypatch.setattr(keyframe_refiner, "STEPS", 3)
    about = clip.label()
    assert about["used"] is False
    assert about["after"]["miou"] < about["before"]["miou"]
    told = lines(capfd, "refiner on held-out keyframes")
    assert len(told) == 1 and "it is not used" in told[0]
    assert all(f"{100 * about[when]['miou']:.2f}" in told[0] for when in ("before", "after"))
    plain = tmp_path / "plain"
    run_label(clip.config(plain, refiner="auto"))
    ours, others = clip.files(), clip.files(plain)
    assert all(ours[name] == others[name] for name in ours if name.endswith(".png") or name == "frames.jsonl")


@pytest.mark.parametrize("keys", [(4,), (0, 8, 16)])
def test_too_few_keyframes(tmp_path, capfd, keys):
    clip = Clip(tmp_path, keys)
    about = clip.label()
    assert about == {"spec": "keyframes", "used": False, "reason": about["reason"]}
    usable = len(keys) if len(keys) > 1 else 0
    assert f"has {usable} of {len(keys)} keyframes" in about["reason"] and "4 are needed" in about["reason"]
    assert len(lines(capfd, "the refiner has")) == 1
    assert len(list((clip.out / "labels").iterdir())) == COUNT
    assert not (clip.out / ".seglift" / "refiner" / "verdict.json").exists()  # with more keyframes there will be one


def test_keyframes_almost_all_void_do_not_count(clip):
    for index in KEYS[:-3]:
        label = np.full((HEIGHT, WIDTH), 9, np.uint8)
        label[:2, :10] = 1
        cv2.imwrite(str(clip.folder / "keys" / f"{index:02d}.png"), label)
    assert f"has 3 of {len(KEYS)} keyframes" in clip.label()["reason"]


@pytest.mark.parametrize("options", [{"max_distance": 1}, {"cut": (0, 5)}])
def test_keyframes_out_of_reach_do_not_count(clip, options):
    assert clip.label(**options)["used"] is False


@pytest.mark.parametrize("step", [0, 7])
def test_an_interrupted_training_goes_on_to_the_same_bytes(clip, tmp_path, step):
    other = tmp_path / "undisturbed"
    clip.label(other)
    patch = pytest.MonkeyPatch()
    take = OptimizerSteps.take

    def interrupted(self: OptimizerSteps, at: int, parts: list[object]) -> None:
        if at == step and type(self.task).__name__ == "KeyframeTask":
            raise KeyboardInterrupt
        return take(self, at, parts)

    patch.setattr(OptimizerSteps, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clip.label()
    patch.undo()
    clip.label()
    assert clip.files() == clip.files(other)
    before = clip.files()
    clip.label()
    assert clip.files() == before


def test_it_is_kept_when_keyframes_change(clip, capfd):
    first = clip.label()
    capfd.readouterr()
    (clip.folder / "keys" / "16.png").unlink()
    again = clip.label()
    assert again == first
    assert len(lines(capfd, "still holds; --overwrite learns anew")) == 1
    assert clip.label(overwrite=True)["learnt_from"] != first["learnt_from"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "motion"}, "of no use to --method motion"),
        ({"method": "inpaint"}, "of no use to --method inpaint"),
        ({"method": "semantic"}, "of no use to --method semantic"),
        ({"settings": "paper"}, "--settings is paper"),
        ({"model": "none", "model_steps": None}, "but --model is none"),
    ],
)
def test_what_it_does_not_go_with(clip, options, told):
    with pytest.raises(UserError, match=told) as caught:
        run_label(clip.config(**options))
    assert "\n" not in str(caught.value) and not clip.out.exists()


def test_the_judgement_looks_at_miou():
    before, after = Confusion(np.array([[90, 10, 0], [0, 10, 0]])), Confusion(np.array([[100, 0, 0], [6, 4, 0]]))
    verdict = judged(before, after)
    assert verdict["used"] is False
    assert verdict["after"]["pixel_accuracy"] > verdict["before"]["pixel_accuracy"]
    assert judged(after, before)["used"] is True
    assert judged(before, before)["used"] is False


def test_some_of_many():
    assert some_of([3, 5, 9], 4) == [3, 5, 9]
    assert some_of(list(range(100)), 4) == [0, 33, 66, 99]
