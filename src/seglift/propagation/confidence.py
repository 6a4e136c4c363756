"""How likely a carried label is right: a logistic model of what is known about the pixel.

Its constants were fitted to labels of real video (street and object clips) carried between keyframes against what
humans drew on the frames between; ``benchmarks/RESULTS.md`` says how well it holds on clips it was not fitted to.
"""

from __future__ import annotations

import cv2
import torch
from torch import Tensor
from torch.nn import functional

from seglift.motion.warp import warp_labels
from seglift.propagation.evidence import observed
from seglift.propagation.state import LARGE_FRAME, Propagated

INTERCEPT = 4.46
AGREEMENT = 3.19
RELIABILITY_RATIO = 0.66
MOTION_ERROR = -0.23
PHOTOMETRIC = -0.97
SUPPORT = 8.0
LARGEST_LOG_RATIO = 3.0
SMALLEST_SUPPORT = 0.05
ONE_SIDED = 1.6
"""Takes the place of agreement where only one keyframe speaks: between agreement and none."""
OUT_OF_VIEW_CONFIDENCE = 0.5
"""Upper bound for replicated borders: a guess that nobody can check."""


def one_sided_confidence(state: Propagated) -> Tensor:
    """Probability that each label of a side is right, float32 ``[1, H, W]`` in 0..1; the state must be observed."""
    score = _score(state.error, observed(state), carried_support(state)).add_(ONE_SIDED)
    return _bounded(torch.sigmoid(score), state.out_of_view)


def two_sided_confidence(
    earlier: Propagated, later: Propagated, from_earlier: Tensor, differ: Tensor, weights: tuple[Tensor, Tensor]
) -> Tensor:
    """Probability that each fused label is right; on large frames, where the sides agree, for every second pixel.

    Args:
        earlier: from the earlier keyframe, observed, batch size 1.
        later: from the later keyframe, observed.
        from_earlier: bool ``[1, H, W]``, whose side the label is taken from.
        differ: int64 ``[N]``, flat indices of the pixels on which the sides differ.
        weights: reliability of the two sides, float32 ``[1, H, W]`` each.

    Returns:
        float32 ``[1, H, W]`` in 0..1.
    """
    height, width = from_earlier.shape[1:]
    grid = 2 if height * width > LARGE_FRAME else 1
    chosen = from_earlier[:, ::grid, ::grid]
    score = _score(
        torch.where(chosen, earlier.error[:, ::grid, ::grid], later.error[:, ::grid, ::grid]),
        torch.where(chosen, observed(earlier)[:, ::grid, ::grid], observed(later)[:, ::grid, ::grid]),
        torch.where(chosen, carried_support(earlier, grid), carried_support(later, grid)),
    )
    confidence = functional.interpolate(torch.sigmoid(score + AGREEMENT)[:, None], (height, width), mode="nearest")[
        :, 0
    ]
    side = from_earlier.flatten()[differ]
    ratio = torch.log(weights[0].flatten()[differ] / weights[1].flatten()[differ])
    ratio = torch.where(side, ratio, -ratio).clamp_(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    places = (differ // width // grid) * score.shape[2] + differ % width // grid
    doubtful = torch.sigmoid(score.flatten()[places] + RELIABILITY_RATIO * ratio)
    unseen = torch.where(side, earlier.trace[:, 3].flatten()[differ], later.trace[:, 3].flatten()[differ]) >= 0.5
    confidence.view(-1)[differ] = _bounded(doubtful, unseen)
    return confidence


def _score(error: Tensor, photometric: Tensor, support: Tensor) -> Tensor:
    """Log odds that a label is right, as far as its own side tells, float32 ``[1, H, W]``."""
    levels = torch.arange(256, dtype=torch.float32, device=error.device)
    by_photometric = _look_up(INTERCEPT + PHOTOMETRIC * torch.log(levels + 4.0), photometric)
    by_support = _look_up(SUPPORT * torch.log((levels / 255.0).clamp_min(SMALLEST_SUPPORT)), support)
    return torch.log(error + 0.5).mul_(MOTION_ERROR).add_(by_photometric).add_(by_support)


def carried_support(state: Propagated, grid: int = 1) -> Tensor:
    """Support of the label where it was taken in the keyframe, uint8, 0..255 = 0..1, at every ``grid``-th pixel."""
    return warp_labels(state.origin.support, state.sampling_map[..., ::grid, ::grid])


def _look_up(table: Tensor, values: Tensor) -> Tensor:
    """``table[values]`` for float32 ``[256]`` and uint8 ``[1, H, W]``."""
    if values.device.type != "cpu":
        return table[values.int()]
    return torch.from_numpy(cv2.LUT(values[0].contiguous().numpy(), table.numpy()))[None]


def _bounded(confidence: Tensor, unseen: Tensor) -> Tensor:
    return torch.where(unseen, confidence.clamp_max(OUT_OF_VIEW_CONFIDENCE), confidence)
