"""``seglift score`` against the official Cityscapes evaluation, on files in the official layout."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.labels.space_file import get_space

SPACE = get_space("cityscapes")
THINGS = [entry.id for entry in SPACE.classes if entry.thing]
FRAMES = ("aachen_000000_000019", "aachen_000001_000019", "weimar_000003_000019")


def evaluate_officially(truth: Path, predictions: Path, monkeypatch, tmp_path):
    """What cityscapesScripts finds below ``predictions`` for the ground truth, as its JSON has it."""
    for old, new in (("in1d", np.isin), ("bool", np.bool_), ("int", int), ("float", float)):
        if old not in np.__dict__:
            monkeypatch.setattr(np, old, new, raising=False)
    official = importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    for name, value in (
        ("predictionPath", str(predictions)), ("predictionWalk", None), ("quiet", True), ("JSONOutput", False),
        ("evalInstLevelScore", True), ("evalPixelAccuracy", False), ("exportFile", str(tmp_path / "official.json")),
    ):  # fmt: skip
        monkeypatch.setattr(official.args, name, value)
    labels = sorted(map(str, truth.glob("val/*/*_gtFine_labelIds.png")))
    assert len(labels) == len(FRAMES)
    return official.evaluateImgLists([official.getPrediction(official.args, path) for path in labels], labels,
                                     official.args)  # fmt: skip


def build(folder: Path, rng, save, flat=True):
    """Random ground truth with objects, groups, void and unevaluated things, and predictions that err."""
    present = rng.permutation(34)[: rng.integers(12, 35)].tolist()
    present += [raw for raw in (24, 26, 29, 33) if raw not in present]
    for frame in FRAMES:
        label = rng.choice(present, (8, 10)).repeat(4, 0).repeat(5, 1).astype(np.uint8)
        number = rng.integers(-1, 3, (16, 25)).repeat(2, 0).repeat(2, 1)
        single = np.isin(label, THINGS) & (number >= 0)
        city = folder / "gtFine/val" / frame.split("_", maxsplit=1)[0]
        save(city / f"{frame}_gtFine_labelIds.png", label)
        instances = np.where(single, label.astype(int) * 1000 + number, label).astype(np.uint16)
        save(city / f"{frame}_gtFine_instanceIds.png", instances)
        save(city / f"{frame}_gtFine_color.png", SPACE.colorize(label))
        save(city / f"{frame}_gtFine_labelTrainIds.png", SPACE.to_train(label))
        wrong = rng.random(label.shape) < 0.4
        predicted = np.where(wrong, rng.choice([*present, 29, 30, 0], label.shape), label).astype(np.uint8)
        place = folder / "results" if flat else folder / "results" / city.name
        save(place / f"{frame}_leftImg8bit.png", predicted)
    return folder / "gtFine", folder / "results"


def compare(found, official):
    def same(ours, theirs):
        assert ours == (None if math.isnan(theirs) else pytest.approx(theirs, rel=1e-12))

    same(found["miou"], official["averageScoreClasses"])
    same(found["mean_iiou"], official["averageScoreInstClasses"])
    same(found["mean_category_iiou"], official["averageScoreInstCategories"])
    for ours, theirs, count in (
        ("iou", "classScores", 19), ("iiou", "classInstScores", 8),
        ("category_iou", "categoryScores", 7), ("category_iiou", "categoryInstScores", 2),
    ):  # fmt: skip
        assert len(found[ours]) == count
        for name, value in found[ours].items():
            same(value, official[theirs][name])
        left_out = set(official[theirs]) - set(found[ours])
        assert all(math.isnan(official[theirs][name]) for name in left_out)
    known = [value for value in found["category_iou"].values() if value is not None]
    same(sum(known) / len(known), official["averageScoreCategories"])


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_the_official_evaluation(seed, run, save, tmp_path, monkeypatch):
    truth, results = build(tmp_path, np.random.default_rng(seed), save, flat=seed % 2 == 0)
    ran = run("score", results, truth, "--space", "cityscapes", "--json", tmp_path / "scores.json").done()
    found = json.loads((tmp_path / "scores.json").read_text())
    compare(found, evaluate_officially(truth, results, monkeypatch, tmp_path))
    assert found["frames"] == 3 and found["average_sizes"] == "cityscapes"
    assert f"iIoU {100 * found['mean_iiou']:.1f}" in ran.out and "published" in ran.out
    city = run("score", results, truth / "val", "--space", "cityscapes", "--json", tmp_path / "again.json").done()
    assert city.out == ran.out and (tmp_path / "again.json").read_text() == (tmp_path / "scores.json").read_text()


def test_other_spaces_take_the_sizes_of_the_ground_truth(run, save, tmp_path):
    truth, results = build(tmp_path, np.random.default_rng(7), save)
    found = {}
    for space in ("cityscapes", "kitti"):
        ran = run("score", results, truth, "--space", space, "--json", tmp_path / "scores.json").done()
        found[space] = json.loads((tmp_path / "scores.json").read_text())
    assert found["kitti"]["average_sizes"] == "ground truth" and "this ground truth's" in ran.out
    assert found["kitti"]["iou"] == found["cityscapes"]["iou"]
    assert found["kitti"]["iiou"] != found["cityscapes"]["iiou"]
    # Here objects are far smaller than in the streets, so false positives weigh more.
    assert found["kitti"]["mean_iiou"] < found["cityscapes"]["mean_iiou"]


def test_frames_without_instance_file(run, save, tmp_path):
    """They count for everything but the instance-level scores, which are those of the other frames."""
    truth, results = build(tmp_path, np.random.default_rng(8), save)

    def score():
        ran = run("score", results, truth, "--space", "cityscapes", "--json", tmp_path / "s.json", "--allow-missing")
        return json.loads((tmp_path / "s.json").read_text()), ran.done().out

    whole, _ = score()
    (truth / "val/weimar" / f"{FRAMES[2]}_gtFine_instanceIds.png").unlink()
    part, printed = score()
    assert part["iou"] == whole["iou"] and part["iiou"] != whole["iiou"] and "2 frames with instances" in printed
    (results / f"{FRAMES[2]}_leftImg8bit.png").unlink()
    assert score()[0]["iiou"] == part["iiou"]
    for path in truth.rglob("*_instanceIds.png"):
        path.unlink()
    none, printed = score()
    assert "iiou" not in none and "iIoU" not in printed


def test_trees_with_equal_stems_are_matched_by_folder(run, save, tmp_path):
    """Clips count their frames from 0; what belongs together has the same folder."""
    for number, clip in enumerate(("a", "b")):
        save(tmp_path / "truth" / clip / "000000.png", np.full((4, 4), 7 + number, np.uint8))
        save(tmp_path / "found" / clip / "000000.png", np.full((4, 4), 7 + number, np.uint8))
    run("score", tmp_path / "found", tmp_path / "truth", "--space", "cityscapes", "--json", tmp_path / "s.json").done()
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["frames"] == 2 and found["miou"] == 1.0
    (tmp_path / "found/b/000000.png").rename(tmp_path / "found/b/000001.png")
    error = run("score", tmp_path / "found", tmp_path / "truth", "--space", "cityscapes").error
    assert error.startswith("1 label of") and "b/000000.png" in error
    keys = tmp_path / "found/a"
    error = run("score", tmp_path / "found", tmp_path / "found", "--space", "cityscapes", "--keyframes", keys).error
    assert "several folders" in error


def test_bad_instance_files(run, save, tmp_path):
    truth, results = build(tmp_path, np.random.default_rng(9), save)
    path = truth / "val/aachen" / f"{FRAMES[0]}_gtFine_instanceIds.png"
    values = np.array(Image.open(path)).astype(np.uint16)

    def error():
        return run("score", results, truth, "--space", "cityscapes").error

    save(path, values[:-1])
    assert f"{path.name} is 50x31" in error()
    save(path, np.full_like(values, 40000))
    assert path.name in error() and "40 (" in error()
    path.write_bytes(b"")
    assert f"{path.name} is empty" in error()
    # The file of another frame is read, but said to disagree.
    save(path, values[::-1])
    ran = run("score", results, truth, "--space", "cityscapes").done()
    assert "instance files name different classes" in ran.err
    assert "--boundary-tolerance is 3.0" in run(
        "score", results, truth, "--space", "cityscapes", "--boundary-tolerance", 3.0).error  # fmt: skip
