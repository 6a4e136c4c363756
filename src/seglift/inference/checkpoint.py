"""Semantic models from the weights files that seglift's training writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.base.weights import load_weights
from seglift.inference.class_mapping import ClassMapping, map_classes
from seglift.labels.space import LabelSpace
from seglift.models.network import SegmentationNetwork
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.panoptic_output import PanopticOutput
from seglift.models.zoo import build

WEIGHTS_NAME = "best.safetensors"
SEGMENTATION = "segmentation"


class CheckpointModel:
    """A trained network as a semantic model.

    Attributes:
        network: the network, in evaluation mode, without gradients.
        space_classes: names of the output channels, the space's ``train_names``.
        wants_places: whether images should bring x and y as channels 4 and 5 (see ``CompactUNet``), so that mirrored
            and tiled views know where they lie.
        mapping: how the network's classes became the space's; tells what is unmapped.
        short_side: short side of the images it was trained on, pixels; larger images should be shrunk to it.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        space_classes: tuple[str, ...],
        mapping: ClassMapping,
        short_side: int | None,
    ) -> None:
        # Convolutions are about twice as fast on a CPU in this layout.
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.space_classes, self.mapping, self.short_side = space_classes, mapping, short_side
        self.wants_places = network.wants_places

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to logits float32 [B, C, H, W]."""
        return self.mapping.apply(self.network(images.contiguous(memory_format=torch.channels_last)))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Images float32 [B, 3, H, W] in 0..1 to the decoder's features float32 [B, F, h, w]."""
        return self.network.features(images.contiguous(memory_format=torch.channels_last))


class PanopticCheckpointModel(CheckpointModel):
    """A trained panoptic network as a panoptic model (see ``panoptic.model``)."""

    network: PanopticNetwork

    @torch.no_grad()
    def panoptic(self, images: Tensor) -> PanopticOutput:
        """Images float32 [B, 3, H, W] in 0..1 to logits [B, C, H, W], centre heatmap and offsets."""
        output = self.network.panoptic(images.contiguous(memory_format=torch.channels_last))
        return replace(output, semantic=self.mapping.apply(output.semantic))


def segmentation_metadata(
    network: dict[str, Any], space_name: str, classes: tuple[str, ...], short_side: int | None
) -> dict[str, Any]:
    """What a weights file must say for :func:`load_checkpoint`; ``network`` is the ``config`` of ``zoo.build``."""
    return {
        "kind": SEGMENTATION,
        "network": network,
        "space": space_name,
        "classes": list(classes),
        "short_side": short_side,
    }


def load_checkpoint(path: Path, space: LabelSpace, device: str | torch.device = "cpu") -> CheckpointModel:
    """Loads a trained segmentation network, a panoptic one as a panoptic model; weights are read, never code.

    A network of another space is mapped by class names; what stays unmapped is in ``mapping`` and said once.

    Args:
        path: a weights file, or a folder that holds ``best.safetensors``.
        space: the label space whose evaluated classes the logits are to have.
        device: where it works.

    Raises:
        UserError: no weights file (a pickle is refused unopened), not one of a segmentation network, a damaged
            description of it, or other classes than those of ``space``.
    """
    path = path / WEIGHTS_NAME if path.is_dir() else path
    tensors, metadata = load_weights(path)
    if metadata.get("kind") != SEGMENTATION:
        raise UserError(f"{path} holds a {metadata.get('kind')} model, expected a segmentation model; give one")
    check_metadata(metadata, path)
    classes = tuple(metadata["classes"])
    network = _build(metadata["network"], path)
    load_network_weights(network, tensors, path)
    if network.num_classes != len(classes):
        raise UserError(
            f"{path} names {len(classes)} classes for {network.num_classes} outputs; the file is broken, train again"
        )
    mapping = check_classes(classes, metadata["space"], space, str(path))
    kind = PanopticCheckpointModel if isinstance(network, PanopticNetwork) else CheckpointModel
    return kind(network.to(device), space.train_names, mapping, metadata.get("short_side"))


def check_metadata(metadata: dict[str, Any], path: Path) -> None:
    """Refuses, with a UserError, metadata of a segmentation model (see segmentation_metadata) that are damaged."""
    classes, short_side = metadata.get("classes"), metadata.get("short_side")
    rules = {
        "network": (isinstance(metadata.get("network"), dict), "an object"),
        "space": (isinstance(metadata.get("space"), str), "a name"),
        "classes": (isinstance(classes, list) and all(isinstance(name, str) for name in classes), "a list of names"),
        "short_side": (short_side is None or (type(short_side) is int and short_side > 0), "pixels or null"),
    }
    for name, (holds, expected) in rules.items():
        if not holds:
            found = repr(metadata[name])[:60] if name in metadata else "nothing"
            raise UserError(f"{path} says {found} for its {name}, expected {expected}; the file is broken, train again")


def _build(config: dict[str, Any], path: Path) -> SegmentationNetwork:
    try:
        return build(config, seed=0)
    except (UserError, TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        raise UserError(f"{path} describes a network that cannot be built ({error}); train again") from error


def load_network_weights(network: SegmentationNetwork, tensors: dict[str, Tensor], path: Path) -> None:
    """Fills ``network`` with ``tensors``, names and shapes strictly equal.

    Raises:
        UserError: they differ; the first difference is named.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        name = wrong[0]
        raise UserError(
            f"{path} does not fit its network: {name} is {found.get(name, 'missing')},"
            f" expected {expected.get(name, 'nothing')} ({len(wrong)} differences); train again"
        )
    network.load_state_dict(tensors)


def check_classes(classes: tuple[str, ...], space_name: str, space: LabelSpace, what: str) -> ClassMapping:
    """The mapping of a checkpoint's classes to ``space``: the identity for the same space, else by name.

    Raises:
        UserError: a checkpoint of a space of this name with other classes, or of another with none in common.
    """
    if classes == space.train_names:
        return ClassMapping(tuple((n,) for n in range(len(classes))), (), ())
    if space_name == space.name:
        only = sorted(set(classes) ^ set(space.train_names))
        raise UserError(
            f"{what} has {len(classes)} classes of {space_name}, expected the {space.num_train} of this {space.name}"
            f" (differing: {', '.join(only[:6]) or 'their order'}); give a model trained with this space"
        )
    mapping = map_classes(classes, space, what)
    note = mapping.describe()
    if note is not None:
        say(f"{what} was trained for {space_name}, mapped by name to {space.name}: {note}")
    return mapping
