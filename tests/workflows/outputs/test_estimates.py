from __future__ import annotations

import pytest

from seglift.workflows.outputs.estimates import describe_bytes, describe_duration


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (90, "1.5 minutes"), (5399, "90.0 minutes"), (7200, "2.0 hours")]
)
def test_durations(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(10, "1 MB"), (2_500_000, "2 MB"), (3_000_000_000, "3.0 GB")])
def test_bytes(count: int, words: str) -> None:
    assert describe_bytes(count) == words
