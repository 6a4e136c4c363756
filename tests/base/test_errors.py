from __future__ import annotations

from seglift.base.errors import UserError


def test_a_message_is_one_line_whatever_it_was_made_of():
    assert str(UserError("a.png is 3x4,\n  the frame\tis 5x6;\r\nresize it\n")) == (
        "a.png is 3x4, the frame is 5x6; resize it"
    )
