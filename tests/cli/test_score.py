"""``seglift score``: its JSON against numbers counted pixel by pixel here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglift.labels.space_file import get_space

SPACE = get_space("cityscapes")
TRAIN = {c.id: c.train_id for c in SPACE.classes}


def pixels(path):
    return np.array(Image.open(path))


def count(pairs):
    """Confusion matrix of (prediction, truth) raw ids over the 19 classes; column 19: predicted void."""
    counts = np.zeros((19, 20), np.int64)
    for prediction, truth in pairs:
        for predicted, true in zip(prediction.ravel().tolist(), truth.ravel().tolist(), strict=True):
            if TRAIN[true] != 255:
                counts[TRAIN[true], 19 if TRAIN[predicted] == 255 else TRAIN[predicted]] += 1
    return counts


def expect(counts):
    square = counts[:, :19]
    hit, truth, predicted = square.diagonal(), counts.sum(1), square.sum(0)
    union = truth + predicted - hit
    iou = {name: (hit[i] / union[i] if union[i] else None) for i, name in enumerate(SPACE.train_names)}
    known = [value for value in iou.values() if value is not None]
    present = truth > 0
    return {
        "iou": iou,
        "miou": np.mean(known),
        "pixel_accuracy": hit.sum() / truth.sum(),
        "mean_accuracy": (hit[present] / truth[present]).mean(),
    }


def same(found, counts):
    expected = expect(counts)
    for name in ("miou", "pixel_accuracy", "mean_accuracy"):
        assert found[name] == pytest.approx(expected[name], abs=1e-12)
    assert set(found["iou"]) == set(SPACE.train_names)
    for name, value in expected["iou"].items():
        assert found["iou"][name] == (None if value is None else pytest.approx(value, abs=1e-12))


@pytest.fixture
def noisy(clip, save, tmp_path):
    """Predictions that differ from the truth at random pixels, void among both."""
    rng = np.random.default_rng(2)
    ids = np.array([0, 4, 7, 23, 24, 26, 26, 33], np.uint8)
    for stem in clip.stems:
        truth = pixels(clip.truth / f"{stem}.png")
        truth[rng.random(truth.shape) < 0.1] = 0
        save(clip.truth / f"{stem}.png", truth)
        wrong = rng.random(truth.shape) < 0.2
        save(tmp_path / f"predicted/{stem}.png", np.where(wrong, rng.choice(ids, truth.shape), truth).astype(np.uint8))
    return tmp_path / "predicted"


@pytest.fixture
def score(run, clip, tmp_path):
    def score(prediction, *more):
        ran = run(
            "score", prediction, clip.truth, "--space", "cityscapes", "--json", tmp_path / "scores.json", *more
        ).done()
        return json.loads((tmp_path / "scores.json").read_text()), ran.out

    return score


def pairs(clip, prediction, indices):
    names = [f"{clip.stems[index]}.png" for index in indices]
    return [(pixels(prediction / name), pixels(clip.truth / name)) for name in names]


def test_everything_pooled(clip, noisy, score):
    found, printed = score(noisy)
    assert set(found) == {
        "miou", "pixel_accuracy", "mean_accuracy", "iou", "category_iou", "boundary_f", "by_distance", "frames",
    }  # fmt: skip
    same(found, count(pairs(clip, noisy, range(9))))
    assert found["frames"] == 9 and found["by_distance"] == {}
    assert 0 < found["boundary_f"] < 1
    assert f"9 frames: mIoU {100 * found['miou']:.1f}" in printed and "absent" in printed
    assert found["iou"]["train"] is None


def test_categories(clip, noisy, score):
    found, _ = score(noisy)
    group = {c.train_id: c.category for c in SPACE.classes if c.train_id != 255}
    counts = count(pairs(clip, noisy, range(9)))
    for name, value in found["category_iou"].items():
        members = [i for i in range(19) if group[i] == name]
        hit = counts[np.ix_(members, members)].sum()
        union = counts[members].sum() + counts[:, members].sum() - hit
        assert value == (None if union == 0 else pytest.approx(hit / union, abs=1e-12))


def test_perfect(clip, score):
    found, _ = score(clip.truth)
    assert found["miou"] == found["pixel_accuracy"] == found["boundary_f"] == 1.0


def test_by_distance(clip, noisy, score):
    clip.keyframes.joinpath("f008.png").unlink()
    found, printed = score(noisy, "--keyframes", clip.keyframes)
    distances = {1: [1, 3, 5], 2: [2, 6], 3: [7], 4: [8]}
    assert found["frames"] == 7 and set(found["by_distance"]) == {"1", "2", "3", "4"}
    for distance, indices in distances.items():
        same(found["by_distance"][str(distance)], count(pairs(clip, noisy, indices)))
    same(found, count(pairs(clip, noisy, [1, 2, 3, 5, 6, 7, 8])))
    assert "By distance" in printed


def test_between(clip, noisy, score):
    clip.keyframes.joinpath("f008.png").unlink()
    found, _ = score(noisy, "--keyframes", clip.keyframes, "--between")
    same(found, count(pairs(clip, noisy, [1, 2, 3])))
    assert found["frames"] == 3


def test_between_wants_no_prediction_elsewhere(run, clip, noisy, score):
    clip.keyframes.joinpath("f008.png").unlink()
    for index in (6, 7):
        (noisy / f"f00{index}.png").unlink()
    found, _ = score(noisy, "--keyframes", clip.keyframes, "--between")
    same(found, count(pairs(clip, noisy, [1, 2, 3])))
    (noisy / "f002.png").unlink()
    words = ("score", noisy, clip.truth, "--space", "cityscapes", "--keyframes", clip.keyframes)
    assert "1 label of" in run(*words, "--between").error
    assert "3 labels of" in run(*words).error


def test_an_out_of_label(clip, label, score, tmp_path):
    label(clip, tmp_path / "out").done()
    found, _ = score(tmp_path / "out", "--keyframes", clip.keyframes)
    again, _ = score(tmp_path / "out/labels", "--keyframes", clip.keyframes)
    assert found == again and found["frames"] == 6
    same(found, count(pairs(clip, tmp_path / "out/labels", [1, 2, 3, 5, 6, 7])))
    printed = label(clip, tmp_path / "out", "--ground-truth", clip.truth).done().out
    assert f"6 frames: mIoU {100 * found['miou']:.1f}" in printed


def test_names_of_cityscapes(clip, noisy, score, save):
    whole, _ = score(noisy)
    for index, stem in enumerate(clip.stems):
        (clip.truth / f"{stem}.png").rename(clip.truth / f"ulm_000000_{index:06d}_gtFine_labelIds.png")
        (noisy / f"{stem}.png").rename(noisy / f"ulm_000000_{index:06d}_leftImg8bit.png")
    (clip.truth / "ulm_000000_000000_gtFine_color.png").write_bytes(b"skipped")
    assert score(noisy)[0] == whole
    # An instance file adds scores and alters none.
    name = "ulm_000000_000000_gtFine_"
    save(clip.truth / f"{name}instanceIds.png", pixels(clip.truth / f"{name}labelIds.png").astype(np.uint16))
    found, _ = score(noisy)
    assert found["iiou"]["car"] == 0.0 and found["iiou"]["bus"] is None
    assert {key: found[key] for key in whole} == whole


def test_missing_predictions(clip, noisy, run, score):
    (noisy / "f003.png").unlink()
    (noisy / "f005.png").unlink()
    error = run("score", noisy, clip.truth, "--space", "cityscapes").error
    assert error.startswith("2 labels") and "f003.png" in error and "--allow-missing" in error
    found, printed = score(noisy, "--allow-missing")
    same(found, count(pairs(clip, noisy, [0, 1, 2, 4, 6, 7, 8])))
    assert found["frames"] == 7 and "2 frames of the ground truth have no prediction" in printed


def test_predictions_without_truth_are_ignored(clip, noisy, score):
    (clip.truth / "f003.png").unlink()
    found, _ = score(noisy)
    assert found["frames"] == 8


def test_truth_beside_a_folder_called_labels(clip, noisy, score):
    """Only an OUT of label has its PNGs in ``labels``; ground truth is the folder itself."""
    whole, _ = score(noisy)
    (clip.truth / "labels").mkdir()
    assert score(noisy)[0] == whole


def test_extensions_in_capitals(clip, noisy, run):
    (clip.truth / "f003.png").rename(clip.truth / "f003.PNG")
    (noisy / "f003.png").unlink()
    assert "f003.PNG" in run("score", noisy, clip.truth, "--space", "cityscapes").error


def test_two_predictions_of_one_frame(clip, noisy, run):
    (noisy / "f003_labelIds.png").write_bytes((noisy / "f003.png").read_bytes())
    error = run("score", noisy, clip.truth, "--space", "cityscapes").error
    assert "f003.png" in error and "f003_labelIds.png" in error


def test_bad_input(clip, noisy, run, save, tmp_path):
    def error(*words):
        return run("score", *words, "--space", "cityscapes").error

    (tmp_path / "empty").mkdir()
    assert "nowhere" in error(tmp_path / "nowhere", clip.truth)
    assert "empty" in error(tmp_path / "empty", clip.truth)
    assert "nowhere" in error(noisy, tmp_path / "nowhere")
    assert "empty" in error(noisy, tmp_path / "empty")
    assert "--keyframes" in error(noisy, clip.truth, "--between")
    assert "empty" in error(noisy, clip.truth, "--keyframes", tmp_path / "empty")
    assert "file" in error(noisy / "f000.png", clip.truth) or "folder" in error(noisy / "f000.png", clip.truth)
    assert "left to score" in error(clip.keyframes, clip.keyframes, "--keyframes", clip.keyframes)
    assert "cityscapes" in run("score", noisy, clip.truth, "--space", "cityscape").error
    assert str(tmp_path) in error(noisy, clip.truth, "--json", tmp_path)
    save(noisy / "f004.png", np.full((64, 95), 7, np.uint8))
    found = error(noisy, clip.truth)
    assert "f004.png is 95x64" in found and "96x64" in found
    save(noisy / "f004.png", np.full((64, 96), 99, np.uint8))
    assert "99 (6144 px)" in error(noisy, clip.truth)
    (noisy / "f004.png").write_bytes(b"")
    assert "f004.png is empty" in error(noisy, clip.truth)
