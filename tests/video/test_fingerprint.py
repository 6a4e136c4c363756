from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.video.fingerprint import sample_fingerprint


@pytest.mark.parametrize("position", [0, 31, 32, 50, 63])
def test_a_small_file_is_hashed_whole(tmp_path: Path, position: int):
    path = tmp_path / "a"
    path.write_bytes(bytes(64))
    before = sample_fingerprint(path, blocks=4, block_bytes=16)
    changed = bytearray(64)
    changed[position] = 1
    path.write_bytes(changed)
    assert sample_fingerprint(path, blocks=4, block_bytes=16) != before


@pytest.mark.parametrize(("position", "seen"), [(0, True), (99, True), (46, True), (10, False)])
def test_a_large_file_is_sampled_from_first_to_last_byte(tmp_path: Path, position: int, seen: bool):
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    before = sample_fingerprint(path, blocks=3, block_bytes=8)
    changed = bytearray(100)
    changed[position] = 1
    path.write_bytes(changed)
    assert (sample_fingerprint(path, blocks=3, block_bytes=8) != before) == seen


def test_length_counts_and_missing_file_is_named(tmp_path: Path):
    (tmp_path / "a").write_bytes(bytes(10))
    (tmp_path / "b").write_bytes(bytes(11))
    assert sample_fingerprint(tmp_path / "a") != sample_fingerprint(tmp_path / "b")
    with pytest.raises(UserError, match="nothing"):
        sample_fingerprint(tmp_path / "nothing")
