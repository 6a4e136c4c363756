"""Weights that timm has for an encoder, as the start of a segmentation network."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.models.encoders import OWN_ENCODERS
from seglift.models.network import IMAGENET_MEAN, IMAGENET_STD, SegmentationNetwork
from seglift.models.zoo import NETWORKS

ENCODER = "encoder"


def pretrained_encoder(network: SegmentationNetwork, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of ``network`` with the tensors of its encoder replaced by timm's pretrained ones.

    Our networks normalise images by the ImageNet statistics. Some weights want another normalisation (those of
    ``xception71`` mean and deviation 0.5): the difference is worked into the first convolution and the batch norm that
    follows, which is exact but for the outermost pixels, where the convolution's padding then stands for another grey.

    Args:
        network: with its initial weights.
        config: what ``zoo.build`` made it from.

    Raises:
        UserError: the network names no timm encoder, or its weights cannot be had or do not fit.
    """
    encoder = getattr(network, ENCODER, None)
    default = inspect.signature(NETWORKS[config["architecture"]]).parameters.get(ENCODER)
    name = config["arguments"].get(ENCODER, None if default is None else default.default)
    if not isinstance(encoder, nn.Module) or name is None:
        raise UserError(
            f"start: imagenet needs a network on a timm encoder, {config['architecture']} names none; give an encoder,"
            " or start from a file"
        )
    if not timm.is_model(name):
        raise UserError(f"timm has no weights of {name}, expected for start: imagenet; give a file as start")
    # Our own variants of timm's networks keep the names of the whole network.
    shape = {"num_classes": 0} if name in OWN_ENCODERS else {"features_only": True}
    try:
        donor = timm.create_model(name, pretrained=True, **shape)
    except Exception as error:
        raise UserError(
            f"pretrained weights of {name} cannot be had ({' '.join(str(error).split())[:200]}); check the network, or"
            " give a file as start"
        ) from error
    own = {key.removeprefix(f"{ENCODER}."): key for key in network.state_dict() if key.startswith(f"{ENCODER}.")}
    taken = _matching(_renormalised(donor.state_dict(), donor.pretrained_cfg, name), own)
    return {**network.state_dict(), **taken}


def _matching(donated: Mapping[str, Tensor], own: Mapping[str, str]) -> dict[str, Tensor]:
    """The donor's tensors under the network's names; the encoder may sit in a module of its own inside."""
    for prefix in ("", "module.", "body."):
        if all(prefix + key in own for key in donated):
            return {own[prefix + key]: tensor for key, tensor in donated.items()}
    missing = next(key for key in donated if key not in own)
    raise UserError(f"the pretrained encoder does not fit the network ({missing} has no place); start from a file")


def _renormalised(tensors: Mapping[str, Tensor], about: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """The donor's tensors, changed so that they want images normalised by the ImageNet statistics."""
    mean, std = about.get("mean", IMAGENET_MEAN), about.get("std", IMAGENET_STD)
    if np.allclose([*mean, *std], [*IMAGENET_MEAN, *IMAGENET_STD], atol=1e-4):
        return dict(tensors)
    conv = about.get("first_conv")
    first, names = f"{conv}.weight", [key for key in tensors if key != f"{conv}.bias"]
    following = names[names.index(first) + 1] if first in names[:-1] else ""
    norm = f"{following.rpartition('.')[0]}.running_mean"
    if norm not in tensors or tensors[norm].shape != tensors[first].shape[:1]:
        raise UserError(
            f"pretrained weights of {name} want images of mean {tuple(mean)} and deviation {tuple(std)}, expected the"
            " ImageNet statistics; choose another encoder, or give a file as start"
        )
    # What the donor sees is ours * scale + shift.
    theirs_mean, theirs_std, our_mean, our_std = (
        torch.tensor(values).view(3, 1, 1) for values in (mean, std, IMAGENET_MEAN, IMAGENET_STD)
    )
    scale, shift = our_std / theirs_std, (our_mean - theirs_mean) / theirs_std
    weight = tensors[first]
    return {
        **tensors,
        first: weight * scale,
        norm: tensors[norm] - (weight * shift).sum((1, 2, 3)),
    }
