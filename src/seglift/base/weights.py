"""Weights files: safetensors with JSON metadata. Weights are loaded, never code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.files import write_bytes

METADATA_KEY = "seglift"
BEST_NAME = "best.safetensors"
"""What a training calls its result in its folder."""


def save_weights(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Writes named tensors and JSON-serialisable ``metadata`` atomically; equal input gives equal bytes."""
    content = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(metadata, sort_keys=True, allow_nan=False)
    write_bytes(path, save(content, metadata={METADATA_KEY: text}))


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a file of :func:`save_weights`: tensors on the CPU by name, and the metadata.

    Raises:
        UserError: the file is missing, is not safetensors (a pickle is refused unopened), is not seglift's, or its
            metadata are damaged.
    """
    if not path.is_file():
        folder = path if path.is_dir() else path.parent
        if folder.is_dir() and path in (folder, folder / BEST_NAME):
            raise UserError(
                f"no trained weights in {folder} (no weights file at {folder / BEST_NAME}); the training has not"
                " finished, or it is no training's folder"
            )
        raise UserError(f"no weights file at {path}; give a .safetensors file written by seglift")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is not a safetensors weights file ({error}); pickles are never executed, convert them"
        ) from error
    if METADATA_KEY not in metadata:
        raise UserError(f"{path} is safetensors without seglift's metadata; give one that seglift trained")
    try:
        described = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError):
        described = None
    if not isinstance(described, dict):
        raise UserError(f"{path} has damaged seglift metadata, expected a JSON object; give one that seglift trained")
    return tensors, described
