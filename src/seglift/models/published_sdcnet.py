"""SDC-Net's released checkpoints: names and shapes of their tensors, and the colour order that they expect."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.models.sdcnet import ARCHITECTURE, FRAMES, build_sdcnet

RELEASED = "SDC-Net2D (Zhu et al. 2019)"
LEFTOVERS = re.compile(r"rgb_mean|flownet2\..*|(warp_nn|warp_bilinear|L1Loss)\..*")
"""What a release may hold beside the network: a buffer that nothing reads, and its frozen FlowNet2."""
SIGNATURE = ("conv1.0.weight", "final_flow.weight")
"""Tensors by which the network is known."""


@dataclass(frozen=True)
class PublishedMotion:
    """A released motion network.

    Attributes:
        tensors: its state dict, for a network that is given RGB.
        config: what ``build_sdcnet`` makes it from.
    """

    tensors: dict[str, Tensor]
    config: dict[str, Any]


def is_sdcnet(tensors: Mapping[str, Tensor]) -> bool:
    """Whether ``tensors``, by their published names, look like an SDC-Net's."""
    return all(name in tensors for name in SIGNATURE)


def sdcnet_from_tensors(tensors: Mapping[str, Tensor], what: str) -> PublishedMotion:
    """The motion network that ``tensors``, by their published names, belong to; ``what`` they are called in errors.

    The released networks were trained on OpenCV's BGR images; the weights that read images are put in RGB order.

    Raises:
        UserError: tensors missing, left over or of the wrong shape (the first are named).
    """
    inputs = int(tensors[SIGNATURE[0]].shape[1]) if tensors[SIGNATURE[0]].ndim == 4 else 0
    variant = next((name for name, frames in FRAMES.items() if _inputs(frames) == inputs), "reconstruction")
    expected = _expected(variant)
    said = []
    for name, shape in expected.items():
        if name not in tensors:
            said.append(f"{name} is missing")
        elif tuple(tensors[name].shape) != shape:
            sizes = ["x".join(map(str, size)) for size in (tensors[name].shape, shape)]
            said.append(f"{name} is {sizes[0]}, expected {sizes[1]}")
    said += [f"{name} is left over" for name in tensors if name not in expected and not LEFTOVERS.fullmatch(name)]
    if said:
        raise UserError(
            f"{what} looks like {RELEASED}, but {'; '.join(said[:3])} ({len(said)} differences in all); give the"
            " released file unchanged"
        )
    ours = {name: tensors[name].float() for name in expected}
    order = _rgb_order(FRAMES[variant])
    ours["conv1.0.weight"] = ours["conv1.0.weight"][:, order].contiguous()
    rest = range(len(order), ours["final_flow.weight"].shape[1])
    ours["final_flow.weight"] = ours["final_flow.weight"][:, [*order, *rest]].contiguous()
    return PublishedMotion(ours, {"architecture": ARCHITECTURE, "arguments": {"variant": variant}})


def _inputs(frames: int) -> int:
    return 3 * frames + 2 * (frames - 1)


def _rgb_order(frames: int) -> list[int]:
    """For each input channel of a network of RGB, the channel of one of BGR: planes of a colour lie together."""
    flows = 2 * (frames - 1)
    planes = [flows + plane * frames + frame for plane in (2, 1, 0) for frame in range(frames)]
    return [*range(flows), *planes]


@functools.cache
def _expected(variant: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = build_sdcnet({"architecture": ARCHITECTURE, "arguments": {"variant": variant}})
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
