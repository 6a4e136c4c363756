"""The street's ground truth against itself: what the exact flow says must be what the frames show."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, maximum_filter, minimum_filter

from seglift.base.errors import UserError
from seglift.datasets.streets import STYLES, StreetConfig, StreetFrame, render_street
from seglift.datasets.streets.classes import THINGS
from seglift.datasets.streets.renderer import Renderer
from seglift.datasets.streets.scene import Scene, build_scene

pytest.importorskip("embreex")

HEIGHT, WIDTH = 128, 256
CLIPS = {
    "forward": StreetConfig(40, HEIGHT, WIDTH, seed=2, style="daylight", ego="forward", noise=False),
    "turning": StreetConfig(40, HEIGHT, WIDTH, seed=5, style="game", ego="turning", noise=False),
    "standing": StreetConfig(40, HEIGHT, WIDTH, seed=3, style="daylight", ego="standing", noise=False),
}
NEEDED = {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 33}


START = {"forward": 0, "turning": 22, "standing": 0}


@lru_cache
def scene(name: str) -> Scene:
    return build_scene(CLIPS[name])


@lru_cache
def clip(name: str) -> tuple[StreetFrame, ...]:
    """Three frames in a row."""
    renderer = Renderer(scene(name))
    return tuple(renderer.frame(index) for index in range(START[name], START[name] + 3))


def pairs(name: str):
    """(frame, neighbour, flow, hidden) in both directions."""
    first, second = clip(name)[1:3]
    return [
        (first, second, first.flow_to_next, first.hidden_in_next),
        (second, first, second.flow_to_previous, second.hidden_in_previous),
    ]


def maps(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    return x + flow[..., 0], y + flow[..., 1]


def nearest(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = maps(flow)
    column = np.clip(np.floor(x + 0.5), 0, WIDTH - 1).astype(int)
    return np.clip(np.floor(y + 0.5), 0, HEIGHT - 1).astype(int), column


def edge_distance(labels: np.ndarray) -> np.ndarray:
    """Distance in pixels from each pixel's centre to the nearest border between classes (corners count, too)."""
    values = labels.astype(np.int32)
    beside = maximum_filter(values, 3, mode="nearest") != minimum_filter(values, 3, mode="nearest")
    return distance_transform_edt(~beside) + 0.5


@pytest.mark.parametrize("name", CLIPS)
def test_labels_follow_the_exact_flow(name: str) -> None:
    for frame, other, flow, hidden in pairs(name):
        rows, columns = nearest(flow)
        wrong = other.labels[rows, columns] != frame.labels
        clear = np.minimum(edge_distance(frame.labels), edge_distance(other.labels)[rows, columns]) >= 1.5
        seen = ~hidden
        assert seen.mean() > 0.8
        assert not wrong[seen & clear].any()
        edges = (seen & ~clear).sum() / seen.sum()
        assert 0.05 < edges < 0.35, "share of visible pixels near a class edge (about 0.2 at 256x128)"
        assert wrong[seen].mean() < 0.05


@pytest.mark.parametrize("name", CLIPS)
def test_instances_follow_the_exact_flow(name: str) -> None:
    for frame, other, flow, hidden in pairs(name):
        rows, columns = nearest(flow)
        clear = np.minimum(edge_distance(frame.instances), edge_distance(other.instances)[rows, columns]) >= 1.5
        inner = clear & ~hidden
        assert np.array_equal(other.instances[rows, columns][inner], frame.instances[inner])
        assert np.isin(frame.labels[inner], list(THINGS)).any()


@pytest.mark.parametrize("name", CLIPS)
def test_images_follow_the_exact_flow(name: str) -> None:
    for frame, other, flow, hidden in pairs(name):
        warped = cv2.remap(other.image, *maps(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        error = np.abs(warped.astype(float) - frame.image).mean(axis=2)[~hidden]
        still = np.abs(other.image.astype(float) - frame.image).mean(axis=2)[~hidden]
        assert error.mean() < 5.0
        assert np.median(error) < 1.5
        assert error.mean() < 0.5 * still.mean()


@pytest.mark.parametrize("name", CLIPS)
def test_flow_there_and_back_again(name: str) -> None:
    (first, second, there, hidden), (_, _, back, _) = pairs(name)
    x, y = maps(there)
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = nearest(there)
    clear = np.minimum(edge_distance(first.instances), edge_distance(second.instances)[rows, columns]) >= 2.5
    planes = np.isin(first.labels, [7, 8, 11, 23])
    error = np.linalg.norm(there + returned, axis=2)[clear & planes & ~hidden]
    assert len(error) > 3000
    assert np.percentile(error, 95) < 0.1


def test_depth_agrees_with_the_flow_of_the_road() -> None:
    """On flat ground straight ahead: a point at depth Z moves from row v to v * Z / (Z - step) below the horizon."""
    frame = clip("forward")[1]
    assert (frame.depth > 0).all()
    assert np.isinf(frame.depth[frame.labels == 23]).all()
    assert np.isfinite(frame.depth[frame.labels != 23]).all()
    column = WIDTH // 2
    rows = np.flatnonzero(frame.labels[:, column] == 7)
    rows = rows[(rows > HEIGHT * 0.65) & ~frame.hidden_in_previous[rows, column]]
    v = rows - (HEIGHT - 1) * 0.46
    depth, moved = frame.depth[rows, column], frame.flow_to_previous[rows, column, 1]
    step = depth * v / (v + moved) - depth
    assert len(rows) > 10
    assert np.allclose(step, np.median(step), atol=0.12)
    assert 6.0 / 17 - 0.1 < np.median(step) < 9.5 / 17 + 0.1


def test_a_standing_camera_sees_static_things_stand() -> None:
    for frame in clip("standing")[1:3]:
        static = ~np.isin(frame.labels, list(THINGS))
        assert np.abs(frame.flow_to_previous[static]).max() < 2e-3
        assert np.abs(frame.flow_to_next[static]).max() < 2e-3
        assert np.abs(frame.flow_to_next[~static]).max() > 0.5


def test_hidden_pixels_show_something_else_in_the_neighbour() -> None:
    """Static points hidden in the neighbour lie behind what is seen at their place there, or outside the picture."""
    for frame, other, _, hidden in pairs("standing"):
        static = ~np.isin(frame.labels, list(THINGS)) & (frame.labels != 1)
        covered = static & hidden
        assert covered.sum() > 20
        assert (other.depth[covered] < frame.depth[covered]).mean() > 0.9
    for _, _, flow, hidden in pairs("turning"):
        x, y = maps(flow)
        outside = (x < -0.5) | (y < -0.5) | (x > WIDTH - 0.5) | (y > HEIGHT - 0.5)
        assert outside.sum() > 50
        assert hidden[outside].all()


def test_equal_configurations_give_equal_bytes_in_any_order() -> None:
    frames = list(render_street(CLIPS["forward"], [2, 1]))
    for name, again, before in ((n, f, clip("forward")[f.index]) for f in frames for n in vars(f)):
        assert np.array_equal(getattr(again, name), getattr(before, name)), name


def test_other_seeds_and_styles_look_different() -> None:
    pictures = [clip(name)[0].image for name in CLIPS]
    pictures += [next(iter(render_street(StreetConfig(1, HEIGHT, WIDTH, 2, "game", ego="forward", noise=False)))).image]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one.astype(float) - other).mean() > 10


def test_noise_changes_the_picture_only_a_little_and_nothing_else() -> None:
    quiet = clip("forward")[0]
    noisy = Renderer(replace(scene("forward"), config=replace(CLIPS["forward"], noise=True))).frame(0)
    difference = noisy.image.astype(float) - quiet.image
    assert 0.5 < difference.std() < 8
    assert np.array_equal(noisy.labels, quiet.labels)
    assert np.array_equal(noisy.flow_to_next, quiet.flow_to_next)


def test_arrays_are_as_documented() -> None:
    frame = clip("turning")[0]
    shape = (HEIGHT, WIDTH)
    expected = {
        "image": (np.uint8, (*shape, 3)),
        "labels": (np.uint8, shape),
        "instances": (np.uint16, shape),
        "depth": (np.float32, shape),
        "flow_to_previous": (np.float32, (*shape, 2)),
        "flow_to_next": (np.float32, (*shape, 2)),
        "hidden_in_previous": (np.bool_, shape),
        "hidden_in_next": (np.bool_, shape),
    }
    for name, (dtype, size) in expected.items():
        array = getattr(frame, name)
        assert array.dtype == dtype and array.shape == size, name
    things = np.isin(frame.labels, list(THINGS))
    assert np.array_equal(frame.instances[~things], frame.labels[~things])
    assert np.array_equal(frame.instances[things] // 1000, frame.labels[things])


def test_the_bonnet_stands_still_and_is_optional() -> None:
    frame = clip("forward")[1]
    bonnet = frame.labels == 1
    assert bonnet[-1, WIDTH // 2] and 0.005 < bonnet.mean() < 0.15
    assert not frame.flow_to_previous[bonnet].any() and not frame.hidden_in_previous[bonnet].any()
    bare = Renderer(replace(scene("forward"), config=replace(CLIPS["forward"], hood=False))).frame(1)
    assert not (bare.labels == 1).any()


def test_all_needed_classes_occur_over_a_few_seeds() -> None:
    seen = {int(label) for name in CLIPS for label in np.unique(clip(name)[0].labels)}
    for seed in range(6, 12):
        if seen >= NEEDED:
            break
        config = StreetConfig(40, HEIGHT, WIDTH, seed, tuple(STYLES)[seed % 2])
        for frame in render_street(config, [0, 20, 39]):
            seen |= {int(label) for label in np.unique(frame.labels)}
    assert seen >= NEEDED, f"missing: {sorted(NEEDED - seen)}"


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 0},
        {"height": 8},
        {"width": 100_000},
        {"style": "noir"},
        {"ego": "flying"},
        {"rate": 0.0},
        {"frames": 4000},
    ],
)
def test_bad_configurations_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match="expected"):
        StreetConfig(**change)
