from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.training.refining.balance import class_weights


def test_rare_classes_weigh_more_and_the_mean_over_pixels_is_one():
    pixels = np.zeros(256, np.int64)
    pixels[[0, 1, 255]] = 900, 90, 10
    weights = class_weights(pixels, 2, 0.5)
    assert weights.shape == (3,)
    assert weights[1] / weights[0] == pytest.approx(10**0.5)
    assert weights[2] / weights[1] == pytest.approx(3.0)
    assert float((weights * torch.tensor([0.9, 0.09, 0.01])).sum()) == pytest.approx(1.0)
    assert class_weights(pixels, 2, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_a_class_that_does_not_occur_has_a_weight_that_is_a_number():
    pixels = np.zeros(256, np.int64)
    pixels[0] = 5
    assert torch.isfinite(class_weights(pixels, 3, 1.0)).all()
