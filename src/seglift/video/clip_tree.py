"""The clips that lie in a place: a video file, a folder of frames, or a tree of both."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.video.folder import list_images
from seglift.video.stems import natural_key

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts"})
"""What is taken for a video file inside a tree; a file that is named itself may have any suffix."""
IMAGES = "images"
"""A sub-folder of this name holds the frames of its folder; what lies beside it (labels) is not looked at."""
DEPTH = 8


def find_clips(path: Path) -> dict[str, Path]:
    """Every clip in ``path`` by its name: where it lies below ``path``, without a last ``images``.

    A folder that directly holds images is a clip, and so is a video file; hidden files and folders are left out.
    Nothing is decoded.

    Args:
        path: a video file, a folder of frames, or a folder of either, up to eight levels deep.

    Raises:
        UserError: nothing is there, a folder cannot be read, or it holds no clip.
    """
    if not path.exists():
        raise UserError(f"no video at {path}; give a video file, a folder of frames or a folder of such folders")
    if path.is_file():
        return {path.stem: path}
    found = {_name(place, path): place for place in _walk(path, DEPTH)}
    if not found:
        raise UserError(f"no frames and no video files in {path}; give a folder that holds some")
    return found


def _walk(folder: Path, depth: int) -> list[Path]:
    """Clips in ``folder``, in natural order."""
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name))
        entries = [entry for entry in entries if entry.name[0] != "."]
        folders = [entry for entry in entries if entry.is_dir()]
    except OSError as error:
        raise UserError(
            f"cannot read the folder {folder} ({error.strerror or error}); check its permissions"
        ) from error
    inner = [entry for entry in folders if entry.name == IMAGES]
    if inner:
        folders, entries = inner, []
    found = [folder] if not inner and list_images(folder) else []
    found += [entry for entry in entries if entry.suffix.lower() in VIDEO_SUFFIXES and entry.is_file()]
    if depth:
        found += [place for entry in folders for place in _walk(entry, depth - 1)]
    return found


def _name(place: Path, root: Path) -> str:
    parts = list(place.relative_to(root).parts)
    if parts and parts[-1] == IMAGES:
        parts.pop()
    return "/".join(parts) or root.name or str(root)
