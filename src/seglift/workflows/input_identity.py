"""What identifies weights and a label space: their content, not the path they lie at."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_file, fingerprint_values
from seglift.base.weights import BEST_NAME
from seglift.inference.semantic_model import HUB_PREFIX
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelSpace
from seglift.motion.named import weights_path

MODEL_WORDS = ("auto", "none")
REFINER_WORDS = (*MODEL_WORDS, "keyframes")


def model_path(spec: str) -> Path | None:
    """Where ``--model`` lies; None for ``auto`` and ``none``. A hub id gives a path too, where there is nothing."""
    return None if spec in MODEL_WORDS else Path(spec.removeprefix(HUB_PREFIX))


def fingerprint_model(spec: str, option: str = "--model") -> str:
    """Of a checkpoint's content, of the files of a transformers folder, or of the id of a hub model.

    Args:
        spec: ``--model`` or ``--refiner``, neither ``auto`` nor ``none``.
        option: what errors call it.

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
        raise UserError(f"cannot read {option} {spec}: {error.strerror or error}; check the path") from error
    if not spec.startswith(HUB_PREFIX):
        raise UserError(f"{option} {spec} is neither a file nor a folder; give a checkpoint, hf:ID, auto or none")
    return fingerprint_values(spec)


def fingerprint_motion(name: str) -> str | None:
    """Of the weights of ``raft:FILE`` or ``sdcnet:CKPT``; None for everything else.

    Raises:
        UserError: there is no such file.
    """
    path = weights_path(name)
    if path is None:
        return None
    file = path / BEST_NAME if path.is_dir() else path
    try:
        return fingerprint_file(file)
    except OSError as error:
        raise UserError(
            f"cannot read the weights {file} of --motion {name}: {error.strerror or error}; give the file or folder of"
            " a motion model, or use --motion dis"
        ) from error


def model_identity(spec: str, option: str = "--model") -> str:
    """``--model`` or ``--refiner`` as it identifies a run: the word, the hub's id, or kind and content."""
    if spec in REFINER_WORDS:
        return spec
    path = Path(spec.removeprefix(HUB_PREFIX))
    hub = spec.startswith(HUB_PREFIX)
    if hub and not path.exists():
        return spec
    return f"{'transformers' if hub else 'checkpoint'} {fingerprint_model(spec, option)}"


def motion_identity(name: str) -> str:
    """``--motion`` as it identifies a run: the name, or kind and content of the weights; behind a motion network also
    what identifies its input flow, where that has weights of its own.

    Raises:
        UserError: weights that cannot be read, or a file for ``sdcnet`` that holds no motion network.
    """
    path, digest = weights_path(name), fingerprint_motion(name)
    if path is None or digest is None:
        return name
    kind = name.partition(":")[0]
    return f"{kind}:{digest}" + (_input_flow_identity(path) if kind == "sdcnet" else "")


def _input_flow_identity(path: Path) -> str:
    from seglift.motion.sdcnet import read_motion_checkpoint  # imports the network, which other motion does without

    _, _, input_flow = read_motion_checkpoint(path)
    return "" if weights_path(input_flow) is None else f" on {motion_identity(input_flow)}"


def space_identity(spec: str, space: LabelSpace) -> tuple[str, str]:
    """The name of a built-in space (``file`` for others), and a fingerprint of all that changes how labels are read."""
    classes = [[c.id, c.name, list(c.color), c.train_id] for c in space.classes]
    return spec if spec in BUILTIN_SPACES else "file", fingerprint_values(classes, space.ignore)
