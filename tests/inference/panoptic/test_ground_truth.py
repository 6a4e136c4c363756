"""Ground truth of streets, encoded as the three maps and decoded again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.datasets.streets import StreetConfig, render_street
from seglift.inference.panoptic.segments import decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instances import decode_cityscapes
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality
from seglift.models.panoptic_output import PanopticOutput

pytest.importorskip("embreex")

SPACE = BUILTIN_SPACES["cityscapes"]
SETTINGS = PanopticSettings(stuff_area=0, most=1000)


def encode(raw: np.ndarray, number: np.ndarray) -> tuple[PanopticOutput, set[tuple[int, int]]]:
    """Sure logits, a heatmap and exact offsets; and the instances (raw id, number) whose centres coincide.

    Void is said to be road.
    """
    train = SPACE.to_train(SPACE.encode(raw, "truth")).astype(np.int64)
    semantic = torch.nn.functional.one_hot(torch.from_numpy(np.where(train == 255, 0, train)), 19) * 30.0
    heat, offset = np.zeros(raw.shape, np.float32), np.zeros((2, *raw.shape), np.float32)
    rows, columns = np.indices(raw.shape)
    at: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for key in sorted(set(zip(raw[number > 0].tolist(), number[number > 0].tolist(), strict=True))):
        mask = (raw == key[0]) & (number == key[1])
        if train[mask][0] != 255:
            y, x = rows[mask].mean(), columns[mask].mean()
            heat = np.maximum(heat, np.exp(-((rows - round(y)) ** 2 + (columns - round(x)) ** 2) / (2 * 8**2)))
            offset[0][mask], offset[1][mask] = y - rows[mask], x - columns[mask]
            at.setdefault((round(y), round(x)), []).append(key)
    output = PanopticOutput(
        semantic.permute(2, 0, 1)[None], torch.from_numpy(heat)[None, None].float(), torch.from_numpy(offset)[None]
    )
    return output, {key for keys in at.values() if len(keys) > 1 for key in keys}


@pytest.mark.parametrize("seed", [1, 2, 5, 7])
def test_decoded_ground_truth_is_perfect(seed: int) -> None:
    frame = list(render_street(StreetConfig(frames=2, height=256, width=512, seed=seed)))[1]
    raw, number = decode_cityscapes(frame.instances, SPACE, "truth")
    output, coinciding = encode(raw, number)
    for key in coinciding:  # cannot be told apart by their centres: taken out of the truth
        mask = (raw == key[0]) & (number == key[1])
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
