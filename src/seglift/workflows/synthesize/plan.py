"""What ``seglift synthesize`` will make, decided before it makes anything: the pairs of every labelled frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.datasets.catalogue import VIDEO_OF, open_dataset
from seglift.datasets.clip_around import SourceFrames, frames_of, reach
from seglift.datasets.dataset import Dataset, Item
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.named import weights_path
from seglift.workflows.input_identity import model_identity, model_path, motion_identity, space_identity
from seglift.workflows.outputs.manifest import MANIFEST_NAME
from seglift.workflows.synthesize.config import SynthesizeConfig

ENDS, GAP = "the video ends or lacks the frame", "a frame on the way is missing"
"""Why a neighbour cannot be labelled."""


@dataclass(frozen=True)
class PlannedSource:
    """A labelled frame and the neighbours that are to be labelled from it.

    Attributes:
        item: the labelled frame.
        frames: it and the frames that are needed on the way.
        key: its index in them.
        targets: index in ``frames`` of each neighbour by signed distance, in rising order.
    """

    item: Item
    frames: SourceFrames
    key: int
    targets: dict[int, int]

    def sides(self) -> Iterator[tuple[range, dict[int, int]]]:
        """For each direction that has targets the frames to walk along, the labelled one first, and the targets."""
        for direction in (-1, 1):
            side = {offset: index for offset, index in self.targets.items() if offset * direction > 0}
            if side:
                furthest = max(side.values(), key=lambda index: abs(index - self.key))
                yield range(self.key, furthest + direction, direction), side

    @property
    def steps(self) -> int:
        """Steps of both sides together."""
        return sum(len(indices) - 1 for indices, _ in self.sides())


@dataclass(frozen=True)
class SynthesizePlan:
    """Checked inputs of one run.

    Attributes:
        config: resolved options.
        dataset: the opened split.
        sources: the labelled frames that have neighbours to label, in the dataset's order.
        absent: how many neighbours cannot be labelled, by reason.
        unlabelled: images of the split without label.
    """

    config: SynthesizeConfig
    dataset: Dataset
    sources: tuple[PlannedSource, ...]
    absent: dict[str, int]
    unlabelled: int

    @property
    def by_distance(self) -> dict[int, int]:
        """How many pairs there are to make by distance."""
        counts = Counter(abs(offset) for source in self.sources for offset in source.targets)
        return {distance: counts[distance] for distance in self.config.distances}

    @property
    def num_pairs(self) -> int:
        """How many pairs there are to make."""
        return sum(len(source.targets) for source in self.sources)

    def identity(self) -> dict[str, Any]:
        """What a run must share with an earlier one on its OUT; the items' contents are no part of it.

        Raises:
            UserError: weights that cannot be read.
        """
        config = self.config
        return {
            **config.label_options(),
            "classes": space_identity("file", self.dataset.space)[1],
            "model": model_identity(config.model),
            "motion": motion_identity(config.motion) if config.carries else "none",
            "refiner": model_identity(config.refiner, "--refiner"),
        }


def make_plan(config: SynthesizeConfig, estimator: MotionEstimator | None) -> SynthesizePlan:
    """Opens the dataset and finds the neighbours; reads no image.

    Args:
        config: resolved options.
        estimator: of motion; None for methods without.

    Raises:
        UserError: the dataset cannot be opened, has no label or no neighbour at the distances asked for, or OUT lies
            where data are.
    """
    _check_places(config)
    if (config.root / MANIFEST_NAME).is_file():
        raise UserError(
            f"{config.root} was itself synthesized, its frames are not those of a video; give the dataset that it was "
            "made from, with all distances at once"
        )
    dataset = open_dataset(config.dataset, config.root, config.split, config.options)
    labelled = [item for item in dataset.items if item.label is not None]
    if not labelled:
        raise UserError(
            f"{config.dataset} {config.split} in {config.root} has no label, labelled frames are expected; "
            "choose another --split or --option"
        )
    margin = int(estimator is not None and wants_previous(estimator))
    absent: Counter[str] = Counter()
    sources = [_plan_source(config, dataset, item, margin, absent) for item in labelled]
    if not any(source.targets for source in sources):
        raise _no_neighbours(config, dataset, labelled)
    return SynthesizePlan(
        config,
        dataset,
        tuple(source for source in sources if source.targets),
        dict(sorted(absent.items())),
        len(dataset) - len(labelled),
    )


def _plan_source(
    config: SynthesizeConfig, dataset: Dataset, item: Item, margin: int, absent: Counter[str]
) -> PlannedSource:
    offsets = config.offsets
    if config.carries:
        found = reach(dataset, item, max(0, -offsets[0]) + margin, max(0, offsets[-1]) + margin)
    else:
        asked = {offset: dataset.neighbour(item, offset) for offset in sorted({0, *offsets})}
        found = {offset: source for offset, source in asked.items() if source is not None}
    frames, places = frames_of(item, found), list(found)
    targets = {offset: places.index(offset) for offset in offsets if offset in found}
    for offset in offsets:
        if offset not in found:
            absent[ENDS if dataset.neighbour(item, offset) is None else GAP] += 1
    return PlannedSource(item, frames, frames.reference, targets)


def _no_neighbours(config: SynthesizeConfig, dataset: Dataset, labelled: list[Item]) -> UserError:
    where = f"none of the {len(labelled)} labelled frames of {dataset.name} {dataset.split} in {dataset.root}"
    nearest = [offset for offset in (-1, 1) if any(dataset.neighbour(item, offset) is not None for item in labelled)]
    if nearest:
        shown = ", ".join(f"{offset:+d}" for offset in config.offsets[:8])
        return UserError(
            f"{where} has a frame at {shown} (all frames on the way included), though some have one at "
            f"{' and '.join(f'{offset:+d}' for offset in nearest)}; choose smaller --distances or another --direction"
        )
    if dataset.name not in VIDEO_OF:
        return UserError(f"{where} has a neighbour: {dataset.name} is of stills, video is needed; use another dataset")
    return UserError(f"{where} has a neighbour, the frames of its video are expected; {VIDEO_OF[dataset.name]}")


def _check_places(config: SynthesizeConfig) -> None:
    out = config.out.resolve()
    options = [Path(value) for value in config.options.values() if isinstance(value, str) and Path(value).is_dir()]
    for folder in (config.root, *options):
        data = folder.resolve()
        if data.is_relative_to(out) or out.is_relative_to(data):
            how = "is" if data == out else "lies in" if out.is_relative_to(data) else "holds"
            raise UserError(
                f"--out {config.out} {how} the dataset's folder {folder}, a folder of its own beside it is expected; "
                "choose another --out"
            )
    for path in (model_path(config.model), weights_path(config.motion)):
        if path is not None and path.resolve().is_relative_to(out):
            raise UserError(
                f"the input {path} is --out {config.out} or lies in it, where it could be overwritten; choose an --out "
                "of its own"
            )
