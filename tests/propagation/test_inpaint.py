from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.propagation.inpaint import Inpaint
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import FramePair, Origin, Propagated, keyframe_state

INDEX_OF_TRAIN = np.array([2, 3, 1])
TAU = 40.0
MOTIONS = [(2, -1), (-3, 0), (1, 2)]


def clip(seed: int) -> list[Tensor]:
    """A keyframe and three frames that MOTIONS move, with noise of which a part exceeds tau."""
    generator = np.random.default_rng([5, seed])
    frames = [generator.integers(0, 256, (3, 12, 16))]
    for dx, dy in MOTIONS:
        rows, columns = (np.mgrid[:12, :16] + np.array([dy, dx])[:, None, None]).clip(0)
        moved = frames[-1][:, rows.clip(max=11), columns.clip(max=15)]
        noise = generator.integers(-60, 61, (3, 12, 16)) * (generator.random((12, 16)) < 0.5)
        frames.append((moved + noise).clip(0, 255))
    return [torch.from_numpy(frame.astype(np.uint8))[None] for frame in frames]


def of_colours(images: Tensor) -> Tensor:
    return images + 0.01


def walk(labeller: SemanticLabeller, frames: list[Tensor], labels: Tensor, translation: Callable, recursive: bool):
    def frame(index: int) -> Tensor:
        return frames[index]

    states = [keyframe_state(Origin(labels, frames[0]))]
    for index, (dx, dy) in enumerate(MOTIONS):
        pair = FramePair(frame, index, index + 1)
        states.append(Inpaint(labeller, TAU, recursive).step(states[-1], pair, translation(dx, dy)))
    return states[1:]


def by_hand(frames: list[Tensor], labels: Tensor, recursive: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and where they were ever filled: warp image and labels, compare colours, fill in from the model."""
    images = [frame[0].numpy().astype(np.float64) for frame in frames]
    kept, filled = labels[0].numpy(), np.zeros((12, 16), bool)
    at_y, at_x = np.mgrid[:12, :16]
    results = []
    for index, (dx, dy) in enumerate(MOTIONS):
        rows, columns = np.mgrid[:12, :16][0] + dy, np.mgrid[:12, :16][1] + dx
        beyond = (rows < 0) | (rows > 11) | (columns < 0) | (columns > 15)
        rows, columns = rows.clip(0, 11), columns.clip(0, 15)
        warped_image = images[index][:, rows, columns]
        distance = np.sqrt(((images[index + 1] - warped_image) ** 2).sum(0))
        mask = (distance < TAU) & ~beyond
        model = INDEX_OF_TRAIN[images[index + 1].argmax(0)]
        filled = filled[rows, columns] | ~mask
        if recursive:
            kept = np.where(mask, kept[rows, columns], model)
            results.append((kept, filled))
        else:
            at_y, at_x = at_y[rows, columns], at_x[rows, columns]
            results.append((np.where(filled, model, labels[0].numpy()[at_y, at_x]), filled))
    return results


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_steps_are_those_of_the_equations(space, stub_model, make_origin, translation, recursive: bool, seed: int):
    frames, labels = clip(seed), make_origin(seed=seed, ids=4).labels
    labeller = SemanticLabeller(stub_model(of_colours), space)
    states = walk(labeller, frames, labels, translation, recursive)
    for number, (state, (expected, filled)) in enumerate(zip(states, by_hand(frames, labels, recursive), strict=True)):
        assert np.array_equal(state.labels[0].numpy(), expected)
        assert np.array_equal(state.filled[0].numpy(), filled)
        assert 0.1 < filled.mean() < 0.98
        assert state.distance == number + 1
        assert not (state.out_of_view & ~state.filled).any()


def still(labeller: SemanticLabeller, change: int, translation: Callable, **options: object) -> Propagated:
    source = torch.full((1, 3, 12, 16), 100, dtype=torch.uint8)
    target = source.clone()
    target[:, 0] += change
    pair = FramePair(lambda index: (source, target)[index], 0, 1)
    state = keyframe_state(Origin(torch.zeros(1, 12, 16, dtype=torch.uint8), source))
    return Inpaint(labeller, TAU, **options).step(state, pair, translation(0, 0))


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize(("change", "kept"), [(0, True), (39, True), (40, False), (41, False)])
def test_kept_below_tau_only(space, stub_model, translation, recursive: bool, change: int, kept: bool):
    labeller = SemanticLabeller(stub_model(torch.tensor([0.1, 0.8, 0.1]).view(1, 3, 1, 1).expand(1, 3, 12, 16)), space)
    state = still(labeller, change, translation, recursive=recursive)
    assert (state.labels == (0 if kept else 3)).all()
    assert (state.filled != kept).all()


@pytest.mark.parametrize("recursive", [True, False])
def test_out_of_view_is_the_models_though_it_looks_the_same(space, stub_model, translation, recursive: bool):
    labeller = SemanticLabeller(stub_model(torch.tensor([0.1, 0.8, 0.1]).view(1, 3, 1, 1).expand(1, 3, 12, 16)), space)
    frame = torch.full((1, 3, 12, 16), 90, dtype=torch.uint8)
    state = keyframe_state(Origin(torch.zeros(1, 12, 16, dtype=torch.uint8), frame))
    pair = FramePair(lambda index: frame, 0, 1)
    step = Inpaint(labeller, 500.0, recursive).step
    gone = step(state, pair, translation(4, 0))
    assert gone.labels[0, 0].tolist() == [0] * 12 + [3] * 4
    assert torch.equal(gone.filled, gone.labels == 3)
    back = step(gone, pair, translation(-4, 0))
    assert back.labels[0, 0].tolist() == [3] * 4 + [0] * 12


def test_recursion_keeps_what_the_model_once_said_and_sampling_once_asks_it_anew(space, stub_model, translation):
    answers = iter([1, 0] * 2)

    def changing(images: Tensor) -> Tensor:
        probabilities = torch.full((1, 3, 12, 16), 0.1)
        probabilities[:, next(answers)] = 0.8
        return probabilities

    frame = torch.full((1, 3, 12, 16), 90, dtype=torch.uint8)
    start = keyframe_state(Origin(torch.zeros(1, 12, 16, dtype=torch.uint8), frame))
    pair = FramePair(lambda index: frame, 0, 1)
    ends = {}
    for recursive in (True, False):
        step = Inpaint(SemanticLabeller(stub_model(changing), space), TAU, recursive).step
        ends[recursive] = step(step(start, pair, translation(4, 0)), pair, translation(0, 0))
    assert ends[True].labels[0, 0].tolist() == [0] * 12 + [3] * 4
    assert ends[False].labels[0, 0].tolist() == [0] * 12 + [2] * 4
    assert torch.equal(ends[True].filled, ends[False].filled)


def test_a_step_leaves_its_source_as_it_was(space, stub_model, make_origin, translation):
    frames = clip(0)
    state = keyframe_state(Origin(make_origin(ids=4).labels, frames[0]))
    before = replace(state, labels=state.labels.clone(), trace=state.trace.clone(), filled=state.filled.clone())
    labeller = SemanticLabeller(stub_model(of_colours), space)
    for recursive in (True, False):
        Inpaint(labeller, TAU, recursive).step(state, FramePair(lambda i: frames[i], 0, 1), translation(2, -1))
        assert torch.equal(state.labels, before.labels)
        assert torch.equal(state.trace, before.trace)
        assert torch.equal(state.filled, before.filled)


def test_sampled_once_half_out_of_view_is_the_models_too(space, stub_model, translation):
    labeller = SemanticLabeller(stub_model(torch.tensor([0.1, 0.8, 0.1]).view(1, 3, 1, 1).expand(1, 3, 12, 16)), space)
    frame = torch.full((1, 3, 12, 16), 90, dtype=torch.uint8)
    state = keyframe_state(Origin(torch.zeros(1, 12, 16, dtype=torch.uint8), frame))
    pair = FramePair(lambda index: frame, 0, 1)
    step = Inpaint(labeller, 500.0, recursive=False).step
    # Row 0 and columns from 12 on leave; column 11 of row 1 then lies nearest to what was seen, yet is mostly of the
    # rest: 1 - 0.6 * 0.6.
    end = step(step(state, pair, translation(4, -1)), pair, translation(0.4, -0.4))
    assert end.trace[0, 3, 1, 11] == pytest.approx(0.64, abs=0.05)
    assert end.labels[0, 1, 11] == 3
    assert end.filled[0, 1, 11]
    assert end.labels[0, 5, 5] == 0
