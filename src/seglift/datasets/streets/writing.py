"""Writes street clips as a generic dataset folder: space.yaml, images/, labels/, instances/, optionally motion/."""

from __future__ import annotations

import io
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from seglift import __version__
from seglift.base.errors import UserError
from seglift.base.files import read_json, write_bytes, write_json
from seglift.base.progress import ProgressBar
from seglift.datasets.streets.config import StreetConfig
from seglift.datasets.streets.frame import StreetFrame
from seglift.datasets.streets.renderer import render_street
from seglift.labels.space_file import get_space, space_to_data
from seglift.labels.writing import write_png

RECORD = "streets.json"
FOLDERS = ("images", "labels", "instances", "motion")
SEEDS_PER_DATASET = 10_000
MOTION_FIELDS = ("depth", "flow_to_previous", "flow_to_next", "hidden_in_previous", "hidden_in_next")


def clip_config(config: StreetConfig, clip: int) -> StreetConfig:
    """The configuration of clip number ``clip`` of a dataset: seed ``config.seed * 10000 + clip``."""
    return replace(config, seed=config.seed * SEEDS_PER_DATASET + clip)


def write_streets(
    out: Path,
    clips: int,
    config: StreetConfig,
    val: int = 1,
    motion: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Writes a dataset of procedural streets.

    ``out`` receives ``space.yaml`` (the Cityscapes ids), ``images/SPLIT/CLIP/STEM.png``, ``labels/...`` (raw ids,
    uint8), ``instances/...`` (instanceIds, uint16), with ``motion`` also ``motion/SPLIT/CLIP/STEM.npz`` (the fields
    MOTION_FIELDS of :class:`StreetFrame`), and ``streets.json``, which says how the data were made. Splits are
    ``train`` and ``val``, stems the frame's number in six digits. Equal arguments give equal bytes; the same call
    again goes on where an earlier one was interrupted.

    Args:
        out: folder to write.
        clips: number of clips; the last ``val`` of them form the split ``val``.
        config: of the clips; each has a seed of its own (see :func:`clip_config`).
        val: number of validation clips, 0..clips.
        motion: whether to write depth, flows and hidden masks, too.
        overwrite: replace a dataset that an earlier call wrote to ``out``.
        quiet: no progress bar.

    Raises:
        UserError: ``out`` holds other files, or a dataset of other arguments and ``overwrite`` is off; the counts make
            no sense; ``out`` cannot be written.
    """
    if not (1 <= clips <= SEEDS_PER_DATASET and 0 <= val <= clips):
        raise UserError(
            f"{clips} clips with {val} for validation, expected 1..{SEEDS_PER_DATASET} clips and 0..clips of them "
            "for validation; change the numbers"
        )
    record = {"seglift": __version__, "clips": clips, "val": val, "motion": motion, "config": asdict(config)}
    _make_room(out, record, overwrite)
    write_json(out / RECORD, record)
    space = yaml.safe_dump(space_to_data(get_space("cityscapes")), sort_keys=False, allow_unicode=True)
    write_bytes(out / "space.yaml", space.encode())
    with ProgressBar(clips * config.frames, "rendering streets", "frames", quiet=quiet) as bar:
        for clip in range(clips):
            split = "val" if clip >= clips - val else "train"
            place = f"{split}/{config.style}_{clip:04d}"
            missing = [index for index in range(config.frames) if not _is_written(out, place, index, motion)]
            bar.advance(config.frames - len(missing))
            for frame in render_street(clip_config(config, clip), missing) if missing else ():
                _write_frame(out, place, frame, motion)
                bar.advance()


def _make_room(out: Path, record: dict[str, Any], overwrite: bool) -> None:
    """Refuses a folder with other content; with ``overwrite`` removes a dataset of ours, and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file, expected a folder to write the streets to; choose another place")
    if not any(out.iterdir()):
        return
    if not (out / RECORD).is_file():
        raise UserError(f"{out} already holds other files, expected an empty folder; choose another one")
    if overwrite:
        for folder in FOLDERS:
            shutil.rmtree(out / folder, ignore_errors=True)
    elif read_json(out / RECORD) != record:
        raise UserError(
            f"{out} holds streets made with other options, expected an empty folder or the same options; "
            "add --overwrite to replace them"
        )


def _is_written(out: Path, place: str, index: int, motion: bool) -> bool:
    return all(path.is_file() for path in _paths(out, place, index, motion))


def _paths(out: Path, place: str, index: int, motion: bool) -> list[Path]:
    folders = FOLDERS if motion else FOLDERS[:-1]
    return [out / folder / place / f"{index:06d}{'.npz' if folder == 'motion' else '.png'}" for folder in folders]


def _write_frame(out: Path, place: str, frame: StreetFrame, motion: bool) -> None:
    paths = _paths(out, place, frame.index, motion)
    write_png(paths[0], frame.image)
    write_png(paths[1], frame.labels)
    write_png(paths[2], frame.instances)
    if motion:
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **{name: getattr(frame, name) for name in MOTION_FIELDS})
        write_bytes(paths[-1], content.getvalue())
