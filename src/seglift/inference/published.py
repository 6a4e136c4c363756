"""Semantic models from the checkpoints that others released."""

from __future__ import annotations

from pathlib import Path

import torch

from seglift.base.errors import UserError
from seglift.inference.checkpoint import CheckpointModel, check_classes
from seglift.labels.space import LabelSpace
from seglift.models.published import SPACES_BY_CLASSES, load_published_segmentation

PUBLISHED_SUFFIXES = (".pth", ".pt", ".tar")


def load_published_model(path: Path, space: LabelSpace, device: str | torch.device = "cpu") -> CheckpointModel:
    """Loads a released checkpoint as a semantic model.

    Such a file does not name its classes; their number tells the data set that it was released for.

    Args:
        path: file of ``torch.save`` with one of the networks of ``models.published``; code in it is refused.
        space: label space whose evaluated classes the logits are to have; other classes are mapped by name.
        device: where the model works.

    Raises:
        UserError: not such a file (see ``load_published_segmentation``), a number of classes that no release has, or no
            class in common with ``space``.
    """
    published = load_published_segmentation(path)
    if published.space is None:
        known = ", ".join(f"{count} ({name})" for count, name in SPACES_BY_CLASSES.items())
        raise UserError(
            f"{path} has {published.network.num_classes} classes, whose names it does not say;"
            f" expected {known}; give a released checkpoint"
        )
    mapping = check_classes(published.classes, published.space, space, str(path))
    return CheckpointModel(published.network.to(device), space.train_names, mapping, short_side=None)
