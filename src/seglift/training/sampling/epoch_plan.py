"""Which image each position of training draws, and around which point: class-uniform epochs over several sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.base.seeding import derive_seed, numpy_generator
from seglift.training.sampling.draws import CentroidPool, Draw, EpochDraws
from seglift.training.sampling.planned_source import PlannedSource, check_sources
from seglift.training.sampling.rounds import draw_rounds
from seglift.training.sampling.source_shares import resolve_quotas, round_shares

__all__ = ["Draw", "EpochDraws", "EpochPlan", "PlannedSource"]

_EPOCHS_KEPT = 3


class EpochPlan:
    """Epochs of a fixed size, each known from seed and number alone.

    Class-uniform sampling (Zhu et al., CVPR 2019, section 4.1; details of the released code): of n draws from a source
    ``int(n * balanced / C)`` are centroids of each of its C classes, the rest are images without a point. Both go round
    without replacement, also over epochs. Classes without a centroid leave their draws to images without a point; this
    is said once, as is an epoch too small for one draw of each class. The draws of an epoch are in random order. Every
    process of a run makes the same plan.

    Args:
        sources: where to draw from.
        size: draws of an epoch; by default the number of items of all sources that have a share.
        balanced: share of class-uniform draws, 0..1.
        seed: decides every draw.
        quiet: don't say which classes are missing.

    Raises:
        UserError: no source, empty sources, impossible quotas or options, sources that differ in their classes.
    """

    def __init__(
        self,
        sources: Sequence[PlannedSource],
        size: int | None = None,
        balanced: float = 0.5,
        seed: int = 0,
        quiet: bool = False,
    ) -> None:
        self.sources, self.balanced, self.seed = tuple(sources), balanced, seed
        self.size = sum(source.size for source in sources if source.joins is None) if size is None else size
        check_sources(self.sources)
        if self.size < 1 or not 0 <= balanced <= 1:
            raise UserError(
                f"an epoch of {counted(self.size, 'draw')}, {balanced:g} of them class-uniform, is impossible; "
                "expected at least 1 and 0..1; change them"
            )
        self._kept: dict[int, EpochDraws] = {}
        for start in {0, *self._ends()}:
            self._counts(start)
        if not quiet:
            for line in self._warnings():
                say(line)

    def epoch(self, number: int) -> EpochDraws:
        """The draws of an epoch, from 0; the last few are kept."""
        if number < 0:
            raise ValueError(f"epochs count from 0, got {number}")
        found = self._kept.get(number)
        if found is None:
            found = self._kept[number] = self._make(number)
            for old in list(self._kept)[:-_EPOCHS_KEPT]:
                self._kept.pop(old, None)
        return found

    def draw_at(self, position: int) -> Draw:
        """The draw at a position of training: draw ``position % size`` of epoch ``position // size``."""
        number, within = divmod(position, self.size)
        return self.epoch(number)[within]

    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with anything the draws depend on."""
        described = [
            (
                *(source.name, source.items if source.index is None else source.index.content, source.quota),
                *(source.balanced, source.centroid_classes, source.until_epoch, source.joins),
            )
            for source in self.sources
        ]
        return fingerprint_values(described, self.size, self.balanced, self.seed)

    def _ends(self) -> list[int]:
        return [source.until_epoch for source in self.sources if source.until_epoch is not None]

    def _active(self, epoch: int) -> list[int]:
        return [n for n, source in enumerate(self.sources) if source.until_epoch is None or epoch < source.until_epoch]

    def _counts(self, epoch: int) -> dict[int, int]:
        """Draws from each source that has a share."""
        chosen = [number for number in self._active(epoch) if self.sources[number].joins is None]
        if not chosen:
            raise UserError(f"no source is left from epoch {epoch} on; leave one without until_epoch")
        everyone = [number for number, source in enumerate(self.sources) if source.joins is None]
        group = [self.sources[number] for number in everyone]
        quotas = resolve_quotas([s.name for s in group], [s.quota for s in group], [s.size for s in group])
        share = dict(zip(everyone, quotas, strict=True))
        total = sum(share[number] for number in chosen)
        if total <= 0:
            raise UserError(f"only sources with quota 0 are left from epoch {epoch} on; raise their quotas")
        counts = round_shares([share[number] / total for number in chosen], self.size)
        return dict(zip(chosen, counts, strict=True))

    def _make(self, epoch: int) -> EpochDraws:
        start = max((end for end in self._ends() if end <= epoch), default=0)
        parts: list[EpochDraws] = []
        for number, count in self._counts(epoch).items():
            centroids = self._draw_centroids(number, count, epoch, start)
            rest = count - sum(len(part) for part in centroids)
            parts += [*centroids, self._draw_images(number, rest, epoch, start)]
        return EpochDraws.join(parts, numpy_generator(self.seed, "order", epoch).permutation(self.size))

    def _draw_images(self, number: int, count: int, epoch: int, start: int) -> EpochDraws:
        source = self.sources[number]
        seed = derive_seed(self.seed, "images", source.name, start)
        chosen = draw_rounds(source.size, count, epoch - start, seed)
        items = chosen if source.index is None else source.index.usable[chosen]
        return EpochDraws.images(number, items)

    def _draw_centroids(self, number: int, count: int, epoch: int, start: int) -> list[EpochDraws]:
        source = self.sources[number]
        quota = self._class_quota(source, count)
        parts: list[EpochDraws] = []
        for train_id in source.classes if quota else ():
            pool = self._pool(number, train_id, epoch)
            if len(pool):
                seed = derive_seed(self.seed, "centroids", source.name, train_id, start)
                parts.append(pool.take(draw_rounds(len(pool), quota, epoch - start, seed)))
        return parts

    def _balance(self, source: PlannedSource) -> float:
        return self.balanced if source.balanced is None else source.balanced

    def _class_quota(self, source: PlannedSource, count: int) -> int:
        """Centroids of each class among ``count`` draws."""
        return int(count * self._balance(source) / len(source.classes) + 1e-9) if source.classes else 0

    def _pool(self, number: int, train_id: int, epoch: int) -> CentroidPool:
        """Centroids of a class in a source and in those that join it."""
        name = self.sources[number].name
        members = [number, *(other for other in self._active(epoch) if self.sources[other].joins == name)]
        indices = [(member, self.sources[member].index) for member in members]
        using = [(n, index) for n, index in indices if index is not None and train_id in self.sources[n].classes]
        return CentroidPool(using, train_id)

    def _warnings(self) -> Iterator[str]:
        """What a user should know about the class-uniform draws of the first epoch."""
        for number, count in self._counts(0).items():
            source = self.sources[number]
            if source.index is None or self._balance(source) == 0:
                continue
            names = source.index.class_names
            missing = [names[train_id] for train_id in source.classes if not len(self._pool(number, train_id, 0))]
            if self._class_quota(source, count) == 0:
                few = counted(count, "draw an epoch is", "draws an epoch are")
                classes = counted(len(source.classes), "class", "classes")
                yield (
                    f"{source.name}: {few} too few for class-uniform draws of {classes}, all are images drawn at"
                    " random; make epochs larger"
                )
            elif missing:
                yield (
                    f"{source.name}: no label has {', '.join(missing)}; "
                    "their class-uniform draws go to images drawn at random"
                )
