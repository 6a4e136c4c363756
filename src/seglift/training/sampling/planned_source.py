"""One source of images of a training run, and how its epochs use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seglift.base.errors import UserError
from seglift.datasets.class_index import ClassIndex


@dataclass(frozen=True, eq=False)
class PlannedSource:
    """One source of images and how epochs use it.

    Attributes:
        name: unique within a plan.
        items: its class index, or, where draws are never balanced, its number of items.
        quota: share of the draws, 0..1; sources without one share the rest by their numbers of items.
        balanced: share of this source's draws that is class-uniform, where it differs from the plan's.
        centroid_classes: train ids whose centroids are used (coarse images of Zhu et al.: fence, rider, train); None
            for all.
        until_epoch: first epoch, from 0, that does without it (``max_cu_epoch`` of Zhu et al.'s released code, 150).
        joins: name of a source to whose centroids this one adds its own. It then has no share, and none of its images
            is drawn at random: how Zhu et al. use coarse images.
    """

    name: str
    items: ClassIndex | int
    quota: float | None = None
    balanced: float | None = None
    centroid_classes: tuple[int, ...] | None = None
    until_epoch: int | None = None
    joins: str | None = None

    @property
    def index(self) -> ClassIndex | None:
        """The class index, if any."""
        return self.items if isinstance(self.items, ClassIndex) else None

    @property
    def size(self) -> int:
        """How many items can be drawn."""
        return self.items if isinstance(self.items, int) else len(self.items.usable)

    @property
    def classes(self) -> Sequence[int]:
        """Train ids whose centroids it uses; none without an index."""
        if self.index is None:
            return ()
        return range(self.index.num_classes) if self.centroid_classes is None else self.centroid_classes


def check_sources(sources: Sequence[PlannedSource]) -> None:
    """Refuses impossible sources with a UserError."""
    if not sources:
        raise UserError("no source of images to train on, expected at least one; name a dataset")
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise UserError(f"sources are called {', '.join(names)}, expected different names; rename them")
    classes = {source.index.num_classes for source in sources if source.index is not None}
    if len(classes) > 1:
        raise UserError(f"the sources have {sorted(classes)} classes, expected the same; give them one label space")
    leaders = {source.name for source in sources if source.joins is None}
    for source in sources:
        _check_source(source, leaders)


def _check_source(source: PlannedSource, leaders: set[str]) -> None:
    name, share, ids = source.name, source.balanced, source.centroid_classes
    if source.size < 1:
        raise UserError(f"{name} has no images to draw, expected at least one; check its folder and split")
    if share is not None and not 0 <= share <= 1:
        raise UserError(f"balanced of {name} is {share:g}, expected 0..1; change it")
    if source.index is None and (share or ids is not None or source.joins is not None):
        raise ValueError(f"class-uniform draws from {name} need its class index")
    if ids is not None and source.index is not None:
        wrong = [value for value in ids if not 0 <= value < source.index.num_classes]
        if wrong or not ids or len(set(ids)) < len(ids):
            raise UserError(
                f"centroid_classes of {name} are {list(ids)}, expected different train ids "
                f"0..{source.index.num_classes - 1}; change them"
            )
    if source.until_epoch is not None and source.until_epoch < 1:
        raise UserError(f"until_epoch of {name} is {source.until_epoch}, expected at least 1; leave the source out")
    if source.joins is not None and (source.joins not in leaders or source.quota is not None or share is not None):
        raise UserError(
            f"{name} joins {source.joins}, expected one of {', '.join(sorted(leaders)) or 'no source'} "
            "and neither quota nor balanced of its own; change it"
        )
