"""What training minimises: a main loss by name, and cross-entropy on auxiliary outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.losses.cross_entropy import CrossEntropy
from seglift.losses.image_weighted import ImageWeighted
from seglift.losses.ohem import HardestPixels
from seglift.losses.pixels import ClassWeights, is_number, require
from seglift.losses.relaxation import RelaxedCrossEntropy
from seglift.losses.rmi import RegionMutualInformation


class Criterion(Protocol):
    """A loss of a network's outputs. ``target`` is uint8 [B, H, W] of train ids, 255 = ignore."""

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """What each of its K terms is divided by, from the labels alone; float64 [K].

        Counts of images add, so micro-batches and processes add theirs to those of the whole batch.
        """

    def __call__(
        self,
        outputs: Mapping[str, Tensor],
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """The loss, a scalar: every term's sum over its count; 0 with a graph where a count is 0.

        Args:
            outputs: logits [B, C, H, W] by name, as ``SegmentationNetwork.outputs`` gives them.
            target: uint8 [B, H, W].
            counts: those of the whole batch that this one is a part of, or None if it is whole. The losses of parts
                add up to that of the whole.
            pixel_weights: float [B, H, W], >= 0, or None for all 1.
            epoch: epochs trained so far, for losses that change with time.
        """


class Term(Protocol):
    """A criterion on the logits [B, C, H, W] of a single output."""

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """See :meth:`Criterion.counts`."""

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """See :meth:`Criterion.__call__`."""


CRITERIA: dict[str, Callable[..., Term]] = {
    "cross_entropy": CrossEntropy,
    "ohem": HardestPixels,
    "image_weighted": ImageWeighted,
    "relaxed": RelaxedCrossEntropy,
    "rmi": RegionMutualInformation,
}


class SegmentationCriterion:
    """``main + aux_weight * CE(aux) + scale_weight * sum of CE(scale_...)``, for the outputs that there are.

    The weights are those of Tao et al. 2020 ("Hierarchical Multi-Scale Attention for Semantic Segmentation"), where
    the cross-entropy of each scale is off unless asked for (0.05).

    Args:
        main: loss of the output ``main``.
        aux_weight: weight of the cross-entropy of the output ``aux``.
        scale_weight: weight of the cross-entropy of every output named ``scale_...``.
        class_weights: float [C] of these cross-entropies, or None.
    """

    def __init__(
        self,
        main: Term,
        aux_weight: float = 0.4,
        scale_weight: float = 0.0,
        class_weights: ClassWeights | None = None,
    ) -> None:
        self.main, self.aux_weight, self.scale_weight = main, aux_weight, scale_weight
        self.side = CrossEntropy(class_weights)

    def counts(self, target: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Those of ``main``, then that of the side outputs' cross-entropy; float64 [K]."""
        return torch.cat((self.main.counts(target, pixel_weights), self.side.counts(target, pixel_weights)))

    def __call__(
        self,
        outputs: Mapping[str, Tensor],
        target: Tensor,
        counts: Tensor | None = None,
        pixel_weights: Tensor | None = None,
        epoch: float = 0.0,
    ) -> Tensor:
        """See :meth:`Criterion.__call__`.

        Raises:
            ValueError: no output ``main``, or shapes that do not fit together.
        """
        if "main" not in outputs:
            raise ValueError(f"an output named main expected, got {', '.join(outputs) or 'none'}")
        counts = self.counts(target, pixel_weights) if counts is None else counts.to(target.device)
        loss = self.main(outputs["main"], target, counts[:-1], pixel_weights, epoch)
        for name, logits in outputs.items():
            weight = self._side_weight(name)
            if weight:
                loss = loss + weight * self.side(logits, target, counts[-1:], pixel_weights, epoch)
        return loss

    def _side_weight(self, name: str) -> float:
        if name == "aux":
            return self.aux_weight
        return self.scale_weight if name.startswith("scale_") else 0.0


@dataclass(frozen=True)
class CriterionConfig:
    """A loss by name.

    Raises:
        UserError: impossible values.
    """

    name: str = "cross_entropy"
    """Loss of the main output: cross_entropy, ohem, image_weighted, relaxed or rmi."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Settings of that loss that differ from their defaults."""
    aux_weight: float = 0.4
    """Weight of the cross-entropy of the auxiliary output, where the network has one."""
    scale_weight: float = 0.0
    """Weight of the cross-entropy of each scale's output, where the network looks at several (the authors' option:
    0.05)."""

    def __post_init__(self) -> None:
        """Refuses impossible values by building the loss."""
        for name in ("aux_weight", "scale_weight"):
            require(is_number(getattr(self, name), 0, 1e6), name, getattr(self, name), "a number >= 0")
        make_term(self.name, self.arguments)

    def build(self, class_weights: ClassWeights | None = None, num_classes: int | None = None) -> SegmentationCriterion:
        """The criterion.

        Args:
            class_weights: float [C] found from the data, for the main loss and the side outputs; None for all 1.
            num_classes: C; given, settings that name classes are held to it.

        Raises:
            UserError: the main loss takes no class weights, its arguments give others, or they do not fit the classes.
        """
        arguments = self.arguments
        if class_weights is not None:
            self._refuse_class_weights()
            arguments = {**arguments, "class_weights": class_weights}
        main, own = make_term(self.name, arguments), arguments.get("class_weights")
        by_class = None if isinstance(own, str) else own
        if num_classes is not None:
            fits = by_class is None or len(by_class) == num_classes
            require(fits, "class_weights", by_class, f"{num_classes} numbers, one for each class")
            strict = arguments.get("strict_classes", ())
            fits = all(one < num_classes for one in strict)
            require(fits, "strict_classes", strict, f"train ids of 0..{num_classes - 1}")
        return SegmentationCriterion(main, self.aux_weight, self.scale_weight, by_class)

    def _refuse_class_weights(self) -> None:
        if "class_weights" not in inspect.signature(CRITERIA[self.name]).parameters:
            raise UserError(
                f"the loss {self.name} takes no class weights, expected no class balance; switch class balance off"
                " or choose another loss"
            )
        if self.arguments.get("class_weights") is not None:
            raise UserError(f"the loss {self.name} has class_weights and class balance, expected one of them; drop one")


def make_term(name: str, arguments: Mapping[str, Any]) -> Term:
    """A loss by name and settings.

    Raises:
        UserError: an unknown name or setting (the message lists the known ones), or an impossible value.
    """
    if name not in CRITERIA:
        raise UserError(f"loss {name!r} is unknown, expected one of {', '.join(CRITERIA)}; choose one of them")
    known = list(inspect.signature(CRITERIA[name]).parameters)
    unknown = [argument for argument in arguments if argument not in known]
    if unknown:
        raise UserError(
            f"the loss {name} has no setting {', '.join(map(repr, unknown))}, expected some of {', '.join(known)};"
            " correct or drop it"
        )
    return CRITERIA[name](**arguments)
