"""Judging a model on keyframes: what its word is given for."""

from __future__ import annotations

import pytest
import torch

from seglift.propagation.model_trust import REMEMBERED, ModelTrust
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import Origin

ROAD, LAKE, WALL = 2, 3, 1  # space indices of train ids 0, 1, 2
IMAGE = torch.zeros(1, 3, 24, 32, dtype=torch.uint8)


def drawn(left: int, right: int) -> Origin:
    labels = torch.full((1, 24, 32), left, dtype=torch.uint8)
    labels[..., 16:] = right
    return Origin(labels, IMAGE)


def sure_of(*columns: int) -> torch.Tensor:
    """Probabilities of a model that is certain of a train id in the left half, and of another in the right one."""
    probabilities = torch.full((1, 3, 24, 32), 1e-9)
    probabilities[:, columns[0], :, :16] = 1.0
    probabilities[:, columns[1], :, 16:] = 1.0
    return probabilities


@pytest.fixture
def trust(space, stub_model):
    return lambda probabilities: ModelTrust(SemanticLabeller(stub_model(probabilities), space))


def test_nobody_judged_or_only_void_drawn_is_taken_at_its_word(trust):
    as_said = torch.zeros(4, 3)
    as_said[[ROAD, LAKE, WALL], [0, 1, 2]] = 1.0
    assert torch.equal(trust(sure_of(0, 1)).votes([]), as_said)
    assert torch.equal(trust(sure_of(0, 1)).votes([drawn(0, 0)]), as_said)


def test_a_model_that_was_right_is_taken_at_its_word(trust):
    votes = trust(sure_of(0, 1)).votes([drawn(ROAD, LAKE)])
    assert votes[[ROAD, LAKE, WALL], [0, 1, 2]].min() > 0.999
    assert torch.allclose(votes.sum(0), torch.ones(3))


def test_a_model_that_says_road_of_lakes_votes_for_lakes_too_when_it_says_road(trust):
    votes = trust(sure_of(0, 0)).votes([drawn(ROAD, LAKE)])
    assert votes[ROAD, 0] == pytest.approx(0.75, abs=2e-3)  # half as said, a quarter for each of the two as judged
    assert votes[LAKE, 0] == pytest.approx(0.25, abs=2e-3)
    assert votes[LAKE, 1] > 0.99  # of its other words nothing is known
    assert votes[WALL, 2] > 0.99


def test_keyframes_are_judged_together(trust):
    one, other = drawn(ROAD, ROAD), drawn(ROAD, LAKE)
    judge = trust(sure_of(0, 0))
    alone, both = judge.votes([other])[LAKE, 0], judge.votes([one, other])[LAKE, 0]
    assert judge.votes([one])[LAKE, 0] < 1e-3
    assert 0.1 < both < alone


def test_edges_of_labels_do_not_count(trust):
    origin = drawn(ROAD, LAKE)
    said = sure_of(0, 1)
    said[:, :, :, 14:18] = sure_of(1, 0)[:, :, :, 14:18]  # wrong, but within two pixels of the edge
    assert trust(said).votes([origin])[[ROAD, LAKE], [0, 1]].min() > 0.999


def test_a_keyframe_is_asked_about_once_and_forgotten_after_some_others(space, stub_model):
    model = stub_model(sure_of(0, 1))
    judge = ModelTrust(SemanticLabeller(model, space))
    first = drawn(ROAD, LAKE)
    for _ in range(3):
        judge.votes([first])
    assert len(model.seen) == 1
    for _ in range(REMEMBERED):
        judge.votes([drawn(ROAD, LAKE)])
    judge.votes([first])
    assert len(model.seen) == REMEMBERED + 2
