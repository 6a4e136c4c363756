"""Networks from the checkpoints that others released, recognised by the names and shapes of their tensors."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.models.network import SegmentationNetwork
from seglift.models.published_deeplab import DEEPLAB_LAYOUTS
from seglift.models.published_file import read_state_dict
from seglift.models.published_hrnet import HRNET_LAYOUTS
from seglift.models.published_layout import PublishedLayout
from seglift.models.published_sdcnet import RELEASED, PublishedMotion, is_sdcnet, sdcnet_from_tensors
from seglift.models.zoo import build

LAYOUTS: dict[str, PublishedLayout] = {**DEEPLAB_LAYOUTS, **HRNET_LAYOUTS}
SPACES_BY_CLASSES: dict[int, str] = {19: "cityscapes", 65: "mapillary", 11: "camvid11"}

COUNTER = ".num_batches_tracked"
LIKENESS = 0.5  # share of a network's names that a file must have to be called a damaged copy of it

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class PublishedModel:
    """A released network.

    Attributes:
        layout: its name in :data:`LAYOUTS`.
        network: the network with the checkpoint's weights, in evaluation mode.
        config: what ``zoo.build`` makes it from, ``align_corners`` among the arguments where it matters.
        space: name of the label space that a network with so many classes was released for; None for other numbers.
        classes: names of the C output channels, the space's ``train_names``; empty without a space.
    """

    layout: str
    network: SegmentationNetwork
    config: dict[str, Any]
    space: str | None
    classes: tuple[str, ...]


def load_published(path: Path) -> PublishedModel | PublishedMotion:
    """Loads a released checkpoint: every tensor of it is used once, and none is missing.

    The file is one of ``torch.save``: a state dict, or a dict that holds one under ``state_dict``, with or without
    ``module.`` before each name. Weights are read, never code. Counters of batches that batch norm has seen, which
    no output depends on, may be missing as a whole (old versions of PyTorch kept none).

    Raises:
        UserError: no such file, not one of tensors, more in it than weights, no network that we know, or tensors
            missing, left over or of the wrong shape (the first are named).
    """
    tensors = read_state_dict(path)
    return sdcnet_from_tensors(tensors, str(path)) if is_sdcnet(tensors) else from_tensors(tensors, str(path))


def load_published_segmentation(path: Path) -> PublishedModel:
    """As :func:`load_published`, for segmentation networks.

    Raises:
        UserError: also where the file holds a motion network.
    """
    found = load_published(path)
    if isinstance(found, PublishedMotion):
        raise UserError(f"{path} holds {RELEASED}, a motion network; expected a segmentation network: give one")
    return found


def load_published_motion(path: Path) -> PublishedMotion:
    """As :func:`load_published`, for motion networks.

    Raises:
        UserError: also where the file holds a segmentation network.
    """
    found = load_published(path)
    if isinstance(found, PublishedModel):
        raise UserError(f"{path} holds {LAYOUTS[found.layout].released}, expected a motion network; give an SDC-Net")
    return found


def from_tensors(tensors: Mapping[str, Tensor], what: str) -> PublishedModel:
    """The network that ``tensors``, by their published names, belong to; ``what`` they are called in errors.

    Raises:
        UserError: see :func:`load_published`.
    """
    name, num_classes = _recognise(tensors, what)
    layout = LAYOUTS[name]
    config = layout.config(num_classes)
    network = build(config, seed=0)
    counter = torch.zeros((), dtype=torch.long)
    names = {ours: layout.published_name(ours) for ours in network.state_dict()}
    network.load_state_dict({ours: tensors.get(theirs, counter) for ours, theirs in names.items()})
    space = SPACES_BY_CLASSES.get(num_classes)
    classes = BUILTIN_SPACES[space].train_names if space else ()
    return PublishedModel(name, network.eval(), config, space, classes)


def expected_shapes(name: str, num_classes: int) -> Mapping[str, tuple[int, ...]]:
    """Every tensor of a checkpoint of layout ``name``, by its name in the checkpoint."""
    return _expected(name, num_classes)


@functools.lru_cache(maxsize=16)
def _expected(name: str, num_classes: int) -> Shapes:
    layout = LAYOUTS[name]
    with torch.device("meta"):
        network = build(layout.config(num_classes))
    return {layout.published_name(ours): tuple(tensor.shape) for ours, tensor in network.state_dict().items()}


def _recognise(tensors: Mapping[str, Tensor], what: str) -> tuple[str, int]:
    """Name of the layout and number of classes."""
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    closest: tuple[int, str, list[str]] | None = None
    for name, layout in LAYOUTS.items():
        num_classes = (found.get(layout.classifier) or (0,))[0] or 19
        expected = expected_shapes(name, num_classes)
        differences = _differences(layout, expected, found)
        if not differences:
            return name, num_classes
        shared = len(expected.keys() & found.keys())
        if shared >= LIKENESS * len(expected) and (closest is None or len(differences) < closest[0]):
            closest = len(differences), name, differences
    if closest is None:
        known = "; ".join([*(layout.released for layout in LAYOUTS.values()), RELEASED])
        raise UserError(
            f"{what} holds {len(found)} tensors ({', '.join(list(found)[:3])}, ...), expected those of a released"
            f" network; the known ones are: {known}"
        )
    count, name, differences = closest
    raise UserError(
        f"{what} looks like {LAYOUTS[name].released}, but {'; '.join(differences[:3])} ({count} differences in all);"
        " give the released file unchanged"
    )


def _differences(layout: PublishedLayout, expected: Mapping[str, tuple[int, ...]], found: Shapes) -> list[str]:
    """What is missing, left over or of another shape, in words, in the network's order."""
    counted = any(name.endswith(COUNTER) for name in found)
    said: list[str] = []
    for name, shape in expected.items():
        if name not in found and (counted or not name.endswith(COUNTER)):
            said.append(f"{name} is missing")
        elif name in found and found[name] != shape:
            said.append(f"{name} is {_sizes(found[name])}, expected {_sizes(shape)}")
    extra = (name for name in found if name not in expected and not layout.is_leftover(name))
    return said + [f"{name} is left over" for name in extra]


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
