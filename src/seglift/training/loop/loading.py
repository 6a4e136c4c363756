"""The batches of a training, loaded ahead in other processes where asked for."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence

import cv2
import torch
from lightning_fabric.utilities import move_data_to_device
from torch.utils.data import DataLoader, Dataset

from seglift.base.errors import UserError
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.processes import this_process
from seglift.training.loop.task import Batch, Part, Task


def load_steps(
    task: Task, config: FitConfig, first: int, device: torch.device
) -> Iterator[tuple[int, list[tuple[Part, Batch]]]]:
    """Every step from ``first`` on, with the parts of its batch that this process works through, on ``device``.

    Raises:
        UserError: as the task raises it, also out of a loading process.
    """
    process, accumulate = this_process(), config.accumulate
    count = process.count * accumulate
    parts = [Part(process.index * accumulate + number, count) for number in range(accumulate)]
    loader = DataLoader(
        _Batches(task, config.seed, parts),
        batch_size=None,
        sampler=range(first * accumulate, config.steps * accumulate),
        num_workers=config.workers,
        worker_init_fn=_settle_in,
        pin_memory=device.type == "cuda",
    )
    with _ready_to_fork():
        batches = iter(loader)
    try:
        for step in range(first, config.steps):
            yield step, [(part, move_data_to_device(_checked(next(batches)), device)) for part in parts]
    finally:
        del batches  # the loading processes end now, not when the last trace of an error is gone


@contextlib.contextmanager
def _ready_to_fork() -> Iterator[None]:
    """Inside, OpenCV has no threads, and what is no longer used is gone.

    A process that is forked would wait forever for threads that it does not have: OpenCV's, or those of a video decoder
    that it would be the one to close.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    gc.collect()
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _settle_in(_: int) -> None:
    """A loading process takes no more than a core for itself, and never closes what its parent opened."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    gc.freeze()


class _Batches(Dataset[Batch | UserError]):
    """Part after part of step after step; errors of the user's come as values, whole, through process borders."""

    def __init__(self, task: Task, seed: int, parts: Sequence[Part]) -> None:
        self.task, self.seed, self.parts = task, seed, parts

    def __getitem__(self, number: int) -> Batch | UserError:
        step, part = divmod(number, len(self.parts))
        try:
            return self.task.batch(self.seed, step, self.parts[part])
        except UserError as error:
            return error


def _checked(batch: Batch | UserError) -> Batch:
    if isinstance(batch, UserError):
        raise batch
    return batch
