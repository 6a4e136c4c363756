"""Ground truth of streets, encoded as the targets of training and decoded again."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seglift.datasets.streets import StreetConfig, render_street
from seglift.inference.panoptic.segments import decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instances import decode_cityscapes
from seglift.labels.space import IGNORE_TRAIN_ID
from seglift.losses.panoptic_targets import panoptic_targets
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality
from seglift.models.panoptic_output import PanopticOutput

pytest.importorskip("embreex")

SPACE = BUILTIN_SPACES["cityscapes"]
SETTINGS = PanopticSettings(stuff_area=0, most=1000)


def encode(raw: np.ndarray, number: np.ndarray) -> PanopticOutput:
    """What a perfect network says: the targets of its training, and sure logits. Void is said to be road."""
    label = SPACE.to_train(SPACE.encode(raw, "truth"))
    targets = panoptic_targets(
        torch.from_numpy(label)[None], torch.from_numpy(number.astype(np.int32))[None], SPACE.thing_train_ids
    )
    classes = torch.from_numpy(np.where(label == IGNORE_TRAIN_ID, 0, label).astype(np.int64))
    semantic = torch.nn.functional.one_hot(classes, SPACE.num_train).permute(2, 0, 1)[None] * 30.0
    return PanopticOutput(semantic, targets.centre, targets.offset)


def coinciding(output: PanopticOutput, raw: np.ndarray, number: np.ndarray) -> list[np.ndarray]:
    """Masks of the instances of which several have their centre at one pixel, so that none can tell them apart."""
    masks: dict[tuple[int, int], list[np.ndarray]] = {}
    label = SPACE.to_train(SPACE.encode(raw, "truth"))
    for value in np.unique(number + 1000 * raw.astype(int))[1:].tolist():
        mask = (number + 1000 * raw.astype(int) == value) & (number > 0) & (label != IGNORE_TRAIN_ID)
        if mask.any():
            y, x = np.argwhere(mask)[0]
            dy, dx = output.offset[0, :, y, x].tolist()
            masks.setdefault((math.floor(y + dy + 0.5), math.floor(x + dx + 0.5)), []).append(mask)
    return [mask for same in masks.values() if len(same) > 1 for mask in same]


@pytest.mark.parametrize("seed", [1, 2, 5, 7])
def test_decoded_ground_truth_is_perfect(seed: int) -> None:
    frame = list(render_street(StreetConfig(frames=2, height=256, width=512, seed=seed)))[1]
    raw, number = decode_cityscapes(frame.instances, SPACE, "truth")
    output = encode(raw, number)
    for mask in coinciding(output, raw, number):
        raw[mask], number[mask] = 0, 0
    (found,) = decode_panoptic(output, SPACE, SETTINGS)
    quality, precision = PanopticQuality.empty(SPACE), InstanceAP.empty(SPACE)
    quality.update((found.raw, found.number), (raw, number))
    assert quality.hits[list(SPACE.thing_train_ids)].sum() >= 5
    assert [round(value, 12) for value in quality.mean()] == [1.0, 1.0, 1.0]
    assert not quality.false.any() and not quality.missed.any()
    precision.update((found.raw, found.number), (raw, number), found.scores)
    assert precision.mean() == (1.0, 1.0)
    assert min(found.scores.values()) > 0.99
