"""The cache of a class index: label summaries by fingerprint in a safetensors file, which holds no code."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.weights import load_weights, save_weights
from seglift.datasets.class_centroids import LabelSummary

_FORMAT = "class index 1"
_KEY_BYTES = 32


def save_summaries(path: Path, settings: str, summaries: dict[str, LabelSummary]) -> None:
    """Writes summaries by fingerprint (64 hexadecimal digits), atomically.

    Args:
        path: the file.
        settings: what the summaries depend on besides the labels; must be the same to load them.
        summaries: at least one.

    Raises:
        UserError: the file cannot be written.
    """
    values = list(summaries.values())
    keys = np.frombuffer(bytes.fromhex("".join(summaries)), np.uint8)
    arrays = {
        "keys": keys.reshape(len(values), _KEY_BYTES).copy(),
        "pixels": np.stack([value.pixels for value in values]),
        "lengths": np.array([len(value.train_ids) for value in values], np.int64),
        "points": np.concatenate([value.points for value in values]),
        "train_ids": np.concatenate([value.train_ids for value in values]),
    }
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    save_weights(path, tensors, {"format": _FORMAT, "settings": settings, "digest": _digest(tensors)})


def load_summaries(path: Path, settings: str, num_classes: int) -> dict[str, LabelSummary]:
    """Summaries by fingerprint; none where there is no file, or it is damaged or of other settings."""
    try:
        tensors, described = load_weights(path)
    except UserError:
        return {}
    if described.get("format") != _FORMAT or described.get("settings") != settings:
        return {}
    if described.get("digest") != _digest(tensors) or tensors["pixels"].shape[1] != num_classes:
        return {}
    keys, pixels, lengths, points, train_ids = (
        tensors[name].numpy() for name in ("keys", "pixels", "lengths", "points", "train_ids")
    )
    ends = np.cumsum(lengths)
    begins = ends - lengths
    return {
        bytes(key).hex(): LabelSummary(counts, points[begin:end], train_ids[begin:end])
        for key, counts, begin, end in zip(keys, pixels, begins, ends, strict=True)
    }


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)};".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
