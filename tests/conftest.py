"""What every test may lean on: one thread, patient property tests, real data where it is at hand, a full disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("seglift", deadline=None, database=None)
hypothesis.settings.load_profile("seglift")


@pytest.fixture(scope="session", autouse=True)
def single_thread() -> None:
    """Tiny arrays are slower on several threads than on one, above all on a busy machine."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def seglift_data() -> Path:
    """The folder of real data (never part of the repository)."""
    folder = os.environ.get("SEGLIFT_DATA")
    if not folder:
        pytest.skip("real data: set SEGLIFT_DATA to the folder that holds camvid/, davis/ and flow/")
    return Path(folder)


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """Inside ``with full_disk():`` the operating system itself refuses to let any file grow beyond a page."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
