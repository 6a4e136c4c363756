"""Weights to start a training from: an earlier training, a published checkpoint, a pretrained encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.base.weights import load_weights
from seglift.inference.checkpoint import SEGMENTATION, WEIGHTS_NAME, check_metadata
from seglift.models.network import SegmentationNetwork
from seglift.models.published import load_published_segmentation
from seglift.models.zoo import build
from seglift.training.starts.pretrained_encoder import pretrained_encoder
from seglift.training.starts.same_network import ENCODER, check_same_network, shares_encoder

IMAGENET = "imagenet"


def start_weights(
    spec: str,
    network: SegmentationNetwork,
    config: Mapping[str, Any],
    classes: Sequence[str],
    new_head: bool = False,
    quiet: bool = False,
) -> dict[str, Tensor]:
    """A whole state dict for ``network``, taken from elsewhere.

    A panoptic network may begin with a semantic one: with all of it where it is that one with instance heads
    (``compact_panoptic``), else with its encoder. What remains starts anew, and this is said.

    Args:
        spec: ``imagenet`` for the pretrained weights that timm has for the network's encoder, the folder or file of a
            training, or the file of a published checkpoint.
        network: with its initial weights, which stay where nothing is taken over.
        config: what ``zoo.build`` made it from.
        classes: names of its classes.
        new_head: start the layers that know the classes anew where the weights are for other classes.
        quiet: don't say that the classifier starts anew.

    Raises:
        UserError: nothing usable there, another architecture or other arguments of it, or other classes without
            ``new_head``.
    """
    if spec == IMAGENET:
        return pretrained_encoder(network, config)
    given = read_start(Path(spec))
    tensors, known = given.tensors, given.classes
    wanted = network.state_dict()
    if shares_encoder(given.config, config):
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{ENCODER}.")}
        tensors, taken = {**wanted, **tensors}, len(tensors)
        _check_names(spec, tensors, wanted)
        if not quiet:
            say(f"{spec} gives its encoder: {len(wanted) - taken} of {len(wanted)} tensors start anew")
        return tensors
    check_same_network(spec, given.config, config)
    heads = _head_names(config)
    if tuple(known) != tuple(classes):
        if not new_head:
            raise UserError(
                f"{spec} is for {len(known)} classes ({_shortened(known)}), expected the {len(classes)} of the data"
                f" ({_shortened(classes)}); say new_head: true to start the classifier anew"
            )
        if not quiet:
            say(f"{spec} is for other classes: {len(heads)} tensors of the classifier start anew")
        tensors = {name: tensor for name, tensor in tensors.items() if name not in heads}
        tensors |= {name: wanted[name] for name in heads}
    added = wanted.keys() - _tensor_names(given.config)
    if added and not quiet:
        say(f"{spec} has no instance heads: {len(added)} of {len(wanted)} tensors start anew")
    tensors = {**tensors, **{name: wanted[name] for name in added}}
    _check_names(spec, tensors, wanted)
    return tensors


@dataclass(frozen=True)
class Start:
    """A trained network as plain values.

    Attributes:
        tensors: its state dict.
        config: what ``zoo.build`` makes it from.
        classes: names of its classes.
        short_side: short side of the images it was trained on, None for any.
    """

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    classes: tuple[str, ...]
    short_side: int | None


def read_start(path: Path) -> Start:
    """Reads the folder or file of a training, or the file of a published checkpoint.

    Raises:
        UserError: it is neither.
    """
    if not path.exists():
        raise UserError(
            f"no weights file at {path} to start from; train it first, give another file or the folder of a training,"
            " or start: null for random weights"
        )
    path = path / WEIGHTS_NAME if path.is_dir() else path
    if path.suffix != ".safetensors" and path.is_file():
        published = load_published_segmentation(path)
        return Start(dict(published.network.state_dict()), published.config, published.classes, None)
    tensors, metadata = load_weights(path)
    if metadata.get("kind") != SEGMENTATION:
        raise UserError(f"{path} holds a {metadata.get('kind')} model, expected a segmentation model; give one")
    check_metadata(metadata, path)
    return Start(tensors, metadata["network"], tuple(metadata["classes"]), metadata.get("short_side"))


def _tensor_names(config: Mapping[str, Any]) -> set[str]:
    with torch.device("meta"):
        return set(build(config).state_dict())


def _head_names(config: Mapping[str, Any]) -> set[str]:
    """Names of the tensors whose shape follows the number of classes."""
    arguments = dict(config["arguments"])
    shapes = []
    for classes in (arguments["num_classes"], arguments["num_classes"] + 1):
        with torch.device("meta"):
            built = build({**config, "arguments": {**arguments, "num_classes": classes}})
        shapes.append({name: tensor.shape for name, tensor in built.state_dict().items()})
    return {name for name, shape in shapes[0].items() if shapes[1][name] != shape}


def _check_names(spec: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    wrong = [
        name
        for name in sorted(found.keys() | wanted.keys())
        if name not in found or name not in wanted or found[name].shape != wanted[name].shape
    ]
    if wrong:
        first = wrong[0]
        has = tuple(found[first].shape) if first in found else "missing"
        expected = tuple(wanted[first].shape) if first in wanted else "nothing"
        raise UserError(
            f"{spec} is of another network: {first} is {has}, expected {expected} ({len(wrong)} differences);"
            " give weights of the recipe's network"
        )


def _shortened(names: Sequence[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ..."
