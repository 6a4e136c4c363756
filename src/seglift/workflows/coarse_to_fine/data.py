"""The data of coarse-to-fine rounds: which images of which source a seed draws, all in one label space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.datasets.balanced_choice import uniform_choice
from seglift.datasets.catalogue import open_dataset
from seglift.datasets.coarsen import check_coarsenable
from seglift.datasets.dataset import Dataset, ImageFile, Item
from seglift.datasets.image_list import find_listed
from seglift.labels.space import IGNORE_TRAIN_ID, LabelSpace
from seglift.labels.space_file import space_to_data
from seglift.training.images.in_space import in_space, map_to_space
from seglift.video.fingerprint import sample_fingerprint
from seglift.workflows.coarse_to_fine.recipe import CoarseSource, CoarseToFineRounds, DrawnSource
from seglift.workflows.recipes.overrides import check_roots, root_of

COARSE, FINE, SYNTHETIC = "coarse", "fine", "synthetic"


@dataclass(frozen=True)
class OpenedSource:
    """A source of labelled images.

    Attributes:
        use: coarse, fine or synthetic.
        source: of the recipe.
        given: the dataset as it is.
        dataset: its labels in the space of the rounds.
        labelled: its items that have a label.
        ignored: its classes that the space of the rounds lacks.
        missing: classes of the space of the rounds that it never labels.
    """

    use: str
    source: DrawnSource
    given: Dataset
    dataset: Dataset
    labelled: tuple[Item, ...]
    ignored: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """What trainings call it: unique among all sources of the rounds."""
        return f"{self.use}_{self.source.called}"

    @property
    def simulate(self) -> float | None:
        """Share of labelled pixels that its labels are coarsened to; None: not at all."""
        return self.source.simulate if isinstance(self.source, CoarseSource) else None


@dataclass(frozen=True)
class Drawn:
    """The images of a source that a seed draws.

    Attributes:
        opened: the source.
        items: those that are drawn, in the order of the dataset, labels in the space of the rounds; of simulated coarse
            labels with the fine ones.
        whole: whether all labelled images of the source are drawn.
    """

    opened: OpenedSource
    items: tuple[Item, ...]
    whole: bool

    @property
    def is_written(self) -> bool:
        """Whether it becomes a dataset of its own: a part of a source, or fine labels whose classes are mapped.

        A fine-tuning learns from these alone, and would take their own space for that of the network.
        """
        return not self.whole or (self.opened.use == FINE and self.opened.dataset is not self.opened.given)


@dataclass(frozen=True)
class CoarseData:
    """What one seed works on, by use."""

    coarse: tuple[Drawn, ...]
    fine: tuple[Drawn, ...]
    synthetic: tuple[Drawn, ...]

    @property
    def every(self) -> tuple[Drawn, ...]:
        """All of it."""
        return (*self.coarse, *self.fine, *self.synthetic)

    @property
    def num_coarse(self) -> int:
        """Images with coarse labels."""
        return sum(len(drawn.items) for drawn in self.coarse)

    @property
    def num_pool(self) -> int:
        """Synthetic images that views can be mixed from: all there are, however many are trained on."""
        return sum(len(drawn.opened.labelled) for drawn in self.synthetic)

    @property
    def mixes_beyond_drawn(self) -> bool:
        """Whether there are more of them than are trained on."""
        return any(not drawn.whole for drawn in self.synthetic)

    def overlaps(self) -> int:
        """Images of which both the coarse and the fine label are used, whatever source they are of."""
        fine = {_image_place(item) for drawn in self.fine for item in drawn.items}
        return sum(_image_place(item) in fine for drawn in self.coarse for item in drawn.items)


@dataclass(frozen=True)
class Sources:
    """Everything that data come from, opened once for all seeds.

    Attributes:
        recipe: of the rounds.
        opened: sources that are trained on.
        roots: folder of every source by its name.
    """

    recipe: CoarseToFineRounds
    opened: tuple[OpenedSource, ...]
    roots: dict[str, Path] = field(default_factory=dict)

    @property
    def space(self) -> LabelSpace:
        """The label space of all labels and networks."""
        return self.opened[0].given.space

    def draw(self, seed: int) -> CoarseData:
        """The images of one seed; smaller budgets are parts of larger ones.

        Raises:
            UserError: a budget exceeds the data or is no image at all.
        """
        by_use = {use: [one for one in self.opened if one.use == use] for use in (COARSE, FINE, SYNTHETIC)}
        coarse = tuple(_draw(one, seed) for one in by_use[COARSE])
        fine = tuple(_draw(one, seed) for one in by_use[FINE])
        free = [one for one in by_use[SYNTHETIC] if one.source.share is None and one.source.count is None]
        parts = np.array_split(np.arange(sum(len(drawn.items) for drawn in coarse)), max(1, len(free)))
        default = {one.name: len(part) for one, part in zip(free, parts, strict=False)}
        synthetic = tuple(_draw(one, seed, default.get(one.name)) for one in by_use[SYNTHETIC])
        return CoarseData(coarse, fine, synthetic)


def _image_place(item: Item) -> str:
    """The same for items of one image."""
    return str(item.image.path.resolve() if isinstance(item.image, ImageFile) else item.image)


def fingerprint_items(items: Iterable[Item]) -> str:
    """64 hexadecimal digits over names and content of images, labels and confidence maps."""
    parts = []
    for item in items:
        label = None if item.label is None else item.label.fingerprint()
        confidence = None if item.confidence is None else sample_fingerprint(item.confidence)
        parts.append([item.name, item.image.fingerprint(), label, confidence])
    return fingerprint_values(parts)


def simulation_key(opened: OpenedSource) -> str:
    """Identifies the coarse labels that are made of a source."""
    about = (space_to_data(opened.given.space), opened.given.split, opened.simulate)
    return fingerprint_values(about, fingerprint_items(item for item in opened.given.items if item.label is not None))


def open_sources(recipe: CoarseToFineRounds, roots: Mapping[str, Path]) -> Sources:
    """Opens every source; reads no label.

    Raises:
        UserError: it is not said where one lies, two of one name lie apart, a folder is missing or is not of its data
            set, a source has no label, the space of the coarse labels has no void, or classes do not fit together.
    """
    check_roots(roots, {source.called for source in recipe.sources})
    places: dict[str, Path] = {}
    for source in recipe.sources:
        root = root_of(source.called, source.root, roots)
        other = places.setdefault(source.called, root)
        if other != root:
            raise UserError(
                f"sources called {source.called} lie at {other} and at {root}, expected one place for a name; give one"
                " of them another name"
            )
    uses = [*[COARSE] * len(recipe.coarse), *[FINE] * len(recipe.fine), *[SYNTHETIC] * len(recipe.synthetic)]
    given = [_open(source, places[source.called]) for source in recipe.drawn]
    space = given[0].space
    check_coarsenable(space)
    for source in recipe.held_out:
        dataset = open_dataset(source.dataset, places[source.called], source.split, source.options)
        in_space(dataset, space, quiet=True, chosen=source.classes, called=source.called)
    opened = zip(uses, recipe.drawn, given, strict=True)
    return Sources(recipe, tuple(_in_space(use, one, dataset, space) for use, one, dataset in opened), places)


def check_coarse_labels(data: CoarseData, space: LabelSpace, skip_corrupt: bool) -> str | None:
    """Looks for classes in the coarse labels, at no more of them than it takes to find two.

    Args:
        data: of the rounds.
        space: of their labels.
        skip_corrupt: pass over labels that cannot be read.

    Returns:
        A warning where all of them have one class.

    Raises:
        UserError: not one pixel has a class, or a label cannot be read.
    """
    found: set[int] = set()
    for item in (item for drawn in data.coarse for item in drawn.items if item.label is not None):
        try:
            found |= set(np.unique(space.to_train(item.label.read())).tolist()) - {IGNORE_TRAIN_ID}  # type: ignore[union-attr]
        except UserError:
            if not skip_corrupt:
                raise
        if len(found) > 1:
            return None
    names = ", ".join(drawn.opened.source.called for drawn in data.coarse)
    if not found:
        raise UserError(
            f"the {data.num_coarse} coarse labels of {names} are void everywhere, expected classes of {space.name};"
            " look at them, or choose another split"
        )
    (only,) = found
    return f"warning: the {data.num_coarse} coarse labels of {names} have one class alone, {space.train_names[only]}"


def _open(source: DrawnSource, root: Path) -> Dataset:
    dataset = open_dataset(source.dataset, root, source.split, source.options)
    for note in dataset.problems:
        say(f"{dataset.name} {dataset.split}: {note}")
    if all(item.label is None for item in dataset.items):
        raise UserError(
            f"{source.called} ({dataset.name} {dataset.split} at {dataset.root}) has no labelled image, expected some"
            " to learn from; choose another split or folder"
        )
    return dataset


def _in_space(use: str, source: DrawnSource, given: Dataset, space: LabelSpace) -> OpenedSource:
    dataset = in_space(given, space, quiet=True, chosen=source.classes, called=source.called)
    ignored: Sequence[str] = ()
    missing: Sequence[str] = ()
    if dataset is not given:
        mapping = map_to_space(given.space, space, source.called, source.classes)
        ignored, missing = mapping.unmapped_model, mapping.unmapped_space
    labelled = tuple(item for item in dataset.items if item.label is not None)
    return OpenedSource(use, source, given, dataset, labelled, tuple(ignored), tuple(missing))


def _draw(opened: OpenedSource, seed: int, default: int | None = None) -> Drawn:
    """The images of a source: the first ones of its order."""
    source, labelled = opened.source, opened.labelled
    order = _order(opened, seed)
    budget = _budget(source, len(order), default)
    if budget < 1 or budget > len(order):
        of = "labelled images" if source.images is None else "listed images"
        few = f"{budget} of its {len(order)} {of}, expected 1 to {len(order)}"
        if source.share is None and source.count is None:
            raise UserError(
                f"{source.called} is to give as many images as its part of the coarse labels, {few}; give it a count,"
                " or drop it"
            )
        asked = f"count {source.count}" if source.share is None else f"share {source.share:g}"
        raise UserError(f"{asked} of {source.called} is {few}; change it")
    return Drawn(opened, tuple(labelled[number] for number in sorted(order[:budget])), budget == len(labelled))


def _order(opened: OpenedSource, seed: int) -> list[int]:
    """Numbers of the images of a source as they are preferred: as they are listed, or drawn.

    Fine ones are drawn from the other end than coarse ones of the same images.
    """
    if opened.source.images is not None:
        return find_listed(opened.source.images, opened.labelled, f"the labelled part of {opened.source.called}")
    (order,) = uniform_choice(len(opened.labelled), (), (len(opened.labelled),), seed)
    drawn: list[int] = (order[::-1] if opened.use == FINE else order).tolist()
    return drawn


def _budget(source: DrawnSource, available: int, default: int | None) -> int:
    if source.count is not None:
        return source.count
    if source.share is not None:
        return round(source.share * available)
    return available if default is None else min(default, available)
