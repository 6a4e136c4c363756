from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.motion.maps import map_from_flow
from seglift.motion.warp import warp_image, warp_labels
from seglift.propagation.cycle import (
    CYCLE,
    KEYFRAME,
    LabelledNeighbourhood,
    ReturnConfig,
    ReturnTrip,
    all_returns,
)
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import FramePair, Origin, StepMotion, keyframe_state

HEIGHT, WIDTH, STEP = 12, 40, 2
LAKE = 3
"""What the model says everywhere: train id 1, space index 3."""


def scenery(seed=0):
    """A texture and labels, wider than a frame, without lake."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (3, HEIGHT, 80)).astype(np.uint8)
    labels = generator.integers(0, 3, (HEIGHT, 80)).astype(np.uint8)
    return torch.from_numpy(image), torch.from_numpy(labels)


class Panning:
    """A camera that moves STEP pixels to the right a frame; frame 3 stands at column 16."""

    def __init__(self):
        self.image, self.label = scenery()
        self.kept = {}
        self.asked = Counter()

    def start(self, index):
        return 16 + STEP * (index - 3)

    def frame(self, index):
        first = self.start(index)
        return self.kept.setdefault(index, self.image[None, :, :, first : first + WIDTH].contiguous())

    def labels(self, index):
        return self.label[None, :, self.start(index) : self.start(index) + WIDTH].contiguous()

    def __call__(self, source, target, previous=None):
        """The true flow; tells frames by being the same tensors."""
        places = {id(frame): index for index, frame in self.kept.items()}
        first, second = places[id(source)], places[id(target)]
        self.asked[first, second] += 1
        flow = torch.zeros(1, 2, HEIGHT, WIDTH)
        flow[:, 0] = self.start(second) - self.start(first)
        return flow


@pytest.fixture
def camera():
    return Panning()


@pytest.fixture
def labeller(stub_model, space):
    model = stub_model(lambda images: torch.tensor([0.1, 0.8, 0.1]).view(1, 3, 1, 1).expand(1, 3, *images.shape[-2:]))
    return SemanticLabeller(model, space)


def trip(camera, labeller, side, config=None, length=7):
    return ReturnTrip(camera.frame, length, 3, side, camera, labeller, config or ReturnConfig())


@pytest.mark.parametrize("resample", ["recursive", "once"])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_cycle_over_a_translation_gives_the_exact_label_in_view_and_the_model_beyond(
    camera, labeller, side, resample
):
    labels = camera.labels(3)
    found = list(trip(camera, labeller, side, ReturnConfig(resample=resample)).cycles(labels, (1, 2, 3)))
    assert [(one.kind, one.side, one.length) for one in found] == [(CYCLE, side, length) for length in (1, 2, 3)]
    for one in found:
        lost = STEP * one.length  # columns that no longer were in view at the turning point
        seen = slice(lost, None) if side == 1 else slice(None, WIDTH - lost)
        expected = torch.full_like(labels, LAKE)
        expected[..., seen] = labels[..., seen]
        assert torch.equal(one.labels, expected)


def test_the_way_back_is_by_motion_estimated_the_other_way_each_once(camera, labeller):
    list(trip(camera, labeller, 1).cycles(camera.labels(3), (2, 3)))
    assert camera.asked == Counter([(3, 4), (4, 5), (5, 6), (6, 5), (5, 4), (4, 3)])


def test_the_model_sees_each_frame_once(camera, labeller):
    list(trip(camera, labeller, 1).cycles(camera.labels(3), (1, 2, 3)))
    assert len(labeller.model.seen) == 4


def test_a_cycle_is_warp_inpaint_out_and_back_step_by_step(estimator, frame, make_origin, labeller, translation):
    def motion(source, target):
        flow = estimator(frame(source), frame(target))
        return StepMotion(flow, torch.zeros_like(flow[:, 0]))

    kept = [frame(index) for index in range(6)]
    labels = make_origin(ids=4).labels
    config = ReturnConfig(tau=5.0)
    found = list(ReturnTrip(kept.__getitem__, 6, 2, 1, estimator, labeller, config).cycles(labels, (2,)))
    state = keyframe_state(Origin(labels, kept[2]))
    for source, target in ((2, 3), (3, 4), (4, 3), (3, 2)):
        step = motion(source, target)
        state = Inpaint(labeller, 5.0).step(state, FramePair(kept.__getitem__, source, target), step)
    assert torch.equal(found[0].labels, state.labels)
    assert torch.equal(found[0].warped, warp_image(kept[3], map_from_flow(motion(3, 2).flow)))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_labelled_neighbours_labels_are_carried_as_a_step_would(camera, labeller, side):
    returned = trip(camera, labeller, side).from_keyframe(camera.labels(3 + side), 1)
    assert (returned.kind, returned.side, returned.length) == (KEYFRAME, side, 1)
    flow = camera(camera.frame(3 + side), camera.frame(3))
    assert torch.equal(returned.warped, warp_image(camera.frame(3 + side), map_from_flow(flow)))
    carried = warp_labels(camera.labels(3 + side), map_from_flow(flow))
    inside = slice(STEP, None) if side == 1 else slice(None, WIDTH - STEP)
    assert torch.equal(returned.labels[..., inside], carried[..., inside])
    assert torch.equal(returned.labels[..., inside], camera.labels(3)[..., inside])
    assert int((returned.labels == LAKE).sum()) == STEP * HEIGHT


def neighbourhood(camera, reach, labelled=(3,), length=7):
    labels = {index: (lambda index=index: camera.labels(index)) for index in labelled}
    return LabelledNeighbourhood(camera.frame, length, 3, reach, labels)


def test_all_returns_caps_cycles_and_takes_labelled_neighbours_only(camera, labeller):
    config = ReturnConfig(lengths=(1, 2, 6), keyframes=(1, 3))
    around = neighbourhood(camera, (3, 1), labelled=(0, 3, 4))
    found = [(one.kind, one.side, one.length) for one in all_returns(around, camera, labeller, config)]
    assert found == [(CYCLE, -1, 1), (CYCLE, -1, 2), (CYCLE, -1, 3), (KEYFRAME, -1, 3), (CYCLE, 1, 1), (KEYFRAME, 1, 1)]
    assert list(all_returns(neighbourhood(camera, (0, 0)), camera, labeller, config)) == []


def test_an_estimator_that_looks_back_is_shown_the_frame_beyond(camera, labeller):
    shown = []

    class LookingBack:
        wants_previous = True

        def __call__(self, source, target, previous=None):
            shown.append(next((i for i in range(7) if previous is not None and previous is camera.kept.get(i)), None))
            return camera(source, target)

    around = ReturnTrip(camera.frame, 5, 3, 1, LookingBack(), labeller, ReturnConfig())
    list(around.cycles(camera.labels(3), (1,)))
    assert shown == [2, None]  # onto 4: the frame before 3; back onto 3: there is none beyond 4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lengths": (0,)}, "lengths"),
        ({"keyframes": (-1,)}, "keyframes"),
        ({"tau": -1.0}, "tau"),
        ({"tau": float("inf")}, "one of the words inf, auto"),
        ({"tau": float("nan")}, "tau is nan"),
        ({"resample": "twice"}, "recursive or once"),
        ({"lengths": ()}, "both empty"),
    ],
)
def test_impossible_settings_are_refused(values, said):
    with pytest.raises(UserError, match=said):
        ReturnConfig(**values)


def test_without_a_threshold_the_model_fills_only_what_is_out_of_view(camera, labeller):
    camera.frame(4)
    camera.image = 255 - camera.image  # what frames show from now on does not look like frame 4
    filled = {}
    for tau in (40.0, "inf"):
        (found,) = trip(camera, labeller, 1, ReturnConfig(tau=tau)).cycles(camera.labels(3), (1,))
        filled[tau] = int((found.labels == LAKE).sum())
    assert filled[40.0] > filled["inf"] == STEP * HEIGHT


def test_a_threshold_that_is_not_chosen_yet_carries_nothing(camera, labeller):
    with pytest.raises(ValueError, match="tau is auto"):
        trip(camera, labeller, 1, ReturnConfig(tau="auto"))


def test_a_trip_has_a_side(camera, labeller):
    with pytest.raises(ValueError, match="side is 0"):
        trip(camera, labeller, 0)
