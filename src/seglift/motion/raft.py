"""RAFT optical flow (Teed and Deng 2020) through torchvision, on any device."""

from __future__ import annotations

import threading
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from seglift.base.errors import UserError

SIZES = ("small", "large")
MULTIPLE = 8
MIN_SIDE = 128
"""RAFT's correlation pyramid needs 16 cells of 8 pixels per side; smaller images are padded."""


class RaftFlow:
    """A :class:`seglift.motion.estimator.MotionEstimator` around torchvision's RAFT.

    Args:
        network: a torchvision RAFT in evaluation mode.
        device: where it runs; the flow comes back on the device of the images.
        updates: refinement iterations.
    """

    def __init__(self, network: torch.nn.Module, device: torch.device | str = "cpu", updates: int = 12) -> None:
        self.network = network.eval().to(device)
        self.device = torch.device(device)
        self.updates = updates
        self._lock = threading.Lock()  # torchvision's RAFT keeps the correlations of its call in itself

    @classmethod
    def published(cls, size: str, device: torch.device | str = "cpu") -> RaftFlow:
        """The published weights by size (``small`` or ``large``), downloaded once and cached by torch.

        Raises:
            UserError: the weights are not cached and cannot be downloaded.
        """
        from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights

        weights = {"small": Raft_Small_Weights.DEFAULT, "large": Raft_Large_Weights.DEFAULT}[size]
        network = _network(size)
        try:
            network.load_state_dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
        except (HTTPException, OSError, RuntimeError, EOFError, UnpicklingError) as error:
            raise UserError(
                f"RAFT's published weights ({weights.url.rsplit('/', 1)[-1]}) are not cached and cannot be downloaded "
                f"({error}); go online once, give a file as --motion raft:FILE, or use --motion dis"
            ) from error
        return cls(network, device)

    @classmethod
    def from_file(cls, path: Path, device: torch.device | str = "cpu") -> RaftFlow:
        """Weights from a state-dict file of torchvision's RAFT, either size (safetensors or ``.pth``, weights only).

        Raises:
            UserError: no such file, not a weights file, or not RAFT's names and shapes.
        """
        state = _read_state(path)
        for size in SIZES:
            network = _network(size)
            expected = network.state_dict()
            if expected.keys() == state.keys() and all(expected[k].shape == state[k].shape for k in expected):
                network.load_state_dict(state)
                return cls(network, device)
        raise UserError(f"{path} holds {len(state)} tensors that are not torchvision's RAFT; check the file")

    @torch.inference_mode()
    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """Backward flow on ``target`` sampling ``source``; see :class:`~seglift.motion.estimator.MotionEstimator`."""
        del previous
        if source.shape != target.shape or source.ndim != 4 or source.shape[1] != 3:
            raise ValueError(
                f"source {tuple(source.shape)} and target {tuple(target.shape)} must both be [B, 3, H, W] of one size"
            )
        height, width = source.shape[-2:]
        # RAFT gives the flow on its first image that samples the second.
        first, second = self._prepare(target), self._prepare(source)
        with self._lock:
            flow: Tensor = self.network(first, second, num_flow_updates=self.updates)[-1]
        return flow[..., :height, :width].to(source.device, torch.float32).clone()

    def _prepare(self, image: Tensor) -> Tensor:
        scaled = image.to(self.device, torch.float32)
        if image.dtype == torch.uint8:
            scaled = scaled / 255.0
        height, width = image.shape[-2:]
        bottom = max(MIN_SIDE, -(-height // MULTIPLE) * MULTIPLE) - height
        right = max(MIN_SIDE, -(-width // MULTIPLE) * MULTIPLE) - width
        return functional.pad(scaled * 2.0 - 1.0, (0, right, 0, bottom), mode="replicate")


def _network(size: str) -> torch.nn.Module:
    from torchvision.models.optical_flow import raft_large, raft_small

    network: torch.nn.Module = {"small": raft_small, "large": raft_large}[size](weights=None)
    return network


def _read_state(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"no RAFT weights at {path}; give a state-dict file, or 'small' or 'large'")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{path} cannot be read as weights ({type(error).__name__}); give a state dict, pickles are never executed"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a state dict of tensors; save network.state_dict()")
    return state
