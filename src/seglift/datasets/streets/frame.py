"""One frame of a procedural street with its exact ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StreetFrame:
    """One frame; all arrays belong to pixel centres at integer (x, y).

    Flows follow the project's convention: channel 0 = dx, 1 = dy, in pixels, ``out(x, y) = source(x + dx, y + dy)``.
    What lies outside the other frame has a flow too (its projection), except points behind the other camera: theirs
    leads far out of view. Frames before the first and after the last exist for this purpose.

    Attributes:
        index: number of the frame, from 0.
        image: uint8 [H, W, 3], RGB.
        labels: uint8 [H, W], raw Cityscapes ids.
        instances: uint16 [H, W], Cityscapes instanceIds: stuff = raw id, thing = raw id * 1000 + n; n is constant over
            the clip.
        depth: float32 [H, W], metres along the optical axis; inf in the sky.
        flow_to_previous, flow_to_next: float32 [H, W, 2], backward flow that lives on this frame and samples the
            previous or the next one.
        hidden_in_previous, hidden_in_next: bool [H, W], the pixel's 3-D point is occluded or out of view there.
    """

    index: int
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    depth: NDArray[np.float32]
    flow_to_previous: NDArray[np.float32]
    flow_to_next: NDArray[np.float32]
    hidden_in_previous: NDArray[np.bool_]
    hidden_in_next: NDArray[np.bool_]
