"""Which prediction belongs to which ground truth: label files of a folder or of a tree of folders, matched by stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seglift.base.errors import UserError
from seglift.datasets.files import scan_files
from seglift.datasets.folder import SPACE_FILE
from seglift.video.clip import pair_labels
from seglift.video.stems import INSTANCE_SUFFIXES, frame_stem, instance_stem, is_companion, label_stem, natural_key

DEEPEST = 8
"""Levels of folders that are looked into."""


@dataclass(frozen=True)
class LabelTree:
    """Label PNGs of a folder, or of the folders below it where it directly holds none.

    Attributes:
        root: the folder.
        names: paths relative to it with ``/`` between folders, in natural order.
    """

    root: Path
    names: tuple[str, ...]

    @property
    def stems(self) -> list[str]:
        """The matching stem of each file."""
        return [frame_stem(label_stem(PurePosixPath(name).stem)) for name in self.names]

    @property
    def places(self) -> list[str]:
        """Folder and matching stem of each file."""
        folders = (PurePosixPath(name).parent for name in self.names)
        return [str(folder / stem) for folder, stem in zip(folders, self.stems, strict=True)]

    @property
    def is_flat(self) -> bool:
        """Whether all files lie in one folder."""
        return len({PurePosixPath(name).parent for name in self.names}) < 2


@dataclass(frozen=True)
class Pairs:
    """Predictions with their ground truth.

    Attributes:
        found: (prediction, ground truth) by position among the predictions.
        missing: ground truth without prediction.
        stems: of all predictions.
        flat: whether the predictions lie in one folder.
    """

    found: dict[int, tuple[Path, Path]]
    missing: tuple[str, ...]
    stems: tuple[str, ...]
    flat: bool


def list_labels(folder: Path, advice: str) -> LabelTree:
    """Label PNGs directly in ``folder``, or else in the folders below it.

    Instance files, ``*_color`` and train-id PNGs beside them and hidden files are left out.

    Raises:
        UserError: there is no such folder or no label PNG (``advice`` says what to give), or it is a whole dataset.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}; {advice}")
    if (folder / SPACE_FILE).is_file() and (folder / "labels").is_dir():
        splits = ", ".join(sorted(str(path) for path in (folder / "labels").iterdir() if path.is_dir()))
        raise UserError(
            f"{folder} is a whole dataset, expected a folder of its labels; give {splits or folder / 'labels'}"
        )
    for depth in (0, DEEPEST):
        names = [name for name in scan_files(folder, depth).names if _is_label(PurePosixPath(name))]
        if names:
            return LabelTree(folder, tuple(sorted(names, key=_by_folder_and_stem)))
    raise UserError(f"no label PNG in {folder}; {advice}")


def list_predictions(folder: Path) -> LabelTree:
    """Label PNGs of an OUT of ``label`` or ``predict`` (its ``labels/`` is taken), or of :func:`list_labels`.

    Raises:
        UserError: as :func:`list_labels`.
    """
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    return list_labels(labels, "give an OUT of seglift label or predict, or a folder of label PNGs")


def pair_trees(predictions: LabelTree, truths: LabelTree) -> Pairs:
    """Matches by stem; where a stem appears in several folders of a tree, by folder and stem.

    Raises:
        UserError: two predictions or two labels of one frame.
    """
    by_place = _has_double(predictions.stems) or _has_double(truths.stems)
    mine, theirs = (tree.places if by_place else tree.stems for tree in (predictions, truths))
    position = {key: index for index, key in enumerate(mine)}
    for tree, keys in ((predictions, mine), (truths, theirs)):
        _check_double(tree, keys)
    found: dict[int, tuple[Path, Path]] = {}
    missing = []
    for name, key in zip(truths.names, theirs, strict=True):
        index = position.get(key)
        if index is None:
            missing.append(name)
        else:
            found[index] = (predictions.root / predictions.names[index], truths.root / name)
    return Pairs(dict(sorted(found.items())), tuple(missing), tuple(predictions.stems), predictions.is_flat)


def find_instances(label: Path) -> Path | None:
    """The instance PNG beside a label (``X_gtFine_instanceIds.png`` beside ``X_gtFine_labelIds.png``), or None."""
    stem = label_stem(label.stem)
    names = (f"{stem}{suffix}{label.suffix}" for suffix in INSTANCE_SUFFIXES)
    return next((path for path in map(label.with_name, names) if path.is_file()), None)


def find_instance_file(label: Path) -> Path | None:
    """The instance PNG of a label, or None.

    It lies beside the label (:func:`find_instances`), or has its name in the folder ``instances`` beside ``labels``
    (``OUT/instances/STEM.png`` for ``OUT/labels/STEM.png``, and below these folders).
    """
    beside, parallel = find_instances(label), _find_parallel(label, "instances")
    if beside is not None or parallel is None:
        return beside
    return parallel if parallel.is_file() else find_instances(parallel)


def find_confidence(label: Path) -> Path | None:
    """``OUT/confidence/STEM.png`` of a prediction ``OUT/labels/STEM.png`` (and below these folders), or None."""
    parallel = _find_parallel(label, "confidence")
    return parallel if parallel is not None and parallel.is_file() else None


def _find_parallel(label: Path, folder: str) -> Path | None:
    """Where ``folder`` beside ``labels`` would have the label's file; None where no folder above is ``labels``."""
    root = next((above for above in label.parents if above.name == "labels"), None)
    return None if root is None else root.with_name(folder) / label.relative_to(root)


def find_distances(pairs: Pairs, keyframes: Path, between: bool) -> Mapping[int, int]:
    """Distance to the nearest keyframe by position of the prediction; what is not to be scored is left out.

    Args:
        pairs: of one folder.
        keyframes: folder of the keyframes' labels.
        between: leave out what lies before the first or after the last keyframe.

    Raises:
        UserError: predictions in several folders, or no keyframe among them.
    """
    if not pairs.flat:
        raise UserError("--keyframes needs the frames of one clip, but PRED has several folders; score them one by one")
    keys = sorted(pair_labels(pairs.stems, keyframes, allow_unmatched=True))
    if not keys:
        raise UserError(f"no label in {keyframes} belongs to a scored frame; give the folder that label was given")
    return {
        index: min(abs(index - key) for key in keys)
        for index in range(len(pairs.stems))
        if index not in keys and (not between or keys[0] < index < keys[-1])
    }


def missing_between(pairs: Pairs, keyframes: Path) -> tuple[str, ...]:
    """Ground truth without prediction whose stem lies, in natural order, between those of the outermost keyframes.

    Raises:
        UserError: two labels of one keyframe.
    """
    keys = sorted(pair_labels(pairs.stems, keyframes, allow_unmatched=True))
    if not keys:
        return pairs.missing
    first, last = natural_key(pairs.stems[keys[0]]), natural_key(pairs.stems[keys[-1]])
    stems = {name: frame_stem(label_stem(PurePosixPath(name).stem)) for name in pairs.missing}
    return tuple(name for name, stem in stems.items() if first < natural_key(stem) < last)


def _is_label(path: PurePosixPath) -> bool:
    return path.suffix.lower() == ".png" and not is_companion(path.stem) and instance_stem(path.stem) is None


def _by_folder_and_stem(name: str) -> tuple[object, object]:
    path = PurePosixPath(name)
    return natural_key(str(path.parent)), natural_key(path.stem)


def _has_double(keys: Sequence[str]) -> bool:
    return len(set(keys)) < len(keys)


def _check_double(tree: LabelTree, keys: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name, key in zip(tree.names, keys, strict=True):
        other = seen.setdefault(key, name)
        if other is not name:
            raise UserError(f"{other} and {name} in {tree.root} both belong to one frame; keep one of them")
