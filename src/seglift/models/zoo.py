"""Networks by name, built from the plain values that travel in a weights file."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

from seglift.base.errors import UserError
from seglift.base.seeding import derive_seed
from seglift.models.compact import CompactDeepLab
from seglift.models.compact_panoptic import CompactPanoptic
from seglift.models.compact_unet import CompactUNet
from seglift.models.deeplab import DeepLabV3, DeepLabV3Plus
from seglift.models.multi_scale_attention import hrnet_ocr_msa
from seglift.models.network import SegmentationNetwork
from seglift.models.ocr_networks import hrnet_ocr, ocr
from seglift.models.panoptic_deeplab import PanopticDeepLab
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.refiner import RefinerNetwork

COMPACT_RESIDUAL = 5.0
"""Logit by which the compact refiner trusts the labels it is given at first: about 0.93 among a dozen classes."""

PANOPTIC_NETWORKS: dict[str, Callable[..., PanopticNetwork]] = {
    "compact_panoptic": CompactPanoptic,
    "panoptic_deeplab": PanopticDeepLab,
    "panoptic_deeplab_wideresnet38": partial(PanopticDeepLab, encoder="wide_resnet38_strided", separable=False),
    "panoptic_deeplab_wideresnet41": partial(PanopticDeepLab, encoder="wide_resnet41", separable=False),
    "panoptic_deeplab_xception71": partial(PanopticDeepLab, encoder="xception71"),
}

NETWORKS: dict[str, Callable[..., SegmentationNetwork]] = {
    **PANOPTIC_NETWORKS,
    "compact_deeplab": CompactDeepLab,
    "compact_unet": CompactUNet,
    "deeplabv3": DeepLabV3,
    "deeplabv3plus": DeepLabV3Plus,
    "deeplabv3plus_seresnext50": partial(DeepLabV3Plus, encoder="seresnext50_32x4d"),
    "deeplabv3plus_wideresnet38": partial(DeepLabV3Plus, encoder="wide_resnet38"),
    "deeplabv3plus_xception71": partial(DeepLabV3Plus, encoder="xception71", output_stride=16),
    "hrnet_w48_ocr": hrnet_ocr,
    "hrnet_w48_ocr_msa": hrnet_ocr_msa,
    "ocr": ocr,
    "ocr_resnext50": partial(ocr, encoder="resnext50_32x4d", output_stride=8),
}

REFINERS: dict[str, Callable[..., RefinerNetwork]] = {
    "refiner_paper": RefinerNetwork,
    "refiner_compact": partial(
        RefinerNetwork, width=8, n_down=3, blocks=3, kernel=3, norm="batch", skips=True, residual=COMPACT_RESIDUAL
    ),
}

Network = TypeVar("Network", bound=nn.Module)


def build(config: Mapping[str, Any], seed: int | None = None) -> SegmentationNetwork:
    """Builds the network that ``config`` describes.

    Args:
        config: ``architecture``, a name of :data:`NETWORKS`, and ``arguments``, those of its constructor
            (``num_classes`` among them). Other keys are ignored.
        seed: seed of the initial weights; None draws them from torch's global generator. The global generator's state
            is left as it was when a seed is given.

    Raises:
        UserError: unknown architecture (the names are listed), arguments that its constructor does not have or that are
            of another type, or values from which it cannot be built.
    """
    return _build(NETWORKS, config, seed)


def build_panoptic(config: Mapping[str, Any], seed: int | None = None) -> PanopticNetwork:
    """Builds the panoptic network that ``config`` describes; as :func:`build`, with :data:`PANOPTIC_NETWORKS`."""
    name = config.get("architecture")
    if name in NETWORKS and name not in PANOPTIC_NETWORKS:
        raise UserError(
            f"network {name} has no instance heads (centres and offsets), expected one that has; choose one of:"
            f" {', '.join(sorted(PANOPTIC_NETWORKS))}"
        )
    return _build(PANOPTIC_NETWORKS, config, seed)


def build_refiner(config: Mapping[str, Any], seed: int | None = None) -> RefinerNetwork:
    """Builds the refiner that ``config`` describes; as :func:`build`, with the names of :data:`REFINERS`."""
    return _build(REFINERS, config, seed)


def _build(table: Mapping[str, Callable[..., Network]], config: Mapping[str, Any], seed: int | None) -> Network:
    name, arguments = str(config.get("architecture")), dict(config.get("arguments", {}))
    constructor = table.get(name)
    if constructor is None:
        raise UserError(f"no network is called {name!r}; choose one of: {', '.join(sorted(table))}")
    try:
        inspect.signature(constructor).bind(**arguments)
    except TypeError as error:
        known = ", ".join(inspect.signature(constructor).parameters)
        raise UserError(f"network {name}: {error}; its arguments are: {known}") from error
    _check_types(name, constructor, arguments)
    if seed is None:
        return _construct(name, constructor, arguments)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights", name))
        return _construct(name, constructor, arguments)


def _check_types(name: str, constructor: Callable[..., nn.Module], arguments: Mapping[str, Any]) -> None:
    for argument, parameter in inspect.signature(constructor).parameters.items():
        expected, fits = KINDS[parameter.annotation]
        if argument in arguments and not fits(arguments[argument]):
            raise UserError(
                f"{argument} of network {name} is {arguments[argument]!r}, expected {expected}; correct the network's"
                " arguments"
            )


def _construct(name: str, constructor: Callable[..., Network], arguments: Mapping[str, Any]) -> Network:
    try:
        return constructor(**arguments)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        given = ", ".join(f"{argument} {value!r}" for argument, value in arguments.items())
        raise UserError(
            f"network {name} cannot be built with {given} ({' '.join(str(error).split())}); change its arguments"
        ) from error


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_list_of(each: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and len(value) > 0 and all(map(each, value))


KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "int": ("a whole number above 0", _is_whole),
    "float": ("a number of at least 0", _is_number),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "str": ("a name", lambda value: isinstance(value, str)),
    "Sequence[int]": ("a list of whole numbers above 0", _is_list_of(_is_whole)),
    "Sequence[float]": ("a list of numbers", _is_list_of(_is_number)),
}
"""For each annotation that an argument of a network may have its name for people, and what fits it."""
