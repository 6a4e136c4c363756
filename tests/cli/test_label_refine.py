"""``seglift label --method refine`` as a user runs it: with and without a trained network."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from seglift.base.weights import save_weights
from seglift.labels.space_file import get_space
from seglift.models.zoo import build_refiner
from seglift.propagation.refiner import refiner_metadata

MODEL_SOURCE, REFINER_SOURCE, ROAD_ID, ROAD_TRAIN = 3, 4, 7, 0
FEATURES = 32
"""Channels of the features of the network that ``--model auto`` trains."""


def read(out, kind):
    return {path.name: np.array(Image.open(path)) for path in sorted((out / kind).glob("*.png"))}


def run_record(out):
    return json.loads((out / "run.json").read_text())


def write_refiner(folder, classes=19, features=FEATURES, says_road=False, **pairs):
    """A refiner that gives its labels back, or road everywhere."""
    space = get_space("cityscapes")
    arguments = {"num_classes": classes, "feature_channels": features, "width": 4, "n_down": 2, "blocks": 1}
    config = {"architecture": "refiner_compact", "arguments": arguments}
    network = build_refiner(config, seed=0)
    if says_road:
        with torch.no_grad():
            network.head.bias[ROAD_TRAIN] += 1000.0
    metadata = refiner_metadata(config, space, {"motion": "dis", **pairs}, "some model")
    metadata["classes"] = metadata["classes"][:classes]
    save_weights(folder / "best.safetensors", network.state_dict(), metadata)
    return folder


@pytest.fixture
def refine(clip, label, small_model, tmp_path):
    """``--method refine`` with a model trained for 20 steps; the model is trained once in a test."""
    trained = tmp_path / "first" / ".seglift" / "model"

    def refine(name, *more):
        if not trained.exists():
            label(clip, tmp_path / "first", "--method", "refine", "--model-steps", 20).done()
        return label(clip, tmp_path / name, "--method", "refine", "--model", trained, *more)

    return refine


def test_it_is_the_default_and_labels_every_frame(clip, label, small_model, tmp_path, run):
    out = tmp_path / "out"
    words = ["label", clip.frames, "--labels", clip.keyframes, "--space", "cityscapes", "--out", out, "--device", "cpu"]
    ran = run(*words, "--model-steps", 20, "--ground-truth", clip.truth)
    ran.done()
    assert run_record(out)["options"]["method"] == "refine"
    labels, truth = read(out, "labels"), read(clip.truth.parent, "truth")
    assert sorted(labels) == sorted(truth)
    assert np.mean([(labels[name] == truth[name]).mean() for name in labels]) > 0.97


def test_equal_runs_give_equal_bytes(refine, tree, tmp_path):
    refine("a").done()
    refine("b").done()
    assert tree(tmp_path / "a" / "labels") == tree(tmp_path / "b" / "labels")
    assert tree(tmp_path / "a" / "confidence") == tree(tmp_path / "b" / "confidence")


def test_a_network_that_gives_its_labels_back_changes_nothing(refine, tmp_path):
    refine("without").done()
    refine("with", "--refiner", write_refiner(tmp_path / "refiner")).done()
    for kind in ("labels", "confidence", "provenance"):
        one, other = read(tmp_path / "without", kind), read(tmp_path / "with", kind)
        assert all(np.array_equal(one[name], other[name]) for name in one)
    about = run_record(tmp_path / "with")["model"]["refiner"]
    assert about["kind"] == "refiner" and len(about["sha256"]) == 64


@pytest.mark.parametrize("settings", ["product", "paper"])
def test_what_the_network_changes_is_its_own(clip, refine, tmp_path, settings):
    refine("out", "--refiner", write_refiner(tmp_path / "refiner", says_road=True), "--settings", settings).done()
    labels, source = read(tmp_path / "out", "labels"), read(tmp_path / "out", "provenance")
    for index, stem in enumerate(clip.stems):
        name = f"{stem}.png"
        if index in (0, 4, 8):
            assert (source[name] == 0).all()
            continue
        assert (labels[name] == ROAD_ID).all()
        assert 0.3 < (source[name] == REFINER_SOURCE).mean() < 0.7  # the sky, the car and the pedestrian
    rows = [json.loads(line) for line in (tmp_path / "out" / "frames.jsonl").read_text().splitlines()]
    assert rows[1]["provenance"]["refiner"] == pytest.approx((source["f001.png"] == REFINER_SOURCE).mean(), abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "told"), [({"classes": 18}, "18"), ({"features": 31}, "reads 31 features.* gives 32")]
)
def test_a_network_of_other_classes_or_features_is_refused(refine, tmp_path, changes, told):
    ran = refine("out", "--refiner", write_refiner(tmp_path / "refiner", **changes))
    assert re.search(told, ran.error)


def test_another_network_is_another_run(refine, tmp_path):
    refiner = write_refiner(tmp_path / "refiner")
    refine("out", "--refiner", refiner).done()
    write_refiner(tmp_path / "refiner", says_road=True)
    assert "--overwrite" in refine("out", "--refiner", refiner).error


def test_the_papers_settings_inpaint_as_the_network_was_trained(refine, tmp_path):
    words = ["--settings", "paper", "--refiner"]
    refiner = write_refiner(tmp_path / "refiner", tau=5.0)
    refine("auto", *words, refiner).done()
    assert run_record(tmp_path / "auto")["options"]["tau"] == "5.0"
    refine("number", *words, refiner, "--tau", 5.0).done()
    refine("told", *words, refiner, "--tau", "inf").done()
    assert run_record(tmp_path / "told")["options"]["tau"] == "inf"
    auto, number, told = (read(tmp_path / name, "provenance") for name in ("auto", "number", "told"))
    assert all(np.array_equal(auto[name], number[name]) for name in auto)
    filled = [sum((one == MODEL_SOURCE).sum() for one in found.values()) for found in (auto, told)]
    assert filled[0] > 2 * filled[1]
    write_refiner(tmp_path / "refiner", tau=60.0)
    assert "--overwrite" in refine("auto", *words, refiner).error


def test_a_segmentation_model_is_no_refiner(refine, tmp_path):
    refine("first_run").done()
    ran = refine("out", "--refiner", tmp_path / "first" / ".seglift" / "model")
    assert "expected a refiner" in ran.error


@pytest.mark.parametrize("wrong", [{"features": FEATURES + 1}, {"classes": 18}])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_refiner_that_cannot_fit_is_refused_before_a_model_is_trained(clip, label, tmp_path, wrong, more):
    refiner = write_refiner(tmp_path / "refiner", **wrong)
    ran = label(clip, tmp_path / "out", "--method", "refine", "--refiner", refiner, *more)
    assert str(refiner) in ran.error
    assert not (tmp_path / "out").exists()
