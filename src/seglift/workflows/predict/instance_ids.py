"""Whether the objects of a label space fit into the instance files that are written."""

from __future__ import annotations

import numpy as np

from seglift.base.errors import UserError
from seglift.labels.space import LabelSpace

HIGHEST = 64
"""Raw id whose 1000 objects 16 bits hold in Cityscapes' encoding, raw id * 1000 + n."""


def check_instance_ids(space: LabelSpace) -> None:
    """Refuses, with a UserError, a label space whose things have raw ids that instance files cannot hold."""
    train_ids = np.array([space.thing_train_ids], np.uint8)
    highest = int(space.decode(space.from_train(train_ids)).max(initial=0))
    if highest > HIGHEST:
        raise UserError(
            f"label space {space.name} has a thing of id {highest}, expected at most {HIGHEST}, since instances are"
            " written as id * 1000 + number in 16 bits; give it a smaller id in the space's file"
        )
