from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from seglift.propagation.confidence import (
    carried_support,
    one_sided_confidence,
    two_sided_confidence,
)
from seglift.propagation.evidence import reliability
from seglift.propagation.state import Propagated


@pytest.fixture
def plain(make_state):
    """A state of one class, in view, with the error and photometric error given (numbers or rows of 16)."""

    def make(error: float | Tensor = 0.5, photometric: float | Tensor = 8.0) -> Propagated:
        state = make_state(0, ids=1)
        state.trace[:, 2], state.trace[:, 3] = error, 0.0
        state.photometric.copy_(torch.as_tensor(photometric).expand(1, 12, 16))
        return state

    return make


def whose(earlier: Propagated, later: Propagated) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    differ = torch.nonzero((earlier.labels != later.labels).flatten())[:, 0]
    weights = reliability(earlier), reliability(later)
    return weights[0] >= weights[1], differ, weights


def test_one_side_doubts_what_moved_badly_or_looks_different(plain):
    rising = torch.arange(16.0)
    assert (one_sided_confidence(plain(error=rising)).diff(dim=2) < 0).all()
    assert (one_sided_confidence(plain(photometric=rising * 15)).diff(dim=2) < 0).all()


def test_one_side_by_hand(plain):
    # All inside one region: the support is 1 and its logarithm 0.
    expected = 1 / (1 + math.exp(-(4.46 - 0.97 * math.log(8.0 + 4) - 0.23 * math.log(2.0 + 0.5) + 1.6)))
    assert one_sided_confidence(plain(error=2.0)).flatten().tolist() == pytest.approx([expected] * 192, rel=1e-5)


def test_one_side_doubts_thin_parts_and_edges(plain):
    state = plain()
    state.origin.labels[0, :, 8] = 1  # one column of another class
    state.trace[0, :2] = torch.from_numpy(np.mgrid[:12, :16][::-1].astype(np.float32).copy())
    confidence = one_sided_confidence(state)[0, 6]
    assert confidence[8] < confidence[7] < confidence[6] < confidence[5]
    assert confidence[5] == confidence[2]


def test_support_is_read_where_the_label_was_taken(make_state):
    state = make_state(3, block=4)
    x, y = np.floor(state.sampling_map[0].numpy() + 0.5).astype(int).clip(0)
    expected = state.origin.support[0].numpy()[y.clip(max=11), x.clip(max=15)]
    assert np.array_equal(carried_support(state)[0].numpy(), expected)


@pytest.mark.parametrize("seed", range(3))
def test_confidences_are_probabilities_and_bounded_out_of_view(make_state, seed: int):
    earlier, later = make_state(seed), make_state(seed + 10)
    one = one_sided_confidence(earlier)
    both = two_sided_confidence(earlier, later, *whose(earlier, later))
    for confidence in (one, both):
        assert confidence.dtype == torch.float32
        assert confidence.shape == (1, 12, 16)
        assert (confidence >= 0).all()
        assert (confidence <= 1).all()
    assert (one[earlier.out_of_view] <= 0.5).all()


def test_agreement_is_worth_more_than_one_side_and_one_side_more_than_contradiction(plain):
    earlier, later, against = plain(), plain(), plain()
    against.labels.fill_(1)
    against.origin.labels.fill_(1)
    agreed = two_sided_confidence(earlier, later, *whose(earlier, later))
    differing = two_sided_confidence(earlier, against, *whose(earlier, against))
    alone = one_sided_confidence(earlier)
    assert (agreed > alone).all()
    assert (alone > differing).all()


def test_the_more_the_winner_outweighs_the_loser_the_likelier_it_is_right(plain):
    earlier, later = plain(error=1.0), plain(error=torch.arange(16.0) + 1.0)
    later.labels.fill_(1)
    from_earlier, differ, weights = whose(earlier, later)
    assert from_earlier.all()
    confidence = two_sided_confidence(earlier, later, from_earlier, differ, weights)
    assert (confidence.diff(dim=2) > 0).all()
    swapped = two_sided_confidence(later, earlier, ~from_earlier, differ, weights[::-1])
    assert torch.allclose(confidence, swapped, atol=1e-6)


def test_only_a_contradicted_guess_beyond_the_border_is_bounded(plain):
    earlier, later = plain(error=0.0, photometric=0.0), plain(error=0.0, photometric=0.0)
    earlier.trace[:, 3] = 1.0
    assert (two_sided_confidence(earlier, later, *whose(earlier, later)) > 0.9).all()
    against = replace(later, labels=torch.ones_like(later.labels))
    assert (two_sided_confidence(earlier, against, *whose(earlier, against)) <= 0.5).all()
