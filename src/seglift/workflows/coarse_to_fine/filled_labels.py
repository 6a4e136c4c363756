"""The filled labels of a round, as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json
from seglift.base.progress import ProgressBar, say
from seglift.datasets.coarsen import never_filled
from seglift.datasets.dataset import Source
from seglift.inference.agreement import AgreementSettings
from seglift.labels.space import Array8, LabelSpace
from seglift.labels.space_file import space_to_data
from seglift.training.images.dataset_samples import with_advice
from seglift.workflows.coarse_to_fine.fill import FillCounts, Filler, judge
from seglift.workflows.coarse_to_fine.recipe import COMMAND, METHOD
from seglift.workflows.outputs.folder import RUN_NAME
from seglift.workflows.outputs.frame_writer import FrameWriter
from seglift.workflows.outputs.stage_timing import Timing
from seglift.workflows.rounds.dataset_output import SKIPPED_NAME, DatasetOutput, LabelledFrame, manifest_line

READERS = 2
COUNTS = "counts"


class OwnLabel(NamedTuple):
    """A coarse label as it lies, where the rounds read it in another space: it says what is never filled.

    Attributes:
        source: ``read`` gives uint8 [H, W] index of ``space``.
        space: its own.
    """

    source: Source
    space: LabelSpace


@dataclass(frozen=True)
class CoarseFrame:
    """An image whose coarse label is filled.

    Attributes:
        name: unique in the rounds; names its files.
        image: ``read`` gives uint8 [H, W, 3] RGB.
        label: ``read`` gives the coarse label, uint8 [H, W] space index of the rounds' space.
        truth: the same of the fine label, where the coarse one is made of it; None elsewhere. It judges, nothing more.
        called: what the recipe calls the source it is of.
        own: the label as it lies; None where it is ``label``.
    """

    name: str
    image: Source
    label: Source
    truth: Source | None
    called: str
    own: OwnLabel | None = None

    def key(self) -> str:
        """Identifies image and labels by content, that which judges included."""
        own = () if self.own is None else (space_to_data(self.own.space),)
        truth = () if self.truth is None else (self.truth.fingerprint(),)
        return fingerprint_values(self.image.fingerprint(), self.label.fingerprint(), *own, *truth)


@dataclass(frozen=True)
class Filling:
    """How labels are filled.

    Attributes:
        settings: how the network looks at images, and how sure it must be.
        space: of the labels.
        device: as torch names it.
        skip_corrupt: leave out and count images that cannot be read.
    """

    settings: AgreementSettings
    space: LabelSpace
    device: str
    skip_corrupt: bool = False


@dataclass(frozen=True)
class FramesToFill:
    """Images with what their filled labels depend on beside the network.

    Attributes:
        frames: all of them.
        keys: of each frame, by name.
        unreadable: messages about frames without key.
    """

    frames: Sequence[CoarseFrame]
    keys: dict[str, str]
    unreadable: tuple[str, ...]


def find_keys(frames: Sequence[CoarseFrame], skip_corrupt: bool) -> FramesToFill:
    """The key of each frame.

    Raises:
        UserError: a file cannot be opened, and such frames are not skipped.
    """
    keys, unreadable = {}, []
    for frame in frames:
        try:
            keys[frame.name] = frame.key()
        except UserError as error:
            if not skip_corrupt:
                raise
            unreadable.append(str(error))
    return FramesToFill(frames, keys, tuple(unreadable))


def write_filled_labels(
    folder: Path, identity: dict[str, Any], weights: Path, frames: FramesToFill, filling: Filling
) -> None:
    """Fills all labels that are not done yet and writes the manifest; ``run.json`` has the shares of pixels.

    Args:
        folder: of the dataset; the caller is its only writer.
        identity: of network and settings; labels of another one are made anew.
        weights: of the network.
        frames: all of the round, with their keys.
        filling: how.

    Raises:
        UserError: something the user can fix. What is finished stays, and the same call goes on from there.
    """
    output = DatasetOutput(folder, identity, filling.space, COMMAND)
    output.check(overwrite=True)
    output.start({}, not output.continues())
    keys, skipped = frames.keys, list(frames.unreadable)
    wanted = {frame.name: frame for frame in frames.frames if frame.name in keys}
    done = {name: entry for name, entry in output.done().items() if keys.get(name) == entry["key"]}
    output.keep_only(done)
    todo = [frame for name, frame in wanted.items() if name not in done]
    if done:
        say(f"{len(done)} of {len(wanted)} labels are filled, {len(todo)} are to be")
    if todo:
        _fill(
            output,
            Filler(weights, filling.space, filling.settings, filling.device),
            todo,
            keys,
            done,
            skipped if filling.skip_corrupt else None,
        )
    if not done:
        raise UserError(f"none of the {len(frames.frames)} images with coarse labels can be read: {min(skipped)}")
    if skipped:
        say(f"unreadable images left out: {len(skipped)}, listed in {folder / SKIPPED_NAME}")
    entries = [(frame, done[name]) for name, frame in wanted.items() if name in done]
    total = sum((FillCounts(**entry[COUNTS]) for _, entry in entries), FillCounts())
    about = {"frames": len(entries), COUNTS: asdict(total), "shares": total.shares()}
    output.finish((_line(frame, entry) for frame, entry in entries), sorted(skipped), about)
    say(describe_shares(total.shares()))


def read_shares(folder: Path) -> dict[str, float | None] | None:
    """The shares of pixels in the filled labels of a round, see :meth:`FillCounts.shares`; None where not all are made.

    Raises:
        UserError: the file is damaged.
    """
    run = folder / RUN_NAME
    found: dict[str, float | None] | None = read_json(run).get("shares") if run.is_file() else None
    return found


def describe_shares(shares: dict[str, float | None]) -> str:
    """The shares for a person."""
    drawn, filled, right = (shares[name] for name in ("drawn", "filled", "right"))
    judged = "" if right is None else f", {100 * right:.1f} % of them right"
    return f"of the pixels {100 * (drawn or 0):.1f} % were drawn, {100 * (filled or 0):.1f} % are filled{judged}"


def _fill(
    output: DatasetOutput,
    filler: Filler,
    todo: Sequence[CoarseFrame],
    keys: dict[str, str],
    entries: dict[str, dict[str, Any]],
    skipped: list[str] | None,
) -> None:
    """Fills the labels of ``todo`` and adds their entries; an unreadable one is listed, or an error without a list."""
    with (
        torch.inference_mode(),
        ProgressBar(len(todo) + len(entries), "filling", "labels", len(entries)) as bar,
        FrameWriter(output, entries, bar, Timing()) as writer,
    ):
        for frame, read in zip(todo, work_ahead(partial(_read, space=filler.space), todo, READERS), strict=True):
            if isinstance(read, UserError):
                if skipped is None:
                    raise with_advice(read) from read
                skipped.append(str(read))
                bar.advance()
                continue
            image, coarse, never, truth = read
            found = filler.fill(image, coarse, never, str(frame.image))
            counts = found.counts if truth is None else judge(found, truth, filler.space)
            labels = filler.space.decode(found.labels)
            result = LabelledFrame(frame.image, labels, confidence=found.confidence, image=image)
            writer.submit(frame.name, result, {"key": keys[frame.name], COUNTS: asdict(counts)})


def _read(frame: CoarseFrame, space: LabelSpace) -> tuple[Array8, Array8, NDArray[np.bool_], Array8 | None] | UserError:
    """Image, coarse label, what of it is never filled, and fine label; the error where they cannot be read."""
    try:
        image, coarse = frame.image.read(), frame.label.read()
        if coarse.shape != image.shape[:2]:
            return UserError(
                f"{frame.label} is {coarse.shape[1]}x{coarse.shape[0]}, its image is {image.shape[1]}x{image.shape[0]};"
                " expected one size: correct or remove it"
            )
        own = (coarse, space) if frame.own is None else (frame.own.source.read(), frame.own.space)
        return image, coarse, never_filled(*own), None if frame.truth is None else frame.truth.read()
    except UserError as error:
        return error


def _line(frame: CoarseFrame, entry: dict[str, Any]) -> dict[str, Any]:
    shares = FillCounts(**entry[COUNTS]).shares()
    more = {name: shares[name] for name in ("drawn", "filled", "right")}
    return manifest_line(entry, frame.called, METHOD, frame.name, 0, None) | more
