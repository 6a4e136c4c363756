"""Tensors by name from the files that ``torch.save`` writes; code in them is refused."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError

WRAPPER = "module."
STATE_KEY = "state_dict"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The named tensors of a ``torch.save`` file on the CPU, without wrapping and without ``module.`` prefixes.

    Raises:
        UserError: no such file, not one of ``torch.save``, or more in it than tensors and numbers.
    """
    if not path.is_file():
        raise UserError(f"no checkpoint at {path}; give a file that torch.save wrote, .pth, .pt or .tar")
    content = _read(path)
    state = content.get(STATE_KEY, content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state:
        raise UserError(f"{path} holds {_kind(content)}, expected tensors by name or {STATE_KEY!r}; give another file")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            where = f"{path} holds {_kind(value)} under {str(name)[:60]!r}"
            raise UserError(f"{where}, expected only tensors by name; give a state dict")
    while all(name.startswith(WRAPPER) for name in state):
        state = {name.removeprefix(WRAPPER): tensor for name, tensor in state.items()}
    return dict(state)


def _kind(value: object) -> str:
    return "nothing" if isinstance(value, Mapping) and not value else f"something of type {type(value).__name__}"


def _read(path: Path) -> object:
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_numpy_scalars()):
            warnings.simplefilter("ignore")  # of pickles that torch.save does not write; they are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign pickle can fail in any way
        refused = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if refused is None:
            raise UserError(
                f"{path} is damaged or no checkpoint, expected a file that torch.save wrote; fetch it again"
            ) from error
        raise UserError(
            f"{path} wants {refused[1]} to be run, expected nothing but weights; open it with the code that made it and"
            " save its state dict alone"
        ) from error


def _numpy_scalars() -> list[Any]:
    """What pickled numpy numbers refer to: they can only make numbers, and released checkpoints keep their score so."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [np.dtype, *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_))]
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), *kinds]
