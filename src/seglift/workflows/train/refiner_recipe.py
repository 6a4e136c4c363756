"""What a recipe of ``seglift train`` with ``kind: refiner`` can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seglift.base.errors import UserError
from seglift.training.refinement import RefinementRecipe
from seglift.workflows.train.recipe import HeldOutSource


@dataclass(frozen=True)
class RefinerSource(HeldOutSource):
    """One split of one dataset with video around its labelled images, to train on."""

    split: str = "train"
    """Name of the split."""


@dataclass(frozen=True)
class TeacherFold:
    """A segmentation model that was trained without some labelled images, which it fills in for."""

    model: str
    """Its weights, as `model`."""
    unseen: tuple[str, ...]
    """Names of these images or of their clips, as patterns with * and ?."""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if not self.unseen:
            raise UserError(f"unseen of the teacher {self.model} is empty, expected names of images or patterns")


@dataclass(frozen=True)
class RefinerTrainRecipe(RefinementRecipe):
    """What ``seglift train`` does for ``kind: refiner``."""

    kind: Literal["refiner"] = "refiner"
    """What is trained."""
    train: tuple[RefinerSource, ...] = ()
    """Where labelled images with video around them come from."""
    val: HeldOutSource | None = None
    """Labelled images with video that choose the best weights and say whether the refiner helps; none keeps the
    last."""
    space: str | None = None
    """Label space to learn, a name or a file; none takes that of the first source."""
    model: str | None = None
    """The segmentation model whose features the refiner reads and which fills in: a folder or file of `seglift train`,
    a published checkpoint, or hf:ID."""
    folds: tuple[TeacherFold, ...] = ()
    """Models that fill in instead of `model`, each for the training images that it has not learnt; every training image
    needs one."""
    motion: str = "dis"
    """What moves labels: dis, raft:FILE, sdcnet:DIR, ..."""
    val_pairs: int = 60
    """Most labellings of `val` that are refined in a validation."""

    @property
    def test(self) -> None:
        """None: a refiner is scored on ``val``."""

    @property
    def sources(self) -> tuple[HeldOutSource, ...]:
        """Those of training, then those that are held out."""
        return (*self.train, *(() if self.val is None else (self.val,)))

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        super().__post_init__()
        if not self.train:
            raise UserError("the recipe names no data to train on; give it train: [{dataset: ..., split: ...}]")
        if self.model is None:
            raise UserError(
                "the recipe names no segmentation model, which fills in and whose features the refiner reads; give it"
                " model: DIR of a training"
            )
        if self.val_pairs < 1:
            raise UserError(f"val_pairs is {self.val_pairs}, expected at least 1; change it")
