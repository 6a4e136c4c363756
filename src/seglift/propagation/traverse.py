"""Walking a propagator over the gaps between keyframes, in memory that depends on neither gap nor clip length.

An open end (before the first keyframe, after the last) is one pass away from its keyframe. A gap between two keyframes
takes two: forward from the left one, spilling what the right side will need (labels carried so far, and the motion in
the other direction, so that each flow is computed once), then backward from the right one, meeting the spilled labels
frame by frame. Every ``CHECKPOINT_EVERY`` frames the state is written, so that an interrupted walk goes on from there.

At the end of the first pass both keyframes of such a gap have arrived at each other (``Walker.arrived``), before any
frame of it is decided: the left one's labels one step further, the right one's along the pixels of the left one.

Nothing is carried across a scene cut: a gap ends there as at an end of the clip. On a frame that repeats the one before
labels stay as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.motion.estimator import MotionEstimator, wants_previous
from seglift.motion.maps import map_from_flow
from seglift.propagation.evidence import observe
from seglift.propagation.follow import follow_trace
from seglift.propagation.motion_only import carry_trace
from seglift.propagation.spill import Spill, pack_motion, pack_state, unpack_motion, unpack_state
from seglift.propagation.state import (
    LARGE_FRAME,
    FramePair,
    GetFrame,
    Origin,
    Propagated,
    Propagator,
    StepMotion,
    estimate_pair,
    keyframe_state,
)

CHECKPOINT_EVERY = 16


@dataclass(frozen=True)
class Gap:
    """Unlabelled frames between two neighbouring keyframes, or at an open end of a scene.

    Attributes:
        left: index of the keyframe before, None where the scene has none.
        right: index of the keyframe after, None where the scene has none.
        start: first frame of the gap.
        stop: one past its last frame.
    """

    left: int | None
    right: int | None
    start: int
    stop: int

    def distance(self, index: int) -> int | None:
        """Frames from ``index`` to the nearer keyframe; None where the scene has none."""
        return min((abs(index - side) for side in (self.left, self.right) if side is not None), default=None)


@dataclass(frozen=True)
class BothSides:
    """What the keyframes say about one frame.

    Attributes:
        index: the frame.
        earlier: from the keyframe before; None where nothing was carried from it.
        later: from the keyframe after.
        frame: gives the frames.
    """

    index: int
    earlier: Propagated | None
    later: Propagated | None
    frame: GetFrame | None = None

    @property
    def image(self) -> Tensor:
        """The frame itself, RGB uint8 ``[1, 3, H, W]``.

        Raises:
            ValueError: there is nobody to ask for it.
        """
        if self.frame is None:
            raise ValueError("these sides came without frames")
        return self.frame(self.index)


def find_gaps(keyframes: Sequence[int], length: int, cuts: Sequence[int] = ()) -> list[Gap]:
    """The gaps of a clip in order.

    Args:
        keyframes: indices of the labelled frames, rising.
        length: number of frames of the clip.
        cuts: first frame of every scene but the first, rising, above 0 and below ``length``.

    Returns:
        Every frame but the keyframes in one gap; no gap reaches over a cut, and a scene without keyframe is one gap.
    """
    gaps = []
    for first, stop in pairwise((0, *cuts, length)):
        inside = keyframes[bisect_left(keyframes, first) : bisect_left(keyframes, stop)]
        if inside:
            sides = pairwise((None, *inside, None))
            gaps += [Gap(a, b, first if a is None else a + 1, stop if b is None else b) for a, b in sides]
        else:
            gaps.append(Gap(None, None, first, stop))
    return [gap for gap in gaps if gap.stop > gap.start]


@dataclass(frozen=True)
class Walker:
    """Walks gaps of one clip.

    Attributes:
        frame: gives the frames; called from worker threads too.
        origin: gives a keyframe by its index.
        estimator: motion between neighbours.
        propagator: what a step does.
        workers: threads that estimate motion ahead of the walk.
        forward: whether labels are carried from earlier keyframes to later frames.
        backward: whether labels are carried from later keyframes to earlier frames.
        observe: whether to gather evidence for fusing (it needs the frames in the second pass too).
        max_distance: frames further than this from a keyframe get nothing from it; None for no limit.
        length: number of frames of the clip, so that an estimator that looks further back is shown the frames beyond
            the gap; with None it sees no frame but those of the walk.
        cuts: first frames of scenes; such an estimator is not shown a frame of another scene.
        repeats: frames that show what the frame before shows: nothing moves, and they are no further from a keyframe.
        arrived: told of two keyframes when labels are carried between them both ways without a limit, after the first
            pass and before a frame of the gap is given: the gap, the left one's trace on the right one, the right one's
            on the left one (float32 ``[1, 4, h, w]``, of every ``grid``-th pixel), and ``grid``. An interrupted walk
            may tell it again.
    """

    frame: GetFrame
    origin: Callable[[int], Origin]
    estimator: MotionEstimator
    propagator: Propagator
    workers: int = 1
    forward: bool = True
    backward: bool = True
    observe: bool = True
    max_distance: int | None = None
    length: int | None = None
    cuts: frozenset[int] = frozenset()
    repeats: frozenset[int] = frozenset()
    arrived: Callable[[Gap, Tensor, Tensor, int], None] | None = None

    def walk(self, gap: Gap, spill: Spill, done: frozenset[int] = frozenset()) -> Iterator[BothSides]:
        """Gives what the sides say about each frame of ``gap`` that is not in ``done``, in the order of the walk.

        Args:
            gap: the gap.
            spill: where the gap keeps what it needs between passes; cleared by the caller when the gap is done.
            done: frames whose results are already kept; they are stepped through only where the walk needs it.
        """
        limit = self.max_distance if self.max_distance is not None else gap.stop - gap.start
        reach_right = gap.left + limit if gap.left is not None and self.forward else None
        reach_left = gap.right - limit if gap.right is not None and self.backward else None
        if reach_right is not None and reach_left is not None:
            yield from self._walk_two_sided(
                gap, min(reach_right, gap.stop - 1), max(reach_left, gap.start), spill, done
            )
            return
        for index in range(gap.start, gap.stop):
            carried = (reach_right is not None and index <= reach_right) or (
                reach_left is not None and index >= reach_left
            )
            if not carried and index not in done:
                yield BothSides(index, None, None, self.frame)
        if reach_right is not None and gap.left is not None:
            indices = range(gap.left, min(reach_right, gap.stop - 1) + 1)
            for index, state in self._walk_one_sided(indices, spill, done):
                yield BothSides(index, state, None, self.frame)
        elif reach_left is not None and gap.right is not None:
            indices = range(gap.right, max(reach_left, gap.start) - 1, -1)
            for index, state in self._walk_one_sided(indices, spill, done):
                yield BothSides(index, None, state, self.frame)

    def _walk_one_sided(self, indices: range, spill: Spill, done: frozenset[int]) -> Iterator[tuple[int, Propagated]]:
        """Steps from the keyframe ``indices[0]`` along ``indices`` and gives the states of frames not in ``done``."""
        state, first = self._resume(indices, "state", spill, done)
        for position, (_, motion) in self._motions(indices, first):
            index, source = indices[position], indices[position - 1]
            state = self._step(state, FramePair(self.frame, source, index), motion)
            if index not in done:
                yield index, self._observed(state, index)
            self._checkpoint(indices, position, "state", state, spill)

    def _walk_two_sided(
        self, gap: Gap, last: int, first: int, spill: Spill, done: frozenset[int]
    ) -> Iterator[BothSides]:
        """``last`` is the last frame reached from the left keyframe, ``first`` the first reached from the right one."""
        if gap.left is None or gap.right is None:
            raise ValueError("a two-sided gap has a keyframe on each side")
        self._spill_forward(gap, last, first, spill)
        origin = self.origin(gap.left)
        device = origin.labels.device
        for index in range(last + 1, first):
            if index not in done:
                yield BothSides(index, None, None, self.frame)
        indices, frame = range(gap.right, first - 1, -1), SpilledFrames(self.frame, spill, device)
        state, begin = self._resume(indices, "right", spill, done)
        for position in range(begin, len(indices)):
            index = indices[position]
            motion = _load(spill, "motion", index, device)
            state = self._step(state, FramePair(frame, index + 1, index), unpack_motion(motion))
            if index not in done:
                earlier = None
                if index <= last:
                    earlier = unpack_state(_load(spill, "left", index, device), origin)
                yield BothSides(index, earlier, self._observed(state, index, frame), frame)
            self._checkpoint(indices, position, "right", state, spill)
        for index in range(gap.start, min(first, last + 1)):
            if index not in done:
                earlier = unpack_state(_load(spill, "left", index, device), origin)
                yield BothSides(index, earlier, None, frame)

    def _spill_forward(self, gap: Gap, last: int, first: int, spill: Spill) -> None:
        """First pass of a two-sided gap: states from the left keyframe, and the motion that the second pass needs."""
        left, right = gap.start - 1, gap.stop
        indices = range(left, right + 1)
        if right in spill.indices("whole"):
            return
        state, begin = self._resume(indices, "forward", spill, None)
        meets = self.arrived is not None and last == right - 1 and first == left + 1
        followed = self._followed(indices, begin, state, spill) if meets else None
        for position, (backward, motion) in self._motions(indices, begin, lambda i: i <= last or i > first):
            index = indices[position]
            if followed is not None:
                followed = follow_trace(followed, backward, _grid(state.trace))
            if index - 1 >= first:
                spill.save("motion", index - 1, partial(pack_motion, backward))
                if index - 1 > left:
                    spill.save("frame", index - 1, partial(_pack_frame, self.frame(index - 1)))
            if index <= last:
                state = self._step(state, FramePair(self.frame, index - 1, index), motion)
                spill.save("left", index, partial(pack_state, self._observed(state, index), exact=False))
                self._checkpoint(indices, position, "forward", state, spill, followed)
            elif self.arrived is not None and followed is not None:
                reached = carry_trace(state.trace, map_from_flow(motion.flow), motion.error)
                grid = _grid(reached)
                self.arrived(gap, reached[..., ::grid, ::grid], followed, grid)
        spill.save("whole", right, lambda: {"whole": torch.ones(1)})
        spill.flush()

    def _followed(self, indices: range, begin: int, state: Propagated, spill: Spill) -> Tensor | None:
        """Where the left keyframe's pixels are when step ``begin`` comes; None where that was not kept."""
        if begin == 1:
            grid = _grid(state.trace)
            return state.trace[..., ::grid, ::grid]
        arrays = spill.load("forward", indices[begin - 1], state.trace.device)
        return arrays.get("followed") if arrays is not None else None

    def _motions(
        self, indices: range, first: int, needed: Callable[[int], bool] = lambda _: True
    ) -> Iterator[tuple[int, tuple[StepMotion, StepMotion]]]:
        """Motion between neighbours along ``indices``, estimated ahead by worker threads.

        Gives ``(position, (step onto indices[position - 1], step onto indices[position]))`` from ``first`` on.
        """

        def estimate(position: int) -> tuple[int, tuple[StepMotion, StepMotion]]:
            with torch.inference_mode():
                source, target = self.frame(indices[position - 1]), self.frame(indices[position])
                if max(indices[position - 1], indices[position]) in self.repeats:
                    return position, (_no_motion(source), _no_motion(source))
                around = self._beyond(indices, position - 2), self._beyond(indices, position + 1)
                onto_target, onto_source = estimate_pair(self.estimator, source, target, *around)
            return position, (onto_source, onto_target)

        positions = (position for position in range(first, len(indices)) if needed(indices[position]))
        return work_ahead(estimate, positions, self.workers)

    def _beyond(self, indices: range, position: int) -> Tensor | None:
        """Frame at ``position`` of a walk or one step beyond it, for estimators that look further; None without one."""
        index = indices.start + position * indices.step
        inside = index in indices if self.length is None else 0 <= index < self.length
        if position < 0 or index not in indices:
            towards = index + (indices.step if position < 0 else -indices.step)
            inside = inside and max(index, towards) not in self.cuts
        return self.frame(index) if inside and wants_previous(self.estimator) else None

    def _step(self, state: Propagated, frames: FramePair, motion: StepMotion) -> Propagated:
        if max(frames.source_index, frames.target_index) in self.repeats:
            return state
        return self.propagator.step(state, frames, motion)

    def _resume(self, indices: range, kind: str, spill: Spill, done: frozenset[int] | None) -> tuple[Propagated, int]:
        """State to go on from, and the position in ``indices`` of the first step still to do.

        With ``done`` given, a checkpoint counts only when every frame before it is done.
        """
        origin = self.origin(indices[0])
        for index in sorted(spill.indices(kind), reverse=indices.step > 0):
            if index not in indices:
                continue
            position = indices.index(index)
            if done is not None and any(indices[earlier] not in done for earlier in range(1, position + 1)):
                continue
            arrays = spill.load(kind, index, origin.labels.device)
            if arrays is not None:
                return unpack_state(arrays, origin), position + 1
        return keyframe_state(origin), 1

    def _observed(self, state: Propagated, index: int, frame: GetFrame | None = None) -> Propagated:
        return observe(state, (frame or self.frame)(index)) if self.observe else state

    def _checkpoint(
        self, indices: range, position: int, kind: str, state: Propagated, spill: Spill, followed: Tensor | None = None
    ) -> None:
        # The one before is kept too: frames before the newest may still be waiting to be written.
        if position % CHECKPOINT_EVERY == 0:
            if position >= 2 * CHECKPOINT_EVERY:
                spill.remove(kind, indices[position - 2 * CHECKPOINT_EVERY])
            spill.save(kind, indices[position], partial(_pack_walk, state, followed))


class SpilledFrames:
    """Frames that the first pass kept, so that going back does not decode them again; others from ``frame``."""

    def __init__(self, frame: GetFrame, spill: Spill, device: torch.device) -> None:
        self._frame, self._spill, self._device = frame, spill, device
        self._kept: dict[int, Tensor] = {}

    def __call__(self, index: int) -> Tensor:
        """RGB uint8 ``[1, 3, H, W]`` of frame ``index``; the last two are kept."""
        if index not in self._kept:
            arrays = self._spill.load("frame", index, self._device)
            image = self._frame(index) if arrays is None else arrays["image"].permute(0, 3, 1, 2)
            self._kept = {known: self._kept[known] for known in list(self._kept)[-1:]} | {index: image}
        return self._kept[index]


def _no_motion(image: Tensor) -> StepMotion:
    """The step between two frames ``[1, 3, H, W]`` that show the same."""
    height, width = image.shape[-2:]
    still = torch.zeros((1, height, width, 2), device=image.device).permute(0, 3, 1, 2)
    return StepMotion(still, torch.zeros((1, height, width), device=image.device))


def _grid(trace: Tensor) -> int:
    """Every which pixel of a frame is followed, and compared on arrival."""
    return 2 if trace.shape[2] * trace.shape[3] > LARGE_FRAME else 1


def _pack_walk(state: Propagated, followed: Tensor | None) -> dict[str, Tensor]:
    arrays = pack_state(state, exact=True)
    return arrays if followed is None else arrays | {"followed": followed}


def _pack_frame(image: Tensor) -> dict[str, Tensor]:
    return {"image": image.permute(0, 2, 3, 1)}


def _load(spill: Spill, kind: str, index: int, device: torch.device) -> dict[str, Tensor]:
    """An entry that the first pass wrote.

    Raises:
        UserError: it is not whole (the machine lost power, say); the gap's entries are deleted, to be made anew.
    """
    arrays = spill.load(kind, index, device)
    if arrays is None:
        spill.clear()
        raise UserError(f"what was kept for frame {index} is damaged and was deleted; run the same command again")
    return arrays
