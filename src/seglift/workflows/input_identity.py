"""What identifies weights and a label space: their content, not the path they lie at."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_file, fingerprint_values
from seglift.inference.semantic_model import HUB_PREFIX
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelSpace

MODEL_WORDS = ("auto", "none")
RAFT_PREFIX = "raft:"
RAFT_SIZES = ("", "small", "large")


def model_path(spec: str) -> Path | None:
    """Where ``--model`` lies; None for ``auto`` and ``none``. A hub id gives a path too, where there is nothing."""
    return None if spec in MODEL_WORDS else Path(spec.removeprefix(HUB_PREFIX))


def motion_path(name: str) -> Path | None:
    """Where the weights of ``--motion raft:FILE`` lie; None for everything else."""
    detail = name.removeprefix(RAFT_PREFIX)
    return Path(detail) if name.startswith(RAFT_PREFIX) and detail not in RAFT_SIZES else None


def fingerprint_model(spec: str) -> str:
    """Of a checkpoint's content, of the files of a transformers folder, or of the id of a hub model.

    Args:
        spec: ``--model``, neither ``auto`` nor ``none``.

    Raises:
        UserError: there is nothing at the path.
    """
    from seglift.inference.checkpoint import WEIGHTS_NAME  # imports networks, which motion does without

    path = Path(spec.removeprefix(HUB_PREFIX))
    if not spec.startswith(HUB_PREFIX) and (path / WEIGHTS_NAME).is_file():
        path = path / WEIGHTS_NAME
    try:
        if path.is_file():
            return fingerprint_file(path)
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            return fingerprint_values([[file.name, fingerprint_file(file)] for file in files])
    except OSError as error:
        raise UserError(f"cannot read --model {spec}: {error.strerror or error}; check the path") from error
    if not spec.startswith(HUB_PREFIX):
        raise UserError(f"--model {spec} is neither a file nor a folder; give a checkpoint, hf:ID, auto or none")
    return fingerprint_values(spec)


def fingerprint_motion(name: str) -> str | None:
    """Of the weights file of ``raft:FILE``; None for everything else.

    Raises:
        UserError: there is no such file.
    """
    path = motion_path(name)
    if path is None:
        return None
    try:
        return fingerprint_file(path)
    except OSError as error:
        raise UserError(
            f"cannot read RAFT weights {path}: {error.strerror or error}; give a state-dict file, or 'small' or 'large'"
        ) from error


def model_identity(spec: str) -> str:
    """``--model`` as it identifies a run: the word, the hub's id, or kind and content."""
    if spec in MODEL_WORDS:
        return spec
    path = Path(spec.removeprefix(HUB_PREFIX))
    hub = spec.startswith(HUB_PREFIX)
    if hub and not path.exists():
        return spec
    return f"{'transformers' if hub else 'checkpoint'} {fingerprint_model(spec)}"


def motion_identity(name: str) -> str:
    """``--motion`` as it identifies a run: the name, or the content of the weights."""
    digest = fingerprint_motion(name)
    return name if digest is None else f"{RAFT_PREFIX}{digest}"


def space_identity(spec: str, space: LabelSpace) -> tuple[str, str]:
    """The name of a built-in space (``file`` for others), and a fingerprint of all that changes how labels are read."""
    classes = [[c.id, c.name, list(c.color), c.train_id] for c in space.classes]
    return spec if spec in BUILTIN_SPACES else "file", fingerprint_values(classes, space.ignore)
