"""What a recipe of ``seglift coarse2fine`` can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seglift.base.errors import UserError
from seglift.datasets.image_list import read_image_list
from seglift.inference.agreement import AgreementSettings
from seglift.losses.boundary import BoundaryLoss
from seglift.training.crossmix import CrossMix
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, read_yaml
from seglift.workflows.rounds.trainings import FineTune
from seglift.workflows.train.recipe import HeldOutSource

COMMAND, METHOD, KIND = "coarse2fine", "coarse_to_fine", "coarse_to_fine_rounds"
RECIPE_SUFFIXES = (".yaml", ".yml")
DRAWN = ("coarse", "fine", "synthetic")
"""Names under which a recipe has sources that images are drawn from."""


@dataclass(frozen=True)
class DrawnSource(HeldOutSource):
    """Labelled images of which some are drawn."""

    split: str = "train"
    """Name of the split."""
    share: float | None = None
    """Share of its labelled images that are used, drawn by the seed; of two shares the smaller is part of the other."""
    count: int | None = None
    """In place of `share`, how many of them."""
    images: str | tuple[str, ...] | None = None
    """Names of images in order of preference, or a text file with one on each line, relative to this one: `share` and
    `count` then take the first ones of the list with every seed, and no other image is trained on; none draws by the
    seed."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if self.share is not None and self.count is not None:
            raise UserError(f"{self.called} has share and count, expected at most one of them; drop one")
        if self.share is not None and not 0 < self.share <= 1:
            raise UserError(f"share of {self.called} is {self.share}, expected above 0 and at most 1; change it")
        if self.count is not None and self.count < 1:
            raise UserError(f"count of {self.called} is {self.count}, expected at least 1; change it")
        if self.images is not None and not self.images:
            raise UserError(f"images of {self.called} is empty, expected at least one; fill it in or drop it")


@dataclass(frozen=True)
class CoarseSource(DrawnSource):
    """Real images with coarse labels."""

    simulate: float | None = None
    """Make its labels, which are fine, coarse first, such that this share of the pixels stays labelled (Cityscapes:
    0.6304; Das et al.'s BDD100K: 0.6981); none takes them as they are."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        super().__post_init__()
        if self.simulate is not None and not 0 < self.simulate < 1:
            raise UserError(
                f"simulate of {self.called} is {self.simulate}, expected a share between 0 and 1; change it"
            )


@dataclass(frozen=True)
class CoarseToFineRounds:
    """Rounds of training and filling coarse labels (Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse
    Annotation", WACV 2023, Alg. 1).
    """

    model: str | dict[str, Any]
    """A recipe of `seglift train` of kind segmentation: a .yaml file, relative to this one, or its values."""
    coarse: tuple[CoarseSource, ...]
    """Real images with coarse labels, which are filled from round to round; their label space (the first one's) is that
    of the network."""
    kind: Literal["coarse_to_fine_rounds"] = "coarse_to_fine_rounds"
    """What this is a recipe of."""
    synthetic: tuple[DrawnSource, ...] = ()
    """Synthetic images with exact labels, classes mapped by name; without share or count as many are drawn as there are
    coarse labels, all where there are fewer."""
    fine: tuple[DrawnSource, ...] = ()
    """Real images with fine labels; where `coarse` names the same images, too, both are drawn apart."""
    fine_from_start: bool = False
    """Whether every round trains on the fine labels, too."""
    fine_tune: FineTune | None = None
    """How the last network goes on with the fine labels alone ("Pretrain (ours)"); null: not at all."""
    mix: CrossMix | None = field(default_factory=CrossMix)
    """How synthetic objects get into real views; null: not at all."""
    boundary: BoundaryLoss | None = field(default_factory=BoundaryLoss)
    """What is minimised beside the recipe's loss, on purely synthetic views; null: nothing."""
    boundary_weight: float = 1.0
    """Its weight (Das et al. give none)."""
    match_colors: float = 0.0
    """Probability of synthetic views to get the colours of a random real one; Das et al. do without."""
    synthetic_share: float | None = None
    """Share of the views that are synthetic, above 0 and below 1, mixed ones not counted; none goes by the number of
    images."""
    rounds: int = 3
    """How often a network is trained: on the coarse labels, then on filled ones."""
    labelling: AgreementSettings = field(default_factory=AgreementSettings)
    """How a network looks at the images whose labels it fills."""
    weigh_by_confidence: bool = False
    """Whether filled pixels count in training by their probability; the paper's count like drawn ones."""
    start_from_previous: bool = False
    """Whether a network begins with the weights of the round before, not with those that the recipe says."""
    val: HeldOutSource | None = None
    """Images that choose the best weights of every training; none keeps the last."""
    test: HeldOutSource | None = None
    """Images on which every network is scored; none scores on `val`."""
    seeds: tuple[int, ...] = (0,)
    """The rounds run once for each of them."""
    snapshots: int = 6
    """Images whose labels the report shows by round."""

    @property
    def values(self) -> dict[str, Any]:
        """The recipe of the network, as plain values."""
        if isinstance(self.model, str):
            raise ValueError(f"the recipe {self.model} is not read yet")
        return self.model

    @property
    def drawn(self) -> tuple[DrawnSource, ...]:
        """All that is trained on."""
        return (*self.coarse, *self.fine, *self.synthetic)

    @property
    def held_out(self) -> tuple[HeldOutSource, ...]:
        """``val`` and ``test``, as far as there are."""
        return tuple(source for source in (self.val, self.test) if source is not None)

    @property
    def sources(self) -> tuple[HeldOutSource, ...]:
        """All that data come from."""
        return (*self.drawn, *self.held_out)

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if self.rounds < 1:
            raise UserError(f"rounds is {self.rounds}, expected at least 1; change it")
        for name in ("coarse", "seeds"):
            if not getattr(self, name):
                raise UserError(f"{name} is empty, expected at least one; fill it in")
        if len(set(self.seeds)) < len(self.seeds):
            raise UserError(f"seeds are {list(self.seeds)}, expected each once; correct them")
        if self.val is None and self.test is None:
            raise UserError("the recipe has neither val nor test, expected one, by which rounds compare; give one")
        if self.snapshots < 0:
            raise UserError(f"snapshots is {self.snapshots}, expected 0 or more; change it")
        if not 0 <= self.boundary_weight <= 1e6:
            raise UserError(f"boundary_weight is {self.boundary_weight}, expected a number >= 0; change it")
        if not 0 <= self.match_colors <= 1:
            raise UserError(f"match_colors is {self.match_colors}, expected 0..1; change it")
        if self.synthetic_share is not None and not 0 < self.synthetic_share < 1:
            raise UserError(
                f"synthetic_share is {self.synthetic_share}, expected above 0 and below 1; change it, or drop synthetic"
            )
        uses = self.fine_from_start or self.fine_tune is not None
        if uses != bool(self.fine):
            raise UserError(
                "fine is given, but neither fine_from_start nor fine_tune uses it; set one of them, or drop fine"
                if self.fine
                else "fine_from_start or fine_tune is set, but there is no fine source; give one, or drop them"
            )
        for kind in (self.coarse, self.fine, self.synthetic):
            names = [source.called for source in kind]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise UserError(f"two sources are called {twice}; give each a name of its own")


def read_rounds(path: Path, overrides: Mapping[str, Any]) -> CoarseToFineRounds:
    """A recipe with that of the network read into it.

    Args:
        path: YAML of a :class:`CoarseToFineRounds`.
        overrides: values put at dotted names, also within the recipe of the network.

    Raises:
        UserError: one of the files cannot be read, or the recipe is wrong.
    """
    given = read_yaml(path)
    if "train" in given and "coarse" not in given:
        raise UserError(f"{path} is a recipe of one training, expected one of rounds; use seglift train")
    if "unlabelled" in given:
        raise UserError(f"{path} is a recipe of teacher and student; use seglift selftrain")
    return parse_rounds(inlined(with_overrides(inlined(given, path.parent), overrides), Path()), str(path))


def parse_rounds(values: Mapping[str, Any], where: str) -> CoarseToFineRounds:
    """A recipe of plain values, in which that of the network is inlined.

    Raises:
        UserError: it is wrong.
    """
    recipe = parse_recipe(values, CoarseToFineRounds, where)
    if isinstance(recipe.model, str):
        raise UserError(f"{where}: model is {recipe.model!r}, expected a .yaml recipe of seglift train; give one")
    for source in recipe.drawn:
        if isinstance(source.images, str):
            raise UserError(f"{where}: images of {source.called} is {source.images!r}, expected names; read the list")
    return recipe


def inlined(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Plain values with the recipe of the network and lists of images read, where they name them as files.

    Args:
        values: of a recipe.
        folder: that files are relative to.

    Raises:
        UserError: a file cannot be read.
    """
    found, model = dict(values), values.get("model")
    if isinstance(model, str) and model.lower().endswith(RECIPE_SUFFIXES):
        found["model"] = read_yaml(folder / model)
    for use in DRAWN:
        if isinstance(sources := values.get(use), list):
            found[use] = [_listed(source, folder) for source in sources]
    return found


def _listed(source: Any, folder: Path) -> Any:
    """A source with its list of images read."""
    if not isinstance(source, Mapping) or not isinstance(path := source.get("images"), str):
        return source
    return {**source, "images": list(read_image_list(folder / path))}
