from __future__ import annotations

from dataclasses import replace

import pytest

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.workflows.predict.instance_ids import check_instance_ids


@pytest.mark.parametrize("name", sorted(BUILTIN_SPACES))
def test_builtin_spaces_fit(name: str) -> None:
    check_instance_ids(BUILTIN_SPACES[name])  # of binary's two ids for the foreground, 1 is written


def test_ids_that_16_bits_do_not_hold_a_thousand_times() -> None:
    def with_car(value: int) -> None:
        space = BUILTIN_SPACES["cityscapes"]
        classes = tuple(replace(one, id=value) if one.name == "car" else one for one in space.classes)
        check_instance_ids(replace(space, classes=classes))

    with_car(64)
    with pytest.raises(UserError, match="cityscapes has a thing of id 65, expected at most 64"):
        with_car(65)
