"""How many threads a stretch of work uses: many calls side by side with one thread each, or one call with many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch

MOST_WORKERS = 8


def worker_count() -> int:
    """Threads that may work side by side: what torch was given (``OMP_NUM_THREADS``), by default every core; 1 to 8."""
    return max(1, min(_GIVEN, os.cpu_count() or 1, MOST_WORKERS))


@contextmanager
def threads_per_call(count: int) -> Iterator[None]:
    """Inside the block every call of torch and OpenCV uses ``count`` threads; afterwards as many as before."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


_GIVEN = torch.get_num_threads()
