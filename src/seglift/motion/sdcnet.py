"""SDC-Net as a motion estimator: learned motion vectors (Zhu et al. 2019, section 3.1, equations 1 and 3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.weights import BEST_NAME, load_weights
from seglift.models.published import load_published_motion
from seglift.models.sdcnet import SdcNet, build_sdcnet
from seglift.motion.estimator import MotionEstimator
from seglift.motion.remembered import RememberedFlow

MOTION_KIND = "motion"
INPUT_FLOW = "dis"
"""What a network is given where its checkpoint does not say (the released ones were trained on FlowNet2's flow)."""


class SdcNetFlow:
    """A :class:`seglift.motion.estimator.MotionEstimator` around an SDC-Net.

    Where there is no frame before ``source``, it stands still for one step: that frame is ``source`` again, with a flow
    of zero. A network for prediction never looks at ``target``, so without ``previous`` it can know nothing.

    Args:
        network: an SDC-Net.
        input_flow: estimates the flows that it is given.
        device: where the network runs; the motion comes back on the device of the images.
    """

    wants_previous = True

    def __init__(self, network: SdcNet, input_flow: MotionEstimator, device: torch.device | str = "cpu") -> None:
        self.network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self.device = torch.device(device)
        self.input_flow = RememberedFlow(input_flow)

    @classmethod
    def from_file(
        cls, path: Path, make_flow: Callable[[str, torch.device | str], MotionEstimator], device: torch.device | str
    ) -> SdcNetFlow:
        """From the folder or file of `seglift train`, or from a released checkpoint.

        Args:
            path: the checkpoint.
            make_flow: makes the estimator of the input flows by its name, for a device.
            device: where network and estimator run.

        Raises:
            UserError: nothing there, or no motion network.
        """
        tensors, config, input_flow = read_motion_checkpoint(path)
        network = build_sdcnet(config)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise UserError(f"{path} has other tensors than its description says; give the file unchanged") from error
        return cls(network, make_flow(input_flow, device), device)

    @torch.inference_mode()
    def __call__(self, source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
        """Backward flow on ``target`` sampling ``source``; see :class:`~seglift.motion.estimator.MotionEstimator`."""
        if source.shape != target.shape or source.ndim != 4 or source.shape[1] != 3:
            raise ValueError(
                f"source {tuple(source.shape)} and target {tuple(target.shape)} must both be [B, 3, H, W] of one size"
            )
        if previous is None:
            known = source.new_zeros((len(source), 2, *source.shape[2:]), dtype=torch.float32)
        else:
            known = self.input_flow(previous, source)
        frames, flows = [source if previous is None else previous, source], [known]
        if self.network.num_frames > len(frames):
            frames.append(target)
            flows.append(self.input_flow(source, target))
        images = torch.stack([self._prepare(frame) for frame in frames], 1)
        motion: Tensor = self.network(images, torch.stack([flow.to(self.device) for flow in flows], 1))
        return motion.to(source.device).contiguous(memory_format=torch.channels_last)

    def _prepare(self, image: Tensor) -> Tensor:
        scaled = image.to(self.device, torch.float32)
        return scaled / 255.0 if image.dtype == torch.uint8 else scaled


def motion_metadata(network: dict[str, Any], input_flow: str) -> dict[str, Any]:
    """What a weights file must say for :func:`read_motion_checkpoint`.

    Args:
        network: the ``config`` of ``build_sdcnet``.
        input_flow: name of the estimator whose flows the network was trained on, see ``motion.named``.
    """
    return {"kind": MOTION_KIND, "network": network, "input_flow": input_flow}


def read_motion_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    """A motion network as plain values: its state dict, the ``config`` of ``build_sdcnet``, and its input flow's name.

    Args:
        path: folder or ``.safetensors`` of `seglift train`, or a released checkpoint (``.pth``, ``.pt``, ``.tar``).

    Raises:
        UserError: nothing there, or no motion network.
    """
    path = path / BEST_NAME if path.is_dir() else path
    if path.suffix != ".safetensors" and path.is_file():
        published = load_published_motion(path)
        return published.tensors, published.config, INPUT_FLOW
    tensors, metadata = load_weights(path)
    if metadata.get("kind") != MOTION_KIND:
        raise UserError(f"{path} holds a {metadata.get('kind')} model, expected a motion model; give one")
    network, input_flow = metadata.get("network"), metadata.get("input_flow")
    if not isinstance(network, dict) or not isinstance(input_flow, str):
        raise UserError(f"{path} does not say which motion network it holds; give one that seglift trained")
    return tensors, network, input_flow
