from __future__ import annotations

import pytest
import torch

from seglift.training.loop.average import WeightAverage


def test_mixes_by_the_warmed_up_decay_and_copies_counters() -> None:
    average = WeightAverage({"w": torch.tensor([1.0]), "n": torch.tensor(0)}, decay=0.5)
    average.update({"w": torch.tensor([11.0]), "n": torch.tensor(1)}, step=0)
    assert average.tensors["w"].item() == pytest.approx(0.1 * 1 + 0.9 * 11)
    before = average.tensors["w"].item()
    average.update({"w": torch.tensor([0.0]), "n": torch.tensor(7)}, step=1000)
    assert average.tensors["w"].item() == pytest.approx(0.5 * before)
    assert average.tensors["n"].item() == 7


def test_is_apart_from_the_weights_it_started_with() -> None:
    weights = torch.tensor([1.0])
    average = WeightAverage({"w": weights}, decay=0.9)
    weights += 1
    assert average.tensors["w"].item() == 1.0
    with pytest.raises(ValueError, match="decay"):
        WeightAverage({"w": weights}, decay=1.0)
