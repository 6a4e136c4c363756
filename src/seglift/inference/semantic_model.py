"""What every part that needs a semantic segmentation of an image asks for, and how one is had by name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.labels.space import LabelSpace

HUB_PREFIX = "hf:"
PROBE_SIDE = 64


@runtime_checkable
class SemanticModel(Protocol):
    """Images to logits over the evaluated classes of a label space (channel = train id).

    Models that only give probabilities return their logarithm. A model may also have ``short_side: int | None``, the
    short side in pixels that images should have for it (see :func:`preferred_short_side`).
    """

    space_classes: tuple[str, ...]
    """Names of the C output channels: the space's ``train_names``."""

    def logits(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W], without a graph."""

    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to features float32 [B, F, h, w]; the logits where there are none."""


def preferred_short_side(model: SemanticModel) -> int | None:
    """Short side, in pixels, to which larger images should be shrunk for ``model``; None where any size will do."""
    value = getattr(model, "short_side", None)
    return None if value is None else int(value)


def load_model(spec: str | Path, space: LabelSpace, device: str | torch.device = "cpu") -> SemanticModel:
    """Loads a semantic model.

    Args:
        spec: a ``.safetensors`` file that seglift trained, a folder with ``best.safetensors`` in it, a released
            checkpoint (``.pth``, ``.pt``, ``.tar``; see ``models.published``), or ``hf:`` and the id or folder of a
            transformers model.
        space: label space whose evaluated classes the logits are to have.
        device: where the model works.

    Raises:
        UserError: nothing usable there, or its classes do not fit the space.
    """
    text = str(spec)
    if text.startswith(HUB_PREFIX):
        from seglift.inference.hub import load_hub_model

        return load_hub_model(text.removeprefix(HUB_PREFIX), space, device)
    from seglift.inference.checkpoint import load_checkpoint
    from seglift.inference.published import PUBLISHED_SUFFIXES, load_published_model

    path = Path(spec)
    if path.suffix in PUBLISHED_SUFFIXES and not path.is_dir():
        return load_published_model(path, space, device)
    if path.is_dir() and not any(path.glob("*.safetensors")) and (path / "config.json").exists():
        raise UserError(f"{path} is a transformers model, expected a seglift checkpoint; write {HUB_PREFIX}{path}")
    return load_checkpoint(path, space, device)


def feature_channels(model: SemanticModel, device: str | torch.device = "cpu") -> int:
    """Number F of channels of the model's features, found by showing it a small black image on ``device``."""
    with torch.no_grad():
        return int(model.features(torch.zeros(1, 3, PROBE_SIDE, PROBE_SIDE, device=device)).shape[1])
