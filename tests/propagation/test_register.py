from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.motion.dis import DisFlow
from seglift.motion.maps import identity_map
from seglift.propagation.evidence import observe, photometric_difference
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.register import LARGEST_DRIFT, Registered, register
from seglift.propagation.state import FramePair, Origin, Propagated, StepMotion, keyframe_state

HEIGHT, WIDTH = 96, 160
STEP = 3.0


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A wide smooth texture uint8 [H, W + 64, 3] with squares as labels uint8 [H, W + 64]."""
    generator = np.random.default_rng(5)
    texture = cv2.GaussianBlur(generator.uniform(0, 255, (HEIGHT, WIDTH + 64, 3)).astype(np.float32), (0, 0), 2.5)
    texture = np.clip((texture - texture.mean()) * 6.0 + 128.0, 0, 255).astype(np.uint8)
    labels = (np.indices((HEIGHT, WIDTH + 64)) // 12).sum(0) % 3
    return texture, labels.astype(np.uint8)


def frames(count: int) -> tuple[list[Tensor], list[Tensor]]:
    """A camera that pans to the right by STEP pixels a frame: images and true labels."""
    texture, labels = scene()
    images, truths = [], []
    for index in range(count):
        left = int(index * STEP)
        view = texture[:, left : left + WIDTH].transpose(2, 0, 1)
        images.append(torch.from_numpy(np.ascontiguousarray(view))[None])
        truths.append(torch.from_numpy(np.ascontiguousarray(labels[:, left : left + WIDTH]))[None])
    return images, truths


def motion(dx: float) -> StepMotion:
    flow = torch.zeros(1, 2, HEIGHT, WIDTH)
    flow[:, 0] = dx
    return StepMotion(flow, torch.zeros(1, HEIGHT, WIDTH))


def walk(images: list[Tensor], truth: Tensor, propagator: MotionOnly | Registered, error: float) -> Propagated:
    """Steps over all images by motion that is wrong by ``error`` pixels at each."""
    state = keyframe_state(Origin(truth, images[0]))
    for index in range(1, len(images)):
        pair = FramePair(images.__getitem__, index - 1, index)
        state = propagator.step(state, pair, motion(STEP + error))
    return state


def accuracy(state: Propagated, truth: Tensor) -> float:
    """Share of right labels among what the keyframe shows."""
    seen = ~state.out_of_view
    return float((state.labels == truth)[seen].float().mean())


def test_drift_that_adds_up_is_taken_out():
    images, truths = frames(9)
    drifting = walk(images, truths[0], MotionOnly(), 0.4)
    registered = walk(images, truths[0], Registered(DisFlow()), 0.4)
    places = identity_map(HEIGHT, WIDTH) + torch.tensor([8 * STEP, 0.0]).view(1, 2, 1, 1)
    inside = ~registered.out_of_view & (places[:, 0] < WIDTH - 8)
    off = torch.hypot(*(registered.sampling_map - places).unbind(1))[inside]
    assert accuracy(drifting, truths[8]) < 0.8
    assert accuracy(registered, truths[8]) > 0.95
    assert float(off.median()) < 0.2
    assert registered.distance == 8


def test_right_motion_stays_as_it_is():
    images, truths = frames(5)
    moved = walk(images, truths[0], MotionOnly(), 0.0)
    registered = walk(images, truths[0], Registered(DisFlow()), 0.0)
    same = torch.hypot(*(registered.sampling_map - moved.sampling_map).unbind(1)) < 0.2
    assert float(same[~moved.out_of_view].float().mean()) > 0.97


def test_no_pixel_looks_worse_than_before():
    images, truths = frames(3)
    moved = walk(images, truths[0], MotionOnly(), 0.5)
    registered = register(moved, images[2], DisFlow())
    before, after = observe(moved, images[2]).photometric, observe(registered, images[2]).photometric
    assert float((after.int() - before.int()).float().mean()) < -5
    assert float((after > before + 8).float().mean()) < 0.01


@pytest.mark.parametrize("shift", [0.5, 0.99, 1.01, 3.0])
def test_only_small_drift_is_believed(shift):
    images, truths = frames(2)
    longest = LARGEST_DRIFT * WIDTH

    def estimator(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        return torch.full((1, 2, HEIGHT, WIDTH), shift * longest / 2**0.5)

    state = walk(images, truths[0], MotionOnly(), -shift * longest / 2**0.5)
    state.trace[:, 1] -= shift * longest / 2**0.5
    registered = register(state, images[1], estimator)
    changed = (registered.trace != state.trace).any(1)
    assert (float(changed.float().mean()) > 0.9) == (shift < 1)


def test_a_repeated_frame_keeps_the_labels_of_its_twin():
    images, truths = frames(4)
    state = walk(images[:3], truths[0], Registered(DisFlow()), 0.3)

    def never(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        raise AssertionError("nothing moved, nothing is to be estimated")

    twin = Registered(never).step(state, FramePair(lambda _: images[2], 2, 3), motion(0.0))
    assert torch.equal(twin.labels, state.labels)
    assert torch.equal(twin.trace, state.trace)


def test_labels_belong_to_the_map():
    images, truths = frames(5)
    registered = walk(images, truths[0], Registered(DisFlow()), 0.4)
    x, y = torch.floor(registered.sampling_map + 0.5).long().unbind(1)
    expected = truths[0][0][y.clamp(0, HEIGHT - 1), x.clamp(0, WIDTH - 1)]
    assert torch.equal(registered.labels, expected)
    difference = photometric_difference(images[0], images[4])
    assert float(difference.float().mean()) > 10  # the frames do differ
