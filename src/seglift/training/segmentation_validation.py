"""Which weights of a segmentation network are the best: scores over held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.inference.predict import Predictor
from seglift.inference.settings import InferenceSettings
from seglift.metrics.confusion import Confusion
from seglift.models.network import SegmentationNetwork
from seglift.training.image_scores import confusion_over
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.loop.processes import sum_over_processes, this_process


@dataclass(frozen=True)
class Validation:
    """Held-out images, and how they are looked at.

    Attributes:
        samples: labelled images in the space that is learnt.
        settings: scales, flip and tiles.
    """

    samples: DatasetSamples
    settings: InferenceSettings

    def scores(
        self, network: SegmentationNetwork, classes: tuple[str, ...], short_side: int | None, device: torch.device
    ) -> dict[str, float]:
        """``miou`` and ``pixel_accuracy`` (0..1) over all images; under ``torchrun`` each process takes its share.

        Images that cannot be read are left out where ``samples`` skips them.

        Raises:
            UserError: an image cannot be read, or none has a labelled pixel.
        """
        model = Predictor(InTraining(network, classes, short_side), self.settings)
        part = this_process()
        own = confusion_over(model, self.samples.find, range(part.index, len(self.samples), part.count), device)
        counts = sum_over_processes(torch.from_numpy(own.counts).to(device)).cpu().numpy()
        if not counts.any():
            raise UserError("no validation image that can be read has a labelled pixel, expected some; look at val")
        total = Confusion(counts)
        return {"miou": total.miou(), "pixel_accuracy": total.pixel_accuracy()}

    def fingerprint(self) -> str:
        """Of images, labels and settings."""
        return fingerprint_values(self.samples.fingerprint(), asdict(self.settings))


class InTraining:
    """A network between two steps as a semantic model; its parameters keep wanting gradients."""

    def __init__(self, network: SegmentationNetwork, classes: Sequence[str], short_side: int | None) -> None:
        self.network, self.space_classes, self.short_side = network, tuple(classes), short_side
        self.wants_places = network.wants_places

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3 or 5, H, W] in 0..1 to logits float32 [B, C, H, W]."""
        logits: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3 or 5, H, W] in 0..1 to the decoder's features."""
        return self.network.features(images)
