"""What a recipe of ``seglift selftrain`` can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seglift.base.errors import UserError
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.settings import InferenceSettings
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, read_yaml
from seglift.workflows.rounds.trainings import FineTune
from seglift.workflows.train.recipe import HeldOutSource

COMMAND, METHOD = "selftrain", "naive_student"
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
RECIPE_SUFFIXES = (".yaml", ".yml")
RECIPES = ("teacher", "student")
"""Names under which a recipe holds recipes of ``seglift train``, as files or as they are."""


@dataclass(frozen=True)
class LabelledSource(HeldOutSource):
    """Images with human labels to learn from."""

    split: str = "train"
    """Name of the split."""
    share: float = 1.0
    """Share of its labelled images that are used, drawn by the seed; the others count as not labelled."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        _check_share(f"share of {self.called}", self.share)


@dataclass(frozen=True)
class UnlabelledSource:
    """Frames that receive pseudo-labels, whether or not they have labels."""

    dataset: str | None = None
    """Name of a dataset: cityscapes, camvid, ..., or folder for seglift's generic layout."""
    frames: str | None = None
    """In place of `dataset`, what --root calls a video file, a folder of frames or a folder of such folders."""
    split: str = "train"
    """Name of the split of the dataset."""
    root: str | None = None
    """Where it lies; usually given on the command line, as --root NAME=DIR."""
    name: str | None = None
    """What --root and messages call it where one dataset is used twice; `dataset` or `frames` by default."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the dataset."""
    before: int = 0
    """Frames of the video before each image that are taken, too (Cityscapes: up to 19)."""
    after: int = 0
    """Frames of the video after each image that are taken, too (Cityscapes: up to 10)."""
    void_from: Literal["labelled", "own"] = "labelled"
    """Whose regions of `void_classes` are copied: those of the labelled frames of the same clip, or of the labels that
    this source has itself (the coarse ones of Cityscapes' train_extra)."""

    @property
    def called(self) -> str:
        """What --root and messages call it."""
        return self.name or self.dataset or self.frames or ""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if (self.dataset is None) == (self.frames is None):
            raise UserError("an unlabelled source has one of dataset and frames, got both or neither; give one of them")
        if self.frames is not None and (self.options or self.before or self.after or self.void_from == "own"):
            raise UserError(f"{self.called}: frames have no options, before, after or labels of their own; drop these")
        if min(self.before, self.after) < 0:
            raise UserError(f"before and after of {self.called} count frames, expected 0 or more; change them")


@dataclass(frozen=True)
class Augmented(InferenceSettings):
    """Aug of the paper: seven scales, mirrored images, probabilities averaged."""

    scales: tuple[float, ...] = SCALES
    """Scales (of the working size) over which the result is averaged."""
    flip: bool = True
    """Whether the mirrored image is averaged in, too."""
    average: Literal["logits", "probabilities"] = "probabilities"
    """What is averaged; of panoptic maps always probabilities, heat and offsets."""


@dataclass(frozen=True)
class SelftrainRecipe:
    """Iterative semi-supervised learning (Chen et al., "Naive-Student", ECCV 2020, Alg. 1)."""

    teacher: str | dict[str, Any]
    """The first teacher: a recipe of `seglift train` (a .yaml file, relative to this one, or its values), which is
    trained on the human labels; or trained weights as `--model` takes them."""
    student: str | dict[str, Any] | tuple[str | dict[str, Any], ...]
    """A recipe of `seglift train`, or one for each round, of which the last serves all further rounds."""
    labelled: tuple[LabelledSource, ...]
    """Images with human labels; their label space (the first one's) is that of all networks."""
    unlabelled: tuple[UnlabelledSource, ...]
    """Where the frames that receive pseudo-labels come from."""
    kind: Literal["naive_student"] = "naive_student"
    """What this is a recipe of."""
    rounds: int = 2
    """How often pseudo-labels are made and a student trained on them; 0: supervision alone, for comparison."""
    student_changes: dict[str, Any] = field(default_factory=dict)
    """What all students change in their recipes, by dotted name."""
    centroid_classes: tuple[str, ...] | None = None
    """Classes around which crops are drawn, as in a source of `seglift train`; none draws around all."""
    val: HeldOutSource | None = None
    """Images that choose the best weights of every training; none keeps the last."""
    test: HeldOutSource | None = None
    """Images on which teacher and students are scored; none scores on `val`."""
    share: float = 1.0
    """Share of all unlabelled frames that are used, drawn by the seed."""
    labelled_frames: bool = True
    """Whether labelled frames among the unlabelled sources receive pseudo-labels, too, as in the paper."""
    mix: float | None = None
    """Share of each epoch that a student draws from the human labels; none trains on pseudo-labels alone."""
    fine_tune: FineTune | None = field(default_factory=FineTune)
    """How a student goes on with human labels before it becomes the next teacher; null: not at all."""
    start_from_previous: bool = False
    """Whether a student begins with the weights of the student before it, where there is one."""
    start_from_teacher: bool = False
    """Whether every student begins with the weights of its teacher, also the first one; not in the paper, whose
    students begin with those of ImageNet and Mapillary, but what makes short trainings from random weights worth their
    steps."""
    labelling: Augmented = field(default_factory=Augmented)
    """How a teacher looks at the frames that it labels."""
    segments: PanopticSettings = field(default_factory=PanopticSettings)
    """How a panoptic teacher's maps become segments."""
    void_classes: tuple[str, ...] | None = None
    """Classes whose region is copied, as void, from the annotated frame of a clip to its other frames; none takes those
    of ego vehicle, rectification border and out of roi that the label space has."""
    seeds: tuple[int, ...] = (0,)
    """The rounds run once for each of them."""
    snapshots: int = 6
    """Frames whose labels the report shows by round."""

    @property
    def given_students(self) -> tuple[dict[str, Any], ...]:
        """The recipes of students that are given, as plain values, ``student_changes`` made."""
        given = self.student if isinstance(self.student, tuple) else (self.student,)
        return tuple(with_overrides(one, self.student_changes) for one in given if isinstance(one, dict))

    @property
    def students(self) -> tuple[dict[str, Any], ...]:
        """The recipe of the student of each round."""
        given = self.given_students
        return tuple(given[min(number, len(given) - 1)] for number in range(self.rounds))

    @property
    def sources(self) -> tuple[LabelledSource | UnlabelledSource | HeldOutSource, ...]:
        """All that data come from."""
        held_out = (source for source in (self.val, self.test) if source is not None)
        return (*self.labelled, *self.unlabelled, *held_out)

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        _check_share("share", self.share)
        if self.rounds < 0:
            raise UserError(f"rounds is {self.rounds}, expected 0 or more; change it")
        for name in ("labelled", "unlabelled", "seeds"):
            if not getattr(self, name):
                raise UserError(f"{name} is empty, expected at least one; fill it in")
        if len(set(self.seeds)) < len(self.seeds):
            raise UserError(f"seeds are {list(self.seeds)}, expected each once; correct them")
        listed = len(self.student) if isinstance(self.student, tuple) else 1
        if not 1 <= listed <= max(self.rounds, 1):
            raise UserError(f"student lists recipes, expected one or one for each of {self.rounds} rounds; correct it")
        if self.val is None and self.test is None:
            raise UserError("the recipe has neither val nor test, expected one, by which rounds compare; give one")
        if self.mix is not None and not 0 < self.mix < 1:
            raise UserError(f"mix is {self.mix}, expected the share of human labels, above 0 and below 1, or null")
        if self.snapshots < 0:
            raise UserError(f"snapshots is {self.snapshots}, expected 0 or more; change it")
        for kind in (self.labelled, self.unlabelled):
            names = [source.called for source in kind]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise UserError(f"two sources are called {twice}; give each a name of its own")


def read_selftrain(path: Path, overrides: Mapping[str, Any]) -> SelftrainRecipe:
    """A recipe with those of teacher and students read into it.

    Args:
        path: YAML of a :class:`SelftrainRecipe`.
        overrides: values put at dotted names, also within the recipes of teacher and students.

    Raises:
        UserError: one of the files cannot be read, or the recipe is wrong.
    """
    given = read_yaml(path)
    if "train" in given and not given.keys() & {*RECIPES, "unlabelled"}:
        raise UserError(f"{path} is a recipe of one training, expected one of rounds; use seglift train")
    return parse_selftrain(inlined(with_overrides(inlined(given, path.parent), overrides), Path()), str(path))


def parse_selftrain(values: Mapping[str, Any], where: str) -> SelftrainRecipe:
    """A recipe of plain values, in which those of teacher and students are inlined.

    Raises:
        UserError: it is wrong.
    """
    recipe = parse_recipe(values, SelftrainRecipe, where)
    for student in recipe.student if isinstance(recipe.student, tuple) else (recipe.student,):
        if isinstance(student, str):
            raise UserError(f"{where}: student is {student!r}, expected a .yaml recipe of seglift train; give one")
    return recipe


def inlined(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Plain values with the recipes of teacher and students that they name as files, relative to ``folder``, read.

    Raises:
        UserError: one of the files cannot be read.
    """

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(entry) for entry in value]
        named = isinstance(value, str) and value.lower().endswith(RECIPE_SUFFIXES)
        return read_yaml(folder / value) if named else value

    return {name: read(value) if name in RECIPES else value for name, value in values.items()}


def _check_share(name: str, share: float) -> None:
    if not 0 < share <= 1:
        raise UserError(f"{name} is {share}, expected above 0 and at most 1; change it")
