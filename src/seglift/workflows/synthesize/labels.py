"""Labels and instances of a labelled frame: as a human drew them, and as they must agree when they were carried."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, Item
from seglift.labels.instances import CITYSCAPES_FACTOR, INSTANCE_READERS, Array16, encode_cityscapes
from seglift.labels.space import Array8
from seglift.video.clip import check_label_size


class UnreadableError(UserError):
    """A frame or label that cannot be read or has another size; ``--skip-corrupt`` leaves it out."""


def read_labels(dataset: Dataset, item: Item, size: tuple[int, int]) -> tuple[Array8, Array16 | None]:
    """What a human drew of one frame.

    Args:
        dataset: the one that holds ``item``.
        item: has a label.
        size: height and width of its picture.

    Returns:
        Labels uint8 [H, W] space index; instances uint16 [H, W] in Cityscapes' encoding, None where the dataset has
        none, or has them in an encoding that is not read here.

    Raises:
        UnreadableError: a file cannot be read, has other ids than the space, or another size than the picture.
    """
    if item.label is None:
        raise ValueError(f"{item.name} has no label")
    try:
        labels = item.label.read()
        if labels.shape != size:
            raise UserError(
                f"{item.label} is {labels.shape[1]}x{labels.shape[0]}, its frame {item.image} is {size[1]}x{size[0]}; "
                "correct or remove it"
            )
        reader = INSTANCE_READERS.get(dataset.instance_encoding or "")
        if reader is None or item.instances is None:
            return labels, None
        raw, number = reader(item.instances, dataset.space)
        check_label_size(item.instances, raw.shape, size)
        return labels, encode_cityscapes(raw, number, str(item.instances))
    except UserError as error:
        raise UnreadableError(str(error)) from error


def agreeing_instances(bits: Tensor, raw: Array8, filled: Tensor) -> Array16:
    """Carried instances that say the same as the labels beside them.

    Args:
        bits: int16 ``[1, H, W]``, the bits of uint16 ids in Cityscapes' encoding.
        raw: uint8 [H, W] raw ids of the labels.
        filled: bool ``[1, H, W]``, where a model filled the label in.

    Returns:
        uint16 [H, W]: the plain raw id where a model filled the label in or the label is of another class.
    """
    values: Array16 = bits[0].cpu().numpy().view(np.uint16)
    ids = np.where(values >= CITYSCAPES_FACTOR, values // CITYSCAPES_FACTOR, values)
    plain = (ids != raw) | filled[0].cpu().numpy()
    return np.where(plain, raw.astype(np.uint16), values)
