"""Runs of a study in processes of their own, several at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import cv2
import torch

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.base.threads import core_count

Job = TypeVar("Job")


def work_side_by_side(
    jobs: Sequence[Job], work: Callable[[Job], None], log: Callable[[Job], Path], count: int, late: Callable[[], bool]
) -> Iterator[Job]:
    """Does jobs in ``count`` processes, which share the cores; gives each when it is done.

    Where one fails, those that run with it are finished and given, too, and no further one begins. The processes end at
    once when the caller is interrupted, is killed, or takes no more.

    Args:
        jobs: what to do; with ``work`` it must survive pickling.
        work: does one of them.
        log: file that receives what a job says, and why it failed, appended.
        count: most jobs at a time.
        late: whether no further job may start.

    Raises:
        UserError: a job fails with one, or a process is killed.
    """
    failed: list[tuple[Job, BaseException]] = []
    context = multiprocessing.get_context("spawn")
    end, held = context.Pipe(duplex=False)
    prepared = (max(1, core_count() // count), end)
    with end, held, ProcessPoolExecutor(count, mp_context=context, initializer=_prepare, initargs=prepared) as pool:
        try:
            yield from _work(jobs, lambda job: pool.submit(_do, work, job, log(job)), count, late, failed)
        except BaseException:  # interrupted, or nobody takes what is done
            held.close()
            raise
    if failed:
        raise _told(failed, ", ".join(str(log(job)) for job, _ in failed))


def _work(
    jobs: Sequence[Job],
    submit: Callable[[Job], Future[None]],
    count: int,
    late: Callable[[], bool],
    failed: list[tuple[Job, BaseException]],
) -> Iterator[Job]:
    """Gives the jobs that are done, and adds those that failed to ``failed``, after which none begins."""
    waiting, running = list(jobs), dict[Future[None], Job]()
    while running or (waiting and not failed and not late()):
        while waiting and not failed and len(running) < count and not late():
            job = waiting.pop(0)
            try:
                running[submit(job)] = job
            except BrokenProcessPool as error:
                failed.append((job, error))
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            if (problem := future.exception()) is None:
                yield job
            else:
                failed.append((job, problem))


def _told(failed: Sequence[tuple[Job, BaseException]], logs: str) -> BaseException:
    """What to say of the jobs that failed: of the first of them, and where all of them say more."""
    problem = next((one for _, one in failed if not isinstance(one, BrokenProcessPool)), None)
    if problem is None:
        return UserError(
            f"a process that did runs was killed, perhaps for want of memory (see {logs}); run the same command again,"
            " with fewer --jobs"
        )
    return UserError(f"{problem} (see {logs})") if isinstance(problem, UserError) else problem


def _prepare(threads: int, end: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once; what is done stays
    threading.Thread(target=_end_with, args=(end,), daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # what work that runs ahead goes by
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _end_with(other: Connection) -> None:
    """Ends this process when the other end of a pipe is closed, as it is, too, when who held it was killed."""
    with suppress(EOFError, OSError):
        other.recv()
    os._exit(1)


def _do(work: Callable[[Job], None], job: Job, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", buffering=1, encoding="utf-8") as file, redirect_stderr(file):
        try:
            work(job)
        except UserError as error:
            say(f"seglift: error: {error}")
            raise
        except Exception:
            traceback.print_exc()
            raise
