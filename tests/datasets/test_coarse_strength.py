from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.datasets.coarse_strength import TOLERANCE, calibrate, check_reach, reach
from seglift.datasets.coarsen import coarsen, labelled_share
from seglift.datasets.streets.config import StreetConfig
from seglift.datasets.streets.renderer import render_street
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.reading import read_label

CITY = BUILTIN_SPACES["cityscapes"]


@pytest.fixture(scope="module")
def streets() -> list[np.ndarray]:
    config = StreetConfig(width=320, height=192, frames=8, seed=1)
    return [CITY.encode(frame.labels, "street") for frame in render_street(config, [0, 3, 7])]


def test_the_share_is_reached_and_told(streets: list[np.ndarray]) -> None:
    low = float(np.mean([labelled_share(coarsen(label, CITY, 9), CITY) for label in streets]))
    high = float(np.mean([labelled_share(coarsen(label, CITY, 0), CITY) for label in streets]))
    found = {share: calibrate(streets, CITY, low + share * (high - low)) for share in (0.3, 0.5, 0.8)}
    for share, one in found.items():
        assert one.share == pytest.approx(low + share * (high - low), abs=5e-3)
        reached = [labelled_share(coarsen(label, CITY, one.strength), CITY) for label in streets]
        assert one.share == pytest.approx(float(np.mean(reached)), abs=1e-12)
    strengths = [found[share].strength for share in (0.3, 0.5, 0.8)]
    assert strengths == sorted(strengths, reverse=True)
    assert calibrate(streets, CITY, low + 0.5 * (high - low)) == found[0.5]


def test_a_share_out_of_reach_is_told_with_what_is_in_reach(streets: list[np.ndarray]) -> None:
    for target in (0.999, 0.01):
        with pytest.raises(UserError, match=rf"{100 * target:.1f} % labelled.* to \d+\.\d to \d+\.\d %"):
            calibrate(streets, CITY, target)
    with pytest.raises(UserError, match=r"can be coarsened to 0\.0 to 0\.0 %"):
        calibrate([np.zeros((40, 40), np.uint8)], CITY, 0.63)


def test_the_reach_is_known_without_a_calibration(streets: list[np.ndarray]) -> None:
    least, most = reach(streets, CITY)
    assert least == pytest.approx(np.mean([labelled_share(coarsen(label, CITY, 9), CITY) for label in streets]))
    assert most == pytest.approx(np.mean([labelled_share(coarsen(label, CITY, 0), CITY) for label in streets]))
    for target in (least, (least + most) / 2, most):
        check_reach(streets, CITY, target)
    for target in (least - 2 * TOLERANCE, most + 2 * TOLERANCE):
        with pytest.raises(UserError, match="can be coarsened to"):
            check_reach(streets, CITY, target)
    with pytest.raises(UserError, match="no labels to coarsen"):
        check_reach([], CITY, 0.5)


def test_between_two_leaps_the_nearest_share_is_taken() -> None:
    # A car that vanishes as a whole: the share is 0 or at least that of 200 pixels.
    label = np.zeros((720, 100), np.uint8)
    label[100:120, 40:60] = 26
    one = calibrate([label], CITY, 0.0016)
    assert one.share in (0.0, pytest.approx(256 / 72000))


@pytest.mark.parametrize("target", [0, 1, -1, float("nan"), 63.04])
def test_what_is_no_share(target: float) -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        calibrate([np.zeros((4, 4), np.uint8)], CITY, target)


def test_no_labels_and_no_void() -> None:
    with pytest.raises(UserError, match="no labels"):
        calibrate([], CITY, 0.6)
    with pytest.raises(UserError, match="binary has no void"):
        calibrate([np.zeros((4, 4), np.uint8)], BUILTIN_SPACES["binary"], 0.6)


@pytest.mark.parametrize("target", [0.6304, 0.6981])
def test_the_published_shares_on_real_labels(seglift_data: Path, target: float) -> None:
    space = BUILTIN_SPACES["camvid11"]
    files = sorted((seglift_data / "camvid" / "train" / "labels").glob("*.png"))
    labels = [read_label(file, space) for file in files[::24]]
    assert calibrate(labels, space, target).share == pytest.approx(target, abs=TOLERANCE)
