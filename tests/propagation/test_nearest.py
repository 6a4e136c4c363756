from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from seglift.propagation.confidence import one_sided_confidence
from seglift.propagation.fuse import Fused, know_nothing
from seglift.propagation.nearest import take_nearest
from seglift.propagation.provenance import EARLIER, LATER, MODEL
from seglift.propagation.traverse import BothSides

NOTHING = know_nothing((12, 16), 0)


def unused() -> Fused:
    raise AssertionError("there was a side to take")


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [(1, 3, EARLIER), (3, 1, LATER), (2, 2, EARLIER), (9, None, EARLIER), (None, 9, LATER)],
)
def test_the_nearer_side_is_taken_and_the_earlier_of_two_equal(make_state, before, after, taken):
    earlier = None if before is None else replace(make_state(1), distance=before)
    later = None if after is None else replace(make_state(2), distance=after)
    fused = take_nearest(BothSides(3, earlier, later), unused)
    state = earlier if taken == EARLIER else later
    assert torch.equal(fused.labels, state.labels)
    assert (fused.provenance == taken).all()
    assert fused.provenance.dtype == torch.uint8
    assert torch.equal(fused.confidence, one_sided_confidence(state))


def test_what_a_model_filled_is_said_to_be_the_models_at_half_confidence(make_state):
    state = make_state(1, ids=1)
    state.trace[:, 2:] = 0.0
    state.photometric.zero_()
    state.filled[:, :6] = True
    fused = take_nearest(BothSides(3, None, state), unused)
    assert (fused.provenance[:, :6] == MODEL).all()
    assert (fused.provenance[:, 6:] == LATER).all()
    assert (fused.confidence[:, :6] == 0.5).all()
    assert (fused.confidence[:, 6:] > 0.9).all()


def test_without_a_side_the_other_answer_is_given():
    assert take_nearest(BothSides(3, None, None), lambda: NOTHING) is NOTHING
