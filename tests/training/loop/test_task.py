from __future__ import annotations

import pytest

from seglift.base.errors import UserError
from seglift.training.loop.task import Part


@pytest.mark.parametrize("total", [1, 4, 7, 16])
def test_parts_share_everything_evenly(total: int) -> None:
    for count in range(1, total + 1):
        shares = [Part(index, count).share(total) for index in range(count)]
        assert [member for share in shares for member in share] == list(range(total))
        assert {len(share) for share in shares} <= {total // count, -(-total // count)}


def test_a_part_of_too_little_is_the_users_error() -> None:
    with pytest.raises(UserError, match="batch of 3 cannot be shared by 4"):
        Part(0, 4).share(3)
