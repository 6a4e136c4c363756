from __future__ import annotations

import pytest
import torch

from seglift.base.errors import UserError
from seglift.training.refining.left_out import BOTH, EARLIER, LATER, Decision, LeftOut, quantised


def decision():
    labels = torch.randint(0, 5, (1, 6, 8), dtype=torch.uint8)
    return Decision(labels, torch.randint(0, 256, (1, 3, 6, 8), dtype=torch.uint8), quantised(torch.rand(1, 2, 2, 2)))


def test_what_was_written_is_read_again(tmp_path):
    frame, written = LeftOut(12, lambda: pytest.fail("not asked for"), tmp_path, (BOTH, EARLIER, LATER)), decision()
    for side in frame.sides:
        assert not frame.is_whole()
        frame.write(side, written)
    assert frame.is_whole()
    read = frame.read(LATER)
    assert all(torch.equal(getattr(read, name), getattr(written, name)) for name in ("labels", "warped", "classes"))
    assert read.nbytes == 48 + 144 + 8
    before = frame.fingerprint()
    frame.write(LATER, decision())
    assert frame.fingerprint()[:2] == before[:2] and frame.fingerprint()[2] != before[2]
    frame.path(BOTH).write_bytes(b"torn")
    assert not frame.is_whole()
    with pytest.raises(UserError, match="0000012_both"):
        frame.read(BOTH)


@pytest.mark.parametrize(("sides", "expected"), [((BOTH, EARLIER, LATER), BOTH), ((LATER,), LATER)])
def test_what_is_most_like_use(tmp_path, sides, expected):
    assert LeftOut(0, lambda: pytest.fail("not asked for"), tmp_path, sides).in_use == expected


def test_probabilities_in_a_byte():
    assert quantised(torch.tensor([0.0, 0.5, 1.0])).tolist() == [0, 128, 255]
