"""``seglift score`` of an OUT of ``label``: its confidence and estimated mIoU against pixels counted here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglift.labels.space_file import get_space

TRAIN = np.full(256, 255)
for entry in get_space("cityscapes").classes:
    TRAIN[entry.id] = entry.train_id


def read(path):
    return np.array(Image.open(path))


@pytest.fixture
def out(clip, save, tmp_path):
    """An OUT whose labels are wrong or void at random, less confident where they are wrong; void in the truth, too."""
    rng = np.random.default_rng(4)
    lines = []
    for index, stem in enumerate(clip.stems):
        truth = read(clip.truth / f"{stem}.png")
        truth[rng.random(truth.shape) < 0.1] = rng.choice([0, 1, 3])
        drawn = index in (0, 4, 8)
        wrong = rng.random(truth.shape) < (0.0 if drawn else 0.05 * index)
        confidence = np.where(wrong, rng.integers(0, 200, truth.shape), rng.integers(100, 256, truth.shape))
        save(clip.truth / f"{stem}.png", truth)
        save(
            tmp_path / f"out/labels/{stem}.png",
            np.where(wrong, rng.choice([0, 7, 26], truth.shape), truth).astype(np.uint8),
        )
        save(tmp_path / f"out/confidence/{stem}.png", confidence.astype(np.uint8))
        lines.append({"stem": stem, "distance": min(index % 4, -index % 4), "provenance": {"human": float(drawn)}})
    write(tmp_path, lines)
    return tmp_path / "out"


def write(folder, lines):
    (folder / "out/frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def notes(out):
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]


@pytest.fixture
def score(run, clip, tmp_path):
    def score(prediction, *more):
        words = ("score", prediction, clip.truth, "--space", "cityscapes", "--json", tmp_path / "s.json", *more)
        ran = run(*words).done()
        return json.loads((tmp_path / "s.json").read_text()), ran.out

    return score


def expect(clip, out, indices):
    """Confidence scores by sorting pixels, not by histograms."""
    confidence, right = [], []
    for index in indices:
        name = f"{clip.stems[index]}.png"
        truth, found = TRAIN[read(clip.truth / name)], TRAIN[read(out / "labels" / name)]
        confidence.append(read(out / "confidence" / name)[truth != 255] / 255)
        right.append((found == truth)[truth != 255])
    confidence, right = np.concatenate(confidence), np.concatenate(right)
    wrong = np.sort(confidence[~right])
    ranks = np.searchsorted(wrong, confidence[right]) + np.searchsorted(wrong, confidence[right], "right")
    bins = np.maximum(np.ceil(np.round(confidence * 255) / 17), 1)
    error = sum(abs(confidence[bins == m].sum() - right[bins == m].sum()) for m in range(1, 16))
    return {
        "auroc": ranks.sum() / (2 * len(wrong) * right.sum()) if len(wrong) else None,
        "calibration_error": error / len(right),
        "accuracy": right.mean(),
        "mean": confidence.mean(),
        "pixels": len(right),
    }


def same(found, expected):
    assert found == {key: value if value is None else pytest.approx(value, abs=1e-9) for key, value in expected.items()}


def test_keyframes_are_left_out_unasked(clip, out, score):
    found, printed = score(out)
    expected = expect(clip, out, [1, 2, 3, 5, 6, 7])
    same(found["confidence"], expected)
    assert found["frames"] == 9 and "estimated_miou" not in found
    assert (
        f"AUROC {100 * expected['auroc']:.1f}, calibration error {100 * expected['calibration_error']:.1f}" in printed
    )
    assert "(6 frames that no human drew)" in printed
    # The same folder by its other name.
    assert score(out / "labels")[0] == found


def test_keyframes_known_by_the_distance_alone(clip, out, score):
    write(out.parent, [{key: line[key] for key in ("stem", "distance")} for line in notes(out)])
    same(score(out)[0]["confidence"], expect(clip, out, [1, 2, 3, 5, 6, 7]))


def test_frames_without_a_note_are_no_keyframes(clip, out, score):
    (out / "frames.jsonl").unlink()
    same(score(out)[0]["confidence"], expect(clip, out, range(9)))


def test_selections(clip, out, score):
    clip.keyframes.joinpath("f008.png").unlink()
    same(score(out, "--keyframes", clip.keyframes)[0]["confidence"], expect(clip, out, [1, 2, 3, 5, 6, 7]))
    found, _ = score(out, "--keyframes", clip.keyframes, "--between")
    same(found["confidence"], expect(clip, out, [1, 2, 3]))
    (out / "labels/f002.png").unlink()
    found, _ = score(out, "--allow-missing")
    same(found["confidence"], expect(clip, out, [1, 3, 5, 6, 7]))


def test_frames_without_confidence_are_left_out(clip, out, score):
    (out / "confidence/f003.png").unlink()
    found, printed = score(out)
    same(found["confidence"], expect(clip, out, [1, 2, 5, 6, 7]))
    assert "(5 frames that no human drew)" in printed


def test_nothing_wrong(clip, out, score):
    for stem in clip.stems:
        (out / "labels" / f"{stem}.png").write_bytes((clip.truth / f"{stem}.png").read_bytes())
    found, _ = score(out)
    assert found["confidence"]["auroc"] is None and found["confidence"]["accuracy"] == 1.0


def test_a_folder_of_labels_has_no_confidence(out, score, tmp_path):
    (out / "labels").rename(tmp_path / "plain")
    assert not {"confidence", "estimated_miou"} & set(score(tmp_path / "plain")[0])


def true_miou(clip, out, index):
    name = f"{clip.stems[index]}.png"
    truth, found = TRAIN[read(clip.truth / name)], TRAIN[read(out / "labels" / name)]
    ious = []
    for c in range(19):
        if (truth == c).sum() >= 50:
            hit = ((found == c) & (truth == c)).sum()
            ious.append(hit / (((found == c) & (truth != 255)) | (truth == c)).sum())
    return np.mean(ious)


def test_estimated_miou(clip, out, score):
    estimates = {1: 0.9, 2: 0.8, 3: 0.85, 5: None, 6: 0.55, 0: 0.1, 4: 0.1, 8: 0.1}
    lines = notes(out)
    for index, value in estimates.items():
        lines[index]["estimated_miou"] = value
    write(out.parent, lines)
    found, printed = score(out)
    kept = [1, 2, 3, 6]
    estimated, true = np.array([estimates[i] for i in kept]), np.array([true_miou(clip, out, i) for i in kept])
    assert found["estimated_miou"] == {
        "mean_absolute_error": pytest.approx(np.abs(estimated - true).mean()),
        "bias": pytest.approx((estimated - true).mean()),
        "correlation": pytest.approx(np.corrcoef(estimated, true)[0, 1]),
        "frames": 4,
    }
    assert f"estimated mIoU: off by {100 * np.abs(estimated - true).mean():.1f} points" in printed
    found, printed = score(out, "--keyframes", clip.keyframes, "--between", "--allow-missing")
    assert found["estimated_miou"]["frames"] == 4
    for line in lines:
        line["estimated_miou"] = 0.5 if line["stem"] == "f001" else None
    write(out.parent, lines)
    found, printed = score(out)
    assert found["estimated_miou"]["frames"] == 1 and found["estimated_miou"]["correlation"] is None
    assert "correlation absent (1 frame " in printed


def test_by_label_itself(clip, label, score, tmp_path):
    printed = label(clip, tmp_path / "out", "--ground-truth", clip.truth).done().out
    found, scored = score(tmp_path / "out", "--keyframes", clip.keyframes)
    same(found["confidence"], expect(clip, tmp_path / "out", [1, 2, 3, 5, 6, 7]))
    line = next(line for line in scored.splitlines() if line.startswith("confidence:"))
    assert line in printed.splitlines()


def test_bad_input(clip, out, run, save):
    def error():
        return run("score", out, clip.truth, "--space", "cityscapes").error

    save(out / "confidence/f002.png", np.zeros((64, 95), np.uint8))
    assert "confidence/f002.png is 95x64" in error()
    save(out / "confidence/f002.png", np.zeros((64, 96, 3), np.uint8))
    assert "confidence/f002.png is PNG, mode RGB" in error()
    for text in ("nothing", "[1]", '{"distance": 1}', '{"stem": "f001", "estimated_miou": 7}', "3",
                 '{"stem": "f001", "estimated_miou": NaN}', '{"stem": "f001", "provenance": [1]}'):  # fmt: skip
        (out / "frames.jsonl").write_text(text)
        assert "frames.jsonl is not what seglift label writes" in error()
