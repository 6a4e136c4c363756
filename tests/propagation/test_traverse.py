from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from seglift.base.errors import UserError
from seglift.propagation import traverse
from seglift.propagation.motion_only import MotionOnly
from seglift.propagation.spill import PENDING, Spill, pack_state, unpack_state
from seglift.propagation.state import FramePair, Origin, Propagated, StepMotion, estimate_pair, keyframe_state
from seglift.propagation.traverse import BothSides, Gap, Walker, find_gaps

Sides = dict[int, tuple[Propagated | None, Propagated | None]]


class KilledError(Exception):
    """The process died here."""


@pytest.fixture
def walker(frame, make_origin, estimator) -> Walker:
    return Walker(frame, lambda index: make_origin(seed=index), estimator, MotionOnly(), observe=False)


def walk(walker: Walker, gap: Gap, folder: Path, done: frozenset[int] = frozenset()) -> Sides:
    spill = Spill(folder)
    sides: Sides = {}
    for both in walker.walk(gap, spill, done):
        assert both.index not in sides
        sides[both.index] = both.earlier, both.later
    spill.flush()
    return sides


def direct(walker: Walker, indices: list[int]) -> dict[int, Propagated]:
    """The keyframe ``indices[0]`` carried along ``indices``, everything in memory."""
    state, states = keyframe_state(walker.origin(indices[0])), {}
    for source, target in pairwise(indices):
        motion, _ = estimate_pair(walker.estimator, walker.frame(source), walker.frame(target))
        state = states[target] = walker.propagator.step(state, FramePair(walker.frame, source, target), motion)
    return states


def rounded(state: Propagated) -> Propagated:
    return unpack_state(pack_state(state, exact=False), state.origin)


def assert_same(first: Propagated | None, second: Propagated | None, exact: bool = True) -> None:
    assert (first is None) == (second is None)
    if first is None or second is None:
        return
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.filled, second.filled)
    assert torch.equal(first.origin.labels, second.origin.labels)
    assert first.distance == second.distance
    if exact:
        assert torch.equal(first.trace, second.trace)
    else:
        assert torch.allclose(first.trace, second.trace, rtol=2e-3, atol=1e-3)


def assert_same_sides(first: Sides, second: Sides, exact: bool = True) -> None:
    assert first.keys() == second.keys()
    for index, sides in first.items():
        for one, other in zip(sides, second[index], strict=True):
            assert_same(one, other, exact)


# ---- gaps


def test_gaps_of_a_clip():
    assert find_gaps([0, 4, 5, 9], 12) == [Gap(0, 4, 1, 4), Gap(5, 9, 6, 9), Gap(9, None, 10, 12)]
    assert find_gaps([3], 5) == [Gap(None, 3, 0, 3), Gap(3, None, 4, 5)]
    assert find_gaps([0], 1) == []
    assert find_gaps([0, 1, 2], 3) == []


@given(keyframes=st.sets(st.integers(0, 60), min_size=1), beyond=st.integers(1, 20))
def test_gaps_are_the_unlabelled_frames_between_their_keyframes(keyframes: set[int], beyond: int):
    length = max(keyframes) + beyond
    gaps = find_gaps(sorted(keyframes), length)
    covered = [index for gap in gaps for index in range(gap.start, gap.stop)]
    assert covered == [index for index in range(length) if index not in keyframes]
    for gap in gaps:
        assert gap.stop > gap.start
        before, after = [k for k in keyframes if k < gap.start], [k for k in keyframes if k >= gap.stop]
        assert gap.left == max(before, default=None)
        assert gap.right == min(after, default=None)


def test_gaps_end_at_cuts():
    assert find_gaps([2, 8], 10, [5]) == [
        Gap(None, 2, 0, 2),
        Gap(2, None, 3, 5),
        Gap(None, 8, 5, 8),
        Gap(8, None, 9, 10),
    ]
    assert find_gaps([0, 9], 10, [3, 7]) == [Gap(0, None, 1, 3), Gap(None, None, 3, 7), Gap(None, 9, 7, 9)]
    assert find_gaps([4, 5], 8, [5]) == [Gap(None, 4, 0, 4), Gap(5, None, 6, 8)]
    assert find_gaps([3], 6, [3]) == [Gap(None, None, 0, 3), Gap(3, None, 4, 6)]


@given(
    keyframes=st.sets(st.integers(0, 40), min_size=1),
    cuts=st.sets(st.integers(1, 49), max_size=6),
    beyond=st.integers(9),
)
def test_no_gap_reaches_over_a_cut(keyframes: set[int], cuts: set[int], beyond: int):
    length = 41 + min(beyond, 30)
    gaps = find_gaps(sorted(keyframes), length, sorted(cuts))
    assert [index for gap in gaps for index in range(gap.start, gap.stop)] == [
        index for index in range(length) if index not in keyframes
    ]
    bounds = [0, *sorted(cuts), length]
    for gap in gaps:
        assert gap.stop > gap.start
        first, stop = next((a, b) for a, b in pairwise(bounds) if a <= gap.start < b)
        assert gap.stop <= stop
        assert gap.left == max((k for k in keyframes if first <= k < gap.start), default=None)
        assert gap.right == min((k for k in keyframes if gap.stop <= k < stop), default=None)


# ---- what a walk gives


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_gap_is_walked_from_both_sides(tmp_path: Path, walker: Walker, workers: int):
    sides = walk(replace(walker, workers=workers), Gap(2, 9, 3, 9), tmp_path)
    earlier, later = direct(walker, list(range(2, 9))), direct(walker, list(range(9, 2, -1)))
    assert list(sides) == [8, 7, 6, 5, 4, 3]  # in the order of the walk
    assert_same_sides(sides, {index: (rounded(earlier[index]), later[index]) for index in range(3, 9)}, exact=False)


@pytest.mark.parametrize("recursive", [False, True])
def test_long_gaps_cross_checkpoints(tmp_path: Path, walker: Walker, recursive: bool):
    walker = replace(walker, propagator=MotionOnly(recursive))
    sides = walk(walker, Gap(0, 40, 1, 40), tmp_path)
    earlier, later = direct(walker, list(range(40))), direct(walker, list(range(40, 0, -1)))
    assert_same_sides(sides, {index: (rounded(earlier[index]), later[index]) for index in range(1, 40)}, exact=False)


@pytest.mark.parametrize("workers", [1, 3])
def test_open_ends_are_walked_away_from_their_keyframe(tmp_path: Path, walker: Walker, workers: int):
    walker = replace(walker, workers=workers)
    start = walk(walker, Gap(None, 20, 0, 20), tmp_path / "start")
    assert list(start) == list(range(19, -1, -1))
    later = direct(walker, list(range(20, -1, -1)))
    assert_same_sides(start, {index: (None, later[index]) for index in range(20)})
    end = walk(walker, Gap(3, None, 4, 9), tmp_path / "end")
    assert list(end) == list(range(4, 9))
    earlier = direct(walker, list(range(3, 9)))
    assert_same_sides(end, {index: (earlier[index], None) for index in range(4, 9)})


@pytest.mark.parametrize(
    ("gap", "forward", "backward", "limit"),
    [
        (gap, forward, backward, limit)
        for gap in (Gap(2, 10, 3, 10), Gap(None, 10, 2, 10), Gap(2, None, 3, 10))
        for forward, backward in ((True, True), (True, False), (False, True), (False, False))
        for limit in (None, 0, 1, 3, 5, 20)
    ],
)
def test_directions_and_the_longest_distance(
    tmp_path: Path, walker: Walker, gap: Gap, forward: bool, backward: bool, limit: int | None
):
    walker = replace(walker, forward=forward, backward=backward, max_distance=limit)
    sides = walk(walker, gap, tmp_path)
    assert sorted(sides) == list(range(gap.start, gap.stop))
    reach = 99 if limit is None else limit
    for index, (earlier, later) in sides.items():
        from_left = forward and gap.left is not None and index - gap.left <= reach
        from_right = backward and gap.right is not None and gap.right - index <= reach
        assert (earlier is not None, later is not None) == (from_left, from_right)
        if earlier is not None and gap.left is not None:
            state = direct(walker, list(range(gap.left, index + 1)))[index]
            assert_same(earlier, rounded(state) if gap.right is not None and backward else state)
            assert earlier.distance == index - gap.left
        if later is not None and gap.right is not None:
            assert_same(later, direct(walker, list(range(gap.right, index - 1, -1)))[index], exact=False)
            assert later.distance == gap.right - index


def test_a_clip_that_runs_backwards_swaps_the_sides(tmp_path: Path, walker: Walker):
    forwards = walk(walker, Gap(2, 9, 3, 9), tmp_path / "forwards")
    turned = replace(
        walker, frame=lambda index: walker.frame(11 - index), origin=lambda index: walker.origin(11 - index)
    )
    backwards = walk(turned, Gap(2, 9, 3, 9), tmp_path / "backwards")
    swapped = {11 - index: (later, earlier) for index, (earlier, later) in backwards.items()}
    assert_same_sides(forwards, swapped, exact=False)  # what was spilled is rounded


def test_translating_frames_meet_in_the_middle(tmp_path: Path, walker: Walker, make_origin):
    def moving_right(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        steps = float(source[0, 0, 0, 0]) - float(target[0, 0, 0, 0])  # content moves one pixel right a frame
        return torch.tensor([steps, 0.0]).view(1, 2, 1, 1).expand(1, 2, 12, 16).clone()

    sides = walk(replace(walker, estimator=moving_right), Gap(0, 5, 1, 5), tmp_path)
    first, last = make_origin(seed=0).labels, make_origin(seed=5).labels
    for index, (earlier, later) in sides.items():
        assert earlier is not None
        assert later is not None
        assert torch.equal(earlier.labels[..., index:], first[..., : 16 - index])
        assert torch.equal(later.labels[..., : 11 + index], last[..., 5 - index :])
        assert earlier.out_of_view[0].all(0).tolist() == [True] * index + [False] * (16 - index)
        assert later.out_of_view[0].all(0).tolist() == [False] * (11 + index) + [True] * (5 - index)
        assert not earlier.error.any()


# ---- what a walk costs


@pytest.mark.parametrize("limit", [None, 3])
@pytest.mark.parametrize("workers", [1, 3])
def test_each_flow_is_computed_once(tmp_path: Path, walker: Walker, estimator, limit: int | None, workers: int):
    walk(replace(walker, workers=workers, max_distance=limit), Gap(2, 20, 3, 20), tmp_path)
    pairs = list(pairwise(range(2, 21)))
    if limit is not None:
        pairs = [(2, 3), (3, 4), (4, 5), (17, 18), (18, 19), (19, 20)]
    assert set(estimator.asked) == {pair for a, b in pairs for pair in ((a, b), (b, a))}
    assert set(estimator.asked.values()) == {1}


def test_flows_already_spilled_are_not_computed_again(tmp_path: Path, walker: Walker, estimator):
    gap = Gap(2, 20, 3, 20)
    steps = walker.walk(gap, Spill(tmp_path))
    next(steps)
    steps.close()
    before = estimator.asked.total()
    walk(walker, gap, tmp_path, frozenset({19}))
    assert estimator.asked.total() == before


@dataclass
class Alive:
    """Counts how many of the objects that it was shown live at once."""

    references: list[weakref.ref[object]]
    peak: int = 0

    def show(self, value: object) -> None:
        self.references = [reference for reference in self.references if reference() is not None]
        self.references.append(weakref.ref(value))
        self.peak = max(self.peak, len(self.references))


def memory_of_a_walk(walker: Walker, gap: Gap, folder: Path) -> tuple[int, int, int]:
    """Most states and frames alive at once, and most frames between the newest estimated and the one stepped onto."""
    states, frames, newest, ahead = Alive([]), Alive([]), [0], [0]

    class Watched:
        def step(self, state: Propagated, pair: FramePair, motion: StepMotion) -> Propagated:
            result = walker.propagator.step(state, pair, motion)
            states.show(result)
            ahead[0] = max(ahead[0], newest[0] - pair.target_index)
            return result

    def frame(index: int) -> Tensor:
        image = walker.frame(index)
        frames.show(image)
        return image

    def estimate(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        if gap.left is not None:
            newest[0] = max(newest[0], int(source[0, 0, 0, 0]), int(target[0, 0, 0, 0]))
        return walker.estimator(source, target)

    walker_watched = replace(walker, frame=frame, estimator=estimate, propagator=Watched())
    spill = Spill(folder)
    for both in walker_watched.walk(gap, spill):
        if both.earlier is not None:
            states.show(both.earlier)
    spill.flush()
    return states.peak, frames.peak, ahead[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_does_not_grow_with_the_gap(tmp_path: Path, walker: Walker, workers: int):
    walker = replace(walker, workers=workers)
    for length in (8, 60):
        for gap in (Gap(0, length, 1, length), Gap(0, None, 1, length), Gap(None, length, 0, length)):
            states, frames, ahead = memory_of_a_walk(walker, gap, tmp_path / f"{gap}")
            assert states <= 2 * (PENDING + 2) + 3
            assert frames <= 2 * (workers + 1)
            if gap.right is None:
                assert ahead <= workers


def test_estimating_stops_when_nobody_listens_any_more(tmp_path: Path, walker: Walker, estimator):
    steps = walker.walk(Gap(0, None, 1, 50), Spill(tmp_path))
    next(steps)
    steps.close()
    assert estimator.asked.total() <= 2 * 3


def test_an_estimator_that_breaks_down_stops_the_walk(tmp_path: Path, walker: Walker):
    def broken(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        return torch.full((1, 2, 12, 16), torch.nan if int(target[0, 0, 0, 0]) == 4 else 0.0)

    steps = replace(walker, estimator=broken).walk(Gap(0, None, 1, 9), Spill(tmp_path))
    assert [next(steps).index for _ in range(2)] == [1, 2]
    with pytest.raises(UserError, match="NaN or infinite flow"):
        list(steps)


def test_a_full_disk_stops_the_walk(tmp_path: Path, walker: Walker, full_disk):
    origin = Origin(torch.zeros(1, 40, 60, dtype=torch.uint8), torch.zeros(1, 3, 40, 60, dtype=torch.uint8))
    large = replace(walker, frame=lambda index: torch.full_like(origin.image, index), origin=lambda index: origin)
    with full_disk(), pytest.raises(UserError, match="free disk space"):
        list(large.walk(Gap(0, 9, 1, 9), Spill(tmp_path)))


# ---- interrupted walks


class DyingSpill(Spill):
    """A spill whose process dies after so many entries: those after them never reach the disk."""

    def __init__(self, folder: Path, survive: int) -> None:
        super().__init__(folder)
        self.survive, self.saved = survive, 0

    def save(self, kind: str, index: int, pack: Callable[[], dict[str, Tensor]]) -> None:
        self.saved += 1
        if self.saved <= self.survive:
            super().save(kind, index, pack)
        elif self.saved > self.survive + PENDING:
            raise KilledError

    def flush(self) -> None:
        super().flush()
        if self.saved > self.survive:
            raise KilledError


class Fuse:
    """Raises :class:`KilledError` when it was touched often enough."""

    def __init__(self, touches: int) -> None:
        self.left = touches

    def touch(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


def interrupted(walker: Walker, gap: Gap, folder: Path, kept: Sides, where: str, after: int) -> None:
    """Walks until something raises after ``after`` touches; adds what was finished to ``kept``."""
    fuses = {
        name: Fuse(after if name == where else -1) for name in ("frame", "step", "before keeping", "after keeping")
    }

    class Fused:
        def step(self, state: Propagated, pair: FramePair, motion: StepMotion) -> Propagated:
            fuses["step"].touch()
            return walker.propagator.step(state, pair, motion)

    def frame(index: int) -> Tensor:
        fuses["frame"].touch()
        return walker.frame(index)

    spill = DyingSpill(folder, after) if where == "spill" else Spill(folder)
    steps: Iterator[BothSides] = replace(walker, frame=frame, propagator=Fused()).walk(gap, spill, frozenset(kept))
    try:
        for both in steps:
            fuses["before keeping"].touch()
            assert both.index not in kept
            kept[both.index] = both.earlier, both.later
            fuses["after keeping"].touch()
    except KilledError:
        pass
    finally:
        steps.close()  # type: ignore[attr-defined]
        Spill.flush(spill)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gap=st.sampled_from([Gap(2, 11, 3, 11), Gap(None, 11, 2, 11), Gap(2, None, 3, 11), Gap(2, 4, 3, 4)]),
    directions=st.sampled_from([(True, True), (True, True), (True, False), (False, True)]),
    limit=st.sampled_from([None, None, 3, 6]),
    workers=st.sampled_from([1, 2]),
    checkpoint=st.sampled_from([1, 2, 3, 16]),
    accidents=st.lists(
        st.tuples(st.sampled_from(["frame", "step", "before keeping", "after keeping", "spill"]), st.integers(1, 30)),
        min_size=1,
        max_size=3,
    ),
)
def test_an_interrupted_walk_ends_as_an_undisturbed_one(
    tmp_path_factory: pytest.TempPathFactory,
    walker: Walker,
    gap: Gap,
    directions: tuple[bool, bool],
    limit: int | None,
    workers: int,
    checkpoint: int,
    accidents: list[tuple[str, int]],
):
    folder = tmp_path_factory.mktemp("gap")
    walker = replace(walker, forward=directions[0], backward=directions[1], max_distance=limit, workers=workers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traverse, "CHECKPOINT_EVERY", checkpoint)
        undisturbed = walk(walker, gap, folder / "undisturbed")
        kept: Sides = {}
        for where, after in accidents:
            interrupted(walker, gap, folder / "interrupted", kept, where, after)
        (folder / "interrupted").mkdir(exist_ok=True)
        (folder / "interrupted" / "left-0000005.part").write_bytes(b"half of an ent")
        rest = walk(walker, gap, folder / "interrupted", frozenset(kept))
    assert not kept.keys() & rest.keys()
    assert_same_sides(dict(sorted((kept | rest).items())), dict(sorted(undisturbed.items())))


@pytest.mark.parametrize("kind", ["state", "right", "forward"])
def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, walker: Walker, monkeypatch: pytest.MonkeyPatch, kind: str
):
    monkeypatch.setattr(traverse, "CHECKPOINT_EVERY", 2)
    gap = Gap(2, None, 3, 11) if kind == "state" else Gap(2, 11, 3, 11)
    undisturbed = walk(walker, gap, tmp_path / "undisturbed")
    kept: Sides = {}
    where, after = ("step", 6) if kind != "right" else ("step", 9 + 6)
    interrupted(walker, gap, tmp_path / "interrupted", kept, where, after)
    damaged = sorted((tmp_path / "interrupted").glob(f"{kind}-*.safetensors"))
    assert len(damaged) >= 2
    newest = damaged[0] if kind == "right" else damaged[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    rest = walk(walker, gap, tmp_path / "interrupted", frozenset(kept))
    assert_same_sides(kept | rest, undisturbed)


@pytest.mark.parametrize(
    ("gap", "killed_at", "left_to_do"),
    [
        (Gap(2, None, 3, 11), 6, 4),  # 5 steps done, the 4th kept: steps 5 to 8
        (Gap(None, 11, 3, 11), 8, 2),
        (Gap(2, 11, 3, 11), 6, 4 + 8),  # in the first pass
        (Gap(2, 11, 3, 11), 8 + 6, 4),  # in the second pass
    ],
)
def test_a_walk_goes_on_from_the_newest_checkpoint(
    tmp_path: Path, walker: Walker, monkeypatch: pytest.MonkeyPatch, gap: Gap, killed_at: int, left_to_do: int
):
    monkeypatch.setattr(traverse, "CHECKPOINT_EVERY", 2)
    kept: Sides = {}
    interrupted(walker, gap, tmp_path, kept, "step", killed_at)
    steps = []

    class Counted:
        def step(self, state: Propagated, pair: FramePair, motion: StepMotion) -> Propagated:
            steps.append(pair.target_index)
            return walker.propagator.step(state, pair, motion)

    walk(replace(walker, propagator=Counted()), gap, tmp_path, frozenset(kept))
    assert len(steps) == left_to_do


@pytest.mark.parametrize("gap", [Gap(2, 11, 3, 11), Gap(2, None, 3, 11), Gap(None, 11, 3, 11)])
@pytest.mark.parametrize("lost", [3, 6, 10])
def test_results_lost_after_a_checkpoint_are_made_again(
    tmp_path: Path, walker: Walker, monkeypatch: pytest.MonkeyPatch, gap: Gap, lost: int
):
    monkeypatch.setattr(traverse, "CHECKPOINT_EVERY", 2)
    whole = walk(walker, gap, tmp_path)
    again = walk(walker, gap, tmp_path, frozenset(whole) - {lost})
    assert_same_sides(again, {lost: whole[lost]})


def test_frames_that_are_kept_are_not_given_again(tmp_path: Path, walker: Walker):
    for name, gap in (("a", Gap(2, 9, 3, 9)), ("b", Gap(2, None, 3, 9)), ("c", Gap(None, 9, 3, 9))):
        whole = walk(walker, gap, tmp_path / name / "whole")
        part = walk(walker, gap, tmp_path / name / "part", frozenset({3, 6}))
        assert sorted(part) == [4, 5, 7, 8]
        assert_same_sides(part, {index: whole[index] for index in part})


def test_a_clip_end_to_end(tmp_path: Path, walker: Walker):
    given_frames = []
    for number, gap in enumerate(find_gaps([2, 3, 7], 10)):
        spill = Spill(tmp_path / str(number))
        given_frames += list(walk(walker, gap, spill.folder))
        spill.clear()
    assert sorted(given_frames) == [0, 1, 4, 5, 6, 8, 9]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class _LookingBack:
    """No motion; notes which frame it was shown before which pair."""

    wants_previous = True

    def __init__(self) -> None:
        self.seen: dict[tuple[int, int], int | None] = {}

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        pair = int(source[0, 0, 0, 0]), int(target[0, 0, 0, 0])
        self.seen[pair] = None if previous is None else int(previous[0, 0, 0, 0])
        return torch.zeros(1, 2, *source.shape[2:])


@pytest.mark.parametrize("gap", [Gap(2, 6, 3, 6), Gap(2, None, 3, 7), Gap(None, 6, 2, 6)])
def test_an_estimator_that_looks_back_sees_frames_beyond_the_gap(tmp_path: Path, walker: Walker, gap: Gap):
    estimator = _LookingBack()
    walk(replace(walker, estimator=estimator, length=8), gap, tmp_path / "a")
    pairs = list(pairwise(range(2, 7)))
    assert estimator.seen == {(a, b): a - 1 for a, b in pairs} | {(b, a): b + 1 for a, b in pairs}


def test_an_estimator_that_looks_back_sees_nothing_beyond_the_clip(tmp_path: Path, walker: Walker):
    estimator = _LookingBack()
    walk(replace(walker, estimator=estimator, length=4), Gap(0, 3, 1, 3), tmp_path / "a")
    assert estimator.seen[(0, 1)] is None and estimator.seen[(3, 2)] is None
    assert estimator.seen[(1, 2)] == 0 and estimator.seen[(2, 1)] == 3


def test_others_are_not_shown_what_they_do_not_want(tmp_path: Path, walker: Walker, estimator):
    read: set[int] = set()

    def frame(index: int) -> Tensor:
        read.add(index)
        return walker.frame(index)

    walk(replace(walker, frame=frame, length=9), Gap(2, 5, 3, 5), tmp_path / "a")
    assert read == {2, 3, 4, 5}


# ---- scenes


class Reaching:
    """An estimator that looks further back and remembers what it was shown."""

    wants_previous = True

    def __init__(self, estimator) -> None:
        self._estimator = estimator
        self.shown: list[Tensor | None] = []

    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        self.shown.append(previous)
        return self._estimator(source, target, previous)


@pytest.mark.parametrize("gap", [Gap(2, 6, 3, 6), Gap(2, None, 3, 7), Gap(None, 6, 2, 6)])
def test_an_estimator_is_not_shown_another_scene(tmp_path: Path, walker: Walker, gap: Gap):
    reaching = Reaching(walker.estimator)
    walker = replace(walker, estimator=reaching, length=9, cuts=frozenset({2, 7}))
    walk(walker, gap, tmp_path)
    others = [walker.frame(index) for index in (0, 1, 7, 8)]
    shown = [image for image in reaching.shown if image is not None]
    assert shown
    assert not any(torch.equal(image, other) for image in shown for other in others)


@pytest.mark.parametrize("gap", [Gap(0, 6, 1, 6), Gap(0, None, 1, 6), Gap(None, 6, 0, 6)])
def test_labels_stay_on_a_frame_that_repeats_the_one_before(tmp_path: Path, walker: Walker, gap: Gap):
    walker = replace(walker, repeats=frozenset({3, 4}))
    sides = walk(walker, gap, tmp_path)
    for index in (3, 4):
        for state, twin in zip(sides[index], sides[2], strict=True):
            assert_same(state, twin)
    assert not {(2, 3), (3, 2), (3, 4), (4, 3)} & set(walker.estimator.asked)


# ---- keyframes that arrive at each other


Told = list[tuple[Gap, Tensor, Tensor, int]]


def listening(walker: Walker) -> tuple[Walker, Told]:
    told: Told = []
    return replace(walker, arrived=lambda *news: told.append(news)), told


def test_both_keyframes_arrive_before_a_frame_is_given(tmp_path: Path, walker: Walker):
    walker, told = listening(walker)
    gap = Gap(2, 9, 3, 9)
    steps = walker.walk(gap, Spill(tmp_path))
    next(steps)
    assert [news[0] for news in told] == [gap]
    _, onto_right, onto_left, grid = told[0]
    assert grid == 1
    assert torch.equal(onto_right, direct(walker, list(range(2, 10)))[9].trace)
    back = direct(walker, list(range(9, 1, -1)))[2].trace
    assert onto_left.shape == back.shape
    assert torch.equal(onto_left[:, 2] > 0, back[:, 2] > 0)
    list(steps)
    assert len(told) == 1


def test_translating_keyframes_arrive_exactly(tmp_path: Path, walker: Walker):
    def moving_right(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        steps = float(source[0, 0, 0, 0]) - float(target[0, 0, 0, 0])
        return torch.tensor([steps, 0.0]).view(1, 2, 1, 1).expand(1, 2, 12, 16).clone()

    walker, told = listening(replace(walker, estimator=moving_right))
    walk(walker, Gap(0, 5, 1, 5), tmp_path)
    (_, onto_right, onto_left, _), columns = told[0], torch.arange(16.0)
    assert torch.equal(onto_right[0, 0, 0, 5:], columns[:11])
    assert torch.equal(onto_left[0, 0, 0], columns + 5)
    assert onto_right[0, 3].bool().all(0).tolist() == [True] * 5 + [False] * 11
    assert onto_left[0, 3].bool().all(0).tolist() == [False] * 11 + [True] * 5


@pytest.mark.parametrize(
    ("gap", "changes"),
    [
        (Gap(2, 9, 3, 9), {"forward": False}),
        (Gap(2, 9, 3, 9), {"backward": False}),
        (Gap(2, 9, 3, 9), {"max_distance": 5}),
        (Gap(None, 9, 3, 9), {}),
        (Gap(2, None, 3, 9), {}),
    ],
)
def test_keyframes_that_do_not_reach_each_other_do_not_arrive(tmp_path: Path, walker: Walker, gap: Gap, changes):
    walker, told = listening(replace(walker, **changes))
    walk(walker, gap, tmp_path)
    assert not told


def test_large_frames_are_compared_at_every_other_pixel(
    tmp_path: Path, walker: Walker, monkeypatch: pytest.MonkeyPatch
):
    walker, told = listening(walker)
    walk(walker, Gap(2, 5, 3, 5), tmp_path / "whole")
    monkeypatch.setattr(traverse, "LARGE_FRAME", 100)
    walk(walker, Gap(2, 5, 3, 5), tmp_path / "coarse")
    (_, *whole, _), (_, *coarse, grid) = told
    assert grid == 2
    assert torch.equal(whole[0][..., ::2, ::2], coarse[0])
    assert whole[1][..., ::2, ::2].shape == coarse[1].shape
    assert (whole[1][..., ::2, ::2] - coarse[1])[:, :2].abs().mean() < 0.5  # of flows with a knot every four pixels


@pytest.mark.parametrize("killed_at", [3, 6, 8])
def test_an_interrupted_walk_tells_the_same_arrivals(
    tmp_path: Path, walker: Walker, monkeypatch: pytest.MonkeyPatch, killed_at: int
):
    monkeypatch.setattr(traverse, "CHECKPOINT_EVERY", 2)
    gap = Gap(2, 11, 3, 11)
    walker, told = listening(walker)
    walk(walker, gap, tmp_path / "undisturbed")
    interrupted(walker, gap, tmp_path / "interrupted", {}, "step", killed_at)
    assert len(told) == 1
    walk(walker, gap, tmp_path / "interrupted")
    for mine, other in zip(told[0][1:3], told[1][1:3], strict=True):
        assert torch.equal(mine, other)
