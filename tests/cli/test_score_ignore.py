"""``seglift score --with-ignore``: void as a class of its own, against sets of pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglift.labels.space_file import get_space

SPACE = get_space("cityscapes")
NAMES = (*SPACE.train_names, "ignore")
CLASS = np.full(256, 19)
for entry in SPACE.classes:
    CLASS[entry.id] = min(entry.train_id, 19)


def read(path):
    return np.array(Image.open(path))


@pytest.fixture
def noisy(clip, save, tmp_path):
    """Void of several kinds on both sides."""
    rng = np.random.default_rng(7)
    for stem in clip.stems:
        truth = read(clip.truth / f"{stem}.png")
        truth[rng.random(truth.shape) < 0.2] = rng.choice([0, 1, 3, 4])
        save(clip.truth / f"{stem}.png", truth)
        wrong = rng.random(truth.shape) < 0.2
        save(
            tmp_path / f"found/{stem}.png",
            np.where(wrong, rng.choice([0, 2, 7, 26], truth.shape), truth).astype(np.uint8),
        )
    return tmp_path / "found"


def expect(clip, noisy, indices):
    found, truth = (
        np.stack([CLASS[read(folder / f"{clip.stems[i]}.png")] for i in indices]) for folder in (noisy, clip.truth)
    )
    pairs = [((found == c), (truth == c)) for c in range(20)]
    iou = {n: (f & t).sum() / (f | t).sum() if (f | t).any() else None for n, (f, t) in zip(NAMES, pairs, strict=True)}
    return iou, np.mean([value for value in iou.values() if value is not None])


def scores(run, clip, noisy, tmp_path, *more):
    ran = run("score", noisy, clip.truth, "--space", "cityscapes", "--json", tmp_path / "s.json", *more).done()
    return json.loads((tmp_path / "s.json").read_text()), ran.out


def test_with_ignore(run, clip, noisy, tmp_path):
    usual, _ = scores(run, clip, noisy, tmp_path, "--keyframes", clip.keyframes)
    found, printed = scores(run, clip, noisy, tmp_path, "--keyframes", clip.keyframes, "--with-ignore")
    extra = found.pop("with_ignore")
    assert found == usual
    iou, miou = expect(clip, noisy, [1, 2, 3, 5, 6, 7])
    assert extra["miou"] == pytest.approx(miou)
    assert extra["iou"] == {name: value if value is None else pytest.approx(value) for name, value in iou.items()}
    assert extra["iou"]["ignore"] is not None and 0 < extra["iou"]["ignore"] < 1
    assert set(extra["by_distance"]) == {"1", "2"}
    assert extra["by_distance"]["2"] == {"miou": pytest.approx(expect(clip, noisy, [2, 6])[1])}
    assert f"with ignore as a class: mIoU {100 * miou:.1f}" in printed
    row = next(line.split() for line in printed.splitlines() if line.startswith("ignore"))
    assert row == ["ignore", f"{100 * iou['ignore']:.1f}"]
    row = next(line.split() for line in printed.splitlines() if line.startswith("road"))
    assert row == ["road", f"{100 * usual['iou']['road']:.1f}", f"{100 * iou['road']:.1f}"]


def test_predicted_void_is_told(run, clip, noisy, tmp_path):
    _, printed = scores(run, clip, noisy, tmp_path)
    found, truth = (np.stack([CLASS[read(f / f"{stem}.png")] for stem in clip.stems]) for f in (noisy, clip.truth))
    void, valid = ((found == 19) & (truth != 19)).sum(), (truth != 19).sum()
    assert f"{void} pixels ({100 * void / valid:.1f} %) are wrong as void was predicted" in printed
    _, printed = scores(run, clip, clip.truth, tmp_path)
    assert "void was predicted" not in printed


def test_a_space_without_void(run, save, tmp_path):
    label = np.eye(8, dtype=np.uint8)
    save(tmp_path / "a/x.png", label)
    words = (
        "score",
        tmp_path / "a",
        tmp_path / "a",
        "--space",
        "binary",
        "--with-ignore",
        "--json",
        tmp_path / "s.json",
    )
    run(*words).done()
    found = json.loads((tmp_path / "s.json").read_text())["with_ignore"]
    assert found == {"miou": 1.0, "iou": {"background": 1.0, "foreground": 1.0, "ignore": None}, "by_distance": {}}


def test_bad_input(run, save, tmp_path):
    save(tmp_path / "a/x.png", np.zeros((8, 8), np.uint8))
    spaces = {
        "named": [{"id": 0, "name": "ignore"}, {"id": 1, "name": "road"}],
        "full": [{"id": i, "name": f"c{i}"} for i in range(255)],
    }
    for name, classes in spaces.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "classes": classes}))
        words = ("score", tmp_path / "a", tmp_path / "a", "--space", tmp_path / f"{name}.json")
        run(*words).done()
        assert "--with-ignore adds the class 'ignore'" in run(*words, "--with-ignore").error
