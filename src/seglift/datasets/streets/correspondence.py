"""Where the 3-D points of a frame's pixels lie in another frame, and whether they can be seen there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seglift.datasets.streets.camera import Camera
from seglift.datasets.streets.mesh import Floats
from seglift.datasets.streets.tracing import Hits, Moment

TOLERANCE = 1e-3
SLACK = 2e-3
SKY_REACH = 1e6
OUTSIDE = 1e4


def correspond(
    camera: Camera, other: Camera, moment: Moment, corners: Floats, static: int, rays: NDArray[np.float32], hits: Hits
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Exact motion of all pixels of a frame.

    A hit keeps its barycentric position on its face, whose corners are known at the other time, so rigid and walking
    things are exact alike; the sky moves as points at infinity, by rotation only.

    Args:
        camera: of this frame; other: of the other one.
        other: camera of the other frame.
        moment: the scene at the other frame's time.
        corners: float64 [M, 3, 3], corners of the moving faces at that time.
        static: number of static faces, which come first.
        rays: float32 [H * W, 3], directions of this frame's pixels in raster order.
        hits: what they met.

    Returns:
        Flow float32 [H, W, 2] to the other frame and bool [H, W]: hidden there (occluded or out of view).
    """
    shape = (camera.height, camera.width)
    start = np.array(other.position)
    found = hits.face >= 0
    shift = (np.array(camera.position) - start).astype(np.float32)
    offsets = rays * np.where(found, hits.distance, 1.0).astype(np.float32)[:, None]
    offsets[found] += shift
    moving = np.flatnonzero(hits.face >= static)
    if len(moving):
        points = np.einsum("nk,nkc->nc", hits.weights[moving], corners[hits.face[moving] - static])
        offsets[moving] = points - start
    pixels, depth = other.project(offsets)
    y, x = np.divmod(np.arange(len(rays)), camera.width)
    flow = pixels - np.stack([x, y], axis=1).astype(np.float32)
    flow[depth <= 1e-6] = OUTSIDE
    visible = other.inside(pixels, depth)
    seen = np.flatnonzero(visible)
    directions = offsets[seen]
    origins = np.tile(start.astype(np.float32), (len(seen), 1))
    far = np.sqrt(np.einsum("nc,nc->n", directions, directions))
    limit = np.where(found[seen], 1 - TOLERANCE - SLACK / np.maximum(far, 1e-3), SKY_REACH).astype(np.float32)
    hidden = ~visible
    hidden[seen] = moment.blocked(origins, directions, limit)
    flow = np.clip(flow, -OUTSIDE, OUTSIDE)
    return flow.reshape(*shape, 2), hidden.reshape(shape)
