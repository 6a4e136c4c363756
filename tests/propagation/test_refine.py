from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from seglift.motion.maps import map_from_flow
from seglift.motion.warp import warp_image, warp_labels
from seglift.propagation.inpaint import Inpaint
from seglift.propagation.nearest import take_nearest
from seglift.propagation.provenance import EARLIER, REFINER
from seglift.propagation.refine import Refine, carried_image, refine_once
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.spill import pack_state, unpack_state
from seglift.propagation.state import FramePair, Origin, keyframe_state
from seglift.propagation.traverse import BothSides

WALL, ROAD = 1, 2


class Correcting:
    """Stands for a refiner: the first row becomes road; keeps what it was given."""

    def __init__(self):
        self.given = []

    def labels(self, carried, warped_image, image):
        self.given.append((carried, warped_image, image))
        refined = carried.clone()
        refined[:, 0] = ROAD
        return refined, torch.zeros(1, 4, *carried.shape[1:])


@pytest.fixture
def walls(make_origin):
    image = make_origin().image
    return Origin(torch.full((1, 12, 16), WALL, dtype=torch.uint8), image)


@pytest.fixture
def inpaint(stub_model, space):
    model = stub_model(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 12, 16))
    return Inpaint(SemanticLabeller(model, space), tau=1e9)


def test_every_step_goes_on_from_refined_labels(walls, inpaint, translation):
    refiner = Correcting()
    frames = [walls.image, walls.image.flip(3), walls.image.flip(2)]
    state = keyframe_state(walls)
    for index in (0, 1):
        pair = FramePair(frames.__getitem__, index, index + 1)
        state = Refine(inpaint, refiner).step(state, pair, translation(0, -1))
        _, warped, image = refiner.given[index]
        assert image is frames[index + 1]
        assert torch.equal(warped, warp_image(frames[index], map_from_flow(translation(0, -1).flow)))
    # Row 0 was refined after the first step and moved down to row 1 with the second.
    assert (refiner.given[1][0][:, 1] == ROAD).all()
    assert (refiner.given[1][0][:, 2:] == WALL).all()
    assert (state.labels[:, :2] == ROAD).all()
    assert state.distance == 2
    assert state.refined[:, :2].all()
    assert not state.refined[:, 2:].any()


def test_what_the_model_fills_in_anew_is_no_longer_the_refiners(walls, stub_model, space, translation):
    model = stub_model(torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 12, 16))
    filling = Refine(Inpaint(SemanticLabeller(model, space), tau=0.0), Correcting())
    pair = FramePair([walls.image, walls.image].__getitem__, 0, 1)
    state = replace(keyframe_state(walls), refined=torch.ones(1, 12, 16, dtype=torch.bool))
    after = filling.step(state, pair, translation(0, 0))
    assert after.refined[:, 0].all()
    assert not after.refined[:, 1:].any()


def test_refine_once_takes_labels_however_they_came(make_state, inpaint, translation):
    state, refiner = make_state(1), Correcting()
    image = torch.zeros(1, 3, 12, 16, dtype=torch.uint8)
    after = refine_once(refiner, state, image, image)
    assert torch.equal(after.labels[:, 1:], state.labels[:, 1:])
    assert torch.equal(after.refined, after.labels != state.labels)
    assert after.trace is state.trace


def test_what_the_refiner_changed_is_said_to_be_its_own(make_state):
    state = make_state(1)
    image = torch.zeros(1, 3, 12, 16, dtype=torch.uint8)
    after = refine_once(Correcting(), state, image, image)
    fused = take_nearest(BothSides(3, after, None), lambda: pytest.fail("there was a side to take"))
    changed = after.labels != state.labels
    assert torch.equal(fused.provenance == REFINER, changed)
    assert (fused.provenance[~changed] == EARLIER).all()
    assert (fused.confidence[changed] <= 0.5).all()


@pytest.mark.parametrize("exact", [True, False])
def test_what_was_refined_survives_on_disk(make_state, exact):
    state = replace(make_state(1), refined=torch.rand(1, 12, 16) < 0.5)
    assert torch.equal(unpack_state(pack_state(state, exact), state.origin).refined, state.refined)
    assert unpack_state(pack_state(make_state(1), exact), state.origin).refined is None


def test_a_step_that_starts_from_the_keyframe_each_time_is_refused(inpaint):
    with pytest.raises(ValueError, match="recursive"):
        Refine(replace(inpaint, recursive=False), Correcting())


def test_the_carried_image_is_the_source_on_the_target(walls, translation):
    motion = translation(1, 0)
    warped = carried_image(FramePair([walls.image, walls.image].__getitem__, 0, 1), motion)
    assert torch.equal(warped[..., :-1], walls.image[..., 1:])
    assert warped.dtype == torch.uint8
    assert torch.equal(warp_labels(walls.labels, map_from_flow(motion.flow)), walls.labels)
