"""What each frame depends on, so that a run makes again what changed and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.plan import LabelPlan, make_plan
from seglift.workflows.label.scenes import ONE_SCENE, Scenes

LENGTH, KEYS = 12, (3, 6)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for folder in ("frames", "keys"):
        (tmp_path / folder).mkdir()
    for index in range(LENGTH):
        picture = generator.integers(0, 255, (16, 24, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{index:02d}.png"), picture)
    for index in KEYS:
        cv2.imwrite(str(tmp_path / "keys" / f"{index:02d}.png"), np.full((16, 24), 7, np.uint8))
    return tmp_path


def plan(clip: Path, motion: str) -> LabelPlan:
    options = {"motion": motion, "method": "motion", "device": "cpu", "space": "cityscapes"}
    return make_plan(LabelConfig(clip / "frames", clip / "keys", clip / "out", **options))


def keys(clip: Path, motion: str, scenes: Scenes = ONE_SCENE) -> dict[int, str]:
    made = replace(plan(clip, motion), scenes=scenes)
    found: dict[int, str] = {}
    for gap in made.gaps:
        found |= made.frame_keys(gap, "")
    return found


@pytest.mark.parametrize(
    ("motion", "changed", "expected"),
    [
        ("dis", 5, {4, 5}),
        ("dis", 2, {0, 1, 2}),
        ("dis", 1, {0, 1}),
        ("dis", 9, {9, 10, 11}),
        ("dis", 7, {7, 8, 9, 10, 11}),
        # Steps look one frame back from their source, and the error of the way back one frame beyond the target.
        ("sdcnet:no", 5, {4, 5, 7, 8, 9, 10, 11}),
        ("sdcnet:no", 2, {0, 1, 2, 4, 5}),
        ("sdcnet:no", 1, {0, 1, 2}),
        ("sdcnet:no", 0, {0, 1}),
        ("sdcnet:no", 9, {8, 9, 10, 11}),
        ("sdcnet:no", 11, {10, 11}),
    ],
)
def test_a_frame_depends_on_the_frames_that_motion_looks_at(clip: Path, motion: str, changed: int, expected: set[int]):
    before = keys(clip, motion)
    cv2.imwrite(str(clip / "frames" / f"{changed:02d}.png"), np.full((16, 24, 3), 9, np.uint8))
    after = keys(clip, motion)
    assert before.keys() == after.keys() == set(range(LENGTH)) - set(KEYS)
    assert {index for index in after if after[index] != before[index]} == expected


@pytest.mark.parametrize(
    ("scenes", "expected"),
    [
        (Scenes((1,)), {0, 1, 2}),
        (Scenes((5,)), {4, 5}),
        (Scenes((6,)), {4, 5}),
        (Scenes((9,)), {7, 8, 9, 10, 11}),
        (Scenes((), (2,)), {0, 1, 2}),
        (Scenes((), (5,)), {4, 5}),
        (Scenes((), (9,)), {9, 10, 11}),
    ],
)
def test_a_frame_depends_on_cuts_and_repeats_on_its_way(clip: Path, scenes: Scenes, expected: set[int]):
    before, after = keys(clip, "dis"), keys(clip, "dis", scenes)
    assert before.keys() == after.keys()
    assert {index for index in after if after[index] != before[index]} == expected


@pytest.mark.parametrize(
    ("changed", "scene"),
    [(0, range(6)), (5, range(6)), (6, range(6, 9)), (8, range(6, 9)), (9, [9]), (10, [10]), (11, [11])],
)
@pytest.mark.parametrize("motion", ["dis", "sdcnet:no"])
def test_a_frame_does_not_depend_on_other_scenes(clip: Path, motion: str, changed: int, scene: list[int]):
    """Frames 9 to 11 are a scene without keyframe, where each stands alone."""
    scenes = Scenes((6, 9))
    before = keys(clip, motion, scenes)
    cv2.imwrite(str(clip / "frames" / f"{changed:02d}.png"), np.full((16, 24, 3), 9, np.uint8))
    after = keys(clip, motion, scenes)
    different = {index for index in after if after[index] != before[index]}
    assert different and different <= set(scene)


def test_a_refiner_that_lies_in_out(clip: Path):
    out = clip / "out"
    (out / ".seglift" / "refiner").mkdir(parents=True)
    config = LabelConfig(
        clip / "frames", clip / "keys", out, "cityscapes", refiner=str(out / ".seglift" / "refiner"), overwrite=True
    )
    with pytest.raises(UserError, match="where it could be overwritten"):
        make_plan(config)
