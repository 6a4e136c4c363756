from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from seglift.training.loop.muon import Muon, orthogonalised

BETAS = (0.9, 0.99)


def test_directions_count_alike_whatever_the_shape() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((16, 16), (16, 200), (200, 16)):
        matrix = torch.randn(shape, generator=generator) * 1e-4
        turned = orthogonalised(matrix)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        found = (left.T @ turned @ right.T).diagonal()
        assert (found[values > values[0] / 100] > 0.6).all()
        assert found.max() < 1.3
        torch.testing.assert_close(left @ found.diag() @ right, turned, atol=1e-4, rtol=1e-3)


def test_first_step_by_hand() -> None:
    weight = nn.Parameter(torch.zeros(2, 1, 2, 2))
    weight.grad = torch.tensor([[3.0, 0, 0, 0], [0, 3.0, 0, 0]]).view(2, 1, 2, 2)
    Muon([{"params": [weight], "weight_decay": 0.0, "orthogonal": True}], 0.01, BETAS).step()
    step = weight.detach().flatten(1)
    # Both singular values are 1 / sqrt(2), which five turns of the polynomial bring to 0.7..1.2; the scale is
    # 0.2 sqrt(4).
    assert step[0, 0] == step[1, 1]
    assert -0.01 * 0.4 * 1.2 < float(step[0, 0]) < -0.01 * 0.4 * 0.7
    assert step.count_nonzero() == 2


def test_steps_are_those_of_torchs_muon() -> None:
    """Theirs turns matrices alone, in bfloat16; a kernel counts as the matrix of its outputs."""
    generator = torch.Generator().manual_seed(0)
    kernel = nn.Parameter(torch.randn(16, 3, 2, 2, generator=generator))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    ours = Muon([{"params": [kernel], "weight_decay": 0.1, "orthogonal": True}], 0.02, BETAS)
    theirs = torch.optim.Muon([matrix], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        before = matrix.detach().clone()
        kernel.grad = torch.randn(kernel.shape, generator=generator)
        matrix.grad = kernel.grad.flatten(1)
        ours.step()
        theirs.step()
        torch.testing.assert_close(kernel.detach().flatten(1), matrix.detach(), atol=4e-4, rtol=0)
        assert (matrix.detach() - before).abs().mean() > 2e-3


def test_other_groups_are_those_of_adamw() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    muon = Muon([{"params": ours.parameters(), "weight_decay": 0.1, "orthogonal": False}], 0.01, BETAS)
    adamw = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=BETAS, weight_decay=0.1)
    for _ in range(3):
        inputs = torch.randn(4, 3)
        for net, optimizer in ((ours, muon), (theirs, adamw)):
            optimizer.zero_grad()
            net(inputs).square().sum().backward()
            optimizer.step()
    assert torch.equal(ours.weight, theirs.weight)


def test_decay_shrinks_what_has_no_gradient_to_speak_of() -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.zeros(2, 2)
    Muon([{"params": [weight], "weight_decay": 0.5, "orthogonal": True}], 0.1, BETAS).step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), 0.95))


@pytest.mark.parametrize("orthogonal", [False, True])
def test_state_resumes(orthogonal: bool) -> None:
    def taken(steps: int, optimizer: Muon, weight: nn.Parameter) -> None:
        for step in range(steps):
            weight.grad = torch.full((2, 3), float(step + 1)) + weight.detach()
            optimizer.step()

    def fresh(values: torch.Tensor) -> tuple[nn.Parameter, Muon]:
        weight = nn.Parameter(values.clone())
        return weight, Muon([{"params": [weight], "weight_decay": 0.0, "orthogonal": orthogonal}], 0.01, BETAS)

    weight, optimizer = fresh(torch.eye(2, 3))
    taken(3, optimizer, weight)
    other, again = fresh(weight.detach())
    again.load_state_dict(deepcopy(optimizer.state_dict()))
    taken(2, optimizer, weight)
    taken(2, again, other)
    assert torch.equal(weight, other)
