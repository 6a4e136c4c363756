"""How many threads a stretch of work uses: many calls side by side with one thread each, or one call with many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

MOST_WORKERS = 8


def core_count() -> int:
    """Cores that this process may use: ``OMP_NUM_THREADS``, by default and at most those that it is bound to."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(int(given) if given.isdecimal() else cores, cores))


def worker_count() -> int:
    """Threads that may work side by side: :func:`core_count`, at most 8."""
    return min(core_count(), MOST_WORKERS)


@contextmanager
def threads_per_call(count: int) -> Iterator[None]:
    """Inside the block every call of torch and OpenCV uses ``count`` threads; afterwards as many as before."""
    import torch  # takes seconds to load; counting workers needs it not

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
