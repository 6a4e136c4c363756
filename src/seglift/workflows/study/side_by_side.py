"""Runs of a study in processes of their own, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stderr
from pathlib import Path
from typing import TypeVar

import cv2
import torch

from seglift.base.errors import UserError

Job = TypeVar("Job")


def work_side_by_side(
    jobs: Sequence[Job], work: Callable[[Job], None], log: Callable[[Job], Path], count: int, late: Callable[[], bool]
) -> Iterator[Job]:
    """Does jobs in ``count`` processes, which share the cores; gives each when it is done.

    Args:
        jobs: what to do; with ``work`` it must survive pickling.
        work: does one of them.
        log: file that receives what a job says, appended.
        count: most jobs at a time.
        late: whether no further job may start.

    Raises:
        UserError: a job fails; those that run with it are finished first.
    """
    waiting, running = list(jobs), dict[Future[None], Job]()
    threads = max(1, (os.cpu_count() or 1) // count)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_prepare, initargs=(threads,)) as pool:
        while running or (waiting and not late()):
            while waiting and len(running) < count and not late():
                job = waiting.pop(0)
                running[pool.submit(_do, work, job, log(job))] = job
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                try:
                    future.result()
                except UserError as error:
                    waiting.clear()
                    raise UserError(f"{error} (see {log(job)})") from error
                yield job


def _prepare(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once; what is done stays
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _do(work: Callable[[Job], None], job: Job, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", buffering=1, encoding="utf-8") as file, redirect_stderr(file):
        work(job)
