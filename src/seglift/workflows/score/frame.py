"""Scores of one frame of label files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seglift.labels.instances import count_disagreement
from seglift.labels.reading import read_gray, read_label
from seglift.labels.space import Array8, LabelSpace
from seglift.metrics.boundary import TOLERANCE
from seglift.metrics.calibration import Calibration
from seglift.metrics.estimate_error import EstimateError
from seglift.metrics.id_switches import IdSwitches
from seglift.metrics.instance_iou import InstanceIoU
from seglift.video.clip import check_label_size
from seglift.workflows.score.confidence import ConfidenceScores
from seglift.workflows.score.files import find_confidence, find_instance_file
from seglift.workflows.score.notes import NOTHING_NOTED, FrameNote
from seglift.workflows.score.panoptic import check_classes, read_objects, read_panoptic, score_panoptic
from seglift.workflows.score.scores import Scores
from seglift.workflows.score.text import number
from seglift.workflows.score.with_ignore import WithIgnore


@dataclass(frozen=True)
class ScoredFrame:
    """A frame to be scored.

    Attributes:
        prediction: label PNG.
        truth: label PNG.
        distance: to the nearest keyframe, from 1; 0: of no keyframe.
        note: what its maker noted of it.
        of_clip: whether all frames that are scored with it are those of one clip, so that ids can be compared.
    """

    prediction: Path
    truth: Path
    distance: int = 0
    note: FrameNote = NOTHING_NOTED
    of_clip: bool = False


def score_frame(
    space: LabelSpace, frame: ScoredFrame, tolerance: float = TOLERANCE, with_ignore: bool = False
) -> Scores:
    """Scores of one frame of label files.

    An instance file beside the ground truth is taken into account, and one of the prediction where the ground truth has
    one; confidence of the prediction where no human drew it.

    Args:
        space: label space of both.
        frame: the files.
        tolerance: of boundary F, share of the image diagonal.
        with_ignore: also score void as a class of its own.

    Raises:
        UserError: sizes differ, ids are outside the space, or instance files of both sides contradict their labels.
    """
    true_index, index = read_label(frame.truth, space), read_label(frame.prediction, space)
    check_label_size(frame.prediction, index.shape, _size(true_index))
    own = Scores.empty(space, tolerance)
    own.frames = 1
    true_labels, labels = space.to_train(true_index), space.to_train(index)
    own.confusion.update(labels, true_labels)
    if own.boundary is not None:
        own.boundary.update(labels, true_labels)
    if frame.distance > 0:
        own.by_distance[frame.distance] = own.confusion
    if with_ignore:
        own.with_ignore = WithIgnore.of(space, labels, true_labels, frame.distance)
    if not frame.note.is_keyframe:
        own.confidence = _score_confidence(frame.prediction, labels, true_labels)
        own.estimate = _score_estimate(frame.note.estimated_miou, own)
    _add_instances(own, frame, index, true_index)
    return own


def _score_confidence(prediction: Path, labels: Array8, truth: Array8) -> ConfidenceScores | None:
    path = find_confidence(prediction)
    if path is None:
        return None
    confidence = read_gray(path)
    check_label_size(path, confidence.shape, _size(truth))
    calibration = Calibration.empty()
    calibration.update(confidence, labels, truth)
    return ConfidenceScores(calibration, 1)


def _score_estimate(estimate: float | None, own: Scores) -> EstimateError:
    miou = number(own.confusion.present_miou())
    return EstimateError() if estimate is None or miou is None else EstimateError.of(estimate, miou)


def _add_instances(own: Scores, frame: ScoredFrame, index: Array8, true_index: Array8) -> None:
    path = find_instance_file(frame.truth)
    if path is None:
        return
    raw, numbers = read_objects(path, own.space)
    check_label_size(path, raw.shape, _size(index))
    own.instances, own.instance_frames = InstanceIoU.empty(own.space), 1
    own.instances.update(index, true_index, raw, numbers)
    own.disagreeing = count_disagreement(own.space.decode(true_index), raw)
    found = find_instance_file(frame.prediction)
    if found is not None:
        check_classes(path, raw, frame.truth, true_index, own.space)
        predicted = read_panoptic(found, frame.prediction, index, own.space)
        own.panoptic = score_panoptic(own.space, predicted, (raw, numbers))
        if frame.of_clip:
            own.id_switches = IdSwitches.of(own.space, predicted, (raw, numbers))


def _size(array: Array8) -> tuple[int, int]:
    return array.shape[0], array.shape[1]
