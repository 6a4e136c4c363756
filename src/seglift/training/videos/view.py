"""A view of three frames: crops with the flows between them, computed where the crop's surroundings can be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.labels.space import Array8
from seglift.motion.consistency import occluded
from seglift.motion.estimator import MotionEstimator
from seglift.motion.maps import identity_map, sample_bilinear
from seglift.training.images.color_changes import adjust_brightness, adjust_contrast, adjust_saturation

Mask = Literal["all", "visible"]
MASKS = ("all", "visible")


@dataclass(frozen=True)
class ViewConfig:
    """What every view has.

    Attributes:
        size: height and width of the crop, pixels.
        margin: pixels around it in which flow is estimated too and from which the motion may sample.
        frames: how many of the three frames the network sees: 3, or 2 without the last.
        mask: which pixels count: ``all``, or those ``visible`` in the middle frame.
    """

    size: tuple[int, int]
    margin: int
    frames: int
    mask: Mask = "all"


@dataclass(frozen=True)
class Place:
    """Where and how a view looks.

    Attributes:
        top: first row of the crop.
        left: first column of the crop.
        reverse: from the last frame to the first.
        mirror: left and right exchanged.
        colors: factors of brightness, contrast and saturation, the same for all frames.
    """

    top: int = 0
    left: int = 0
    reverse: bool = False
    mirror: bool = False
    colors: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class VideoView:
    """One view.

    Attributes:
        images: float32 [3, 3, h, w] in 0..1, in the order in which they are shown.
        source: the middle frame with its margin, float32 [3, h + 2 margin, w + 2 margin]; the border is replicated.
        flows: float32 [N - 1, 2, h, w] in pixels: flow i lives on image i + 1 and samples image i.
        mask: float32 [1, h, w]: 1 where the last frame's pixel counts.
    """

    images: Tensor
    source: Tensor
    flows: Tensor
    mask: Tensor


def video_view(frames: Sequence[Array8], place: Place, config: ViewConfig, flow: MotionEstimator) -> VideoView:
    """Cuts a view out of three frames.

    Time is reversed and images are mirrored before flow is estimated. Flow is estimated on the crop with its margin, as
    far as the frame reaches. A frame smaller than the crop is shown from its first pixel, mirrored at the bottom and on
    the right; the pixels that were added never count.

    Args:
        frames: three of uint8 [H, W, 3] RGB, in the order of time.
        place: where the crop lies; inside the frame where that is as large as the crop.
        config: size, margin, frames, mask.
        flow: estimates the flows.
    """
    ordered = list(reversed(frames)) if place.reverse else list(frames)
    height, width = ordered[0].shape[:2]
    rows = _window(place.top, config.size[0], config.margin, height)
    columns = _window(place.left, config.size[1], config.margin, width)
    cut = [frame[rows.first : rows.last, columns.first : columns.last] for frame in ordered]
    if place.mirror:
        cut, columns = [cv2.flip(image, 1) for image in cut], columns.mirrored()
    shown = [_pad(image, rows.missing, columns.missing, cv2.BORDER_REFLECT_101) for image in cut]
    images = torch.stack([_tensor(_change_colors(image, place.colors)) for image in shown])
    flows = [flow(images[i : i + 1], images[i + 1 : i + 2]) for i in range(config.frames - 1)]
    mask = images.new_zeros((1, *images.shape[2:]))
    mask[:, : cut[0].shape[0], : cut[0].shape[1]] = 1.0
    if config.mask == "visible":
        onto = flows[1] if len(flows) > 1 else flow(images[1:2], images[2:3])
        mask *= ~occluded(onto, flow(images[2:3], images[1:2]))
    area = slice(rows.inside, rows.inside + config.size[0]), slice(columns.inside, columns.inside + config.size[1])
    return VideoView(
        images[..., area[0], area[1]].contiguous(),
        _with_margin(images[1], rows, columns, config),
        torch.cat(flows)[..., area[0], area[1]].contiguous(),
        mask[..., area[0], area[1]].contiguous(),
    )


def random_place(
    shape: tuple[int, int],
    size: tuple[int, int],
    generator: np.random.Generator,
    reversal: float = 0.5,
    flip: float = 0.0,
    jitter: float = 0.0,
) -> Place:
    """A place drawn at random, each crop inside the frame equally likely.

    Args:
        shape: height and width of the frames.
        size: height and width of the crop.
        generator: source of every random choice.
        reversal: probability of reversed time, 0..1.
        flip: probability of mirrored images, 0..1.
        jitter: brightness, contrast and saturation lie in 1 - jitter..1 + jitter.
    """
    top, left = (int(generator.integers(0, max(0, side - crop) + 1)) for side, crop in zip(shape, size, strict=True))
    reverse, mirror = bool(generator.random() < reversal), bool(generator.random() < flip)
    brightness, contrast, saturation = map(float, generator.uniform(1 - jitter, 1 + jitter, size=3))
    return Place(top, left, reverse, mirror, (brightness, contrast, saturation))


def warp_from(source: Tensor, motion: Tensor, margin: int) -> Tensor:
    """Samples frames by the motion on a crop of them, bilinearly (Zhu et al. 2019, section 3.1: the operator T).

    Args:
        source: float32 [B, C, h + 2 margin, w + 2 margin], see :class:`VideoView`.
        motion: float32 [B, 2, h, w] in pixels, lives on the crop; differentiable.
        margin: pixels of ``source`` around the crop.

    Returns:
        float32 [B, C, h, w]; beyond the source the border is replicated. What is no number points to the first pixel.
    """
    height, width = motion.shape[2:]
    return sample_bilinear(source, motion + margin + identity_map(height, width, motion.device))


@dataclass(frozen=True)
class _Window:
    """Along one axis: pixels first..last of the frame, the crop's place in them, and how many pixels it lacks."""

    first: int
    last: int
    inside: int
    missing: int
    size: int

    def mirrored(self) -> _Window:
        shown = min(self.size, self.last - self.first)
        return _Window(self.first, self.last, self.last - self.first - self.inside - shown, self.missing, self.size)


def _window(start: int, size: int, margin: int, length: int) -> _Window:
    if length < size:
        return _Window(0, length, 0, size - length, size)
    first, last = max(0, start - margin), min(length, start + size + margin)
    return _Window(first, last, start - first, 0, size)


def _pad(image: NDArray[np.uint8], below: int, right: int, border: int) -> NDArray[np.uint8]:
    if not below and not right:
        return image
    padded: NDArray[np.uint8] = cv2.copyMakeBorder(np.ascontiguousarray(image), 0, below, 0, right, border)  # type: ignore[assignment]
    return padded


def _change_colors(image: NDArray[np.uint8], factors: tuple[float, float, float]) -> NDArray[np.float32]:
    """uint8 [h, w, 3] to float32 in 0..1."""
    changed = np.divide(image, np.float32(255), dtype=np.float32)
    changes: tuple[Callable[[NDArray[np.float32], float], None], ...]
    changes = (adjust_brightness, adjust_contrast, adjust_saturation)
    for change, factor in zip(changes, factors, strict=True):
        if factor != 1.0:
            change(changed, factor)
    return changed


def _tensor(image: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def _with_margin(image: Tensor, rows: _Window, columns: _Window, config: ViewConfig) -> Tensor:
    """The crop of [3, H, W] with ``margin`` pixels around it, the border replicated where the frame ends."""
    height, width = image.shape[1:]
    margin = config.margin
    ys = torch.arange(-margin, config.size[0] + margin).add_(rows.inside).clamp_(0, height - 1)
    xs = torch.arange(-margin, config.size[1] + margin).add_(columns.inside).clamp_(0, width - 1)
    return image[:, ys][:, :, xs].contiguous()
