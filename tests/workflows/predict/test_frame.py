from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seglift.inference.panoptic.model import SEEN_WHOLE, PanopticPredictor
from seglift.inference.settings import InferenceSettings
from seglift.models.zoo import build_panoptic
from seglift.workflows.predict.config import PredictConfig
from seglift.workflows.predict.frame import make_predictor

ARGUMENTS = {"num_classes": 2, "widths": [8, 8], "head": 8}


class Panoptic:
    """The least that is a panoptic model."""

    space_classes = ("background", "foreground")
    short_side: int | None = None

    def __init__(self) -> None:
        self.network = build_panoptic({"architecture": "compact_panoptic", "arguments": ARGUMENTS}).eval()
        self.logits, self.features, self.panoptic = self.network, self.network.features, self.network.panoptic


@pytest.mark.parametrize(("given", "used"), [({}, SEEN_WHOLE), ({"max_pixels": 512}, 512), ({"tile": 32}, SEEN_WHOLE)])
def test_instances_are_seen_whole_where_nothing_else_is_said(given: dict[str, int], used: int) -> None:
    config = PredictConfig(Path(), "model", "binary", Path(), InferenceSettings(**given))
    predictor = make_predictor(Panoptic(), config)
    assert isinstance(predictor, PanopticPredictor)
    assert predictor.settings.max_pixels == used
    assert predictor.settings.tile == given.get("tile")
    assert predictor.panoptic(torch.rand(1, 3, 40, 48)).semantic.shape == (1, 2, 40, 48)
