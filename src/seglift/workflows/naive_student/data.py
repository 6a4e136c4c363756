"""The data of rounds: which human labels are used with a seed, and which frames receive pseudo-labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.datasets.catalogue import open_dataset
from seglift.datasets.dataset import Dataset, Item
from seglift.datasets.folds import share_split
from seglift.labels.space import LabelSpace
from seglift.training.images.in_space import in_space
from seglift.video.fingerprint import sample_fingerprint
from seglift.workflows.naive_student.frames import (
    Annotated,
    Frame,
    annotated_items,
    check_names,
    dataset_frames,
    video_frames,
)
from seglift.workflows.naive_student.recipe import LabelledSource, SelftrainRecipe, UnlabelledSource
from seglift.workflows.recipes.overrides import check_roots, root_of
from seglift.workflows.train.recipe import HeldOutSource


@dataclass(frozen=True)
class HumanLabels:
    """The images of one source whose human labels are used.

    Attributes:
        source: of the recipe.
        dataset: opened, in its own label space.
        items: those that are used, each with a label.
        labelled: how many labelled images there are.
    """

    source: LabelledSource
    dataset: Dataset
    items: tuple[Item, ...]
    labelled: int

    def fingerprint(self) -> str:
        """64 hexadecimal digits over names and content of images, labels, instances and confidence maps."""
        parts = []
        for item in self.items:
            files = (item.instances, item.confidence)
            beside = [None if path is None else sample_fingerprint(path) for path in files]
            label = None if item.label is None else item.label.fingerprint()
            parts.append([item.name, item.image.fingerprint(), label, *beside])
        return fingerprint_values(parts)


@dataclass(frozen=True)
class SelftrainData:
    """What one seed works on.

    Attributes:
        space: the label space of all labels and networks.
        human: the human labels by source.
        frames: those that receive pseudo-labels.
    """

    space: LabelSpace
    human: tuple[HumanLabels, ...]
    frames: tuple[Frame, ...]

    @cached_property
    def human_key(self) -> str:
        """Identifies the content of the human labels."""
        return fingerprint_values([labels.fingerprint() for labels in self.human])


@dataclass(frozen=True)
class Sources:
    """Everything that data come from, opened once for all seeds.

    Attributes:
        recipe: of the rounds.
        labelled: by source of the recipe.
        unlabelled: the same; of ``frames`` where they lie.
        roots: folder of every source by its name.
    """

    recipe: SelftrainRecipe
    labelled: tuple[Dataset, ...]
    unlabelled: tuple[Dataset | Path, ...]
    roots: dict[str, Path]

    @property
    def space(self) -> LabelSpace:
        """The label space of all labels and networks."""
        return self.labelled[0].space

    def draw(self, seed: int) -> SelftrainData:
        """The labels and frames of one seed.

        Raises:
            UserError: no frame is left, or two would have one name.
        """
        pairs = zip(self.recipe.labelled, self.labelled, strict=True)
        human = tuple(_choose(source, dataset, seed) for source, dataset in pairs)
        known: dict[str, Annotated] = {}
        for labels in human:
            known |= annotated_items(labels.dataset, labels.items)
        frames = [frame for frame in self._frames(known) if self.recipe.labelled_frames or not frame.labelled]
        names = ", ".join(source.called for source in self.recipe.unlabelled)
        if not frames:
            raise UserError(
                f"the unlabelled sources ({names}) have no frame beside those with human labels, expected some; give"
                " more sources, before and after of video, or labelled_frames: true"
            )
        check_names(frames)
        chosen = _drawn([frame.name for frame in frames], self.recipe.share, seed, "frames")
        return SelftrainData(self.space, human, tuple(frame for frame in frames if frame.name in chosen))

    def _frames(self, known: Mapping[str, Annotated]) -> list[Frame]:
        found: list[Frame] = []
        for source, opened in zip(self.recipe.unlabelled, self.unlabelled, strict=True):
            prefix = "" if len(self.unlabelled) == 1 else f"{source.called}_"
            if isinstance(opened, Dataset):
                found += dataset_frames(source, opened, known, prefix)
            else:
                found += video_frames(source, opened, known, prefix)
        return found


def open_sources(recipe: SelftrainRecipe, roots: Mapping[str, Path]) -> Sources:
    """Opens every source; reads no label.

    Raises:
        UserError: it is not said where one lies, two of one name lie apart, a folder is missing or is not of its data
            set, a labelled source has no label, or classes do not fit together.
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
    labelled = tuple(_open(source, places[source.called]) for source in recipe.labelled)
    for source, dataset in zip(recipe.labelled, labelled, strict=True):
        if all(item.label is None for item in dataset.items):
            raise UserError(
                f"{source.called} ({dataset.name} {dataset.split} at {dataset.root}) has no labelled image, expected"
                " some to learn from; choose another split or folder"
            )
        in_space(dataset, labelled[0].space, quiet=True, chosen=source.classes, called=source.called)
    for held_out in (source for source in (recipe.val, recipe.test) if source is not None):
        opened = _open(held_out, places[held_out.called], quiet=True)
        in_space(opened, labelled[0].space, quiet=True, chosen=held_out.classes, called=held_out.called)
    unlabelled = tuple(
        places[source.called] if source.dataset is None else _open(source, places[source.called])
        for source in recipe.unlabelled
    )
    return Sources(recipe, labelled, unlabelled, places)


def _open(source: UnlabelledSource | HeldOutSource, root: Path, quiet: bool = False) -> Dataset:
    dataset = open_dataset(str(source.dataset), root, source.split, source.options)
    for note in () if quiet else dataset.problems:
        say(f"{dataset.name} {dataset.split}: {note}")
    return dataset


def _choose(source: LabelledSource, dataset: Dataset, seed: int) -> HumanLabels:
    labelled = [item for item in dataset.items if item.label is not None]
    chosen = _drawn([item.name for item in labelled], source.share, seed, source.called)
    return HumanLabels(source, dataset, tuple(item for item in labelled if item.name in chosen), len(labelled))


def _drawn(names: list[str], share: float, seed: int, what: str) -> set[str]:
    """round(share * number) of the names."""
    if share == 1:
        return set(names)
    _, chosen = share_split(names, share, seed)
    if not chosen:
        raise UserError(f"share {share:g} of {what} is none of {len(names)}, expected at least one; raise it")
    return set(chosen)
