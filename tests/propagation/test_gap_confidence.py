from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.metrics.calibration import Calibration
from seglift.metrics.confusion import Confusion
from seglift.propagation.arrival import Arrival
from seglift.propagation.fuse import Fused
from seglift.propagation.gap_confidence import confidence_offset, raise_odds, trust_carried
from seglift.propagation.provenance import EARLIER, LATER, MODEL, REFINER
from seglift.propagation.traverse import BothSides


def arrival(right: float, level: int = 230, judged: float = 1.0, pixels: int = 100_000) -> Arrival:
    """All pixels at one confidence, a share of them right; ``judged`` of the frame could be judged."""
    counts = np.zeros((2, 256), np.int64)
    counts[1, level] = round(judged * pixels * right)
    counts[0, level] = round(judged * pixels) - counts[1, level]
    return Arrival(Confusion.empty(2), Calibration(counts), np.zeros((2, 2), np.int64), pixels)


def log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def test_labels_more_often_right_than_predicted_raise_confidence():
    better = arrival(0.97)
    offset = confidence_offset(better, better)
    assert 0.5 * (log_odds(0.97) - log_odds(230 / 255)) < offset < log_odds(0.97) - log_odds(230 / 255)


def test_as_right_as_predicted_or_less_changes_nothing():
    assert confidence_offset(arrival(230 / 255), arrival(230 / 255)) < 1e-3
    assert confidence_offset(arrival(0.6), arrival(0.6)) == 0.0
    assert confidence_offset(arrival(0.5), arrival(0.95)) == 0.0  # both keyframes count


def test_the_less_was_judged_the_less_is_corrected():
    offsets = [confidence_offset(arrival(0.97, judged=share), arrival(0.97, judged=share)) for share in (1, 0.3, 0.01)]
    assert offsets[0] > offsets[1] > offsets[2] > 0.0
    assert confidence_offset(arrival(1.0, judged=0.0), arrival(1.0, judged=0.0)) == 0.0


def test_all_right_stays_finite():
    assert 0.0 < confidence_offset(arrival(1.0), arrival(1.0)) < 3.0


def test_odds_are_raised():
    confidence = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0])
    assert torch.equal(raise_odds(confidence, 0.0), confidence)
    assert torch.allclose(raise_odds(confidence, 0.7)[1:4], torch.sigmoid(torch.logit(confidence[1:4]) + 0.7))
    assert raise_odds(confidence, 5.0)[[0, 4]].tolist() == [0.0, 1.0]


@pytest.fixture
def frame(make_state):
    sides = BothSides(3, make_state(1), make_state(2))
    provenance = torch.tensor([EARLIER, LATER, MODEL, REFINER], dtype=torch.uint8).repeat(1, 12, 4)
    return Fused(sides.earlier.labels, torch.full((1, 12, 16), 0.8), provenance), sides


def test_only_carried_labels_that_were_seen_are_trusted_more(frame):
    fused, sides = frame
    raised = trust_carried(fused, sides, 1.0).confidence > 0.85
    seen = ~(sides.earlier.out_of_view & sides.later.out_of_view)
    assert 0 < (~seen).sum() < seen.sum()
    assert torch.equal(raised, seen & (fused.provenance <= LATER))


def test_one_side_alone_or_no_offset_changes_nothing(frame):
    fused, sides = frame
    assert trust_carried(fused, sides, 0.0) is fused
    assert trust_carried(fused, BothSides(3, sides.earlier, None), 1.0) is fused
