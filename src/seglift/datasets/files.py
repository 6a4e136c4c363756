"""Finding, listing and pairing the files of a dataset on disk, and saying in one line what a wrong root lacks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.video.stems import natural_key

_SHOWN = 6


@dataclass(frozen=True)
class Listing:
    """Files below a folder, by one scan.

    Attributes:
        folder: the folder that was scanned.
        names: paths relative to it with ``/`` between folders, sorted as text; hidden files are left out.
    """

    folder: Path
    names: tuple[str, ...]

    def by_key(self, *endings: str) -> dict[str, Path]:
        """Files whose name ends in one of ``endings`` (any case), by their relative name without that ending, in
        natural order of these keys.

        Of several endings that fit one file the first given counts, so longer ones come first.

        Raises:
            UserError: two files have one key, such as ``a.jpg`` and ``a.png``; both are named.
        """
        found: dict[str, Path] = {}
        lowered = tuple(ending.lower() for ending in endings)
        for name in self.names:
            ending = next((ending for ending in lowered if name.lower().endswith(ending)), None)
            if ending is None:
                continue
            key, path = name[: len(name) - len(ending)], self.folder / name
            other = found.setdefault(key, path)
            if other is not path:
                raise UserError(f"{other} and {path} are two files for {key}, one is expected; remove one of them")
        return dict(sorted(found.items(), key=lambda entry: natural_key(entry[0])))


@dataclass(frozen=True)
class Pairing:
    """Keys for which an image and a label are there, in natural order, and a line for each kind that stands alone."""

    keys: tuple[str, ...]
    problems: tuple[str, ...]


def find_folder(root: Path, *choices: str) -> Path | None:
    """The first of ``choices`` (relative paths such as ``"leftImg8bit/train"``) that is a folder below ``root``.

    Each is looked for directly in ``root``, then in every folder of ``root`` in natural order: archives that were
    unpacked into a folder of their own name leave such a wrapper (``leftImg8bit_trainvaltest/leftImg8bit``).
    """
    return next(iter(find_folders(root, *choices)), None)


def find_folders(root: Path, *choices: str) -> list[Path]:
    """All folders that :func:`find_folder` looks at, in its order: for archives that were each unpacked by itself."""
    direct = [root / choice for choice in choices]
    wrappers = [root / name for name in _entries(root)]
    candidates = [*direct, *(wrapper / choice for choice in choices for wrapper in wrappers)]
    return [path for path in candidates if path.is_dir()]


def require_folder(root: Path, *choices: str, dataset: str) -> Path:
    """As :func:`find_folder`.

    Raises:
        UserError: there is none; see :func:`wrong_root`.
    """
    found = find_folder(root, *choices)
    if found is None:
        raise wrong_root(root, choices, dataset)
    return found


def wrong_root(root: Path, looked_for: Sequence[str], dataset: str) -> UserError:
    """The error for a root that lacks the folders or files ``looked_for``, of which one would do.

    Args:
        root: the folder the user gave.
        looked_for: relative paths or patterns.
        dataset: the dataset's name for people, such as ``"Cityscapes"``.
    """
    wanted = " or ".join([*looked_for, *(f"*/{pattern}" for pattern in looked_for[:1])])
    first = looked_for[0].split("/")[0]
    advice = f"give as root the folder that holds {first}"
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        return UserError(f"the {dataset} root {root} {what}, a folder with {wanted} is expected; {advice}")
    parts = looked_for[0].split("/")
    parents = ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]
    shown = next((path for path in (find_folder(root, parent) for parent in parents) if path is not None), root)
    where = "" if shown == root else f" in {shown}"
    return UserError(
        f"{root} is no {dataset} root: looked for {wanted}, found {_show(_entries(shown))}{where}; {advice}"
    )


def scan_files(folder: Path, depth: int = 0) -> Listing:
    """Lists the files of ``folder`` and of at most ``depth`` levels of folders below it; nothing is opened.

    Raises:
        UserError: a folder cannot be read.
    """
    return Listing(folder, tuple(sorted(_walk(folder, "", depth))))


def pair_files(images: Mapping[str, Path], labels: Mapping[str, Path], where: str) -> Pairing:
    """Pairs images and labels by key.

    Args:
        images: from :meth:`Listing.by_key`.
        labels: the same for the labels.
        where: names the set in problems and errors, such as ``"Cityscapes train"``.

    Returns:
        The common keys in natural order, and a line each for images without label and labels without image.

    Raises:
        UserError: there is no image at all, or not one pair; both sides are named by an example.
    """
    if not images:
        raise UserError(f"{where} holds no image; check the root and that its archive was unpacked completely")
    keys = sorted(images.keys() & labels.keys(), key=natural_key)
    if not keys:
        some = f"{counted(len(labels), 'label')} (such as {_least(labels)})" if labels else "no labels"
        raise UserError(
            f"{where} has {counted(len(images), 'image')} (such as {_least(images)}) and {some}, but no pair of the"
            " same name; unpack the labels that belong to these images"
        )
    problems = (
        count_note(
            sorted(images.keys() - labels.keys(), key=natural_key), "image", f"of {where} without label left out"
        ),
        count_note(
            sorted(labels.keys() - images.keys(), key=natural_key), "label", f"of {where} without image left out"
        ),
    )
    return Pairing(tuple(keys), tuple(problem for problem in problems if problem is not None))


def count_note(names: Sequence[str], one: str, what: str) -> str | None:
    """``"2 images of ... left out: a, b"`` with the first names, or None where there are none.

    Args:
        names: of what is told.
        one: what one of them is called, such as ``image``.
        what: what there is to say of them.
    """
    if not names:
        return None
    more = ", ..." if len(names) > 3 else ""
    return f"{counted(len(names), one)} {what}: {', '.join(names[:3])}{more}"


def check_choice(value: str, choices: Sequence[str], what: str) -> None:
    """Checks an option such as the split.

    Raises:
        UserError: ``value`` is none of ``choices``, which are listed.
    """
    if value not in choices:
        raise UserError(f"{what} is {value!r}, one of {', '.join(choices)} is expected; choose one of them")


def check_unique(names: Sequence[str], where: str) -> None:
    """Checks that the names of items differ.

    Raises:
        UserError: one appears twice; it is named.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(f"{where} has two images called {name}, names must differ; remove or rename one")
        seen.add(name)


def _show(entries: Sequence[str]) -> str:
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return ", ".join(entries[:_SHOWN]) + more if entries else "nothing"


def _least(files: Mapping[str, Path]) -> str:
    return str(files[min(files, key=natural_key)])


def _entries(folder: Path) -> list[str]:
    """Names of what ``folder`` holds, in natural order and without hidden ones; empty where it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry.name for entry in found if not entry.name.startswith(".")), key=natural_key)
    except OSError:
        return []


def _walk(folder: Path, prefix: str, depth: int) -> list[str]:
    names: list[str] = []
    deeper: list[str] = []
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    names.append(prefix + entry.name)
                elif depth > 0:
                    deeper.append(entry.name)
    except OSError as error:
        raise UserError(
            f"cannot read the folder {folder} ({error.strerror or error}); check its permissions"
        ) from error
    for name in deeper:
        names.extend(_walk(folder / name, f"{prefix}{name}/", depth - 1))
    return names
