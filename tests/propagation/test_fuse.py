from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seglift.propagation import fuse
from seglift.propagation.evidence import reliability
from seglift.propagation.fuse import fuse_both, fuse_motion, know_nothing
from seglift.propagation.provenance import EARLIER, LATER, NONE
from seglift.propagation.traverse import BothSides
from seglift.propagation.vote import add_votes

NOTHING = know_nothing((12, 16), 0)


@pytest.mark.parametrize("seed", range(4))
def test_what_both_say_stays_and_the_vote_decides_the_rest(make_state, seed: int):
    earlier, later = make_state(seed), make_state(seed + 100)
    fused = fuse_both(earlier, later, 4)
    agree = earlier.labels == later.labels
    assert 0.05 < agree.float().mean() < 0.6
    assert torch.equal(fused.labels[agree], earlier.labels[agree])
    votes = torch.zeros(12 * 16, 4)
    for state in (earlier, later):
        add_votes(votes, state, reliability(state).flatten(), torch.arange(12 * 16))
    chosen = votes.gather(1, fused.labels.flatten().long()[:, None])[:, 0]
    lost = votes.amax(1) - chosen
    assert (lost[~agree.flatten()] <= 1e-6).all()
    assert fused.labels.dtype == fused.provenance.dtype == torch.uint8
    assert fused.confidence.dtype == torch.float32
    assert 0.0 <= float(fused.confidence.min()) <= float(fused.confidence.max()) <= 1.0


def test_provenance_names_the_side_that_said_it_or_the_more_reliable(make_state):
    earlier, later = make_state(1), make_state(2)
    fused = fuse_both(earlier, later, 4)
    weights = reliability(earlier), reliability(later)
    seen = set()
    for place in np.ndindex(12, 16):
        index = (0, *place)
        by = [bool(state.labels[index] == fused.labels[index]) for state in (earlier, later)]
        expected = by[0] if by[0] != by[1] else bool(weights[0][index] >= weights[1][index])
        assert int(fused.provenance[index]) == (EARLIER if expected else LATER)
        seen.add((*by, expected))
    assert {(True, False, True), (False, True, False), (True, True, True), (True, True, False)} <= seen


@pytest.mark.parametrize("seed", range(3))
def test_swapped_sides_give_the_same_labels_and_the_mirrored_provenance(make_state, seed: int):
    one, other = make_state(seed), make_state(seed + 50)
    here, there = fuse_both(one, other, 4), fuse_both(other, one, 4)
    assert torch.equal(here.labels, there.labels)
    assert torch.allclose(here.confidence, there.confidence, atol=1e-5)
    mirrored = torch.where(there.provenance == EARLIER, LATER, EARLIER)
    assert torch.equal(here.provenance.long(), mirrored)


def test_the_reliable_side_wins_inside_its_regions(make_state):
    earlier, later = make_state(1, ids=1), make_state(2, ids=1)
    later = replace(later, labels=later.labels + 3, origin=replace(later.origin, labels=later.origin.labels + 3))
    for state, error, photometric in ((earlier, 4.0, 30), (later, 0.1, 2)):
        state.trace[:, 2] = error
        state.photometric.fill_(photometric)
    assert (fuse_both(earlier, later, 4).labels == 3).all()
    later.trace[:, 2] = 4.0
    later.photometric.fill_(31)
    assert (fuse_both(earlier, later, 4).labels == 0).all()


def test_void_drawn_by_humans_is_kept_where_sides_agree(make_state, space):
    earlier, later = make_state(1, ids=4, block=6), make_state(1, ids=4, block=6)
    void = earlier.labels == space.unknown_index
    assert void.any()
    assert (fuse_both(earlier, later, 4).labels[void] == space.unknown_index).all()


def test_pieces_do_not_matter(make_state, monkeypatch: pytest.MonkeyPatch):
    earlier, later = make_state(5), make_state(6)
    whole = fuse_both(earlier, later, 4)
    monkeypatch.setattr(fuse, "CHUNK", 7)
    pieces = fuse_both(earlier, later, 4)
    assert torch.equal(whole.labels, pieces.labels)
    assert torch.equal(whole.provenance, pieces.provenance)


def test_sides_are_left_as_they_were(make_state):
    earlier, later, same, again = make_state(1), make_state(2), make_state(1), make_state(2)
    fuse_both(earlier, later, 4)
    for now, before in ((earlier, same), (later, again)):
        assert torch.equal(now.labels, before.labels)
        assert torch.equal(now.trace, before.trace)
        assert torch.equal(now.photometric, before.photometric)


@pytest.mark.parametrize("side", [EARLIER, LATER])
def test_one_side_alone_is_taken_as_it_is(make_state, side: int):
    state = make_state(3)
    sides = BothSides(5, state if side == EARLIER else None, state if side == LATER else None)
    fused = fuse_motion(sides, NOTHING, 4)
    assert torch.equal(fused.labels, state.labels)
    assert (fused.provenance == side).all()
    assert (fused.confidence[state.out_of_view] <= 0.5).all()


def test_both_or_neither(make_state):
    earlier, later = make_state(1), make_state(2)
    both = fuse_motion(BothSides(5, earlier, later), NOTHING, 4)
    assert torch.equal(both.labels, fuse_both(earlier, later, 4).labels)
    assert fuse_motion(BothSides(5, None, None), NOTHING, 4) is NOTHING


def test_knowing_nothing():
    nothing = know_nothing((2, 3), 7)
    assert nothing.labels.tolist() == [[[7, 7, 7], [7, 7, 7]]]
    assert nothing.labels.dtype == torch.uint8
    assert not nothing.confidence.any()
    assert (nothing.provenance == NONE).all()
