"""SDC-Net2D: motion that makes a frame out of the one before it (Reda et al. 2018; Zhu et al. 2019, section 3.1).

Layers, their sizes and the normalisations are those of the released networks: 9,698,420 parameters for reconstruction,
9,690,490 for prediction. The network is two-dimensional, its frames lie side by side in the channels.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seglift.base.errors import UserError
from seglift.base.seeding import derive_seed

ARCHITECTURE = "sdcnet2d"
FRAMES = {"prediction": 2, "reconstruction": 3}
"""Frames that each variant sees; the one to be made is among them for reconstruction only (equations 1 and 3)."""
FLOW_MEAN, FLOW_STD = (-0.94427323, -1.23077035), (13.77204132, 7.47463894)
"""Of the released networks' training data, x and y in pixels."""
MULTIPLE = 64
"""Heights and widths that the six halvings want multiples of; others are padded at the bottom and on the right."""
ENCODER = (
    ("conv1", 32, 7, 2),
    ("conv2", 64, 5, 2),
    ("conv3", 128, 5, 2),
    ("conv3_1", 128, 3, 1),
    ("conv4", 256, 3, 2),
    ("conv4_1", 256, 3, 1),
    ("conv5", 256, 3, 2),
    ("conv5_1", 256, 3, 1),
    ("conv6", 512, 3, 2),
    ("conv6_1", 512, 3, 1),
)
"""Name, output channels, kernel and stride."""
DECODER = (("deconv5", 256), ("deconv4", 128), ("deconv3", 64), ("deconv2", 32), ("deconv1", 16), ("deconv0", 8))
SKIPS = ("conv5_1", "conv4_1", "conv3_1", "conv2", "conv1")
"""What joins the output of each decoder layer but the last."""
SLOPE = 0.1


class SdcNet(nn.Module):
    """Frames and the flows between them to the motion that makes the next frame.

    Args:
        variant: ``prediction`` sees frames t-1 and t (8 input channels), ``reconstruction`` also t+1, the one to be
            made (13 channels).
        width_mult: multiplies the channels of every layer.
        flow_mean: mean of the flows' x and y, pixels; flows are normalised by (f - mean) / (3 std).
        flow_std: their standard deviation.
        start_from_flow: begin as a network that gives the last input flow unchanged, with biases of zero; otherwise
            weights are drawn as the released code draws them (Xavier, biases from 0 to 1).

    Raises:
        ValueError: an unknown variant, or numbers out of range.

    Attributes:
        variant: as given.
        num_frames: frames that it sees.
    """

    flow_mean: Tensor
    flow_std: Tensor

    def __init__(
        self,
        variant: str = "reconstruction",
        width_mult: float = 1.0,
        flow_mean: Sequence[float] = FLOW_MEAN,
        flow_std: Sequence[float] = FLOW_STD,
        start_from_flow: bool = False,
    ) -> None:
        super().__init__()
        if variant not in FRAMES:
            raise ValueError(f"variant is {variant!r}, expected one of {', '.join(FRAMES)}")
        if not 0 < width_mult <= 4:
            raise ValueError(f"width_mult is {width_mult}, expected above 0 and at most 4")
        if len(flow_mean) != 2 or len(flow_std) != 2 or not min(flow_std) > 0:
            raise ValueError(f"flow statistics are {flow_mean} and {flow_std}, expected two means, two numbers above 0")
        self.variant, self.num_frames = variant, FRAMES[variant]
        inputs = 3 * self.num_frames + 2 * (self.num_frames - 1)
        widths = {name: max(1, round(width_mult * channels)) for name, channels, *_ in (*ENCODER, *DECODER)}
        before = inputs
        for name, _, kernel, stride in ENCODER:
            convolution = nn.Conv2d(before, widths[name], kernel, stride, (kernel - 1) // 2)
            self.add_module(name, nn.Sequential(convolution, nn.LeakyReLU(SLOPE)))
            before = widths[name]
        for (name, _), skip in zip(DECODER, (*SKIPS, None), strict=True):
            transposed = nn.ConvTranspose2d(before, widths[name], 4, 2, 1)
            self.add_module(name, nn.Sequential(transposed, nn.LeakyReLU(SLOPE)))
            before = widths[name] + (widths[skip] if skip else inputs)
        self.final_flow = nn.Conv2d(before, 2, 3, padding=1)
        for name, values in (("flow_mean", flow_mean), ("flow_std", flow_std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(1, 2, 1, 1))
        self._initialise()
        if start_from_flow:
            self._pass_flow_on()

    def _initialise(self) -> None:
        for part in self.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                nn.init.xavier_uniform_(part.weight)
                nn.init.uniform_(part.bias)

    def _pass_flow_on(self) -> None:
        """The last flow is among the inputs of the last layer, normalised as its output is."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and part.bias is not None:
                nn.init.zeros_(part.bias)
        nn.init.zeros_(self.final_flow.weight)
        flows = self.num_frames - 1
        with torch.no_grad():
            for axis in (0, 1):
                self.final_flow.weight[axis, axis * flows + flows - 1, 1, 1] = 1.0

    def forward(self, images: Tensor, flows: Tensor) -> Tensor:
        """The motion onto the frame to be made.

        Args:
            images: RGB float32 ``[B, N, 3, H, W]`` in 0..1, ``N = num_frames``, in the order of time (or against it).
            flows: float32 ``[B, N - 1, 2, H, W]`` in pixels: flow i lives on image i + 1 and samples image i.

        Returns:
            float32 ``[B, 2, H, W]`` in pixels: a backward flow that lives on the frame to be made and samples
            ``images[:, 1]``, the one before it.

        Raises:
            ValueError: other shapes.
        """
        self._check(images, flows)
        height, width = images.shape[-2:]
        normal = (flows - self.flow_mean[:, None]) / (3.0 * self.flow_std[:, None])
        centred = images - images.mean((1, 3, 4), keepdim=True)
        # Colour planes and components are neighbours over the frames, not the parts of a frame.
        planes = torch.cat((normal.transpose(1, 2).flatten(1, 2), centred.transpose(1, 2).flatten(1, 2)), 1)
        inputs = pad_to_multiple(planes).contiguous(memory_format=torch.channels_last)
        known: dict[str, Tensor] = {}
        features = inputs
        for name, *_ in ENCODER:
            known[name] = features = self.get_submodule(name)(features)
        for (name, _), skip in zip(DECODER, (*SKIPS, None), strict=True):
            features = torch.cat((known[skip] if skip else inputs, self.get_submodule(name)(features)), 1)
        with torch.autocast(features.device.type, enabled=False):  # 3 std is some 40 pixels, too much for 16 bits
            motion: Tensor = self.final_flow(features.float())[..., :height, :width]
        return 3.0 * self.flow_std * motion + self.flow_mean

    def _check(self, images: Tensor, flows: Tensor) -> None:
        frames = self.num_frames
        if images.ndim != 5 or images.shape[1:3] != (frames, 3):
            raise ValueError(f"images are {tuple(images.shape)}, expected [B, {frames}, 3, H, W] for {self.variant}")
        expected = (images.shape[0], frames - 1, 2, *images.shape[3:])
        if flows.shape != expected:
            raise ValueError(f"flows are {tuple(flows.shape)}, expected {expected} beside images {tuple(images.shape)}")


def pad_to_multiple(values: Tensor, multiple: int = MULTIPLE) -> Tensor:
    """Pads ``[B, C, H, W]`` at the bottom and on the right, mirrored; the edge is repeated where it is too small."""
    height, width = values.shape[-2:]
    below, right = -height % multiple, -width % multiple
    mode = "reflect" if below < height and right < width else "replicate"
    return functional.pad(values, (0, right, 0, below), mode) if below or right else values


def build_sdcnet(config: Mapping[str, Any], seed: int | None = None) -> SdcNet:
    """Builds the network that ``config`` describes.

    Args:
        config: ``architecture`` (``sdcnet2d``) and ``arguments``, those of :class:`SdcNet`.
        seed: seed of the initial weights; None draws them from torch's global generator, which otherwise stays as it
            was.

    Raises:
        UserError: another architecture, or arguments that the network does not have or cannot be built with.
    """
    name, arguments = config.get("architecture"), dict(config.get("arguments", {}))
    if name != ARCHITECTURE:
        raise UserError(f"no motion network is called {name!r}, expected {ARCHITECTURE}; correct it")
    known = list(inspect.signature(SdcNet).parameters)
    unknown = [argument for argument in arguments if argument not in known]
    if unknown:
        raise UserError(f"network {ARCHITECTURE} has no argument {unknown[0]}; its arguments are: {', '.join(known)}")
    try:
        if seed is None:
            return SdcNet(**arguments)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights", ARCHITECTURE))
            return SdcNet(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"network {ARCHITECTURE} cannot be built: {error}; change its arguments") from error
