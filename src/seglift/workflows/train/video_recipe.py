"""What a recipe of ``seglift train`` with ``kind: video_prediction`` can say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from seglift.base.errors import UserError
from seglift.training.video_prediction import VideoPredictionRecipe


@dataclass(frozen=True)
class VideoSource:
    """Unlabelled video: a split of a dataset with the neighbours of its images, or files of one's own."""

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
    stride: int = 1
    """Every so many-th frame: a triplet's frames lie so far apart."""
    clips: tuple[str, ...] = ("*",)
    """Names of the clips to take, as patterns with * and ?."""
    without: tuple[str, ...] = ()
    """Names of clips to leave out, as patterns."""

    @property
    def called(self) -> str:
        """What --root and messages call it."""
        return self.name or self.dataset or self.frames or ""

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        if (self.dataset is None) == (self.frames is None):
            raise UserError("a source of video has one of dataset and frames, got both or neither; give one of them")
        if self.frames is not None and self.options:
            raise UserError(f"options of {self.called}: frames have none, only a dataset has; drop them")
        if self.stride < 1:
            raise UserError(f"stride of {self.called} is {self.stride}, expected at least 1; change it")
        if not self.clips:
            raise UserError(
                f"clips of {self.called} is empty, expected names of clips or patterns; drop it to take all"
            )


@dataclass(frozen=True)
class VideoTrainRecipe(VideoPredictionRecipe):
    """What ``seglift train`` does for ``kind: video_prediction``."""

    kind: Literal["video_prediction"] = "video_prediction"
    """What is trained."""
    train: tuple[VideoSource, ...] = ()
    """Where training video comes from."""
    val: tuple[VideoSource, ...] = ()
    """Video on which the best weights are chosen and the result is scored; none keeps the last."""
    val_frames: int = 40
    """Most frames of `val` that are made, evenly spread."""
    val_crop: tuple[int, int] | None = None
    """Height and width of the centre of frames that is made and scored; none takes whole frames."""
    start: str | None = None
    """Weights to start from: a folder or file of `seglift train`, or the released checkpoint."""

    @property
    def sources(self) -> tuple[VideoSource, ...]:
        """Those of training, then those that are held out."""
        return (*self.train, *self.val)

    def __post_init__(self) -> None:
        """Refuses impossible values with a UserError."""
        super().__post_init__()
        if not self.train:
            raise UserError("the recipe names no video to train on; give it train: [{frames: NAME}] or a dataset")
        if self.val_frames < 1:
            raise UserError(f"val_frames is {self.val_frames}, expected at least 1; change it")
        if self.val_crop is not None and min(self.val_crop) < 16:
            raise UserError(f"val_crop is {list(self.val_crop)}, expected at least 16 x 16, or none; change it")
        if self.start is not None and self.network.start_from_flow:
            raise UserError("start and network.start_from_flow are both given, expected one beginning; drop one")
