"""The one exception a user is meant to see."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can fix; the command line prints it as one line and exits with status 2.

    The message says WHAT came, WHAT was expected and WHAT to do, on one line, for example
    ``"labels/0003.png is 320x240, the frame is 640x480; resize the label with nearest neighbour"``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
