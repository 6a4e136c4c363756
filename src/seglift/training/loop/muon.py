"""Muon: momentum whose directions all count alike, which a small network needs far fewer steps with than with AdamW.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); with the scale of Liu et al., "Muon is
Scalable for LLM Training" (arXiv 2502.16982, section 2.2), which lets it share AdamW's learning rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a x + b x^3 + c x^5 that takes singular values of 0..1 to about 1 (Jordan et al.)."""
ADAMW_RMS = 0.2
"""Root mean square of AdamW's updates (Liu et al.)."""
SMALLEST_NORM = 1e-7


class Muon(torch.optim.AdamW):
    """AdamW that updates the groups with ``orthogonal=True`` by orthogonalised Nesterov momentum instead.

    These hold matrices, or kernels [O, I, h, w], which count as matrices [O, I * h * w]. Decay is decoupled in both.

    Args:
        groups: parameter groups, each with ``orthogonal``.
        lr: learning rate of all of them.
        betas: of AdamW.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(list(groups), lr=lr, betas=betas)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; the loss of ``closure``, if given."""
        every = self.param_groups
        self.param_groups = [group for group in every if not group["orthogonal"]]
        try:
            loss: float | None = super().step(closure)
        finally:
            self.param_groups = every
        for group in every:
            if group["orthogonal"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._turn(parameter, parameter.grad, group["lr"], group["weight_decay"])
        return loss

    def _turn(self, parameter: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["step"] = torch.zeros(())  # which AdamW looks for when it loads a state
            state["momentum_buffer"] = torch.zeros_like(parameter)
        state["step"] += 1
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(momentum, MOMENTUM).flatten(1)
        update = orthogonalised(matrix).view(parameter.shape)
        parameter.mul_(1 - rate * decay).add_(update, alpha=-rate * ADAMW_RMS * max(matrix.shape) ** 0.5)


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all 1, roughly: they come to lie within 0.7..1.2.

    Directions of less than about a thousandth of the matrix stay smaller.

    Args:
        matrix: float [m, n].
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + SMALLEST_NORM)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
