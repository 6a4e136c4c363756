from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from seglift.workflows.label.output import LabelOutput
from seglift.workflows.label.report import write_timing


def test_timing_is_written_where_the_peak_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    write_timing(LabelOutput(tmp_path), {"total": 2.0}, 6)
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert timing["peak_memory_bytes"] is None
    assert timing["frames_per_second"] == 3.0
