"""``seglift score``: labels against ground truth, pooled over frames, by class and by distance to a keyframe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seglift.base.ahead import work_ahead
from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar, say
from seglift.base.threads import worker_count
from seglift.labels.space_file import get_space
from seglift.metrics.boundary import TOLERANCE
from seglift.metrics.confusion import Confusion
from seglift.workflows.score.by_manifest import is_synthesized, pair_synthesized
from seglift.workflows.score.files import (
    find_distances,
    list_labels,
    list_predictions,
    missing_between,
    pair_trees,
)
from seglift.workflows.score.frame import ScoredFrame, score_frame
from seglift.workflows.score.notes import FRAMES_NAME, NOTHING_NOTED, FrameNote, read_cuts, read_notes
from seglift.workflows.score.scores import Scores
from seglift.workflows.score.tables import format_scores
from seglift.workflows.score.text import mean_known, percent, render_table

if TYPE_CHECKING:
    from seglift.workflows.score.temporal import Neighbours

__all__ = [
    "Scores",
    "add_frame",
    "format_scores",
    "mean_known",
    "percent",
    "render_table",
    "score_folders",
]

SHOW_PROGRESS_FROM = 50
"""Fewer frames are scored before anybody wonders."""


def score_folders(
    prediction: Path,
    truth: Path,
    space_name: str,
    keyframes: Path | None = None,
    between: bool = False,
    allow_missing: bool = False,
    tolerance: float = TOLERANCE,
    with_ignore: bool = False,
    frames: Path | None = None,
    motion: str | None = None,
) -> Scores:
    """Scores label PNGs.

    Args:
        prediction: an OUT of ``label`` or ``predict`` (its ``labels/`` is taken), a folder or tree of PNGs; or an OUT
            of ``synthesize``, whose pairs are scored where there is ground truth, and by distance.
        truth: folder or tree of ground-truth PNGs; stems are matched as in ``label``. Where they have instance files
            (:func:`find_instance_file`), things get the instance-level IoU, too, and where predictions also have them,
            panoptic quality and instance AP are added; id switches, too, where all are known to be frames of one clip:
            ``prediction`` is an OUT of ``label``, or one folder with ``keyframes`` or ``frames``.
        space_name: label space, a name or a file.
        keyframes: folder of the keyframes' labels: these frames are left out, and scores by distance added.
        between: only frames strictly between the first and the last keyframe.
        allow_missing: leave out ground truth that has no prediction, instead of refusing.
        tolerance: of boundary F, share of the image diagonal.
        with_ignore: also score void as a class of its own.
        frames: the predictions' video file or folder of images; adds temporal consistency, for which no ground truth
            is needed: over all neighbouring frames with predictions, those that ``keyframes`` and ``between`` leave
            out apart, and those of two scenes where ``label`` found a cut.
        motion: of temporal consistency, a name of :data:`seglift.motion.named.MOTION_NAMES`; None is ``dis``.

    Raises:
        UserError: nothing to score, missing predictions, sizes that differ, ids outside the space, instance files that
            contradict their labels; frames or motion cannot be had.
    """
    space = get_space(space_name)
    if not 0 < tolerance < 1:
        raise UserError(f"--boundary-tolerance is {tolerance}, expected above 0 and below 1; 0.005 is usual")
    if between and keyframes is None:
        raise UserError("--between needs to know the keyframes; add --keyframes DIR")
    if motion is not None and frames is None:
        raise UserError("--motion is for temporal consistency, which needs the frames; add --frames FRAMES")
    if is_synthesized(prediction):
        if keyframes is not None:
            raise UserError(
                f"{prediction} is a synthesized dataset, whose manifest says how far its frames are from the labelled "
                "ones; leave --keyframes out"
            )
        found, missing = pair_synthesized(prediction, truth)
        selection = _Selection([ScoredFrame(*files) for files in found], missing, (), None)
    else:
        selection = _select(prediction, truth, keyframes, between, allow_missing, frames is not None)
    if not selection.frames:
        raise UserError(f"no frame of {prediction} is left to score against {truth}; check stems and keyframes")
    neighbours = None if frames is None else _find_neighbours(frames, prediction, selection, motion or "dis")
    scores = Scores.empty(space, tolerance)
    scores.missing = len(selection.missing)
    count = len(selection.frames)
    with ProgressBar(count, "scoring", "frames", quiet=count < SHOW_PROGRESS_FROM) as bar:
        work = partial(score_frame, space, tolerance=tolerance, with_ignore=with_ignore)
        for one in work_ahead(work, selection.frames, worker_count()):
            scores += one
            bar.advance()
    if neighbours is not None:
        scores.temporal = neighbours.score(space)
    if keyframes is None and (prediction / FRAMES_NAME).is_file():
        say("keyframes are scored too, as they were drawn; add --keyframes DIR to leave them out")
    if scores.disagreeing:
        say(f"ground-truth labels and instance files name different classes at {counted(scores.disagreeing, 'pixel')}")
    if scores.panoptic is not None and scores.panoptic.frames < scores.frames:
        one_sided = scores.frames - scores.panoptic.frames
        lacking = counted(one_sided, "frame that lacks", "frames that lack")
        say(f"panoptic quality and AP leave out {lacking} an instance file on one side or both")
    return scores


@dataclass(frozen=True)
class _Selection:
    """What is left to score.

    Attributes:
        frames: with ground truth.
        missing: ground truth without prediction.
        predictions: with or without ground truth.
        folder: of the predictions; None where there are several.
    """

    frames: list[ScoredFrame]
    missing: tuple[str, ...]
    predictions: Sequence[Path]
    folder: Path | None


def _select(
    prediction: Path, truth: Path, keyframes: Path | None, between: bool, allow_missing: bool, is_video: bool
) -> _Selection:
    predictions = list_predictions(prediction)
    pairs = pair_trees(predictions, list_labels(truth, f"give ground-truth PNGs named after {predictions.names[0]}"))
    missing = missing_between(pairs, keyframes) if between and keyframes is not None else pairs.missing
    if missing and not allow_missing:
        lacking = counted(len(missing), f"label of {truth} has", f"labels of {truth} have")
        raise UserError(
            f"{lacking} no prediction in {prediction} (first: {missing[0]}); predict all of them or add --allow-missing"
        )
    paths = [predictions.root / name for name in predictions.names]
    everything = dict.fromkeys(range(len(paths)), 0)
    distances = everything if keyframes is None else find_distances(pairs, keyframes, between)
    notes = read_notes(predictions.root)
    of_clip = pairs.flat and (is_video or keyframes is not None or bool(notes))
    frames = [
        ScoredFrame(*files, distances[index], notes.get(paths[index].stem, NOTHING_NOTED), of_clip)
        for index, files in pairs.found.items()
        if index in distances
    ]
    return _Selection(frames, missing, [paths[index] for index in distances], paths[0].parent if pairs.flat else None)


def _find_neighbours(frames: Path, prediction: Path, selection: _Selection, motion: str) -> Neighbours:
    if selection.folder is None:
        raise UserError(
            f"--frames needs the predictions of one clip, but {prediction} holds several clips or single frames; "
            "score them one by one"
        )
    from seglift.workflows.score.temporal import Neighbours  # loads torch, which takes seconds

    cuts = read_cuts(selection.folder)
    return Neighbours(frames, selection.folder, frozenset(selection.predictions), motion, cuts)


def add_frame(
    scores: Scores, prediction: Path, truth: Path, distance: int, estimated_miou: float | None = None
) -> Confusion:
    """Adds one frame of label files, the next of its clip, to ``scores`` and gives its own confusion.

    Args:
        scores: of the frames before, added to in place.
        prediction: label PNG.
        truth: label PNG.
        distance: to the nearest keyframe, 0: of no keyframe.
        estimated_miou: what its maker expects of it.

    Raises:
        UserError: sizes differ or ids are outside the space.
    """
    tolerance = TOLERANCE if scores.boundary is None else scores.boundary.tolerance
    frame = ScoredFrame(prediction, truth, distance, FrameNote(estimated_miou=estimated_miou), of_clip=True)
    own = score_frame(scores.space, frame, tolerance)
    scores += own
    return own.confusion
