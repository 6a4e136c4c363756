from __future__ import annotations

import subprocess
import sys

import cv2
import pytest
import torch

from seglift.base.threads import MOST_WORKERS, threads_per_call, worker_count


def test_threads_are_as_before_after_the_block():
    before = torch.get_num_threads(), cv2.getNumThreads()
    with threads_per_call(2):
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
        with threads_per_call(1):
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_an_error_in_the_block_leaves_the_threads_as_before():
    before = torch.get_num_threads(), cv2.getNumThreads()
    with pytest.raises(RuntimeError, match="crash"), threads_per_call(before[0] + 1):
        raise RuntimeError("crash")
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_the_number_of_workers_does_not_follow_the_threads_of_a_call():
    count = worker_count()
    assert 1 <= count <= MOST_WORKERS
    with threads_per_call(count + 1):
        assert worker_count() == count


def test_the_environment_limits_the_workers():
    program = "from seglift.base.threads import worker_count; print(worker_count())"
    environment = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
