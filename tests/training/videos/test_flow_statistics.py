from __future__ import annotations

import numpy as np
import pytest
import torch

from seglift.training.videos.flow_statistics import LEAST_STD, flow_statistics


def test_mean_and_deviation_of_each_component():
    generator = torch.Generator().manual_seed(0)
    scale, shift = torch.tensor([3.0, 1.5]).view(2, 1, 1), torch.tensor([-2.0, 0.5]).view(2, 1, 1)
    flows = [torch.randn(2, 2, 10, 12, generator=generator) * scale + shift for _ in range(3)]
    mean, std = flow_statistics(flows)
    every = torch.stack(flows).double().numpy()
    assert mean == pytest.approx(np.mean(every, axis=(0, 1, 3, 4)), abs=1e-4)
    assert std == pytest.approx(np.std(every, axis=(0, 1, 3, 4)), abs=1e-4)


def test_video_that_stands_still_keeps_a_deviation():
    assert flow_statistics([torch.zeros(1, 2, 4, 4)]) == ((0.0, 0.0), (LEAST_STD, LEAST_STD))
