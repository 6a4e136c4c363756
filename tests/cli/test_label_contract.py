"""What ``seglift label`` writes, read with nothing of ours."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space_file import get_space

PROVENANCE = ["human", "earlier", "later", "model", "refiner", "none"]


def pixels(path):
    return np.array(Image.open(path))


def table(out):
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]


def test_files_and_their_formats(clip, label, tmp_path):
    out = tmp_path / "out"
    ran = label(clip, out).done()
    assert str(out / "labels") in ran.out and str(out / "report.html") in ran.out
    assert {path.name for path in out.iterdir()} == {
        "labels", "confidence", "provenance", "frames.jsonl", "run.json", "timing.json", "report.html", ".seglift",
    }  # fmt: skip
    for kind in ("labels", "confidence", "provenance"):
        files = sorted((out / kind).iterdir())
        assert [file.name for file in files] == [f"{stem}.png" for stem in clip.stems]
        for file in files:
            assert Image.open(file).mode == "L" and pixels(file).shape == (64, 96)
            assert file.stat().st_mode & 0o777 == 0o644
    ids = {c.id for c in get_space("cityscapes").classes}
    for index, stem in enumerate(clip.stems):
        name, keyframe = f"{stem}.png", index in (0, 4, 8)
        labels, source = pixels(out / "labels" / name), pixels(out / "provenance" / name)
        assert set(np.unique(labels).tolist()) <= ids
        assert ((source == 0).all() and (pixels(out / "confidence" / name) == 255).all()) == keyframe
        assert ((source == 0).any()) == keyframe
        assert (labels == pixels(clip.truth / name)).mean() > 0.97
        if keyframe:
            assert (out / "labels" / name).read_bytes() == (clip.keyframes / name).read_bytes()


def test_table_of_frames(clip, label, tmp_path):
    out = tmp_path / "out"
    label(clip, out).done()
    rows = table(out)
    assert [row["stem"] for row in rows] == list(clip.stems)
    assert [row["index"] for row in rows] == list(range(9))
    assert [row["distance"] for row in rows] == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert [row["keyframes"] for row in rows] == [[0, 0], *[[0, 4]] * 3, [4, 4], *[[4, 8]] * 3, [8, 8]]
    for row in rows:
        assert sum(row["provenance"].values()) == pytest.approx(1.0, abs=5e-6)
        source = pixels(out / "provenance" / f"{row['stem']}.png")
        for value, name in enumerate(PROVENANCE):
            assert row["provenance"][name] == pytest.approx((source == value).mean(), abs=1e-6)
        confidence = pixels(out / "confidence" / f"{row['stem']}.png")
        assert row["mean_confidence"] == pytest.approx(confidence.mean() / 255, abs=1e-6)
        assert 0.5 < row["estimated_miou"] < 1.0 or (row["estimated_miou"] == 1.0 and row["distance"] == 0)
    assert sum(row["estimated_miou"] == 1.0 for row in rows) == 3


def test_run_and_timing(clip, label, tmp_path):
    out = tmp_path / "out"
    label(clip, out, "--seed", 5).done()
    run = json.loads((out / "run.json").read_text())
    assert run["seed"] == 5 and run["options"]["method"] == "motion" and run["options"]["resample"] == "once"
    assert run["frames"]["count"] == 9 and run["frames"]["size"] == [64, 96]
    assert run["versions"]["seglift"] and run["versions"]["torch"]
    expected = {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in clip.keyframes.iterdir()}
    assert run["keyframes"] == expected
    timing = json.loads((out / "timing.json").read_text())
    assert timing["frames_labelled"] == 9 and timing["frames_per_second"] > 0 and timing["peak_memory_bytes"] > 2**20
    assert timing["seconds"]["total"] >= timing["seconds"]["report"] > 0
    page = (out / "report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html") and "</html>" in page


@pytest.mark.parametrize("space", sorted(BUILTIN_SPACES))
def test_every_raw_id_survives_a_still_video(space, run, draw, save, tmp_path):
    ids = sorted({c.id for c in get_space(space).classes})
    image, _ = draw(0)
    stripes = np.array(ids, np.uint8)[np.arange(64 * 96).reshape(64, 96) // 4 % len(ids)]
    for index in range(3):
        save(tmp_path / f"frames/{index}.png", image)
    save(tmp_path / "keys/0.png", stripes)
    run(
        "label", tmp_path / "frames", "--labels", tmp_path / "keys", "--space", space, "--out", tmp_path / "out",
        "--method", "motion",
    ).done()  # fmt: skip
    for index in range(3):
        written = pixels(tmp_path / f"out/labels/{index}.png")
        np.testing.assert_array_equal(written, stripes)


@pytest.mark.parametrize("foreground", [1, 255])
def test_binary_is_written_back_as_it_came(foreground, clip, label, save, tmp_path):
    for path in clip.keyframes.iterdir():
        save(path, np.where(pixels(path) == 26, foreground, 0).astype(np.uint8))
    label(clip, tmp_path / "out", "--space", "binary").done()
    for path in (tmp_path / "out/labels").iterdir():
        assert set(np.unique(pixels(path)).tolist()) == {0, foreground}


def test_colour_keyframes_become_ids(clip, label, save, tmp_path):
    color = {c.id: c.color for c in get_space("cityscapes").classes}
    for path in clip.keyframes.iterdir():
        ids = pixels(path)
        save(path, np.array([color.get(i, (0, 0, 0)) for i in range(256)], np.uint8)[ids])
    label(clip, tmp_path / "out").done()
    for stem in ("f000", "f004", "f008"):
        written = pixels(tmp_path / f"out/labels/{stem}.png")
        np.testing.assert_array_equal(written, pixels(clip.truth / f"{stem}.png"))


def test_palette_keyframes_of_ids(clip, label, tmp_path):
    for path in clip.keyframes.iterdir():
        image = Image.fromarray(pixels(path))
        image = image.convert("P")
        image.putpalette([v for i in range(256) for v in (i, 255 - i, (7 * i) % 256)])
        image.putdata(pixels(clip.truth / path.name).ravel().tolist())
        image.save(path)
    label(clip, tmp_path / "out").done()
    np.testing.assert_array_equal(pixels(tmp_path / "out/labels/f004.png"), pixels(clip.truth / "f004.png"))
    assert Image.open(tmp_path / "out/labels/f004.png").mode == "L"


def test_space_of_the_user(clip, label, save, tmp_path):
    (tmp_path / "space.yaml").write_text(
        "name: mine\nignore: 9\nclasses:\n"
        "  - {id: 3, name: ground, color: [1, 2, 3], train_id: 0}\n"
        "  - {id: 5, name: thing, color: [9, 2, 3], train_id: 1}\n"
        "  - {id: 9, name: unknown, color: [0, 0, 0], train_id: 255}\n"
    )
    for path in clip.keyframes.iterdir():
        save(path, np.where(pixels(path) == 26, 5, np.where(pixels(path) == 24, 9, 3)).astype(np.uint8))
    label(clip, tmp_path / "out", "--space", tmp_path / "space.yaml").done()
    assert set(np.unique(pixels(tmp_path / "out/labels/f002.png")).tolist()) == {3, 5, 9}


def test_cityscapes_names(clip, label, tmp_path):
    for index, stem in enumerate(clip.stems):
        (clip.frames / f"{stem}.png").rename(clip.frames / f"ulm_000001_{index:06d}_leftImg8bit.png")
        key = clip.keyframes / f"{stem}.png"
        if key.exists():
            key.rename(clip.keyframes / f"ulm_000001_{index:06d}_gtFine_labelIds.png")
            (clip.keyframes / f"ulm_000001_{index:06d}_gtFine_color.png").write_bytes(b"skipped")
            (clip.keyframes / f"ulm_000001_{index:06d}_gtFine_polygons.json").write_text("{}")
        (clip.truth / f"{stem}.png").rename(clip.truth / f"ulm_000001_{index:06d}_gtFine_labelIds.png")
    ran = label(clip, tmp_path / "out", "--ground-truth", clip.truth).done()
    assert "6 frames: mIoU" in ran.out
    names = sorted(path.name for path in (tmp_path / "out/labels").iterdir())
    assert names == [f"ulm_000001_{index:06d}_leftImg8bit.png" for index in range(9)]


def test_ground_truth_tells_how_good_confidence_and_estimates_were(clip, label, tmp_path):
    ran = label(clip, tmp_path / "out", "--ground-truth", clip.truth).done()
    assert "estimated mIoU: off by" in ran.out and "confidence: AUROC" in ran.out
    page = (tmp_path / "out/report.html").read_text()
    for words in ("Estimate error", "Calibration error", "Confidence AUROC", "mIoU against ground truth"):
        assert words in page
