"""How many threads a stretch of work uses: many calls side by side with one thread each, or one call with many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

MOST_WORKERS = 8


def worker_count() -> int:
    """Threads that may work side by side: ``OMP_NUM_THREADS``, by default and at most every core; 1 to 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(int(given) if given.isdecimal() else cores, cores, MOST_WORKERS))


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
