"""Step 2 of Naive-Student's Alg. 1: hard pseudo-labels of all frames by a teacher, as a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import ProgressBar, say
from seglift.inference.panoptic.model import require_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import load_model
from seglift.inference.settings import InferenceSettings
from seglift.labels.space import Array8, LabelSpace
from seglift.workflows.naive_student.frames import Frame
from seglift.workflows.naive_student.recipe import COMMAND, METHOD
from seglift.workflows.naive_student.void_regions import VoidRegions
from seglift.workflows.outputs.frame_writer import FrameWriter
from seglift.workflows.outputs.stage_timing import Timing
from seglift.workflows.predict.config import PredictConfig
from seglift.workflows.predict.frame import make_predictor, predict_frame
from seglift.workflows.predict.output import PredictedFrame
from seglift.workflows.rounds.dataset_output import SKIPPED_NAME, DatasetOutput, LabelledFrame, manifest_line

READERS = 2


@dataclass(frozen=True)
class Labelling:
    """How pseudo-labels are made.

    Attributes:
        settings: how the teacher looks at a frame.
        segments: how a panoptic teacher's maps become segments.
        void: regions that are void in whole clips.
        instances: whether the labels have instances.
        device: as torch names it.
        skip_corrupt: leave out and count frames that cannot be read.
    """

    settings: InferenceSettings
    segments: PanopticSettings
    void: VoidRegions
    instances: bool
    device: str
    skip_corrupt: bool = False

    @property
    def space(self) -> LabelSpace:
        """Of the labels."""
        return self.void.space


class Teacher:
    """A trained network that labels frames.

    Args:
        weights: as ``--model`` takes them.
        labelling: how.

    Raises:
        UserError: nothing usable there, other classes, or no instance heads where instances are wanted.
    """

    def __init__(self, weights: str | Path, labelling: Labelling) -> None:
        model = load_model(weights, labelling.space, labelling.device)
        self.labelling = labelling
        self._config = PredictConfig(
            Path(),
            str(weights),
            labelling.space.name,
            Path(),
            labelling.settings,
            labelling.segments,
            labelling.device,
        )
        if labelling.instances:
            self._predictor = make_predictor(require_panoptic(model, str(weights)), self._config)
        else:
            self._predictor = Predictor(model, labelling.settings)

    def label(self, image: Array8, frame: Frame) -> PredictedFrame:
        """The labels of a frame, void where its clip is.

        Args:
            image: uint8 [H, W, 3] RGB.
            frame: it is of.

        Raises:
            UserError: it does not fit into memory, or the annotated frame of its clip cannot be used.
        """
        where, labelling = str(frame.source), self.labelling
        found = predict_frame(self._predictor, labelling.space, image, self._config, where)
        raw = labelling.void.write(found.labels, frame.annotated, where)
        instances = found.instances
        if instances is not None:
            instances = np.where(raw == found.labels, instances, raw).astype(np.uint16)
        return PredictedFrame(raw, instances=instances)


@dataclass(frozen=True)
class FramesToLabel:
    """Frames with what their labels depend on beside the teacher.

    Attributes:
        frames: all of them.
        keys: fingerprint of a frame and of the annotated frame of its clip, by content, by the frame's name.
        unreadable: messages about frames without key.
    """

    frames: Sequence[Frame]
    keys: dict[str, str]
    unreadable: tuple[str, ...]


def find_keys(frames: Sequence[Frame], skip_corrupt: bool) -> FramesToLabel:
    """The key of each frame.

    Raises:
        UserError: a file cannot be opened, and such frames are not skipped.
    """
    keys, unreadable = {}, []
    for frame in frames:
        annotated = frame.annotated
        try:
            label = None if annotated is None else annotated.label.fingerprint()
            keys[frame.name] = fingerprint_values(frame.source.fingerprint(), label)
        except UserError as error:
            if not skip_corrupt:
                raise
            unreadable.append(str(error))
    return FramesToLabel(frames, keys, tuple(unreadable))


def make_pseudo_labels(
    folder: Path, identity: dict[str, Any], weights: str | Path, frames: FramesToLabel, labelling: Labelling
) -> None:
    """Labels all frames that are not done yet and writes the manifest.

    Args:
        folder: of the dataset; the caller is its only writer.
        identity: of teacher and settings; labels of another one are made anew.
        weights: of the teacher.
        frames: all that are to be labelled, with their keys.
        labelling: how.

    Raises:
        UserError: something the user can fix. What is finished stays, and the same call goes on from there.
    """
    output = DatasetOutput(folder, identity, labelling.space, COMMAND)
    output.check(overwrite=True)
    anew = not output.continues()
    output.start({}, anew)
    keys, skipped = frames.keys, list(frames.unreadable)
    wanted = {frame.name: frame for frame in frames.frames if frame.name in keys}
    done = {name: entry for name, entry in output.done().items() if keys.get(name) == entry["key"]}
    output.keep_only(done)
    todo = [frame for name, frame in wanted.items() if name not in done]
    if done:
        say(f"{len(done)} of {len(wanted)} frames have their labels, {len(todo)} are to be labelled")
    if todo:
        _label(output, Teacher(weights, labelling), todo, keys, done, skipped)
    if not done:
        raise UserError(f"none of the {len(frames.frames)} unlabelled frames can be read: {min(skipped)}")
    if skipped:
        say(f"unreadable frames left out: {len(skipped)}, listed in {folder / SKIPPED_NAME}")
    entries = ((frame, done[name]) for name, frame in wanted.items() if name in done)
    output.finish((_line(frame, entry) for frame, entry in entries), sorted(skipped), {"frames": len(done)})


def _label(
    output: DatasetOutput,
    teacher: Teacher,
    frames: Sequence[Frame],
    keys: dict[str, str],
    entries: dict[str, dict[str, Any]],
    skipped: list[str],
) -> None:
    """Labels ``frames`` and adds their entries; an unreadable one is listed, or an error."""
    total = len(frames) + len(entries)
    with (
        torch.inference_mode(),
        ProgressBar(total, "labelling", "frames", len(entries)) as bar,
        FrameWriter(output, entries, bar, Timing()) as writer,
    ):
        for frame, image in zip(frames, _images(frames, teacher.labelling, skipped), strict=True):
            if image is None:
                bar.advance()
                continue
            found = teacher.label(image, frame)
            result = LabelledFrame(frame.source, found.labels, found.instances, image=image)
            writer.submit(frame.name, result, {"key": keys[frame.name]})


def _images(frames: Sequence[Frame], labelling: Labelling, skipped: list[str]) -> Iterator[Array8 | None]:
    """Pictures of the frames; None, once it is listed, of one that cannot be read or whose clip's label cannot."""

    def read(frame: Frame) -> Array8 | None:
        try:
            image = frame.source.read()
            labelling.void.check((image.shape[0], image.shape[1]), frame.annotated, str(frame.source))
            return image
        except UserError as error:
            if not labelling.skip_corrupt:
                raise
            skipped.append(str(error))
            return None

    return work_ahead(read, frames, READERS)


def _line(frame: Frame, entry: dict[str, Any]) -> dict[str, Any]:
    source = None if frame.annotated is None else frame.annotated.name
    return manifest_line(entry, frame.called, METHOD, source, frame.distance, frame.clip)
