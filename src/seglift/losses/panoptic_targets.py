"""What a panoptic network is to say: heatmap of the instances' centres, and from each pixel the way to its centre.

Cheng et al., "Panoptic-DeepLab: A Simple, Strong, and Fast Baseline for Bottom-Up Panoptic Segmentation" (CVPR 2020),
section 3.1, and its release. All is computed from the part of the image that is given: of an instance that a crop cuts,
the centre and the area are those of what the crop shows, as released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seglift.losses.pixels import IGNORE

HIGHEST_NUMBER = 65535
NO_INSTANCE = -1
KEYS = (IGNORE + 1) * (HIGHEST_NUMBER + 1)
"""Pairs of a class and a number."""

WINDOWS_AT_ONCE = 256
"""Centres that are drawn together, which bounds memory."""


@dataclass(frozen=True, eq=False)
class PanopticTargets:
    """Targets of B images and where they count.

    Attributes:
        label: uint8 or int64 [B, H, W], train ids, 255 = ignore.
        label_weight: float32 [B, H, W], how much a pixel counts for the classes; more than 1 on small instances.
        centre: float32 [B, 1, H, W], 0..1; 1 at the pixel of a centre.
        centre_mask: bool [B, 1, H, W]; false on void and on things that are no single instance.
        offset: float32 [B, 2, H, W], rows and columns from a pixel to the centre of its instance; 0 elsewhere.
        offset_mask: bool [B, 1, H, W]; true on instances.
    """

    label: Tensor
    label_weight: Tensor
    centre: Tensor
    centre_mask: Tensor
    offset: Tensor
    offset_mask: Tensor


@dataclass(frozen=True, eq=False)
class Instances:
    """K instances in a batch of images, by runs: stretches of a row that lie in one of them, or in none.

    Label maps have few and long runs, so that almost nothing needs to be done for each pixel.

    Attributes:
        shape: B, H and W.
        member: int64 [R], the instance of each run in reading order, 0..K-1; K in none.
        lengths: int64 [R], pixels of each run.
        image: int64 [K], the image of each instance.
        area: int64 [K], its pixels.
        centre: float64 [K, 2], the mean row and column of its pixels.
    """

    shape: tuple[int, int, int]
    member: Tensor
    lengths: Tensor
    image: Tensor
    area: Tensor
    centre: Tensor

    def spread(self, values: Tensor, elsewhere: float) -> Tensor:
        """Values [K] of the instances on their pixels, float32 [B, H, W], and ``elsewhere`` on all others."""
        table = torch.nn.functional.pad(values.float(), (0, 1), value=elsewhere)
        return table[self.member].repeat_interleave(self.lengths).view(self.shape)


def panoptic_targets(
    label: Tensor,
    number: Tensor,
    things: Sequence[int],
    sigma: float = 8.0,
    small_area: int = 64 * 64,
    small_weight: float = 3.0,
    known: Tensor | None = None,
) -> PanopticTargets:
    """Targets of images whose classes are known, and whose instances may be.

    A pixel of a thing class without number is of a crowd or group: its class counts, but neither heatmap nor offset.
    Numbers of other pixels are ignored.

    Args:
        label: uint8 or int64 [B, H, W], train ids, 255 = ignore.
        number: integer [B, H, W], instance numbers 1..65535, which may be the same in different classes; 0 where there
            is none.
        things: train ids whose instances are told apart.
        sigma: standard deviation of a centre's Gaussian, pixels.
        small_area: pixels below which an instance is small.
        small_weight: weight of the classes on small instances; 1 elsewhere.
        known: bool [B], whether the instances of an image are known; the others count for the classes alone, since
            centres that nobody drew would also be hot around their things. None: all are.

    Returns:
        Targets beside ``label``.

    Raises:
        ValueError: shapes that do not fit together, or numbers out of range.
    """
    if label.ndim != 3 or number.shape != label.shape:
        raise ValueError(f"label and number [B,H,W] expected, got {tuple(label.shape)} and {tuple(number.shape)}")
    if known is not None and known.shape != label.shape[:1]:
        raise ValueError(f"known [{len(label)}] expected, got {tuple(known.shape)}")
    is_thing = _thing_mask(label, things)
    on_instance = is_thing & (number.int() != 0)
    if known is not None:
        on_instance &= known[:, None, None]
    instances = find_instances(label, number, on_instance)
    weights = torch.where(instances.area < small_area, small_weight, 1.0)
    centre_mask = (label != IGNORE) & (on_instance | ~is_thing)
    if known is not None:
        centre_mask &= known[:, None, None]
    return PanopticTargets(
        label,
        instances.spread(weights, 1.0),
        draw_centres(instances, sigma)[:, None],
        centre_mask[:, None],
        _offsets(instances, on_instance),
        on_instance[:, None],
    )


def _thing_mask(label: Tensor, things: Sequence[int]) -> Tensor:
    mask = torch.zeros(label.shape, dtype=torch.bool, device=label.device)
    for train_id in things:
        mask |= label == train_id
    return mask


def find_instances(label: Tensor, number: Tensor, on_instance: Tensor) -> Instances:
    """The instances of a batch, by image, class and number ascending.

    Args:
        label: uint8 or int64 [B, H, W], train ids.
        number: integer [B, H, W], 0..65535.
        on_instance: bool [B, H, W], the pixels of instances.

    Raises:
        ValueError: numbers out of range.
    """
    batch, height, width = label.shape
    number = number.int()
    if number.numel():
        low, high = (int(value) for value in number.aminmax())
        if low < 0 or high > HIGHEST_NUMBER:
            raise ValueError(f"instance numbers of 0..{HIGHEST_NUMBER} expected, got {low}..{high}")
    key = torch.where(on_instance, label.int() * (HIGHEST_NUMBER + 1) + number, NO_INSTANCE)
    start, lengths = _runs(key)
    keys = key.view(-1)[start].long()
    within = (keys != NO_INSTANCE).nonzero()[:, 0]
    start, length = start[within], lengths[within]
    image, row, column = start // (height * width), start // width % height, start % width
    found, own = torch.unique(image * KEYS + keys[within], return_inverse=True)
    places = (torch.ones_like(row), row, column + (length - 1) / 2)
    area, *sums = (own.bincount((length * place).double(), minlength=len(found)) for place in places)
    member = torch.full_like(lengths, len(found)).index_copy_(0, within, own)
    centre = torch.stack(sums, 1) / area[:, None]
    return Instances((batch, height, width), member, lengths, found // KEYS, area.long(), centre)


def _runs(values: Tensor) -> tuple[Tensor, Tensor]:
    """Where stretches of equal values in a row begin in the flattened [B, H, W], int64 [R], and their lengths."""
    flat = values.view(-1)
    begins = torch.ones_like(flat, dtype=torch.bool)
    torch.ne(flat[1:], flat[:-1], out=begins[1:])
    begins.view(values.shape)[..., 0] = True
    start = begins.nonzero()[:, 0]
    return start, torch.diff(start, append=start.new_tensor([flat.numel()]))


def draw_centres(instances: Instances, sigma: float) -> Tensor:
    """Heatmap of the centres, float32 [B, H, W]: the highest of their Gaussians.

    A centre is drawn at the pixel nearest to it, floor(coordinate + 0.5), in a square window of 6 sigma + 3 pixels a
    side, as far as it lies in the image.

    Args:
        instances: of the batch.
        sigma: standard deviation, pixels.
    """
    device, (_, height, width) = instances.centre.device, instances.shape
    heat = torch.zeros(instances.shape, device=device)
    radius = int(3 * sigma + 1)
    reach = torch.arange(-radius, radius + 1, device=device)
    bell = torch.exp(-reach.double().square() / (2 * sigma**2))
    gaussian = (bell[:, None] * bell).float()
    at = (instances.centre + 0.5).floor().long()
    for some in torch.split(torch.arange(len(at), device=device), WINDOWS_AT_ONCE):
        rows, columns = (at[some, axis, None] + reach for axis in (0, 1))
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
        position = (instances.image[some, None] * height + rows)[:, :, None] * width + columns[:, None]
        values = gaussian.expand(len(some), -1, -1)
        heat.view(-1).scatter_reduce_(0, position[inside], values[inside], "amax")
    return heat


def _offsets(instances: Instances, on_instance: Tensor) -> Tensor:
    """Rows and columns from each pixel to its centre, float32 [B, 2, H, W]; 0 outside of instances."""
    batch, height, width = instances.shape
    offset = torch.empty(batch, 2, height, width, device=on_instance.device)
    places = (torch.arange(height, device=on_instance.device)[:, None], torch.arange(width, device=on_instance.device))
    for axis, place in enumerate(places):
        torch.sub(instances.spread(instances.centre[:, axis], 0.0), place, out=offset[:, axis])
    return offset.mul_(on_instance[:, None])
