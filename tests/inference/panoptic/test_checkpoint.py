"""Trained panoptic networks, loaded as any model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.inference.panoptic.model import PanopticPredictor, require_panoptic
from seglift.inference.semantic_model import load_model
from seglift.inference.settings import InferenceSettings
from seglift.labels.space_file import get_space
from seglift.models.network import SegmentationNetwork
from seglift.models.panoptic_network import PanopticNetwork
from seglift.models.zoo import build

CITYSCAPES = get_space("cityscapes")
IMAGES = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))


def write(folder: Path, architecture: str, **arguments: Any) -> SegmentationNetwork:
    config = {"architecture": architecture, "arguments": {"num_classes": 19, **arguments}}
    network = build(config, seed=3)
    metadata = segmentation_metadata(config, "cityscapes", CITYSCAPES.train_names, None)
    save_weights(folder / "best.safetensors", network.state_dict(), metadata)
    return network.eval()


def write_panoptic(folder: Path) -> PanopticNetwork:
    network = write(folder, "compact_panoptic", widths=[8, 8, 12, 12, 16], head=8)
    assert isinstance(network, PanopticNetwork)
    return network


@torch.no_grad()
def test_round_trip_gives_the_same_maps(tmp_path: Path) -> None:
    network = write_panoptic(tmp_path)
    model = require_panoptic(load_model(tmp_path, CITYSCAPES), "m")
    found, wanted = model.panoptic(IMAGES), network.panoptic(IMAGES)
    for name in ("semantic", "centre", "offset"):
        assert torch.allclose(getattr(found, name), getattr(wanted, name), atol=1e-5)
        assert not getattr(found, name).requires_grad
    assert torch.allclose(model.logits(IMAGES), wanted.semantic, atol=1e-5)


def test_settings_are_applied_with_places(tmp_path: Path) -> None:
    """The compact network is told where a mirrored or scaled pixel lies."""
    write_panoptic(tmp_path)
    model = require_panoptic(load_model(tmp_path, CITYSCAPES), "m")
    assert getattr(model, "wants_places", False)
    settings = InferenceSettings(scales=(0.5, 1.0), flip=True, tile=40)
    found = PanopticPredictor(model, settings).panoptic(IMAGES)
    shapes = [tuple(maps.shape) for maps in (found.semantic, found.centre, found.offset)]
    assert shapes == [(1, channels, 48, 64) for channels in (19, 1, 2)]
    assert all(maps.isfinite().all() for maps in (found.semantic, found.centre, found.offset))


def test_classes_of_another_space_are_mapped(tmp_path: Path) -> None:
    write_panoptic(tmp_path)
    space = get_space("camvid11")
    model = require_panoptic(load_model(tmp_path, space), "m")
    output = model.panoptic(IMAGES)
    assert output.semantic.shape == (1, space.num_train, 48, 64)
    assert torch.equal(output.semantic, model.logits(IMAGES))


def test_a_model_without_instance_heads_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "compact_deeplab", width=8, low_level=8)
    with pytest.raises(UserError, match="no instance heads"):
        require_panoptic(load_model(tmp_path, CITYSCAPES), str(tmp_path))
