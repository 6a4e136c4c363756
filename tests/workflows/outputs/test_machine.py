from __future__ import annotations

import pytest
import torch

from seglift.workflows.outputs.machine import library_versions, peak_memory


def test_peak_memory_is_that_of_a_process_with_torch_in_it() -> None:
    pytest.importorskip("resource")
    peak = peak_memory()
    assert peak is not None
    assert 50 * 2**20 < peak < 50 * 2**30


def test_versions_are_those_of_the_libraries() -> None:
    assert library_versions()["torch"].split("+")[0] == torch.__version__.split("+")[0]
