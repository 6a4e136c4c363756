"""Commands that run in one process, whatever their trainings could."""

from __future__ import annotations

import os

from torch import distributed

from seglift.base.errors import UserError


def require_one_process(command: str, instead: str) -> None:
    """Refuses several processes of ``torchrun``.

    Args:
        command: what runs, such as ``a study``.
        instead: what to do.

    Raises:
        UserError: there are several.
    """
    if distributed.is_available() and distributed.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1:
        raise UserError(f"{command} runs in one process, torchrun started several; leave torchrun out, or {instead}")
