"""A clip: frames and the labels a human drew for some of them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from seglift.base.errors import UserError
from seglift.video.frames import CutFrames, Frames, cut_frames, open_frames
from seglift.video.stems import frame_stem, instance_stem, is_companion, label_stem, natural_key


@dataclass(frozen=True)
class Keyframe:
    """A labelled frame.

    Attributes:
        index: of the frame in the clip, from 0.
        label: the label PNG.
        instances: the instance PNG, None where there is none.
    """

    index: int
    label: Path
    instances: Path | None = None


@dataclass(frozen=True)
class Clip:
    """Frames and their keyframes.

    Attributes:
        frames: the frames, already cut.
        keyframes: by rising index; empty only where no labels were asked for.
        first: index of frame 0 in the uncut source.
    """

    frames: Frames
    keyframes: tuple[Keyframe, ...]
    first: int = 0


def open_clip(
    frames: Path,
    labels: Path | None,
    cut: tuple[int | None, int | None] | None = None,
    instances: Path | None = None,
) -> Clip:
    """Opens frames with the labels that belong to them.

    Args:
        frames: a video file or a folder of images.
        labels: a folder of label PNGs, paired by :func:`pair_labels`; None opens the frames alone.
        cut: half-open range ``(A, B)`` of frames to keep, None for an open end; frames are cut first, and labels of
            frames that are cut away are left out silently.
        instances: a folder of the keyframes' instance PNGs, those of other frames left out silently: ``*_instanceIds``
            where there are any, else all are taken for instances; None takes the ``*_instanceIds`` beside the labels.

    Raises:
        UserError: frames or labels cannot be opened, a label belongs to no frame of the uncut source or two to one
            frame, instances beside the labels come without a label, the cut is empty or out of range, or no label is
            left.
    """
    source = open_frames(frames)
    kept = source if cut is None else cut_frames(source, *cut)
    first = kept.first if isinstance(kept, CutFrames) else 0
    if labels is None:
        return Clip(kept, (), first)
    drawn = pair_labels(source.stems, labels)
    told = _instances_beside(source.stems, labels, drawn) if instances is None else _instances_in(source, instances)
    keyframes = tuple(
        Keyframe(index - first, label, told.get(index))
        for index, label in sorted(drawn.items())
        if 0 <= index - first < len(kept)
    )
    if not keyframes:
        raise UserError(
            f"none of the {len(drawn)} labels in {labels} lies inside the {len(kept)} frames that are kept "
            f"({kept.stems[0]} to {kept.stems[-1]}); widen --frames or label a frame inside"
        )
    return Clip(kept, keyframes, first)


def _instances_beside(stems: Sequence[str], labels: Path, drawn: Container[int]) -> dict[int, Path]:
    found = _pair(stems, _label_files(labels)[1], labels, allow_unmatched=False)
    for index, path in found.items():
        if index not in drawn:
            raise UserError(
                f"{path} has no label PNG beside it, every keyframe needs one; add the label or remove the file"
            )
    return found


def _instances_in(source: Frames, folder: Path) -> dict[int, Path]:
    plain, named = _label_files(folder)
    return _pair(source.stems, named or plain, folder, allow_unmatched=True)


def pair_labels(stems: Sequence[str], folder: Path, allow_unmatched: bool = False) -> dict[int, Path]:
    """Finds the frame of every label PNG in ``folder``.

    A label belongs to the frame of exactly its stem, else to the frame whose :func:`frame_stem` equals its
    :func:`label_stem`. ``*_color.png``, train-id PNGs, instance PNGs, hidden files and everything that is no PNG
    are skipped.

    Args:
        stems: full stems of the frames (of the uncut source).
        folder: holds the labels directly.
        allow_unmatched: leave out labels of no frame in silence.

    Returns:
        Path of the label by index of the frame.

    Raises:
        UserError: the folder is missing or has no label, a label matches no frame (both are named), or two labels match
            one frame.
    """
    files = _label_files(folder)[0]
    if not files:
        raise UserError(
            f"no label PNG in {folder}, expected PNGs named after their frames (such as {_example(stems)}.png)"
        )
    return _pair(stems, files, folder, allow_unmatched)


def pair_ground_truth(clip: Clip, folder: Path) -> dict[int, Path]:
    """Ground truth of a clip by index of its (cut) frames; paired with the uncut source, frames cut away left out.

    Raises:
        UserError: as :func:`pair_labels`.
    """
    source = clip.frames.source if isinstance(clip.frames, CutFrames) else clip.frames
    found = pair_labels(source.stems, folder)
    return {index - clip.first: path for index, path in found.items() if 0 <= index - clip.first < len(clip.frames)}


def check_label_size(path: Path, shape: tuple[int, ...], size: tuple[int, int]) -> None:
    """Checks that the label at ``path`` with array ``shape`` [H, W] (or [H, W, C]) has the frame's ``size`` (H, W).

    Raises:
        UserError: it has not; names the file and both sizes.
    """
    if shape[:2] != size:
        raise UserError(
            f"{path} is {shape[1]}x{shape[0]}, its frame is {size[1]}x{size[0]}; resize the label with nearest "
            "neighbour, or give the frames it was drawn on"
        )


def _label_files(folder: Path) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """Label and instance PNGs of a folder in natural order, each with its matching stem."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"the label folder {folder} {what}, expected a folder of PNGs; give the folder that holds them")
    try:
        names = sorted((path.name for path in folder.iterdir()), key=natural_key)
    except OSError as error:
        raise UserError(
            f"cannot read the folder {folder} ({error.strerror or error}); check its permissions"
        ) from error
    labels: list[tuple[str, Path]] = []
    instances: list[tuple[str, Path]] = []
    for name in names:
        path = folder / name
        if name.startswith(".") or path.suffix.lower() != ".png" or is_companion(path.stem):
            continue
        matching = instance_stem(path.stem)
        if matching is None:
            labels.append((label_stem(path.stem), path))
        else:
            instances.append((matching, path))
    return labels, instances


def _pair(stems: Sequence[str], files: list[tuple[str, Path]], folder: Path, allow_unmatched: bool) -> dict[int, Path]:
    exact = {stem: index for index, stem in enumerate(stems)}
    loose = {frame_stem(stem): index for index, stem in enumerate(stems)}
    found: dict[int, Path] = {}
    for matching, path in files:
        index = exact.get(path.stem, loose.get(matching))
        if index is None:
            if allow_unmatched:
                continue
            raise UserError(
                f"{path.name} in {folder} belongs to no frame (frames are called {_example(stems)}); name labels after "
                "their frames or remove it"
            )
        if index in found:
            raise UserError(
                f"{found[index].name} and {path.name} in {folder} both belong to frame {stems[index]}; keep one of them"
            )
        found[index] = path
    return found


def _example(stems: Sequence[str]) -> str:
    return stems[0] if len(stems) == 1 else f"{stems[0]} ... {stems[-1]}"
