"""Which weights of a panoptic network are the best: panoptic quality, AP and mIoU over held-out images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add

import numpy as np
import torch
from torch import Tensor

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.inference.panoptic.model import PanopticPredictor
from seglift.inference.panoptic.segments import PanopticSegmentation, decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.predict import image_to_tensor
from seglift.inference.settings import InferenceSettings
from seglift.labels.space import Array8, LabelSpace
from seglift.metrics.confusion import Confusion
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality
from seglift.metrics.segment_overlaps import Panoptic, find_overlaps
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.panoptic_output import PanopticOutput
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.images.sample import Sample
from seglift.training.loop.processes import gather_from_processes, this_process
from seglift.training.segmentation_validation import InTraining


@dataclass(frozen=True)
class PanopticSums:
    """Statistics of some images; those of others add up.

    Attributes:
        confusion: of the most likely classes, before segments are made of them.
        quality: panoptic quality, of the images whose instances are known.
        precision: instance AP of the same, with the scores of the predicted instances.
    """

    confusion: Confusion
    quality: PanopticQuality
    precision: InstanceAP

    @classmethod
    def empty(cls, space: LabelSpace) -> PanopticSums:
        """No image counted yet."""
        return cls(Confusion.empty(space.num_train), PanopticQuality.empty(space), InstanceAP.empty(space))

    def __add__(self, other: PanopticSums) -> PanopticSums:
        return PanopticSums(
            self.confusion + other.confusion, self.quality + other.quality, self.precision + other.precision
        )

    def update(self, classes: Array8, found: PanopticSegmentation, sample: Sample) -> None:
        """Adds one image in place.

        Args:
            classes: its most likely classes, uint8 [H, W] train ids.
            found: its segments.
            sample: what is true; without instances it counts for the confusion alone.
        """
        space = self.quality.space
        self.confusion.update(classes, sample.label)
        if sample.instances is not None:
            overlaps = find_overlaps(space, (found.raw, found.number), true_segments(sample, space))
            self.quality.add(overlaps)
            self.precision.add(overlaps, found.scores)

    def scores(self) -> dict[str, float]:
        """``pq``, ``sq`` and ``rq``, ``pq_things``, ``pq_stuff``, ``ap``, ``ap50`` and ``miou``, 0..1.

        What no image has is left out.
        """
        every, (ap, ap50) = self.quality.mean(), self.precision.mean()
        values = {
            **every._asdict(),
            "pq_things": self.quality.mean(things=True).pq,
            "pq_stuff": self.quality.mean(things=False).pq,
            "ap": ap,
            "ap50": ap50,
            "miou": self.confusion.miou(),
        }
        return {name: value for name, value in values.items() if not math.isnan(value)}


def true_segments(sample: Sample, space: LabelSpace) -> Panoptic:
    """Raw ids uint8 [H, W] and instance numbers uint16 [H, W] of a sample; classes without evaluation are void."""
    numbers = np.zeros(sample.label.shape, np.uint16) if sample.instances is None else sample.instances
    return space.decode(space.from_train(sample.label)), numbers


def look_panoptic(
    model: PanopticPredictor, image: Array8, space: LabelSpace, settings: PanopticSettings, device: str | torch.device
) -> tuple[Array8, PanopticSegmentation]:
    """The most likely classes of an image uint8 [H, W, 3], uint8 [H, W] train ids, and its segments."""
    output = model.panoptic(image_to_tensor(image, device))
    classes: Array8 = output.semantic[0].argmax(0).to(torch.uint8).cpu().numpy()
    return classes, decode_panoptic(output, space, settings)[0]


def panoptic_sums(
    model: PanopticPredictor,
    read: Callable[[int], Sample | None],
    numbers: Iterable[int],
    space: LabelSpace,
    settings: PanopticSettings,
    device: str | torch.device = "cpu",
) -> PanopticSums:
    """Statistics of the predictions for some samples; the next one is read while the model works.

    Args:
        model: gives the maps of whole images, at any size.
        read: gives the sample of a number, None where it is left out.
        numbers: which of them.
        space: label space of samples and model.
        settings: how maps become segments.
        device: where the model works.
    """
    total = PanopticSums.empty(space)
    for sample in work_ahead(read, numbers, workers=1):
        if sample is not None:
            total.update(*look_panoptic(model, sample.image, space, settings, device), sample)
    return total


@dataclass(frozen=True)
class PanopticValidation:
    """Held-out images, and how they are looked at.

    Attributes:
        samples: labelled images in the space that is learnt, with instances.
        space: that space.
        settings: scales, flip and tiles.
        segments: how maps become segments.
    """

    samples: DatasetSamples
    space: LabelSpace
    settings: InferenceSettings
    segments: PanopticSettings

    def scores(
        self, network: PanopticNetwork, classes: tuple[str, ...], short_side: int | None, device: torch.device
    ) -> dict[str, float]:
        """See :meth:`PanopticSums.scores`, over all images; under ``torchrun`` each process takes its share.

        Images that cannot be read are left out where ``samples`` skips them.

        Raises:
            UserError: an image cannot be read, or none has segments to score.
        """
        model = PanopticPredictor(_PanopticInTraining(network, classes, short_side), self.settings)
        part = this_process()
        numbers = range(part.index, len(self.samples), part.count)
        own = panoptic_sums(model, self.samples.find, numbers, self.space, self.segments, device)
        found = reduce(add, gather_from_processes(own)).scores()
        if "pq" not in found:
            raise UserError(
                "no validation image that can be read has labelled pixels and instances, expected some; look at val"
            )
        return found

    def fingerprint(self) -> str:
        """Of images, labels, instances and settings."""
        return fingerprint_values(self.samples.fingerprint(), asdict(self.settings), asdict(self.segments))


class _PanopticInTraining(InTraining):
    """A panoptic network between two steps as a panoptic model."""

    network: PanopticNetwork

    @torch.no_grad()
    def panoptic(self, images: Tensor) -> PanopticOutput:
        """Images float32 [B, 3 or 5, H, W] in 0..1 to logits [B, C, H, W], centre heatmap and offsets."""
        return self.network.panoptic(images.contiguous(memory_format=torch.channels_last))
