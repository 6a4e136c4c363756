"""Scores of a model over labelled images."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from seglift.base.ahead import work_ahead
from seglift.inference.predict import image_to_tensor
from seglift.inference.semantic_model import SemanticModel
from seglift.labels.space import Array8
from seglift.metrics.confusion import Confusion
from seglift.training.images.sample import Sample


def predict_train_ids(model: SemanticModel, image: Array8, device: str | torch.device = "cpu") -> Array8:
    """The class of every pixel of an image uint8 [H, W, 3], as train ids uint8 [H, W]."""
    winners: Array8 = model.logits(image_to_tensor(image, device))[0].argmax(0).to(torch.uint8).cpu().numpy()
    return winners


def confusion_over(
    model: SemanticModel,
    read: Callable[[int], Sample | None],
    numbers: Iterable[int],
    device: str | torch.device = "cpu",
) -> Confusion:
    """Pooled confusion of the predictions for some samples; the next one is read while the model works.

    Args:
        model: gives logits for whole images, at any size.
        read: gives the sample of a number, in train ids of the model's classes; None where it is left out.
        numbers: which of them.
        device: where the model works.
    """
    total = Confusion.empty(len(model.space_classes))
    for sample in work_ahead(read, numbers, workers=1):
        if sample is not None:
            total.update(predict_train_ids(model, sample.image, device), sample.label)
    return total
