from __future__ import annotations

import doctest
import importlib
import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import category2labels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.reading import read_label
from seglift.labels.writing import write_png
from seglift.metrics import confusion as module
from seglift.metrics.confusion import Confusion

CITYSCAPES = BUILTIN_SPACES["cityscapes"]


def maps(elements):
    return hnp.arrays(np.uint8, (6, 5), elements=elements)


def test_printed_examples_are_true():
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


@given(maps(st.integers(0, 255)), maps(st.sampled_from([0, 1, 2, 3, 255])))
def test_counts_equal_a_loop_over_pixels(prediction, truth):
    confusion = Confusion.empty(4)
    confusion.update(prediction, truth)
    wanted = np.zeros((4, 5), int)
    for p, t in zip(prediction.ravel(), truth.ravel(), strict=True):
        if t != 255:
            wanted[t, min(p, 4)] += 1
    np.testing.assert_array_equal(confusion.counts, wanted)


def test_counts_beyond_what_a_histogram_holds_are_added_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    prediction, truth = (rng.integers(0, 4, (3, 13, 7), dtype=np.uint8)[:, ::2] for _ in range(2))
    whole, parts = Confusion.empty(4), Confusion.empty(4)
    whole.update(prediction, truth)
    monkeypatch.setattr(module, "_EXACT_COUNTS", 10)
    parts.update(prediction, truth)
    assert whole.counts.sum() == truth.size
    np.testing.assert_array_equal(whole.counts, parts.counts)


@given(st.lists(st.tuples(maps(st.integers(0, 3)), maps(st.integers(0, 2))), max_size=4))
def test_merging_equals_one_pass_in_any_order(pairs):
    whole, merged = Confusion.empty(3), Confusion.empty(3)
    for prediction, truth in pairs:
        whole.update(prediction, truth)
    for prediction, truth in reversed(pairs):
        part = Confusion.empty(3)
        part.update(prediction, truth)
        merged = part + merged
    np.testing.assert_array_equal(whole.counts, merged.counts)


@given(maps(st.sampled_from([0, 1, 2, 3, 255])), maps(st.sampled_from([0, 1, 2, 255])))
def test_scores_equal_set_arithmetic(prediction, truth):
    confusion = Confusion.empty(4)
    confusion.update(prediction, truth)
    valid = truth != 255
    ious, recalls = [], []
    for c in range(4):
        p, t = (prediction == c) & valid, truth == c
        ious.append((p & t).sum() / (p | t).sum() if (p | t).any() else math.nan)
        if t.any():
            recalls.append((p & t).sum() / t.sum())
    np.testing.assert_allclose(confusion.iou(), ious)
    if valid.any():
        assert confusion.miou() == pytest.approx(np.nanmean(ious))
        assert confusion.mean_accuracy() == pytest.approx(np.mean(recalls))
        assert confusion.pixel_accuracy() == pytest.approx((prediction == truth)[valid].mean())
    else:
        assert all(map(math.isnan, (confusion.miou(), confusion.mean_accuracy(), confusion.pixel_accuracy())))


@given(maps(st.sampled_from([0, 1, 2, 3, 255])), maps(st.sampled_from([0, 1, 2, 255])), st.integers(1, 12))
def test_present_miou_equals_set_arithmetic(prediction, truth, least):
    confusion = Confusion.empty(4)
    confusion.update(prediction, truth)
    valid, ious = truth != 255, []
    for c in range(4):
        p, t = (prediction == c) & valid, truth == c
        if t.sum() >= least:
            ious.append((p & t).sum() / (p | t).sum())
    found = confusion.present_miou(least)
    assert found == pytest.approx(np.mean(ious)) if ious else math.isnan(found)


def test_a_class_is_present_from_50_pixels_on():
    truth = np.repeat(np.array([0, 1, 2], np.uint8), [100, 50, 49])
    confusion = Confusion.empty(3)
    confusion.update(np.zeros(199, np.uint8), truth)
    assert confusion.present_miou() == pytest.approx((100 / 199 + 0) / 2)


def test_merging_by_distance():
    one, two = Confusion(np.eye(2, 3, dtype=np.int64)), Confusion(2 * np.eye(2, 3, dtype=np.int64))
    merged = module.merge_by_distance({1: one, 2: one}, {2: two, 3: two})
    assert {key: value.counts[0, 0] for key, value in merged.items()} == {1: 1, 2: 3, 3: 2}
    assert one.counts.sum() == 2


def test_bad_input_is_refused():
    confusion = Confusion.empty(3)
    good = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="got 3"):
        confusion.update(good, np.array([[0, 3], [0, 0]], np.uint8))
    with pytest.raises(ValueError, match="one shape"):
        confusion.update(good, good[:1])
    with pytest.raises(ValueError, match="uint8"):
        confusion.update(good.astype(np.int64), good)
    assert confusion.counts.sum() == 0
    with pytest.raises(ValueError, match="cannot add"):
        confusion + Confusion.empty(4)
    for number in (0, 256):
        with pytest.raises(ValueError, match=r"1\.\.255"):
            Confusion.empty(number)
    with pytest.raises(ValueError, match="C \\+ 1"):
        Confusion(np.zeros((3, 3), np.int64))


def test_all_255_classes_can_be_counted():
    confusion = Confusion.empty(255)
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    confusion.update(values, values)
    assert confusion.miou() == 1.0 and confusion.counts.sum() == 255


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """The official pixel-level evaluation of pairs of raw id maps: class IoU and category IoU by name."""
    for old, new in (("in1d", np.isin), ("bool", np.bool_), ("int", int), ("float", float)):
        if old not in np.__dict__:
            monkeypatch.setattr(np, old, new, raising=False)
    official = importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")

    def run(pairs):
        args = official.args
        monkeypatch.setattr(args, "evalInstLevelScore", False)
        monkeypatch.setattr(args, "evalPixelAccuracy", False)
        matrix = official.generateMatrix(args)
        stats = official.generateInstanceStats(args)
        for number, (prediction, truth) in enumerate(pairs):
            write_png(tmp_path / f"p{number}.png", prediction)
            write_png(tmp_path / f"t{number}.png", truth)
            official.evaluatePair(
                str(tmp_path / f"p{number}.png"), str(tmp_path / f"t{number}.png"), matrix, stats, {}, args
            )
        classes = official.getIouScoreForLabel
        found = {CITYSCAPES.classes[i].name: classes(i, matrix, args) for i in args.evalLabels}
        return found, {name: official.getIouScoreForCategory(name, matrix, args) for name in category2labels}

    return run


def compare(pairs, evaluate):
    confusion = Confusion.empty(19)
    for prediction, truth in pairs:
        confusion.update(*(CITYSCAPES.to_train(CITYSCAPES.encode(raw, "")) for raw in (prediction, truth)))
    classes, categories = evaluate(pairs)
    np.testing.assert_allclose(confusion.iou(), [classes[name] for name in CITYSCAPES.train_names], rtol=1e-12)
    ours = confusion.category_iou(CITYSCAPES.categories)
    assert ours.keys() == {name for name in categories if name != "void"}
    np.testing.assert_allclose([*ours.values()], [categories[name] for name in ours], rtol=1e-12)
    known = [score for score in classes.values() if not math.isnan(score)]
    assert confusion.miou() == pytest.approx(sum(known) / len(known), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_the_official_evaluation_on_random_maps(seed, evaluate):
    rng = np.random.default_rng(seed)
    present = rng.permutation(34)[: rng.integers(3, 35)]
    pairs = []
    for _ in range(3):
        truth = rng.choice(present, (24, 32)).astype(np.uint8)
        wrong = rng.choice(34, truth.shape)
        pairs.append((np.where(rng.random(truth.shape) < 0.5, truth, wrong).astype(np.uint8), truth))
    compare(pairs, evaluate)


@pytest.mark.skipif("SEGLIFT_DATA" not in os.environ, reason="SEGLIFT_DATA is not set: no real label maps")
def test_equal_to_the_official_evaluation_on_real_maps(evaluate):
    camvid = BUILTIN_SPACES["camvid11"]
    to_city = np.array([23, 11, 17, 7, 8, 21, 20, 13, 26, 24, 25, 0], np.uint8)
    files = sorted((Path(os.environ["SEGLIFT_DATA"]) / "camvid" / "dense_a" / "labels").glob("*.png"))[:6]
    labels = [to_city[camvid.decode(read_label(path, camvid))][::2, ::2] for path in files]
    compare(list(itertools.pairwise(labels)), evaluate)
