from __future__ import annotations

import numpy as np

from seglift.datasets.coarsen import never_filled
from seglift.labels.space import LabelClass, LabelSpace
from seglift.workflows.coarse_to_fine.fill import FillCounts, fill_label, judge

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(4, "road", (90, 60, 90), 0, "flat", False),
        LabelClass(7, "car", (0, 0, 90), 1, "vehicle", True),
        LabelClass(1, "ego vehicle", (5, 5, 5), 255, "void", False),
        LabelClass(3, "static", (20, 20, 20), 255, "void", False),
        LabelClass(0, "unlabelled", (0, 0, 0), 255, "void", False),
    ),
    ignore=0,
)
ROAD, CAR, EGO, STATIC, OPEN = range(5)


def test_only_what_is_open_is_filled_and_only_where_the_network_is_accepted():
    coarse = np.array([[ROAD, CAR, EGO, STATIC, OPEN, OPEN]], np.uint8)
    train = np.array([[1, 0, 1, 1, 1, 0]], np.uint8)
    accepted = np.array([[True, True, True, True, True, False]])
    probability = np.array([[0.99, 0.99, 0.99, 0.95, 0.91, 0.5]], np.float32)
    found = fill_label(coarse, never_filled(coarse, SPACE), SPACE, train, accepted, probability)
    assert found.labels.tolist() == [[ROAD, CAR, EGO, CAR, CAR, OPEN]]
    assert found.confidence.tolist() == [[255, 255, 0, 242, 232, 0]]
    assert found.filled.tolist() == [[False, False, False, True, True, False]]
    assert found.counts == FillCounts(pixels=5, drawn=2, filled=2)


def test_filled_pixels_are_judged_where_the_truth_has_a_class():
    coarse = np.full((1, 4), OPEN, np.uint8)
    train, accepted = np.array([[0, 0, 1, 1]], np.uint8), np.array([[True, True, True, False]])
    never = np.zeros((1, 4), bool)
    found = fill_label(coarse, never, SPACE, train, accepted, np.ones((1, 4), np.float32))
    truth = np.array([[ROAD, CAR, STATIC, CAR]], np.uint8)
    assert judge(found, truth, SPACE) == FillCounts(pixels=4, drawn=0, filled=3, judged=2, right=1)


def test_counts_add_up_to_shares():
    total = FillCounts(100, 60, 10, 8, 6) + FillCounts(100, 40, 30, 0, 0)
    assert total.shares() == {"drawn": 0.5, "filled": 0.2, "labelled": 0.7, "right": 0.75}
    assert FillCounts().shares() == {"drawn": 0.0, "filled": 0.0, "labelled": 0.0, "right": None}
