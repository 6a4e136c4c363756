"""Weights to start the training of a motion network from: an earlier training, or the released checkpoint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.models.sdcnet import build_sdcnet
from seglift.motion.sdcnet import read_motion_checkpoint


@dataclass(frozen=True)
class MotionStart:
    """A trained motion network as plain values.

    Attributes:
        tensors: its state dict.
        flow_mean: mean of the flows that it was trained on, pixels.
        flow_std: their standard deviation.
    """

    tensors: dict[str, Tensor]
    flow_mean: tuple[float, float]
    flow_std: tuple[float, float]

    def fingerprint(self) -> str:
        """64 hexadecimal digits over names and values."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            digest.update(name.encode())
            digest.update(self.tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def start_motion(spec: str, variant: str, width_mult: float) -> MotionStart:
    """Weights for a network of this variant and width.

    Args:
        spec: folder or file of a training of ``kind: video_prediction``, or the file of a released checkpoint.
        variant: ``reconstruction`` or ``prediction``.
        width_mult: of the channels of every layer.

    Raises:
        UserError: nothing usable there, or weights of another network.
    """
    tensors, config, _ = read_motion_checkpoint(Path(spec))
    given = build_sdcnet(config)
    if given.variant != variant:
        raise UserError(
            f"{spec} is of the variant {given.variant}, the recipe trains {variant}; give weights of that one, or set"
            f" network.variant={given.variant}"
        )
    width = float(config.get("arguments", {}).get("width_mult", 1.0))
    if width != width_mult:
        raise UserError(f"{spec} has width_mult {width:g}, the recipe {width_mult:g}; set network.width_mult={width:g}")
    try:
        given.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(f"{spec} has other tensors than its description says; give the file unchanged") from error
    mean, std = (values.flatten().tolist() for values in (given.flow_mean, given.flow_std))
    return MotionStart(dict(given.state_dict()), (mean[0], mean[1]), (std[0], std[1]))
