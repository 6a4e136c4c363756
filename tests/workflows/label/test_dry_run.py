"""What a dry run tells: steps, pairs, disk space; nothing is written."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.workflows.label import dry_run
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.dry_run import describe
from seglift.workflows.label.plan import make_plan


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Describes a run on seven frames with labels on the third and the last: an open end of 2, a gap of 3."""
    generator = np.random.default_rng(0)
    for folder in ("frames", "keys"):
        (tmp_path / folder).mkdir()
    for index in range(7):
        picture = generator.integers(0, 255, (40, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{index}.png"), picture)
    for index in (2, 6):
        cv2.imwrite(str(tmp_path / "keys" / f"{index}.png"), np.full((40, 64), 7, np.uint8))
    monkeypatch.setattr(dry_run, "_time", lambda work: (work(), 60.0)[1])
    monkeypatch.setattr(dry_run, "worker_count", lambda: 3)

    def tell(**options: object) -> str:
        out = tmp_path / "out"
        given = {"device": "cpu", "space": "cityscapes", **options}
        text = describe(make_plan(LabelConfig(tmp_path / "frames", tmp_path / "keys", out, **given)))
        assert not out.exists()
        return text

    return tell


def test_motion_is_shared_by_the_workers(told):
    text = told(method="motion")
    assert "5 frames to label" in text and "trained" not in text and "for the model" not in text
    assert "at least 120 s for motion (60.00 s for each of 6 pairs of frames, 3 at once)" in text


def test_a_model_to_train_counts_with_its_steps_and_frames(told):
    text = told(method="inpaint")
    assert "trained for 1200 steps, about 3.0 minutes" in text
    assert "about 300 s for the model (60.00 s for each frame)" in text and "for motion" in text
    assert "about 1.5 minutes" in told(method="inpaint", model_minutes=1.5)
    assert "for 20 steps, about 3 s on" in told(method="inpaint", model_steps=20)
    assert "about 1 s on" in told(method="inpaint", model_steps=1)
    assert "for motion" not in told(method="semantic")


def test_a_refiner_to_learn_from_the_keyframes(told, monkeypatch):
    assert "has 2 of 2 keyframes to learn from" in told(refiner="keyframes")
    monkeypatch.setattr("seglift.workflows.label.keyframe_refiner.NEEDED", 2)
    text = told(refiner="keyframes")
    assert "refiner is trained on the keyframes (two more segmentation models" in text and "then 400 steps" in text
    assert "refiner" not in told()


def test_disk_space_counts_the_larger_of_gaps_and_open_ends(told, monkeypatch):
    monkeypatch.setattr(dry_run, "BYTES_PER_PIXEL", 10**9 / (40 * 64))
    monkeypatch.setattr(dry_run, "CHECKPOINT_BYTES_PER_PIXEL", 0.5 * 10**9 / (40 * 64))

    def space(**options: object) -> str:
        return re.search(r"(up to|no).* temporary disk space", told(**options))[0]

    assert space(method="motion") == "up to 3.5 GB of temporary disk space"
    assert space(method="motion", direction="forward") == "up to 500 MB of temporary disk space"
    assert space(method="semantic") == "no temporary disk space"
    monkeypatch.setattr(dry_run, "CHECKPOINT_BYTES_PER_PIXEL", 36)
    assert space(method="motion", direction="forward") == "up to 1 MB of temporary disk space"
