"""``seglift score``: labels against ground truth, pooled over frames, by class and by distance to a keyframe."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from seglift.base.ahead import work_ahead
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
from seglift.workflows.score.notes import FRAMES_NAME, NOTHING_NOTED, FrameNote, read_notes
from seglift.workflows.score.scores import Scores
from seglift.workflows.score.tables import format_scores
from seglift.workflows.score.text import mean_known, percent, render_table

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
) -> Scores:
    """Scores label PNGs.

    Args:
        prediction: an OUT of ``label`` or ``predict`` (its ``labels/`` is taken), a folder or tree of PNGs; or an OUT
            of ``synthesize``, whose pairs are scored where there is ground truth, and by distance.
        truth: folder or tree of ground-truth PNGs; stems are matched as in ``label``. Where ``*_instanceIds.png`` lie
            beside them, things get the instance-level IoU, too, and where predictions also have instance files
            (:func:`find_predicted_instances`), panoptic quality and instance AP are added.
        space_name: label space, a name or a file.
        keyframes: folder of the keyframes' labels: these frames are left out, and scores by distance added.
        between: only frames strictly between the first and the last keyframe.
        allow_missing: leave out ground truth that has no prediction, instead of refusing.
        tolerance: of boundary F, share of the image diagonal.
        with_ignore: also score void as a class of its own.

    Raises:
        UserError: nothing to score, missing predictions, sizes that differ, ids outside the space, instance files that
            contradict their labels.
    """
    space = get_space(space_name)
    if not 0 < tolerance < 1:
        raise UserError(f"--boundary-tolerance is {tolerance}, expected above 0 and below 1; 0.005 is usual")
    if between and keyframes is None:
        raise UserError("--between needs to know the keyframes; add --keyframes DIR")
    if is_synthesized(prediction):
        if keyframes is not None:
            raise UserError(
                f"{prediction} is a synthesized dataset, whose manifest says how far its frames are from the labelled "
                "ones; leave --keyframes out"
            )
        found, missing = pair_synthesized(prediction, truth)
        chosen = [ScoredFrame(*files) for files in found]
    else:
        chosen, missing = _pair_folders(prediction, truth, keyframes, between, allow_missing)
    if not chosen:
        raise UserError(f"no frame of {prediction} is left to score against {truth}; check stems and keyframes")
    scores = Scores.empty(space, tolerance)
    scores.missing = len(missing)
    with ProgressBar(len(chosen), "scoring", "frames", quiet=len(chosen) < SHOW_PROGRESS_FROM) as bar:
        for one in work_ahead(lambda frame: score_frame(space, frame, tolerance, with_ignore), chosen, worker_count()):
            scores += one
            bar.advance()
    if keyframes is None and (prediction / FRAMES_NAME).is_file():
        say("keyframes are scored too, as they were drawn; add --keyframes DIR to leave them out")
    if scores.disagreeing:
        say(f"ground-truth labels and instance files name different classes at {scores.disagreeing} pixels")
    if scores.panoptic is not None and scores.panoptic.frames < scores.frames:
        one_sided = scores.frames - scores.panoptic.frames
        say(f"panoptic quality and AP leave out {one_sided} frames that lack an instance file on one side or both")
    return scores


def _pair_folders(
    prediction: Path, truth: Path, keyframes: Path | None, between: bool, allow_missing: bool
) -> tuple[list[ScoredFrame], tuple[str, ...]]:
    """The frames to be scored, and ground truth without prediction."""
    predictions = list_predictions(prediction)
    pairs = pair_trees(predictions, list_labels(truth, f"give ground-truth PNGs named after {predictions.names[0]}"))
    missing = missing_between(pairs, keyframes) if between and keyframes is not None else pairs.missing
    if missing and not allow_missing:
        raise UserError(
            f"{len(missing)} labels of {truth} have no prediction in {prediction} (first: {missing[0]}); "
            "predict them too or add --allow-missing"
        )
    distances = find_distances(pairs, keyframes, between) if keyframes is not None else dict.fromkeys(pairs.found, 0)
    notes = read_notes(predictions.root)
    chosen = [
        ScoredFrame(*files, distances[index], notes.get(PurePosixPath(predictions.names[index]).stem, NOTHING_NOTED))
        for index, files in pairs.found.items()
        if index in distances
    ]
    return chosen, missing


def add_frame(
    scores: Scores, prediction: Path, truth: Path, distance: int, estimated_miou: float | None = None
) -> Confusion:
    """Adds one frame of label files to ``scores`` (``distance`` 0: of no keyframe) and gives its own confusion.

    Raises:
        UserError: sizes differ or ids are outside the space.
    """
    tolerance = TOLERANCE if scores.boundary is None else scores.boundary.tolerance
    frame = ScoredFrame(prediction, truth, distance, FrameNote(estimated_miou=estimated_miou))
    own = score_frame(scores.space, frame, tolerance)
    scores += own
    return own.confusion
