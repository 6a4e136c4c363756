"""Encoders by name: feature maps of an image at falling resolution."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import timm
from timm.models import resnet, senet
from torch import nn

from seglift.base.errors import UserError
from seglift.models.wide_resnet import WideResNet38
from seglift.models.wide_resnet_strided import StridedWideResNet
from seglift.models.xception import Xception71

LOW_LEVEL_STRIDE = 4
LEGACY_SENET = "legacy_se"  # the trunks of the released networks; timm cannot dilate them, we do
DILATED_BLOCKS = (resnet.BasicBlock, resnet.Bottleneck, senet.Bottleneck, senet.SEResNetBlock)


@dataclass(frozen=True)
class Encoder:
    """A network without its classifier.

    Attributes:
        module: float32 [B, 3, H, W] to a list of feature maps float32 [B, channels[i], ~H/strides[i], ~W/strides[i]].
        channels: channels of each map.
        strides: stride of each map, never falling.
        low: index of the map that a DeepLabV3+ decoder takes as its low-level features.
    """

    module: nn.Module
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    low: int


def _xception71(output_stride: int) -> Encoder:
    module = Xception71(output_stride)
    return Encoder(module, module.channels, module.strides, low=0)


def _wide_resnet38(output_stride: int) -> Encoder:
    module = WideResNet38(output_stride)
    return Encoder(module, module.channels, module.strides, low=0)


def _strided_wide_resnet(output_stride: int, layers: int) -> Encoder:
    module = StridedWideResNet(layers, output_stride)
    return Encoder(module, module.channels, module.strides, low=module.strides.index(LOW_LEVEL_STRIDE))


OWN_ENCODERS: dict[str, Callable[[int], Encoder]] = {
    "xception71": _xception71,
    "wide_resnet38": _wide_resnet38,
    "wide_resnet38_strided": partial(_strided_wide_resnet, layers=38),
    "wide_resnet41": partial(_strided_wide_resnet, layers=41),
}


def create_encoder(name: str, output_stride: int) -> Encoder:
    """An encoder with random weights.

    In ResNets (also -NeXt and squeeze-and-excitation), *every* block of a stage that lost its stride is dilated, by 2
    and 4 in the last two stages at output stride 8, as the networks of Zhu et al. (CVPR 2019) are; timm alone would
    give the first block of such a stage the dilation of the stage before.

    Args:
        name: one of :data:`OWN_ENCODERS`, or the name of a convolutional timm network.
        output_stride: stride of the deepest map, 8, 16 or 32.

    Raises:
        UserError: there is no such encoder, or it cannot give maps at stride 4 and at ``output_stride``.
    """
    if output_stride not in (8, 16, 32):
        raise UserError(f"an output stride of {output_stride} was asked of encoder {name}; choose 8, 16 or 32")
    if name in OWN_ENCODERS:
        return OWN_ENCODERS[name](output_stride)
    if name not in timm.list_models():
        near = difflib.get_close_matches(name, [*OWN_ENCODERS, *timm.list_models()], n=5)
        hint = f"near it: {', '.join(near)}" if near else "see timm.list_models()"
        raise UserError(
            f"no encoder is called {name!r}; give {', '.join(OWN_ENCODERS)} or the name of a timm network ({hint})"
        )
    return _timm_encoder(name, output_stride)


def _timm_encoder(name: str, output_stride: int) -> Encoder:
    options = {} if name.startswith(LEGACY_SENET) else {"output_stride": output_stride}
    try:
        module = timm.create_model(name, pretrained=False, features_only=True, **options)
    except (TypeError, NotImplementedError, AssertionError, RuntimeError) as error:
        reason = str(error) or "timm cannot dilate it"
        raise UserError(
            f"encoder {name} has no features at output stride {output_stride} ({reason}); choose a convolutional one"
        ) from error
    _dilate_stages(module, output_stride)
    strides = tuple(min(stride, output_stride) for stride in module.feature_info.reduction())
    if LOW_LEVEL_STRIDE not in strides or strides[-1] != output_stride:
        raise UserError(
            f"encoder {name} gives features at strides {list(strides)}, expected {LOW_LEVEL_STRIDE} and"
            f" {output_stride}; choose another encoder or output stride"
        )
    channels = tuple(module.feature_info.channels())
    return Encoder(module, channels, strides, low=strides.index(LOW_LEVEL_STRIDE))


def _dilate_stages(module: nn.Module, output_stride: int) -> None:
    """Turns strides beyond ``output_stride`` into dilation, in networks whose blocks we know."""
    for name, full_stride in (("layer3", 16), ("layer4", 32)):
        stage = getattr(module, name, None)
        if full_stride <= output_stride or not isinstance(stage, nn.Sequential):
            continue
        if all(isinstance(block, DILATED_BLOCKS) for block in stage):
            _dilate(stage, full_stride // output_stride)


def _dilate(stage: nn.Sequential, dilation: int) -> None:
    """Gives every 3x3 convolution of a stage this dilation, and no convolution a stride."""
    for layer in stage.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (dilation, dilation)
