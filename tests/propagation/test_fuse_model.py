from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.labels.space import LabelClass, LabelSpace
from seglift.motion.consistency import photometric_error
from seglift.motion.maps import identity_map
from seglift.propagation import fuse_model
from seglift.propagation.fuse import Fused, fuse_motion, know_nothing
from seglift.propagation.fuse_model import ModelVote, fuse_with_model
from seglift.propagation.provenance import EARLIER, LATER, MODEL, REFINER
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.smooth import boundary, grow, smooth_votes
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import BothSides

IMAGE = torch.zeros(1, 3, 12, 16, dtype=torch.uint8)
INDEX_OF_TRAIN = np.array([2, 3, 1])
MODEL_WEIGHT = 0.03


def chances(seed: int, sharpness: float = 1.5) -> Tensor:
    raw = np.random.default_rng([3, seed]).normal(0, sharpness, (1, 3, 12, 16)).astype(np.float32)
    return torch.from_numpy(raw).softmax(1)


def certain(train: int) -> Tensor:
    probabilities = torch.full((1, 3, 12, 16), 1e-9)
    probabilities[:, train] = 1.0
    return probabilities


def trust_by_hand(states: list[Propagated], probabilities: Tensor) -> np.ndarray:
    """How votes for the three train ids are given to the four indices, float64 [4, 3], pixel by pixel."""
    as_said = np.zeros((4, 3))
    as_said[INDEX_OF_TRAIN, range(3)] = 1.0
    seen = np.zeros((4, 3))
    for state in states:
        labels = np.pad(state.origin.labels[0].numpy(), 2, mode="edge")
        for row, column in np.ndindex(12, 16):
            around = labels[row : row + 5, column : column + 5]
            drawn = around[2, 2]
            if drawn != 0 and not (around != drawn).any():
                seen[drawn] += probabilities[0, :, row, column].numpy()
    if not seen.any():
        return as_said
    seen /= seen.sum()
    judged = np.zeros((4, 3))
    for index in range(4):
        row = seen[index] + 1e-3 * as_said[index]
        if row.sum() > 0:
            judged[index] = row / row.sum() * math.sqrt(row.sum())
    return 0.5 * as_said + 0.5 * judged / judged.sum(0)


def best_of_two(votes: np.ndarray) -> np.ndarray:
    """Share of the largest of the two largest votes along the last axis."""
    ordered = np.sort(votes, -1)
    return ordered[..., -1] / (ordered[..., -1] + ordered[..., -2])


def votes_by_hand(states: list[Propagated], probabilities: Tensor, tau: float | None) -> np.ndarray:
    """All votes, float64 [H, W, 4], pixel by pixel."""
    votes = np.zeros((12, 16, 4))
    votes += MODEL_WEIGHT * probabilities[0].permute(1, 2, 0).numpy() @ trust_by_hand(states, probabilities).T
    for state in states:
        labels, trace = state.origin.labels[0].numpy(), state.trace[0].numpy().astype(float)
        distance = photometric_error(IMAGE, state.origin.image, state.sampling_map)[0]
        for row, column in np.ndindex(12, 16):
            x, y, error, unseen = trace[:, row, column]
            photometric = int(state.photometric[0, row, column])
            if tau is not None and float(distance[row, column]) >= tau:
                continue
            weight = 1 / (math.sqrt(error + 0.5) * (photometric + 4)) if unseen < 0.5 else MODEL_WEIGHT / 3
            near_x, near_y = math.floor(x + 0.5), math.floor(y + 0.5)
            around = [(near_y + b, near_x + a) for b in (-1, 0, 1) for a in (-1, 0, 1)]
            taps = np.array([math.exp(-((b - y) ** 2 + (a - x) ** 2) / 1.28) for b, a in around])
            for (b, a), tap in zip(around, taps / taps.sum(), strict=True):
                votes[row, column, labels[min(max(b, 0), 11), min(max(a, 0), 15)]] += weight * tap
    return votes


@pytest.fixture
def fuse_them(space, stub_model):
    def do(sides: BothSides, probabilities: Tensor, tau: float | None = None) -> Fused:
        return fuse_with_model(sides, IMAGE, ModelVote(SemanticLabeller(stub_model(probabilities), space), tau))

    return do


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tau", [None, 230.0])
@pytest.mark.parametrize("present", ["both", "earlier", "later"])
def test_every_pixel_has_the_label_with_the_most_votes(make_state, fuse_them, seed, tau, present):
    earlier = make_state(seed, block=3) if present != "later" else None
    later = make_state(seed + 60, block=3) if present != "earlier" else None
    probabilities = chances(seed)
    fused = fuse_them(BothSides(4, earlier, later), probabilities, tau)
    states = [state for state in (earlier, later) if state is not None]
    votes = votes_by_hand(states, probabilities, tau)
    said = INDEX_OF_TRAIN[probabilities[0].argmax(0).numpy()]
    agree = np.all([state.labels[0].numpy() == said for state in states], axis=0)
    labels = fused.labels[0].numpy()
    chosen = np.take_along_axis(votes, labels[..., None].astype(int), -1)[..., 0]
    assert 0.01 < agree.mean() < 0.9
    assert np.array_equal(labels[agree], said[agree])
    assert (votes.max(-1) - chosen)[~agree].max() < 1e-6
    expected = best_of_two(votes)
    assert np.allclose(fused.confidence[0].numpy()[~agree], expected[~agree], atol=1e-4)
    assert len(np.unique(labels)) >= 3


def test_agreement_of_all_three_is_what_a_full_count_gives_inside_regions(make_state, fuse_them):
    earlier, later = make_state(1, block=16, ids=1), make_state(2, block=16, ids=1)
    for state in (earlier, later):
        state.labels.fill_(3)
        state.origin.labels.fill_(3)
    probabilities = torch.tensor([0.2, 0.7, 0.1]).view(1, 3, 1, 1).expand(1, 3, 12, 16)
    fused = fuse_them(BothSides(4, earlier, later), probabilities)
    votes = votes_by_hand([earlier, later], probabilities, None)
    assert (fused.labels == 3).all()
    assert np.array_equal(votes.argmax(-1), fused.labels[0].numpy())
    carried = votes.sum(-1) - MODEL_WEIGHT
    expected = (carried + MODEL_WEIGHT * 0.7) / votes.sum(-1)  # the model's word as it was said
    assert np.allclose(fused.confidence[0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("along_edges", [False, True])
def test_a_space_of_a_single_class(make_state, stub_model, along_edges):
    space = LabelSpace("one", (LabelClass(0, "thing", (9, 9, 9), 0, "thing", False),), None)
    vote = ModelVote(SemanticLabeller(stub_model(torch.ones(1, 1, 12, 16)), space), along_edges=along_edges)
    fused = fuse_with_model(BothSides(4, make_state(1, ids=1), None), IMAGE, vote)
    assert not fused.labels.any()
    assert torch.allclose(fused.confidence, torch.ones(1, 12, 16))


@pytest.mark.parametrize("train", [0, 1, 2])
def test_a_certain_model_fills_what_both_sides_did_not_see(make_state, fuse_them, train: int):
    earlier, later = make_state(1, block=4), make_state(2, block=4)
    unseen = earlier.out_of_view & later.out_of_view
    assert unseen.any()
    fused = fuse_them(BothSides(4, earlier, later), certain(train))
    assert (fused.labels[unseen] == int(INDEX_OF_TRAIN[train])).all()
    assert (fused.provenance[unseen] == MODEL).all()
    agree = (earlier.labels == fused.labels) & (later.labels == fused.labels)
    disagree = (earlier.labels != fused.labels) & (later.labels != fused.labels)
    assert (fused.confidence[unseen & agree] > 0.8).all()
    assert (fused.confidence[unseen & disagree] < 0.8).all()


def test_what_a_model_says_where_the_keyframe_shows_it_wrong_counts_for_little(make_state, space, stub_model):
    """It says the class of train id 0 everywhere; of the keyframe that is true of the upper half only."""
    state = make_state(1, ids=1)
    state.trace[:, 2:] = 0.0
    state.trace[:, :2] = identity_map(12, 16)
    state.photometric.fill_(55)  # its vote is 0.024, the model's 0.03
    for labels in (state.labels, state.origin.labels):
        labels[:, :6], labels[:, 6:] = 2, 3
    labeller = SemanticLabeller(stub_model(certain(0)), space)
    fused = fuse_with_model(BothSides(4, state, None), IMAGE, ModelVote(labeller))
    inside = ~grow(boundary(state.labels), 1)
    assert torch.equal(fused.labels[inside], state.labels[inside])
    state.origin.labels.fill_(2)  # now nothing tells against the model
    fused = fuse_with_model(BothSides(4, state, None), IMAGE, ModelVote(labeller))
    assert (fused.labels == 2).all()


def test_from_tau_on_a_side_has_no_vote(make_state, fuse_them):
    state = make_state(1, ids=1)
    state.labels.fill_(1)
    state.origin.labels.fill_(1)
    state.trace[:, 2:] = 0.0
    state.trace[:, :2] = identity_map(12, 16)
    state.photometric.fill_(10)
    state.origin.image.fill_(5)  # RGB distance from the black frame: 8.7 on the left, 10.4 on the right
    state.origin.image[..., 8:] = 6
    sides = BothSides(4, state, None)
    fused = fuse_them(sides, certain(0), tau=10.0)
    assert (fused.labels[..., :8] == 1).all()
    assert (fused.provenance[..., :8] == EARLIER).all()
    assert (fused.labels[..., 8:] == 2).all()
    assert (fused.provenance[..., 8:] == MODEL).all()
    assert (fuse_them(sides, certain(0)).labels == 1).all()


def test_provenance_is_the_strongest_voter_that_said_it(make_state, fuse_them):
    earlier, later = make_state(7, block=3), make_state(8, block=3)
    fused = fuse_them(BothSides(4, earlier, later), chances(5))
    said = INDEX_OF_TRAIN[chances(5)[0].argmax(0).numpy()]
    seen = set()
    for place in np.ndindex(12, 16):
        index = (0, *place)
        best, source = 0.0, MODEL
        for state, name in ((earlier, EARLIER), (later, LATER)):
            weight = 1 / (math.sqrt(float(state.error[index]) + 0.5) * (int(state.photometric[index]) + 4))
            weight = MODEL_WEIGHT / 3 if state.out_of_view[index] else weight
            guess = state.out_of_view[index] and fused.labels[index] == said[index[1:]]
            if state.labels[index] == fused.labels[index] and weight > best and not guess:
                best, source = weight, name
        assert int(fused.provenance[index]) == source
        seen.add(source)
    assert seen == {EARLIER, LATER, MODEL}


def test_swapped_sides_give_the_same_labels_and_the_mirrored_provenance(make_state, fuse_them):
    one, other = make_state(7, block=3), make_state(8, block=3)
    here = fuse_them(BothSides(4, one, other), chances(5))
    there = fuse_them(BothSides(4, other, one), chances(5))
    assert torch.equal(here.labels, there.labels)
    assert torch.allclose(here.confidence, there.confidence, atol=1e-5)
    swap = torch.arange(6, dtype=torch.uint8)
    swap[EARLIER], swap[LATER] = LATER, EARLIER
    assert torch.equal(here.provenance, swap[there.provenance.long()])


def test_without_sides_the_model_speaks_alone(fuse_them):
    probabilities = chances(9)
    fused = fuse_them(BothSides(4, None, None), probabilities)
    assert np.array_equal(fused.labels[0].numpy(), INDEX_OF_TRAIN[probabilities[0].argmax(0).numpy()])
    assert torch.allclose(fused.confidence, probabilities.amax(1), atol=1e-6)
    assert (fused.provenance == MODEL).all()
    assert fused.labels.dtype == fused.provenance.dtype == torch.uint8


def test_void_of_reliable_keyframes_outvotes_a_model_that_knows_none(make_state, fuse_them, space):
    states = []
    for seed in (1, 2):
        state = make_state(seed, ids=1)  # space index 0, the void
        state.trace[:, 2:] = 0.0
        states.append(replace(state, photometric=torch.zeros_like(state.photometric)))
    fused = fuse_them(BothSides(4, *states), certain(1))
    assert (fused.labels == space.unknown_index).all()


def test_pieces_do_not_matter(make_state, fuse_them, monkeypatch: pytest.MonkeyPatch):
    sides = BothSides(4, make_state(5), make_state(6))
    whole = fuse_them(sides, chances(1))
    monkeypatch.setattr(fuse_model, "CHUNK", 7)
    pieces = fuse_them(sides, chances(1))
    assert torch.equal(whole.labels, pieces.labels)
    assert torch.equal(whole.confidence, pieces.confidence)


def test_sides_are_left_as_they_were(make_state, fuse_them):
    state, before = make_state(5), make_state(5)
    fuse_them(BothSides(4, state, None), chances(1), 20.0)
    assert torch.equal(state.labels, before.labels)
    assert torch.equal(state.trace, before.trace)
    assert torch.equal(state.photometric, before.photometric)


def test_along_edges_a_speck_of_one_side_goes_and_the_page_says_who_did_it(make_state, fuse_them, space, stub_model):
    state = make_state(1, ids=1)
    state.trace[:, 2:] = 0.0
    state.trace[:, :2] = identity_map(12, 16)
    state.photometric.fill_(40)
    for labels in (state.labels, state.origin.labels):
        labels.fill_(3)
        labels[0, 5, 7] = 1
    labeller = SemanticLabeller(stub_model(chances(2, 0.1)), space)
    sides = BothSides(4, state, None)
    plain = fuse_with_model(sides, IMAGE, ModelVote(labeller))
    smooth = fuse_with_model(sides, IMAGE, ModelVote(labeller, along_edges=True))
    assert (plain.labels[0, 5, 7], smooth.labels[0, 5, 7]) == (1, 3)
    assert (plain.provenance[0, 5, 7], smooth.provenance[0, 5, 7]) == (EARLIER, REFINER)
    assert ((smooth.provenance == REFINER) == (smooth.labels != plain.labels)).all()


@pytest.mark.parametrize("seed", range(3))
def test_along_edges_every_pixel_is_decided_as_by_a_full_count(make_state, space, stub_model, seed):
    earlier, later = make_state(seed, block=3), make_state(seed + 60, block=3)
    probabilities = chances(seed)
    labeller = SemanticLabeller(stub_model(probabilities), space)
    image = torch.from_numpy(np.random.default_rng(seed).integers(0, 40, (1, 3, 12, 16)).astype(np.uint8))
    fused = fuse_with_model(BothSides(4, earlier, later), image, ModelVote(labeller, along_edges=True))
    votes = torch.from_numpy(votes_by_hand([earlier, later], probabilities, None)).float()
    shares = (votes / votes.sum(-1, keepdim=True)).view(-1, 4)
    everywhere = torch.arange(12 * 16)
    smoothed = smooth_votes(shares, everywhere, image, everywhere)
    assert (smoothed.max(1).values - smoothed.gather(1, fused.labels.view(-1, 1).long())[:, 0]).max() < 1e-5
    assert np.allclose(fused.confidence.flatten().numpy(), best_of_two(smoothed.numpy()), atol=1e-4)


def test_along_edges_where_nothing_was_carried_the_model_is_smoothed(space, stub_model):
    labeller = SemanticLabeller(stub_model(chances(4)), space)
    fused = fuse_with_model(BothSides(4, None, None), IMAGE, ModelVote(labeller, along_edges=True))
    assert set(fused.provenance.unique().tolist()) == {MODEL, REFINER}
    assert float(fused.confidence.max()) <= 1.0


def test_void_of_a_keyframe_that_is_hardly_drawn_counts_for_nothing_beside_one_that_is(make_state, fuse_them, space):
    hardly, drawn = make_state(1, ids=1), make_state(2, ids=1)
    for state in (hardly, drawn):
        state.trace[:, 2:] = 0.0
        state.trace[:, :2] = identity_map(12, 16)
        state.photometric.zero_()
    drawn.photometric.fill_(40)  # alone it would lose against the void of the other
    for labels in (drawn.labels, drawn.origin.labels):
        labels.fill_(3)
    fused = fuse_them(BothSides(4, hardly, drawn), certain(0))
    assert not (fused.labels == space.unknown_index).any()
    moved = fuse_motion(BothSides(4, hardly, drawn), know_nothing((12, 16), 0), 4, unknown=space.unknown_index)
    assert (moved.labels == 3).all()
    assert moved.confidence.isfinite().all()
    at_its_word = fuse_motion(BothSides(4, hardly, drawn), know_nothing((12, 16), 0), 4)
    assert (at_its_word.labels == space.unknown_index).all()
    like_it = replace(hardly, photometric=drawn.photometric, origin=make_state(3, ids=1).origin)
    fused = fuse_them(BothSides(4, hardly, like_it), certain(0))  # here void is how the clip is drawn
    assert (fused.labels == space.unknown_index).all()
