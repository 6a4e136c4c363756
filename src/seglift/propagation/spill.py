"""What two-sided work keeps between its two passes lives on disk, so that memory does not grow with the gap.

Everything is a safetensors file that appears under its name only when whole, so that an interrupted pass goes on from
the last checkpoint and ends with the same bytes as an undisturbed one.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seglift.base.errors import UserError
from seglift.propagation.state import Origin, Propagated, StepMotion

FLOW_STEP = 1.0 / 64.0
"""Resolution of a spilled flow in pixels; it reaches 512 pixels a step."""
PENDING = 3
"""Entries that may wait to be written."""
BYTES_PER_PIXEL = 19
"""About what a frame between two keyframes takes on disk until its gap is done."""


class Spill:
    """Arrays of one gap by kind and frame, in ``folder`` (made when first written).

    Args:
        folder: holds nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="spill")
        self._pending: deque[Future[None]] = deque()

    def save(self, kind: str, index: int, pack: Callable[[], dict[str, Tensor]]) -> None:
        """Stores the arrays that ``pack`` makes as ``kind`` of frame ``index``.

        Works in the background, in order, a few entries behind; errors come up in a later call.
        """
        self._pending.append(self._pool.submit(self._write, self._path(kind, index), pack))
        while len(self._pending) > PENDING:
            self._pending.popleft().result()

    def flush(self) -> None:
        """Waits until everything saved is on disk."""
        while self._pending:
            self._pending.popleft().result()

    @torch.inference_mode()
    def _write(self, path: Path, pack: Callable[[], dict[str, Tensor]]) -> None:
        part = path.with_suffix(".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({name: value.cpu().contiguous() for name, value in pack().items()}, str(part))
            part.replace(path)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot write {path}: {error}; free disk space and run again") from error

    def load(self, kind: str, index: int, device: torch.device) -> dict[str, Tensor] | None:
        """The arrays of ``kind`` for frame ``index`` on ``device``; None where absent or not whole."""
        try:
            return dict(load_file(str(self._path(kind, index)), device=str(device)))
        except (OSError, SafetensorError):
            return None

    def indices(self, kind: str) -> list[int]:
        """Frames that have ``kind``, rising."""
        return sorted(int(path.stem.rsplit("-", 1)[1]) for path in self.folder.glob(f"{kind}-*.safetensors"))

    def remove(self, kind: str, index: int) -> None:
        """Deletes one entry; no error where absent."""
        self._path(kind, index).unlink(missing_ok=True)

    def clear(self) -> None:
        """Deletes the folder."""
        self.flush()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, index: int) -> Path:
        return self.folder / f"{kind}-{index:07d}.safetensors"


def pack_state(state: Propagated, exact: bool) -> dict[str, Tensor]:
    """Arrays of a state (its origin left out).

    Args:
        state: the state.
        exact: keep the whole trace, for checkpoints to step on from; otherwise what fusing reads, compactly: the map
            as uint16 over the frame's longer side, the rest as float16.
    """
    arrays = {"labels": state.labels, "distance": torch.tensor(state.distance)}
    if bool(state.filled.any()):
        arrays["filled"] = state.filled
    if state.refined is not None:
        arrays["refined"] = state.refined
    if exact:
        return arrays | {"trace": state.trace.permute(0, 2, 3, 1)}
    place = ((state.sampling_map + 1.0) / _map_step(state.labels)).round_().clamp_(0, 65535).to(torch.int32)
    arrays["place"] = place.to(torch.uint16).permute(0, 2, 3, 1)
    arrays["signs"] = state.trace[:, 2:].to(torch.float16).permute(0, 2, 3, 1)
    if state.photometric is not None:
        arrays["photometric"] = state.photometric
    return arrays


def unpack_state(arrays: dict[str, Tensor], origin: Origin) -> Propagated:
    """The state of :func:`pack_state`."""
    labels, distance = arrays["labels"], int(arrays["distance"])
    if "trace" in arrays:
        trace = arrays["trace"].permute(0, 3, 1, 2)
    else:
        place = arrays["place"].to(torch.float32) * _map_step(labels) - 1.0
        trace = torch.cat((place, arrays["signs"].to(torch.float32)), dim=3).permute(0, 3, 1, 2)
    filled = arrays.get("filled", torch.zeros_like(labels, dtype=torch.bool))
    return Propagated(labels, trace, filled, origin, distance, arrays.get("photometric"), arrays.get("refined"))


def _map_step(labels: Tensor) -> float:
    """Coordinates from -1 to one past the longer side, in 65535 steps."""
    return (max(labels.shape[-2:]) + 2.0) / 65535.0


def pack_motion(motion: StepMotion) -> dict[str, Tensor]:
    """Arrays of a step: the flow as int16 in steps of ``FLOW_STEP`` pixels (rounded), the error as float16."""
    flow = (motion.flow / FLOW_STEP).round_().clamp_(-32767, 32767).to(torch.int16).permute(0, 2, 3, 1)
    return {"flow": flow, "error": motion.error.to(torch.float16)}


def unpack_motion(arrays: dict[str, Tensor]) -> StepMotion:
    """The step of :func:`pack_motion`."""
    flow = (arrays["flow"].to(torch.float32) * FLOW_STEP).permute(0, 3, 1, 2)
    return StepMotion(flow, arrays["error"].to(torch.float32))
