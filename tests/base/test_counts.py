from __future__ import annotations

from seglift.base.counts import counted


def test_one_and_several():
    assert [counted(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert [counted(n, "stage is", "stages are") for n in (1, 3)] == ["1 stage is", "3 stages are"]
