"""Whether a frame goes on with the scene of the one before, begins another, or repeats it.

Motion, however fast, leaves most of a scene in view, so that details of one frame are found again in the next, and
neighbouring details have moved alike. After a cut there are none, whatever the colours do. Two kinds of details are
looked for: ORB's, which are cheap and settle almost every pair of neighbours in a video, and SIFT's, which bear more
motion, for the pairs that ORB finds too little in common. Exposure hardly matters to either.

Frames on which there is too little to see (black, white, fog) decide nothing: the next clear frame is compared with the
last clear one, so that a flash is no cut, and a fade over black to another scene is one where that appears. Two scenes
dissolved into each other have no single frame that begins the second: such a change goes unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

LONG_SIDE = 480
"""Details are looked for on frames of this size (pixels)."""
ORB_DETAILS, SIFT_DETAILS = 500, 400
CLEAR_ORB, CLEAR_SIFT = 100, 20
"""A frame with fewer details than either tells nothing."""
COMMON_ORB, COMMON_SIFT = 15, 6
"""So many details in common, of either kind, show that the scene goes on."""
RATIO = 0.8
"""A detail is found again where its best match is this much nearer than the second best (Lowe 2004, section 7.1)."""
ALIKE = 10.0
"""Two details move alike when their motion differs by less (pixels at ``LONG_SIDE``)."""
NEIGHBOURS, ALIKE_NEIGHBOURS = 4, 2
THUMBNAIL, SAME_THUMBNAIL = (32, 32), 0.08
"""Frames without details in common are of one scene all the same where their thumbnails (of this size) hardly differ:
by so little on average, as a share of the standard deviation within one."""
BLOCK, NOISE = 8, 10.0
"""Equal frames differ by no more (0..255, mean of any square of ``BLOCK`` pixels a side) after compression."""
STILL = 0.25
"""Pixels of motion that the mean difference of equal frames may amount to."""

Array8 = NDArray[np.uint8]


class SceneChange(StrEnum):
    """What a frame is to those before it."""

    MOVES = "moves"
    CUT = "cut"
    REPEAT = "repeat"
    BLANK = "blank"


CLEAR = (SceneChange.MOVES, SceneChange.CUT)
"""Frames on which there is enough to see."""


@dataclass(frozen=True)
class Details:
    """Details of a picture.

    Attributes:
        points: float32 ``[N, 2]``, x and y in pixels at ``LONG_SIDE``.
        descriptors: ``[N, D]``, uint8 (compared bit by bit) or float32.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8] | NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class Glimpse:
    """What is kept of a frame to compare others with it.

    Attributes:
        gray: luma, uint8 ``[H, W]``.
        small: the same with ``LONG_SIDE`` pixels on its longer side.
        orb: the cheap details.
    """

    gray: Array8
    small: Array8
    orb: Details

    @cached_property
    def sift(self) -> Details:
        """The details that bear more motion; about ten times as dear as the others."""
        return _details(cv2.SIFT.create(SIFT_DETAILS, contrastThreshold=0.02), self.small)

    @cached_property
    def thumbnail(self) -> NDArray[np.float32]:
        """Float32 ``[32, 32]``, 0..255."""
        thumbnail: Array8 = cv2.resize(self.small, THUMBNAIL, interpolation=cv2.INTER_AREA)
        return thumbnail.astype(np.float32)


def take_glimpse(image: Array8) -> Glimpse:
    """Looks at a frame.

    Args:
        image: RGB uint8 ``[H, W, 3]``.
    """
    gray: Array8 = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    scale = LONG_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small: Array8 = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return Glimpse(gray, small, _details(cv2.ORB.create(ORB_DETAILS, fastThreshold=5), small))


def judge_frame(frame: Glimpse, shown: Glimpse | None, clear: Glimpse | None) -> SceneChange:
    """What a frame is to those before it.

    Args:
        frame: the frame.
        shown: the last frame before it that is no repeat itself, None for the first frame. A slow drift, each frame
            equal to the one before up to noise, so comes up in the end.
        clear: the last frame before it that was judged to move or to begin a scene, None where there is none.

    Returns:
        REPEAT: shows the same as ``shown``. BLANK: too little to see. CUT: another scene than ``clear``. Else MOVES.
    """
    if shown is not None and repeats(shown, frame):
        return SceneChange.REPEAT
    if len(frame.orb) < CLEAR_ORB:
        return SceneChange.BLANK
    if clear is None or common_details(clear.orb, frame.orb) >= COMMON_ORB:
        return SceneChange.MOVES
    if len(frame.sift) < CLEAR_SIFT:
        return SceneChange.BLANK
    same = (
        len(clear.sift) < CLEAR_SIFT
        or common_details(clear.sift, frame.sift) >= COMMON_SIFT
        or float(np.abs(clear.thumbnail - frame.thumbnail).mean()) < SAME_THUMBNAIL * float(clear.thumbnail.std())
    )
    return SceneChange.MOVES if same else SceneChange.CUT


class SceneWatch:
    """Judges the frames of a video one after the other.

    Args:
        shown, clear: of the frames before, as :func:`judge_frame` has them.
    """

    def __init__(self, shown: Glimpse | None = None, clear: Glimpse | None = None) -> None:
        self._shown, self._clear = shown, clear

    def judge(self, frame: Glimpse) -> SceneChange:
        """What the next frame is to those before it."""
        change = judge_frame(frame, self._shown, self._clear)
        if change is not SceneChange.REPEAT:
            self._shown = frame
        if change in CLEAR:
            self._clear = frame
        return change


def repeats(first: Glimpse, second: Glimpse) -> bool:
    """Whether two frames of one size show the same, up to compression noise.

    No square of 8 x 8 pixels may differ by more than noise does, so that a small thing that moves is seen; and all in
    all they may differ by no more than a quarter of a pixel of motion would make of the first, so that motion in the
    dark is.
    """
    difference = cv2.absdiff(first.gray, second.gray)
    if not difference.any():
        return True
    if float(cv2.blur(difference, (BLOCK, BLOCK)).max()) > NOISE:
        return False
    gray = first.gray
    columns, rows = cv2.absdiff(gray[:, 1:], gray[:, :-1]), cv2.absdiff(gray[1:], gray[:-1])
    one_pixel = (float(columns.mean()) + float(rows.mean())) / 2.0
    return float(difference.mean()) <= STILL * one_pixel


def common_details(first: Details, second: Details) -> int:
    """How many details of ``first`` are found again in ``second``, moved like others near them."""
    if min(len(first), len(second)) < 2:
        return 0
    bits = first.descriptors.dtype == np.uint8
    norm, kind = (cv2.NORM_HAMMING, cv2.CV_32S) if bits else (cv2.NORM_L2, cv2.CV_32F)
    unlike, matches = cv2.batchDistance(first.descriptors, second.descriptors, kind, normType=norm, K=2)
    found = np.flatnonzero(unlike[:, 0] < RATIO * unlike[:, 1])
    if len(found) <= ALIKE_NEIGHBOURS:
        return 0
    there = second.points[matches[found, 0]]
    motion = there - first.points[found]
    count = min(NEIGHBOURS + 1, len(found))
    _, nearest = cv2.batchDistance(there, there, cv2.CV_32F, normType=cv2.NORM_L2, K=count)  # itself among them
    alike = np.linalg.norm(motion[nearest] - motion[:, None], axis=2) < ALIKE
    return int((alike.sum(1) > ALIKE_NEIGHBOURS).sum())


def _details(detector: cv2.Feature2D, image: Array8) -> Details:
    keypoints, descriptors = detector.detectAndCompute(image, None)
    if descriptors is None:
        return Details(np.zeros((0, 2), np.float32), np.zeros((0, 1), np.uint8))
    return Details(np.array([point.pt for point in keypoints], np.float32).reshape(-1, 2), descriptors)
