"""The device of a training, checked before anything is prepared for it."""

from __future__ import annotations

from torch import distributed

from seglift.base.devices import resolve_device
from seglift.training.loop.processes import make_fabric


def training_device(wanted: str, precision: str) -> str:
    """``--device`` resolved, and whether it can compute in the recipe's precision.

    Args:
        wanted: ``auto`` or a device of torch.
        precision: as in a recipe's ``fit.precision``.

    Raises:
        UserError: there is no such device, or it has no such precision.
    """
    device = resolve_device(wanted)
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        make_fabric(device, precision)  # several processes would wait here for each other
    return device
