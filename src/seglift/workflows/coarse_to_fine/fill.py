"""Step 2 of Das et al.'s Alg. 1: what coarse labels leave open is filled where all views of a network agree.

"Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seglift.base.errors import UserError
from seglift.inference.agreement import AgreementSettings, agree
from seglift.inference.predict import Predictor, image_to_tensor
from seglift.inference.semantic_model import load_model
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace
from seglift.models.compact_unet import CompactUNet


@dataclass(frozen=True)
class FillCounts:
    """Pixels of one label, or of several together.

    Attributes:
        pixels: all but those that are never filled.
        drawn: that the coarse label gives a class.
        filled: that a network gave one.
        judged: filled ones whose true class is known.
        right: those of them that have it.
    """

    pixels: int = 0
    drawn: int = 0
    filled: int = 0
    judged: int = 0
    right: int = 0

    def __add__(self, other: FillCounts) -> FillCounts:
        """The counts of both together."""
        return FillCounts(
            self.pixels + other.pixels,
            self.drawn + other.drawn,
            self.filled + other.filled,
            self.judged + other.judged,
            self.right + other.right,
        )

    def shares(self) -> dict[str, float | None]:
        """``drawn``, ``filled`` and ``labelled`` (both) of all pixels, ``right`` of those judged; 0..1."""
        whole = max(1, self.pixels)
        right = self.right / self.judged if self.judged else None
        drawn, filled = self.drawn / whole, self.filled / whole
        return {"drawn": drawn, "filled": filled, "labelled": (self.drawn + self.filled) / whole, "right": right}


@dataclass(frozen=True)
class FilledLabel:
    """A coarse label with what a network added.

    Attributes:
        labels: uint8 [H, W] space index.
        confidence: uint8 [H, W]: 255 where drawn, the probability (0..255 = 0..1) where filled, 0 where void.
        filled: bool [H, W].
        counts: of its pixels; none is judged.
    """

    labels: Array8
    confidence: Array8
    filled: NDArray[np.bool_]
    counts: FillCounts


def fill_label(
    coarse: Array8,
    never: NDArray[np.bool_],
    space: LabelSpace,
    train: Array8,
    accepted: NDArray[np.bool_],
    probability: NDArray[np.float32],
) -> FilledLabel:
    """Fills what a coarse label leaves without class; what is drawn stays, and so do ego vehicle and the like.

    Args:
        coarse: uint8 [H, W] space index, as it was drawn.
        never: bool [H, W], what is never filled: ego vehicle and the like.
        space: its label space.
        train: uint8 [H, W] train ids that a network gives.
        accepted: bool [H, W], where these are taken.
        probability: float32 [H, W], 0..1.
    """
    drawn = space.to_train(coarse) != IGNORE_TRAIN_ID
    filled = accepted & ~drawn & ~never
    labels = np.where(filled, space.from_train(train), coarse)
    sure = np.round(255 * np.where(filled, probability, 0)).astype(np.uint8)
    counts = FillCounts(int(np.count_nonzero(~never)), int(np.count_nonzero(drawn)), int(np.count_nonzero(filled)))
    return FilledLabel(labels, np.where(drawn, np.uint8(255), sure), filled, counts)


def judge(found: FilledLabel, truth: Array8, space: LabelSpace) -> FillCounts:
    """The counts with what of the filled pixels is right; truth uint8 [H, W] space index, its void is not judged."""
    true = space.to_train(truth)
    judged = found.filled & (true != IGNORE_TRAIN_ID)
    right = judged & (space.to_train(found.labels) == true)
    return found.counts + FillCounts(judged=int(np.count_nonzero(judged)), right=int(np.count_nonzero(right)))


class Filler:
    """A trained network that fills labels.

    Args:
        weights: as ``--model`` takes them.
        space: of the labels.
        settings: how it looks at images, and how sure it must be.
        device: as torch names it.

    Raises:
        UserError: nothing usable there, or other classes.
    """

    def __init__(self, weights: str | Path, space: LabelSpace, settings: AgreementSettings, device: str) -> None:
        self.space, self.settings, self.device = space, settings, device
        model = load_model(weights, space, device)
        network = getattr(model, "network", None)
        if settings.keep_balance and isinstance(network, CompactUNet):
            network.keep_balance()
        self._predictor = Predictor(model, settings)

    def fill(self, image: Array8, coarse: Array8, never: NDArray[np.bool_], where: str) -> FilledLabel:
        """Fills the coarse label of an image.

        Args:
            image: uint8 [H, W, 3] RGB.
            coarse: uint8 [H, W] space index.
            never: bool [H, W], what is never filled.
            where: name of the image, for errors.

        Raises:
            UserError: it does not fit into memory, or the network gives no numbers.
        """
        try:
            found = agree(self._predictor.views(image_to_tensor(image, self.device)), self.settings.confidence)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{where}: {image.shape[1]}x{image.shape[0]} does not fit into the memory of {self.device}; give"
                " labelling a smaller tile, or smaller scales"
            ) from error
        if not bool(found.probability.isfinite().all()):
            raise UserError(
                f"{where}: the network gives NaN or infinite values, expected numbers; its weights are broken, lower"
                " the learning rate of the recipe"
            )
        train, accepted, probability = (
            part[0].cpu().numpy() for part in (found.labels, found.accepted, found.probability)
        )
        return fill_label(coarse, never, self.space, train, accepted, probability)
