"""What a recipe of ``seglift train`` on labelled images can say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from seglift.base.errors import UserError
from seglift.inference.panoptic.model import SEEN_WHOLE
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.settings import InferenceSettings
from seglift.training.coarse_to_fine import CoarseToFineRecipe
from seglift.training.image_task import ImageRecipe
from seglift.training.panoptic import PanopticRecipe
from seglift.training.segmentation import SegmentationRecipe


@dataclass(frozen=True)
class HeldOutSource:
    """One split of one dataset to validate or score on."""

    dataset: str
    """Name of a dataset: camvid, cityscapes, kitti, nyuv2, ..., or folder for seglift's generic layout."""
    split: str
    """Name of the split."""
    root: str | None = None
    """Its folder; usually given on the command line, as --root DATASET=DIR."""
    name: str | None = None
    """What --root and messages call it where one dataset is used twice; the dataset's name by default."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the dataset, such as folds and fold of kitti or classes of camvid."""
    classes: dict[str, str | None] = field(default_factory=dict)
    """What becomes of some of its classes: class of the label space that is learned, by name; null makes one void.
    Others are mapped by name."""

    @property
    def called(self) -> str:
        """What --root and messages call it."""
        return self.name or self.dataset


@dataclass(frozen=True)
class DataSource(HeldOutSource):
    """One split of one dataset to train on."""

    split: str = "train"
    """Name of the split."""
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


@dataclass(frozen=True)
class ImageTrainRecipe(ImageRecipe):
    """What ``seglift train`` does with labelled images, whatever it trains on them."""

    train: tuple[DataSource, ...] = ()
    """Where training images come from."""
    val: HeldOutSource | None = None
    """Images that choose the best weights; none keeps the last."""
    test: HeldOutSource | None = None
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

    @property
    def sources(self) -> tuple[HeldOutSource, ...]:
        """Those of training, then those that are held out."""
        return (*self.train, *(source for source in (self.val, self.test) if source is not None))

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        super().__post_init__()
        if not self.train:
            raise UserError("the recipe names no data to train on; give it train: [{dataset: ..., split: ...}]")
        if self.new_head and self.start is None:
            raise UserError(
                "new_head is true without start, expected weights to start from; give start or drop new_head"
            )
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


# jsonargparse finds the names of types along the first base alone: it must be the one of another file.
@dataclass(frozen=True)
class TrainRecipe(SegmentationRecipe, ImageTrainRecipe):
    """What ``seglift train`` does for ``kind: segmentation``."""

    kind: Literal["segmentation"] = "segmentation"
    """What is trained."""


@dataclass(frozen=True)
class PanopticTrainRecipe(PanopticRecipe, ImageTrainRecipe):
    """What ``seglift train`` does for ``kind: panoptic``."""

    kind: Literal["panoptic"] = "panoptic"
    """What is trained."""
    evaluation: InferenceSettings = field(default_factory=lambda: InferenceSettings(max_pixels=SEEN_WHOLE))
    """How validation and the final score look at images; tiles would cut instances."""
    segments: PanopticSettings = field(default_factory=PanopticSettings)
    """How validation and the final score make segments of the network's maps."""


@dataclass(frozen=True)
class CoarseToFineTrainRecipe(CoarseToFineRecipe, ImageTrainRecipe):
    """What ``seglift train`` does for ``kind: coarse_to_fine``."""

    kind: Literal["coarse_to_fine"] = "coarse_to_fine"
    """What is trained."""
    synthetic: tuple[str, ...] = ()
    """Names of those sources of ``train`` whose images are synthetic; the others are real."""
    mix_from: tuple[HeldOutSource, ...] = ()
    """Synthetic images that mixed views take classes from, such as a whole set of which only a part is trained on; none
    takes those of ``synthetic``."""

    @property
    def sources(self) -> tuple[HeldOutSource, ...]:
        """Those of training, then those that are held out, then those that are mixed from."""
        return (*super().sources, *self.mix_from)
