from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from seglift.base.weights import save_weights
from seglift.datasets.coarsen import never_filled
from seglift.inference.agreement import AgreementSettings
from seglift.inference.checkpoint import WEIGHTS_NAME, segmentation_metadata
from seglift.labels.space import LabelClass, LabelSpace
from seglift.models.compact_unet import CompactUNet
from seglift.models.zoo import build
from seglift.workflows.coarse_to_fine.fill import FillCounts, Filler, fill_label, judge

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(4, "road", (90, 60, 90), 0, "flat", False),
        LabelClass(7, "car", (0, 0, 90), 1, "vehicle", True),
        LabelClass(1, "ego vehicle", (5, 5, 5), 255, "void", False),
        LabelClass(3, "static", (20, 20, 20), 255, "void", False),
        LabelClass(0, "unlabelled", (0, 0, 0), 255, "void", False),
    ),
    ignore=0,
)
ROAD, CAR, EGO, STATIC, OPEN = range(5)


def test_only_what_is_open_is_filled_and_only_where_the_network_is_accepted():
    coarse = np.array([[ROAD, CAR, EGO, STATIC, OPEN, OPEN]], np.uint8)
    train = np.array([[1, 0, 1, 1, 1, 0]], np.uint8)
    accepted = np.array([[True, True, True, True, True, False]])
    probability = np.array([[0.99, 0.99, 0.99, 0.95, 0.91, 0.5]], np.float32)
    found = fill_label(coarse, never_filled(coarse, SPACE), SPACE, train, accepted, probability)
    assert found.labels.tolist() == [[ROAD, CAR, EGO, CAR, CAR, OPEN]]
    assert found.confidence.tolist() == [[255, 255, 0, 242, 232, 0]]
    assert found.filled.tolist() == [[False, False, False, True, True, False]]
    assert found.counts == FillCounts(pixels=5, drawn=2, filled=2)


def test_filled_pixels_are_judged_where_the_truth_has_a_class():
    coarse = np.full((1, 4), OPEN, np.uint8)
    train, accepted = np.array([[0, 0, 1, 1]], np.uint8), np.array([[True, True, True, False]])
    never = np.zeros((1, 4), bool)
    found = fill_label(coarse, never, SPACE, train, accepted, np.ones((1, 4), np.float32))
    truth = np.array([[ROAD, CAR, STATIC, CAR]], np.uint8)
    assert judge(found, truth, SPACE) == FillCounts(pixels=4, drawn=0, filled=3, judged=2, right=1)


def test_rare_classes_are_filled_where_the_balance_of_training_is_kept(tmp_path: Path):
    """All evidence says car, which training weighed up and the network undoes, for cars are one pixel in a million."""
    config = {"architecture": "compact_unet", "arguments": {"widths": [8, 16], "num_classes": 2}}
    network = build(config, seed=0)
    assert isinstance(network, CompactUNet)
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.tensor([0.0, 4.0]))
    network.undo_balance(torch.tensor([1 - 1e-6, 1e-6]), 1.0)
    about = segmentation_metadata(config, SPACE.name, SPACE.train_names, None)
    save_weights(tmp_path / WEIGHTS_NAME, network.state_dict(), about)
    image, coarse = np.zeros((32, 48, 3), np.uint8), np.full((32, 48), OPEN, np.uint8)
    for kept, label in ((False, ROAD), (True, CAR)):
        filler = Filler(tmp_path, SPACE, AgreementSettings(scales=(1.0,), keep_balance=kept), "cpu")
        found = filler.fill(image, coarse, np.zeros(coarse.shape, bool), "image")
        assert (found.labels == label).all()


def test_counts_add_up_to_shares():
    total = FillCounts(100, 60, 10, 8, 6) + FillCounts(100, 40, 30, 0, 0)
    assert total.shares() == {"drawn": 0.5, "filled": 0.2, "labelled": 0.7, "right": 0.75}
    assert FillCounts().shares() == {"drawn": 0.0, "filled": 0.0, "labelled": 0.0, "right": None}
