"""Cross-domain class-mix: objects of a synthetic image pasted onto a real one, with their labels.

Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.1, after
Tranheden et al., "DACS" (WACV 2021). Their printed formula puts the mask on the real image; text and figure paste
synthetic segments onto real images, as done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.base.errors import UserError
from seglift.training.images.augmentation import View

IGNORE = 255


def choose_classes(label: Tensor, generator: np.random.Generator, probability: float = 0.5) -> NDArray[np.uint8]:
    """Classes of a label to paste, each with a probability of its own draw; where none is drawn, one at random.

    DACS takes exactly half of the classes instead. Void is never taken.

    Args:
        label: uint8 [h, w] train ids, 255 = ignore.
        generator: source of the draws, one for each class that is present.
        probability: of each class, 0..1.

    Returns:
        Train ids, ascending; empty where the label is void everywhere.
    """
    present = np.flatnonzero(np.bincount(label.numpy().ravel(), minlength=IGNORE)[:IGNORE]).astype(np.uint8)
    chosen = present[generator.random(len(present)) < probability]
    if len(chosen) or not len(present):
        return chosen
    return present[[int(generator.integers(len(present)))]]


def paste_classes(real: View, synthetic: View, classes: NDArray[np.uint8]) -> View:
    """A real view with the pixels of some classes of a synthetic one in their places, labels and weights with them.

    Everywhere else labels stay as they are, 255 included. Both views are augmented already, each by itself.

    Args:
        real: what is pasted onto.
        synthetic: of the same size.
        classes: train ids.

    Returns:
        A new view. ``places`` remain the real image's; it has no ``instances``, as pasting cuts objects.

    Raises:
        ValueError: views of different sizes.
    """
    if real.label.shape != synthetic.label.shape:
        raise ValueError(
            f"views of one size expected, got {tuple(real.label.shape)} and {tuple(synthetic.label.shape)}"
        )
    pasted = torch.from_numpy(np.isin(synthetic.label.numpy(), classes))
    image, label, weight = (
        torch.where(pasted, getattr(synthetic, name), getattr(real, name)) for name in ("image", "label", "weight")
    )
    return View(image, label, weight, real.places)


@dataclass(frozen=True)
class CrossMix:
    """How real views are mixed with synthetic ones (Das et al. 2023, section 3.1).

    Raises:
        UserError: impossible values.
    """

    probability: float = 0.5
    """Of each real view to be mixed, 0..1."""
    class_probability: float = 0.5
    """Of each class of the synthetic view to be pasted, 0..1."""
    replace: bool = False
    """Whether a mixed view takes the place of the real one; else it is added to the batch, which then grows."""

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        for name in ("probability", "class_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)!r}, expected 0..1; change it")

    def __call__(
        self,
        views: Sequence[View],
        synthetic: Sequence[bool],
        draw: Callable[[np.random.Generator], View],
        generators: Sequence[np.random.Generator],
    ) -> tuple[list[View], list[bool]]:
        """A batch with its mixed views: in the places of the real ones they are made of, or behind all others.

        Args:
            views: of real and of synthetic images, all of one size.
            synthetic: which of them are synthetic; these are not mixed.
            draw: a view of a random synthetic image of the whole set, by the generator that it is handed.
            generators: for each view, the source of every random choice that concerns it.

        Returns:
            The views of the batch, and which of them are purely synthetic.
        """
        kept, added = [], []
        for view, is_synthetic, generator in zip(views, synthetic, generators, strict=True):
            if is_synthetic or generator.random() >= self.probability:
                kept.append(view)
                continue
            source = draw(generator)
            mixed = paste_classes(view, source, choose_classes(source.label, generator, self.class_probability))
            kept.append(mixed if self.replace else view)
            added += [] if self.replace else [mixed]
        return [*kept, *added], [*synthetic, *[False] * len(added)]
