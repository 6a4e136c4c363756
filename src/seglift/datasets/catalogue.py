"""Every dataset by its name, opened with options as a recipe or the command line gives them."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seglift.base.errors import UserError
from seglift.datasets.apolloscape import open_apolloscape
from seglift.datasets.bdd100k import open_bdd100k
from seglift.datasets.camvid import camvid_splits, open_camvid
from seglift.datasets.cityscapes import open_cityscapes
from seglift.datasets.dataset import Dataset
from seglift.datasets.folder import folder_splits, open_folder
from seglift.datasets.gta5 import open_gta5
from seglift.datasets.kitti import open_kitti
from seglift.datasets.mapillary import open_mapillary
from seglift.datasets.nyuv2 import open_nyuv2
from seglift.datasets.synscapes import open_synscapes

DATASETS: dict[str, Callable[..., Dataset]] = {
    "cityscapes": open_cityscapes,
    "camvid": open_camvid,
    "kitti": open_kitti,
    "nyuv2": open_nyuv2,
    "apolloscape": open_apolloscape,
    "bdd100k": open_bdd100k,
    "mapillary": open_mapillary,
    "gta5": open_gta5,
    "synscapes": open_synscapes,
    "folder": open_folder,
}

SPLITS: dict[str, tuple[str, ...]] = {
    "cityscapes": ("train", "val", "test", "train_extra"),
    "kitti": ("train", "val", "test"),
    "nyuv2": ("train", "test"),
    "apolloscape": ("train", "val"),
    "bdd100k": ("train", "val", "test"),
    "mapillary": ("train", "val", "test"),
    "gta5": ("train", "val", "test"),
    "synscapes": ("train", "val"),
}
"""Splits that share no image, for the datasets whose splits do not depend on what lies in the root."""

SPLITS_IN_ROOT: dict[str, Callable[[Path], tuple[str, ...]]] = {"camvid": camvid_splits, "folder": folder_splits}

VIDEO_OF: dict[str, str] = {
    "cityscapes": "unpack leftImg8bit_sequence beside leftImg8bit",
    "camvid": "give the 30 fps frames as option video=DIR",
    "kitti": "unpack data_scene_flow_multiview beside data_semantics",
    "nyuv2": "give the raw frames as option raw=DIR",
    "apolloscape": "open it with option frames=centre, whose partitions have their other frames",
    "folder": "put the frames around each labelled one into its folder, images/SPLIT/CLIP",
}
"""For the datasets that can have neighbours what brings them; the others are stills."""

_GIVEN = ("root", "split")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def open_dataset(name: str, root: Path, split: str = "train", options: Mapping[str, object] | None = None) -> Dataset:
    """Opens a split of the dataset called ``name``.

    Args:
        name: of ``DATASETS``.
        root: folder of the dataset.
        split: name of the split.
        options: further arguments of the opener; text is read as the type that the argument has (numbers, true or
            false, none, paths), so that options can come from the command line.

    Raises:
        UserError: unknown name, unknown option or one of another type, or what the opener refuses.
    """
    opener = _opener(name)
    known = option_types(name)
    values = {}
    for option, value in (options or {}).items():
        if option not in known:
            offered = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(f"dataset {name} has no option '{option}', {offered}; correct or remove it")
        values[option] = _read_value(value, known[option], f"option {option} of dataset {name}")
    return opener(Path(root), split, **values)


def option_types(name: str) -> dict[str, Any]:
    """Type of each option of the opener of dataset ``name``, root and split aside; UserError for an unknown name."""
    opener = _opener(name)
    hints = typing.get_type_hints(opener)
    return {option: hints[option] for option in inspect.signature(opener).parameters if option not in _GIVEN}


def likely_splits(name: str, root: Path) -> tuple[str, ...]:
    """Splits that a dataset may have, no image in two of them; some may be absent from ``root``.

    Raises:
        UserError: unknown name.
    """
    _opener(name)
    return SPLITS[name] if name in SPLITS else SPLITS_IN_ROOT[name](root)


def _opener(name: str) -> Callable[..., Dataset]:
    if name not in DATASETS:
        raise UserError(f"no dataset is called '{name}', expected one of {', '.join(DATASETS)}; choose one of them")
    return DATASETS[name]


def _read_value(value: object, hint: Any, what: str) -> object:
    """``value`` as the type ``hint`` names; text is converted.

    Raises:
        UserError: it cannot be read as that type.
    """
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for kind in kinds:
        if kind is type(None) and (value is None or value in ("none", "null", "")):
            return None
        found = _READERS[kind][1](value) if kind in _READERS else None
        if found is not None:
            return found
    names = " or ".join("none" if kind is type(None) else _READERS[kind][0] for kind in kinds)
    raise UserError(f"{what} is {value!r}, {names} is expected; correct it")


def _as_bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else _TRUTHS.get(str(value).lower()) if isinstance(value, str) else None


def _as_int(value: object) -> int | None:
    return int(str(value)) if not isinstance(value, bool) and re.fullmatch(r"[+-]?[0-9]{1,18}", str(value)) else None


def _as_float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _as_path(value: object) -> Path | None:
    return Path(value).expanduser() if isinstance(value, str | Path) else None


_READERS: dict[Any, tuple[str, Callable[[object], object | None]]] = {
    bool: ("true or false", _as_bool),
    int: ("a whole number", _as_int),
    float: ("a number", _as_float),
    str: ("text", _as_text),
    Path: ("a path", _as_path),
}
"""For each type that an option may have its name for people and what reads it (None: no such value)."""
