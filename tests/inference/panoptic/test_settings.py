from __future__ import annotations

import pytest

from seglift.base.errors import UserError
from seglift.inference.panoptic.settings import PanopticSettings


def test_the_published_defaults() -> None:
    settings = PanopticSettings()
    assert (settings.threshold, settings.window, settings.most, settings.stuff_area) == (0.1, 7, 200, 4096)


def test_the_limit_for_stuff_follows_the_area() -> None:
    settings = PanopticSettings(stuff_area=2048)
    assert settings.stuff_limit(1024, 2048) == 2048
    assert settings.stuff_limit(512, 1024) == 512
    assert PanopticSettings(stuff_area=0).stuff_limit(1024, 2048) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": -0.1}, {"threshold": 1.5}, {"threshold": float("nan")}, {"window": 0}, {"window": 4},
        {"most": 0}, {"most": 1001}, {"stuff_area": -1}, {"stuff_area": float("inf")},
    ],
)  # fmt: skip
def test_impossible_values_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(wrong))} is .*, expected"):
        PanopticSettings(**wrong)
