from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from seglift.base.errors import UserError
from seglift.training.loop.average import WeightAverage
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.optimizers import make_optimizer
from seglift.training.loop.processes import make_fabric
from seglift.training.loop.step import OptimizerSteps
from seglift.training.loop.task import Batch, Part


class Product:
    """Minimises the mean of weight * x over the values x of a batch."""

    steps_per_epoch = 2

    def __init__(self) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.module.weight)
        self.epochs: list[float] = []

    def counts(self, batch: Batch) -> Tensor:
        return torch.tensor([len(batch["x"])], dtype=torch.float64)

    def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
        self.epochs.append(epoch)
        return trainable(batch["x"]).sum() / counts[0]


def batch(*values: float) -> tuple[Part, Batch]:
    return Part(), {"x": torch.tensor(values)[:, None]}


def make(task: Product, **settings: object) -> OptimizerSteps:
    config = FitConfig(optimizer="sgd", momentum=0, learning_rate=0.5, schedule="constant", weight_decay=0, **settings)
    fabric = make_fabric("cpu")
    wrapped, optimizer = fabric.setup(task.module, make_optimizer(config, task.module))
    average = None if config.average is None else WeightAverage(task.module.state_dict(), config.average)
    return OptimizerSteps(task, config, fabric, wrapped, optimizer, average)


def test_a_step_by_hand_on_parts_of_unequal_size() -> None:
    task = Product()
    steps = make(task)
    steps.take(0, [batch(1.0, 2.0, 6.0), batch(3.0)])
    assert task.module.weight.item() == pytest.approx(1 - 0.5 * 12 / 4)
    assert steps.look(1, stop=False) == ([3.0], False)
    steps.take(1, [batch(2.0)])
    assert task.module.weight.item() == pytest.approx(-0.5 - 0.5 * 2)
    assert steps.look(2, stop=True) == ([-1.0], True)
    assert task.epochs == [0, 0, 0.5]


def test_gradients_are_clipped_over_all_parts_together() -> None:
    task = Product()
    make(task, clip_norm=0.1).take(0, [batch(30.0), batch(10.0)])
    assert task.module.weight.item() == pytest.approx(1 - 0.5 * 0.1)


def test_the_average_follows_each_step() -> None:
    task = Product()
    steps = make(task, average=0.5)
    steps.take(0, [batch(1.0)])
    assert steps.average is not None
    assert steps.average.tensors["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 0.5)


def test_a_late_look_names_the_first_step_whose_loss_was_no_number() -> None:
    steps = make(Product())
    for number, value in enumerate([1.0, 2.0, float("inf"), 1.0, float("nan")]):
        steps.take(number, [batch(value)])
    with pytest.raises(UserError, match="loss is -inf at step 3"):
        steps.look(5, stop=False)


def test_a_late_look_gives_every_loss_since_the_last() -> None:
    steps = make(Product(), clip_norm=1e-12)
    for number in range(5):
        steps.take(number, [batch(float(number))])
        if number == 1:
            assert steps.look(2, stop=False)[0] == [0, 1]
    assert steps.look(5, stop=False)[0] == [2, 3, 4]
