from __future__ import annotations

import pytest
import torch
from torch import nn

from seglift.models.pooled_norm import norm_pooled


@pytest.mark.parametrize("training", [True, False])
@torch.no_grad()
def test_one_image_is_normed_by_the_running_statistics(training: bool) -> None:
    norm = nn.BatchNorm2d(2, eps=0.0).train(training)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    norm.weight.copy_(torch.tensor([1.0, 2.0]))
    norm.bias.copy_(torch.tensor([0.0, 5.0]))
    result = norm_pooled(norm, torch.tensor([3.0, 1.0]).view(1, 2, 1, 1))
    assert result.flatten().tolist() == pytest.approx([1.0, 7.0])
    assert norm.running_mean.tolist() == [1.0, -2.0]
    assert int(norm.num_batches_tracked) == 0


@torch.no_grad()
def test_several_images_are_normed_by_their_own() -> None:
    norm = nn.BatchNorm2d(1).train()
    result = norm_pooled(norm, torch.tensor([3.0, 7.0]).view(2, 1, 1, 1))
    assert result.flatten().tolist() == pytest.approx([-1.0, 1.0], abs=1e-4)
    assert int(norm.num_batches_tracked) == 1


def test_only_batch_norm() -> None:
    with pytest.raises(ValueError, match="expected batch norm, got Identity"):
        norm_pooled(nn.Identity(), torch.zeros(1, 2, 1, 1))
