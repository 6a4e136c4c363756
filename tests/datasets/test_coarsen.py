from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglift.base.errors import UserError
from seglift.datasets.coarsen import LARGEST_STRENGTH, coarsen, labelled_share, never_filled
from seglift.datasets.streets.config import StreetConfig
from seglift.datasets.streets.renderer import render_street
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelClass, LabelSpace

CITY = BUILTIN_SPACES["cityscapes"]
ROAD, CAR, SKY, EGO, STATIC = 7, 26, 23, 1, 4  # raw ids, which are the space indices


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    """Labels of a street, space index [360, 640]."""
    (frame,) = render_street(StreetConfig(width=640, height=360, frames=1, seed=3), [0])
    return CITY.encode(frame.labels, "street")


def square(height: int = 720, side: int = 200) -> np.ndarray:
    """A car of side x side pixels in the middle of a road."""
    label = np.full((height, 1280), ROAD, np.uint8)
    top = (height - side) // 2
    label[top : top + side, 500 : 500 + side] = CAR
    return label


@given(st.sampled_from([0.0, 0.05, 0.3]))
def test_a_square_by_hand(strength: float) -> None:
    label = square()
    coarse = coarsen(label, CITY, strength)
    margin = min(max(strength * 200, 2), 25)
    kept = int(np.ceil(margin)) if margin % 1 else int(margin)
    # A pixel is farther than the margin from the nearest other one when that is at least margin + 1 pixels away.
    expected = np.zeros_like(label, bool)
    expected[260 + kept : 460 - kept, 500 + kept : 700 - kept] = True
    np.testing.assert_array_equal(coarse == CAR, expected)


def test_margins_and_areas_scale_with_the_image() -> None:
    large, small = square(), square()[::2, ::2]
    small[:] = ROAD
    small[130:230, 250:350] = CAR
    shares = [labelled_share(coarsen(label, CITY, 0.1), CITY) for label in (large, small)]
    assert shares[0] == pytest.approx(shares[1], abs=0.005)
    tiny = np.full((720, 1280), ROAD, np.uint8)
    tiny[100:120, 100:118] = CAR  # 16 x 14 = 224 pixels are left
    tiny[300:318, 100:118] = CAR  # 14 x 14 = 196
    coarse = coarsen(tiny, CITY, 0)
    assert (coarse[100:120] == CAR).sum() == 16 * 14
    assert not (coarse[300:318] == CAR).any()


def test_the_edge_of_the_image_is_no_boundary() -> None:
    label = np.full((720, 1280), SKY, np.uint8)
    np.testing.assert_array_equal(coarsen(label, CITY, 1), label)
    label[360:] = ROAD
    coarse = coarsen(label, CITY, 1)
    np.testing.assert_array_equal(coarse[: 360 - 25], SKY)
    np.testing.assert_array_equal(coarse[360 - 25 : 360 + 25], CITY.unknown_index)
    np.testing.assert_array_equal(coarse[360 + 25 :], ROAD)


def test_never_filled_regions_stay_and_other_void_becomes_unknown() -> None:
    label = square()
    label[600:] = EGO
    label[:30, :200] = STATIC
    coarse = coarsen(label, CITY, 0.05)
    np.testing.assert_array_equal(never_filled(coarse, CITY), label == EGO)
    assert (coarse[:30, :200] == CITY.unknown_index).all()
    assert labelled_share(label, CITY) == pytest.approx((600 * 1280 - 6000) / (600 * 1280))
    assert labelled_share(np.full((4, 4), EGO, np.uint8), CITY) == 1


def test_specks_of_void_are_overlooked_but_not_other_holes() -> None:
    label = square()
    label[100, 100] = STATIC
    label[100, 1100] = SKY
    label[620, 640] = EGO
    coarse = coarsen(label, CITY, 1)
    around = coarse[95:106, 95:106]
    assert (around == ROAD).sum() == 11 * 11 - 1 and around[5, 5] == CITY.unknown_index
    assert not (coarse[95:106, 1095:1106] == ROAD).any()
    assert not (coarse[615:626, 635:646] == ROAD).any()


def test_what_touches_at_a_corner_is_one_part() -> None:
    label = np.full((720, 1280), ROAD, np.uint8)
    label[160:360, 300:500] = label[360:560, 500:700] = CAR
    coarse = coarsen(label, CITY, 0.05)
    margin = 14  # of 0.05 * sqrt(2 * 200 ** 2) = 14.1; of one square alone it would be 10
    assert (coarse[160 + margin + 1 : 300, 400] == CAR).all() and not (coarse[: 160 + margin, 400] == CAR).any()


def test_outlines_have_few_corners() -> None:
    """The notches of a square's edge are within 1 % of the outline's length: a few straight lines pass over them."""
    label = square()
    for left in range(500, 700, 20):
        label[260:264, left : left + 10] = ROAD
    tops = (coarsen(label, CITY, 0.01) == CAR)[:, 530:670].argmax(0)
    assert np.count_nonzero(np.diff(tops)) < 7  # one for each end of a notch would be 14


def test_polygons_on_streets(street: np.ndarray) -> None:
    coarse = coarsen(street, CITY, 0.05)
    drawn = coarse != CITY.unknown_index
    np.testing.assert_array_equal(coarse[drawn], street[drawn])  # never a wrong class
    assert 0.4 < drawn.mean() < 0.9
    np.testing.assert_array_equal(coarse, coarsen(street, CITY, 0.05))
    # Outlines have few corners: far fewer than those of the fine labels.
    corners = [_corners(label == 7) for label in (street, coarse)]
    assert corners[1] < 0.7 * corners[0]


def _corners(mask: np.ndarray) -> int:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return sum(len(cv2.approxPolyDP(line, 1.5, True)) for line in outlines)


def test_a_stronger_erosion_labels_less(street: np.ndarray) -> None:
    shares = [labelled_share(coarsen(street, CITY, one), CITY) for one in (0, 0.02, 0.05, 0.1, 0.3, LARGEST_STRENGTH)]
    # Simplified outlines may gain what the erosion loses, but little.
    assert all(after <= before + 0.002 for before, after in itertools.pairwise(shares))
    assert shares[0] - shares[-1] > 0.1
    strongest = coarsen(street, CITY, LARGEST_STRENGTH)
    np.testing.assert_array_equal(strongest, coarsen(street, CITY, 100))


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 33)), st.floats(0, 2)
)
def test_wild_labels(label: np.ndarray, strength: float) -> None:
    coarse = coarsen(label, CITY, strength)
    kept = coarse != CITY.unknown_index
    np.testing.assert_array_equal(coarse[kept], label[kept])
    never = np.isin(label, [1, 2, 3])
    np.testing.assert_array_equal(coarse[never], label[never])
    assert coarse.dtype == np.uint8 and coarse.shape == label.shape


@pytest.mark.parametrize("value", [0, EGO, STATIC, ROAD])
def test_labels_of_one_value(value: int) -> None:
    label = np.full((36, 64), value, np.uint8)
    expected = CITY.unknown_index if value == STATIC else value
    np.testing.assert_array_equal(coarsen(label, CITY, 0.1), np.full_like(label, expected))


def test_raw_ids_that_share_a_train_id_are_outlined_apart() -> None:
    classes = (
        LabelClass(0, "near", (1, 1, 1), 0, "flat", False),
        LabelClass(1, "far", (2, 2, 2), 0, "flat", False),
        LabelClass(2, "void", (0, 0, 0), 255, "void", False),
    )
    label = np.zeros((720, 200), np.uint8)
    label[300:] = 1
    coarse = coarsen(label, LabelSpace("two", classes, 2), 1)
    assert coarse[200, 100] == 0 and coarse[300, 100] == 2 and coarse[400, 100] == 1


def test_what_is_refused() -> None:
    with pytest.raises(UserError, match="binary has no void"):
        coarsen(np.zeros((4, 4), np.uint8), BUILTIN_SPACES["binary"], 0.1)
    with pytest.raises(ValueError, match="strength"):
        coarsen(square(), CITY, float("nan"))
    with pytest.raises(ValueError, match="not of other"):
        coarsen(np.full((4, 4), 40, np.uint8), replace(CITY, name="other"), 0.1)
