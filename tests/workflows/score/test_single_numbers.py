from __future__ import annotations

import numpy as np

from seglift.labels.space_file import get_space
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality
from seglift.workflows.score.panoptic import PanopticScores
from seglift.workflows.score.run import Scores
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS


def test_they_are_all_the_numbers_of_the_scores_but_shares_of_segments():
    space = get_space("cityscapes")
    scores = Scores.empty(space)
    scores.confusion.update(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))
    raw = np.full((4, 4), 26, np.uint8)
    quality, precision = PanopticQuality.empty(space), InstanceAP.empty(space)
    for statistics in (quality, precision):
        statistics.update((raw, np.ones((4, 4), np.uint16)), (raw, np.ones((4, 4), np.uint16)))
    scores.panoptic = PanopticScores(quality, precision, 1)
    found = scores.as_json()
    plain = {name for name, value in found.items() if not isinstance(value, dict)} - {"frames"}
    assert plain <= SINGLE_NUMBERS.keys()
    assert {name: SINGLE_NUMBERS[name].of(found) for name in ("miou", "pq", "pq_things", "pixel_accuracy")} == {
        "miou": 1.0,
        "pq": 1.0,
        "pq_things": 1.0,
        "pixel_accuracy": 1.0,
    }
    assert SINGLE_NUMBERS["pq_stuff"].of(found) is None
    assert SINGLE_NUMBERS["pq"].of({"miou": 0.5}) is None
