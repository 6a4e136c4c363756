"""Signs of whether a carried label is right: does the keyframe look the same there, did the motion return home."""

from __future__ import annotations

from dataclasses import replace

import cv2
import torch
from torch import Tensor
from torch.nn import functional

from seglift.motion.warp import warp_image
from seglift.propagation.state import Propagated

MOSTLY_VOID = 0.9
"""Share of void from which a keyframe counts as hardly drawn."""
WINDOW = 5
"""Side of the window, in pixels, over which the photometric error is averaged."""


def observe(state: Propagated, image: Tensor) -> Propagated:
    """Compares the keyframe with the frame that its labels were carried to.

    Args:
        state: on the frame whose image is given.
        image: RGB uint8 ``[B, 3, H, W]``.

    Returns:
        The state with ``photometric``, uint8 ``[B, H, W]`` in 0..255: the largest difference of a colour channel
        between the keyframe warped here and ``image``, averaged over 5 x 5 pixels.
    """
    warped = warp_image(state.origin.image, state.sampling_map)
    return replace(state, photometric=photometric_difference(warped, image))


def photometric_difference(first: Tensor, second: Tensor) -> Tensor:
    """Largest channel difference of two RGB images uint8 ``[B, 3, H, W]``, mean of 5 x 5: uint8 ``[B, H, W]``."""
    if first.device.type == "cpu":
        out = first.new_empty((first.shape[0], *first.shape[2:]))
        for item in range(first.shape[0]):
            a, b = (image[item].permute(1, 2, 0).contiguous().numpy() for image in (first, second))
            red, green, blue = cv2.split(cv2.absdiff(a, b))
            cv2.blur(cv2.max(cv2.max(red, green), blue), (WINDOW, WINDOW), out[item].numpy())
        return out
    difference = (torch.maximum(first, second) - torch.minimum(first, second)).amax(1, keepdim=True).float()
    border = WINDOW // 2
    padded = functional.pad(difference, (border, border, border, border), mode="reflect")
    return functional.avg_pool2d(padded, WINDOW, stride=1)[:, 0].round().to(torch.uint8)


def reliability(state: Propagated) -> Tensor:
    """Weight of each pixel's vote, float32 ``[B, H, W]``, above 0: ``1 / (sqrt(e + 0.5) (p + 4))``.

    ``e`` is the worst forward-backward error on the way (pixels), ``p`` the photometric error (0..255). What
    lay out of view needs no further doubt: the replicated border does not look like what came into view.

    Raises:
        ValueError: nobody observed the state.
    """
    return 1.0 / ((state.error + 0.5).sqrt_() * (observed(state) + 4.0))


def leave_silence(weight: Tensor, state: Propagated, other: Propagated | None, unknown: int) -> Tensor:
    """Takes the vote for void from a keyframe that is hardly drawn, where the other one is.

    A frame that was saved as a keyframe before anything was drawn says nothing by its void. Where both are like that,
    void is how this clip is drawn.

    Args:
        weight: the side's votes, float32 ``[1, H, W]``.
        state: the side.
        other: the other side; None where there is none.
        unknown: space index of void.

    Returns:
        The votes, 0 where the side says void and does not mean it.
    """
    if other is None or state.origin.label_shares[unknown] < MOSTLY_VOID:
        return weight
    if other.origin.label_shares[unknown] >= MOSTLY_VOID:
        return weight
    return weight.masked_fill(state.labels == unknown, 0.0)


def observed(state: Propagated) -> Tensor:
    """The state's photometric error, uint8 ``[B, H, W]``.

    Raises:
        ValueError: nobody observed the state.
    """
    if state.photometric is None:
        raise ValueError("the state was not observed; walk with observe=True")
    return state.photometric
