"""The model that ``label --tune`` trains further: whether it can be, before anything is written."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.labels.space import LabelSpace
from seglift.training.starts.start_weights import Start, read_start


def read_tune_start(spec: str, space: LabelSpace) -> Start:
    """The network of ``--model`` as plain values.

    Args:
        spec: folder or file of a training, or the file of a published checkpoint.
        space: label space of the keyframes.

    Raises:
        UserError: nothing usable there, or a network for other classes than those of ``space``.
    """
    start = read_start(Path(spec))
    if start.classes != space.train_names:
        raise UserError(
            f"{spec} has other classes than {space.name}, expected the same for --tune; leave --tune out"
            " (classes are then mapped by name), or train a model of these classes"
        )
    return start
