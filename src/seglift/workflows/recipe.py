"""Recipes of ``seglift train``: YAML files read strictly into frozen dataclasses."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints

import yaml

from seglift.base.errors import UserError
from seglift.inference.settings import InferenceSettings
from seglift.training.segmentation import SegmentationRecipe

T = TypeVar("T")


@dataclass(frozen=True)
class DataSource:
    """One split of one dataset."""

    dataset: str
    """Name of a dataset: camvid, cityscapes, kitti, nyuv2, ..., or folder for seglift's generic layout."""
    split: str = "train"
    """Name of the split."""
    root: str | None = None
    """Its folder; usually given on the command line, as --root DATASET=DIR."""
    name: str | None = None
    """What --root and messages call it where one dataset is used twice; the dataset's name by default."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the dataset, such as folds and fold of kitti or classes of camvid."""
    quota: float | None = None
    """Share of each epoch that is drawn from this source, 0..1; none shares what is left by number of images."""
    joins: str | None = None
    """Name of a source to whose centroids this one adds its own, without a share (how Zhu et al. use coarse labels)."""
    centroid_classes: tuple[str, ...] | None = None
    """Classes whose centroids are drawn from this source (rare classes of coarse labels); none draws all."""
    until_epoch: int | None = None
    """First epoch that no longer draws from this source; none draws from it to the end."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if self.quota is not None and not 0 < self.quota <= 1:
            raise UserError(f"quota of {self.called} is {self.quota}, expected above 0 and at most 1; change it")
        if self.until_epoch is not None and self.until_epoch < 1:
            raise UserError(f"until_epoch of {self.called} is {self.until_epoch}, expected at least 1; change it")

    @property
    def called(self) -> str:
        """What --root and messages call it."""
        return self.name or self.dataset


@dataclass(frozen=True)
class TrainRecipe(SegmentationRecipe):
    """What ``seglift train`` does."""

    kind: Literal["segmentation"] = "segmentation"
    """What is trained."""
    train: tuple[DataSource, ...] = ()
    """Where training images come from."""
    val: DataSource | None = None
    """Images that choose the best weights; none keeps the last."""
    test: DataSource | None = None
    """Images on which the result is scored at the end; none scores on ``val``."""
    space: str | None = None
    """Label space to learn, a name or a file; none takes that of the first source. Other sources are mapped by name."""
    epoch_size: int | None = None
    """Images drawn in an epoch; none draws as many as there are."""
    tile: int = 1024
    """Side of the tiles in whose classes' centroids crops are drawn, pixels."""
    start: str | None = None
    """Weights to start from: a folder or file of `seglift train`, a published checkpoint, or ``imagenet`` for a
    pretrained timm encoder."""
    new_head: bool = False
    """Start the classifier anew where ``start`` knows other classes."""
    evaluation: InferenceSettings = field(default_factory=InferenceSettings)
    """How validation and the final score look at images."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        super().__post_init__()
        if not self.train:
            raise UserError("the recipe names no data to train on; give it train: [{dataset: ..., split: ...}]")
        names = [source.called for source in self.train]
        twice = next((name for name in names if names.count(name) > 1), None)
        splits = [(source.called, source.split) for source in self.train]
        if twice is not None and len(set(splits)) < len(splits):
            raise UserError(
                f"the recipe trains on {twice} twice with the same split; give each source a name of its own"
            )
        quotas = sum(source.quota or 0 for source in self.train)
        if quotas > 1 + 1e-9:
            raise UserError(f"the quotas of the sources add up to {quotas:g}, expected at most 1; lower them")
        if self.epoch_size is not None and self.epoch_size < self.batch:
            raise UserError(f"epoch_size is {self.epoch_size}, expected at least the batch of {self.batch}; change it")
        if self.tile < 16:
            raise UserError(f"tile is {self.tile}, expected at least 16 pixels; change it")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file whose top is a mapping.

    Raises:
        UserError: it is missing, no YAML, or something else at the top.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the recipe {path} ({error.strerror or error}); give a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no YAML ({' '.join(str(error).split())}); correct it") from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UserError(f"{path} holds {type(data).__name__}, expected names with values; see recipes/ for examples")
    return data


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested ``data`` with values put at dotted names: ``{"fit.steps": 100}``.

    Raises:
        UserError: a dotted name leads through a value that has no parts.
    """
    result = dict(data)
    for dotted, value in overrides.items():
        first, _, rest = dotted.partition(".")
        if not rest:
            result[first] = value
            continue
        inner = result.get(first)
        if inner is not None and not isinstance(inner, Mapping):
            raise UserError(f"cannot set {dotted}: {first} is {inner!r}, which has no parts; set {first} as a whole")
        result[first] = with_overrides(inner or {}, {rest: value})
    return result


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` words (VALUE is YAML) to values by dotted name.

    Raises:
        UserError: a word without ``=`` or with a value that is no YAML.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator or not name:
            raise UserError(f"--set {word!r}, expected NAME=VALUE such as fit.steps=100; correct it")
        try:
            found[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"--set {word!r} has a value that is no YAML; quote it") from error
    return found


def parse_roots(words: Sequence[str]) -> dict[str, Path]:
    """``NAME=DIR`` words to folders by name; a plain ``DIR`` is under the empty name.

    Raises:
        UserError: a name is given twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, separator, folder = word.partition("=")
        if not separator or Path(word).exists():
            name, folder = "", word
        if name in found:
            raise UserError(f"--root {name + '=' if name else ''}... is given twice, expected each name once; drop one")
        found[name] = Path(folder)
    return found


def plain_values(recipe: Any) -> Any:
    """A dataclass as nested dicts and lists that YAML can hold, every default spelt out."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        return {entry.name: plain_values(getattr(recipe, entry.name)) for entry in fields(recipe)}
    if isinstance(recipe, Mapping):
        return {name: plain_values(value) for name, value in recipe.items()}
    return [plain_values(value) for value in recipe] if isinstance(recipe, list | tuple) else recipe


def parse_recipe(data: Mapping[str, Any], kind: type[T], where: str) -> T:
    """Plain values to a frozen dataclass, strictly: unknown names and wrong types are refused.

    Args:
        data: nested plain values, as YAML gives them.
        kind: the dataclass.
        where: name of the file, for errors.

    Raises:
        UserError: an unknown name (near ones are told), a missing one, a wrong type or an impossible value.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    _check_names(data, kind, where, "")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "recipe")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse_object({"recipe": dict(data)})
            made: T = parser.instantiate_classes(parsed).recipe
    except (ArgumentError, TypeError, ValueError) as error:
        text = " ".join(str(error).split()).replace("recipe.", "").replace("Parser key ", "")
        raise UserError(f"{where}: {text}; correct the recipe") from error
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return made


def _check_names(value: Any, kind: Any, where: str, above: str) -> None:
    """Refuses names that a dataclass inside ``kind`` (a type, with unions and tuples) lacks, telling the nearest."""
    if not is_dataclass(kind):
        for position, part in enumerate(get_args(kind)):
            if isinstance(value, list):
                for number, entry in enumerate(value):
                    _check_names(entry, part, where, f"{above.removesuffix('.')}[{number}].")
            elif position == 0 or isinstance(value, Mapping):
                _check_names(value, part, where, above)
        return
    if not isinstance(value, Mapping):
        return
    types = get_type_hints(kind)
    for name, inner in value.items():
        if name not in types:
            near = difflib.get_close_matches(str(name), types, n=1)
            hint = f"did you mean {above}{near[0]}?" if near else f"it knows {', '.join(types)}"
            raise UserError(f"{where}: unknown name {above}{name}; {hint}")
        _check_names(inner, types[name], where, f"{above}{name}.")
