"""Cuts, repeats and everything that must not be taken for one, on drawn frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from seglift.motion.scene_changes import SceneChange, SceneWatch, common_details, repeats, take_glimpse

HEIGHT, WIDTH = 120, 160
MOVES, CUT, REPEAT, BLANK = SceneChange.MOVES, SceneChange.CUT, SceneChange.REPEAT, SceneChange.BLANK


def world(seed: int, side: int = 400) -> np.ndarray:
    """A large picture of rectangles on a mottled ground, RGB uint8."""
    generator = np.random.default_rng(seed)
    ground = generator.integers(60, 200, (side // 8, side // 8, 3), dtype=np.uint8)
    picture = cv2.resize(ground, (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(250):
        x, y = (int(v) for v in generator.integers(0, side, 2))
        width, height = (int(v) for v in generator.integers(4, 40, 2))
        color = tuple(int(v) for v in generator.integers(0, 256, 3))
        cv2.rectangle(picture, (x, y), (x + width, y + height), color, -1)
    return picture


def view(picture: np.ndarray, x: float = 40, y: float = 40) -> np.ndarray:
    """The part of the picture whose corner lies at (x, y)."""
    shift = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    return cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def judge(frames) -> list[SceneChange]:
    """What each frame but the first is to those before it."""
    watch = SceneWatch()
    changes = [watch.judge(take_glimpse(frame)) for frame in frames]
    assert changes[0] in (MOVES, BLANK)
    return changes[1:]


def noisy(frame: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def scaled(frame: np.ndarray, gain: float, offset: float = 0) -> np.ndarray:
    return np.clip(frame * gain + offset, 0, 255).astype(np.uint8)


A, B = world(1), world(2)


@pytest.mark.parametrize("step", [1, 7, 30, 60])
def test_a_pan_is_no_cut(step: int):
    assert judge([view(A, 40 + step * index) for index in range(4)]) == [MOVES] * 3


@pytest.mark.parametrize("side", [32, 64])
def test_small_frames(side: int):
    small = [cv2.resize(view(A, 40 + 4 * i), (3 * side // 2, side), interpolation=cv2.INTER_AREA) for i in range(3)]
    other = cv2.resize(view(B), (3 * side // 2, side), interpolation=cv2.INTER_AREA)
    assert judge([*small, other]) == [MOVES, MOVES, CUT]


def test_another_scene_is_a_cut():
    frames = [view(A), view(A, 44), view(B), view(B, 44), view(A, 52)]
    assert judge(frames) == [MOVES, CUT, MOVES, CUT]


def test_another_part_of_the_same_world_is_a_cut():
    assert judge([view(A, 0, 0), view(A, 230, 270)]) == [CUT]


def test_a_cut_between_scenes_of_equal_colours():
    """The same squares of 4 x 4 pixels in another order: histograms are equal."""
    squares = view(A).reshape(HEIGHT // 4, 4, WIDTH // 4, 4, 3).swapaxes(1, 2).reshape(-1, 4, 4, 3)
    mixed = np.random.default_rng(0).permutation(squares).reshape(HEIGHT // 4, WIDTH // 4, 4, 4, 3)
    assert judge([view(A), mixed.swapaxes(1, 2).reshape(HEIGHT, WIDTH, 3)]) == [CUT]


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (0.25, 0), (1.6, 0), (0.6, 90)])
def test_exposure_is_no_cut(gain: float, offset: float):
    assert judge([view(A), scaled(view(A, 43), gain, offset), view(A, 46)]) == [MOVES, MOVES]


@pytest.mark.parametrize("sigma", [5, 20])
def test_noise_is_no_cut(sigma: float):
    assert judge([noisy(view(A, 40 + 3 * i), sigma, i) for i in range(3)]) == [MOVES, MOVES]


@pytest.mark.parametrize("level", [0, 255])
def test_a_flash_is_no_cut_and_what_lies_behind_it_is_compared(level: int):
    blank = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    assert judge([view(A), blank, view(A, 45)]) == [BLANK, MOVES]
    assert judge([view(A), blank, blank, view(B)]) == [BLANK, REPEAT, CUT]
    assert judge([blank, view(A)]) == [MOVES]


def test_a_fade_over_black_to_another_scene_is_one_cut():
    out = [scaled(view(A, 40 + i), 1 - i / 8) for i in range(9)]
    back = [scaled(view(B, 40 + i), i / 8) for i in range(1, 9)]
    assert judge([*out, *back]).count(CUT) == 1
    assert judge([*out, *[scaled(view(A, 50 + i), i / 8) for i in range(1, 9)]]).count(CUT) == 0


def compressed(frame: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def test_equal_frames_repeat():
    frame = view(A)
    assert judge([frame, frame, frame]) == [REPEAT, REPEAT]
    gray = np.repeat(frame.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    assert judge([gray, compressed(gray, 95), noisy(gray, 1)]) == [REPEAT, REPEAT]


def test_a_small_thing_that_moves_is_no_repeat():
    still = view(A)
    moved = still.copy()
    still[50:56, 80:84] = 20
    moved[50:56, 82:86] = 20
    assert not repeats(take_glimpse(still), take_glimpse(moved))


def test_motion_in_the_dark_is_no_repeat():
    dark = [scaled(view(A, 40 + i), 0.04) for i in range(2)]
    assert not repeats(take_glimpse(dark[0]), take_glimpse(dark[1]))


def test_a_slow_drift_comes_up():
    """Each frame equals the one before up to noise, but not the first."""
    smooth = cv2.GaussianBlur(A, (0, 0), 3)
    changes = judge([view(smooth, 40 + index / 16) for index in range(33)])
    assert changes[0] is REPEAT
    assert len(changes) - changes.count(REPEAT) >= 3


def test_nothing_in_common_where_there_is_nothing():
    blank = take_glimpse(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert len(blank.orb) == len(blank.sift) == 0
    assert common_details(blank.orb, blank.orb) == common_details(blank.sift, take_glimpse(view(A)).sift) == 0


def test_equal_frames_give_equal_glimpses():
    first, second = take_glimpse(view(A)), take_glimpse(view(A))
    assert np.array_equal(first.orb.points, second.orb.points)
    assert np.array_equal(first.orb.descriptors, second.orb.descriptors)
    assert np.array_equal(first.sift.descriptors, second.sift.descriptors)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 1, 3), (8, 8, 3)])
def test_frames_of_hardly_any_pixels(shape):
    generator = np.random.default_rng(0)
    judge([generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(3)])
