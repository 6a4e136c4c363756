from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.base.files import (
    atomic_path,
    fingerprint_file,
    fingerprint_values,
    read_json,
    remove_leftovers,
    write_bytes,
    write_json,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON_VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_under_the_final_name_until_the_block_ends(tmp_path: Path):
    path = tmp_path / "made" / "on the way" / "a.bin"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["a.bin"]


def test_what_was_there_is_replaced(tmp_path: Path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"a long first content")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError("crash"), KeyboardInterrupt(), ValueError("bad")])
def test_an_error_in_the_block_leaves_the_old_content_and_nothing_else(tmp_path: Path, error: BaseException):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(type(error)) as caught, atomic_path(path) as temporary:
        temporary.write_bytes(b"half of the ne")
        raise error
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_block_that_moves_the_temporary_file_away_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="cannot write"), atomic_path(tmp_path / "a.bin") as temporary:
        temporary.unlink()
    assert names(tmp_path) == []


def test_a_killed_process_leaves_the_old_content_and_a_leftover_that_can_be_removed(tmp_path: Path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    program = (
        "import os, pathlib, signal, sys\n"
        "from seglift.base.files import atomic_path\n"
        "with atomic_path(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half of the ne')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    (tmp_path / "mine.part").write_bytes(b"")  # not hidden: not ours
    (tmp_path / ".hidden").write_bytes(b"")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".hidden", "a.bin", "mine.part"]


def test_removing_leftovers_of_a_folder_that_is_not_there(tmp_path: Path):
    remove_leftovers(tmp_path / "nothing")
    assert names(tmp_path) == []


def test_a_full_disk_is_the_users_to_fix(tmp_path: Path, full_disk):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with full_disk(), pytest.raises(UserError, match=r"cannot write .*a\.bin: .*; free space") as caught:
        write_bytes(path, b"x" * 10_000)
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_disk_that_turns_out_full_only_when_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match="No space left on device"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*file/a\.bin"):
        write_bytes(tmp_path / "file" / "a.bin", b"new")


def test_a_folder_in_the_way(tmp_path: Path):
    (tmp_path / "a.bin" / "inside").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot write"):
        write_bytes(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == ["a.bin"]


def test_several_writers_of_one_name_and_a_reader_see_whole_contents_only(tmp_path: Path):
    path = tmp_path / "a.bin"
    contents = [bytes([65 + number]) * 20_000 for number in range(4)]
    write_bytes(path, contents[0])
    seen: set[bytes] = set()
    writing = threading.Event()

    def read() -> None:
        while not writing.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    writers = [
        threading.Thread(target=lambda data=data: [write_bytes(path, data) for _ in range(4)]) for data in contents
    ]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    writing.set()
    reader.join()
    assert seen <= set(contents)
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["a.bin"]


def test_files_can_be_read_by_others(tmp_path: Path):
    write_bytes(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o644


@given(value=JSON_VALUES)
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, value: object):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_json_is_the_same_bytes_whatever_the_order_of_keys(tmp_path: Path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [True, None]})
    write_json(tmp_path / "b.json", {"a": [True, None], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    true,\n    null\n  ],\n  "b": 1\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_json_without_meaning_elsewhere_is_refused(tmp_path: Path, value: object):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"a: 1"])
def test_what_is_not_json(tmp_path: Path, content: bytes):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*a\.json as JSON"):
        read_json(tmp_path / "a.json")


def test_json_that_is_not_there(tmp_path: Path):
    with pytest.raises(UserError, match=r"cannot read .*a\.json"):
        read_json(tmp_path / "a.json")


def test_fingerprint_of_a_file_is_its_sha256(tmp_path: Path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint_file(tmp_path / "a.bin") == expected
    data = os.urandom(300_000)
    (tmp_path / "b.bin").write_bytes(data)
    assert fingerprint_file(tmp_path / "b.bin") == hashlib.sha256(data).hexdigest()


def test_fingerprint_of_values_never_changes():
    assert fingerprint_values() == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # of "[]"
    assert fingerprint_values({"b": 1, "a": 2}) == fingerprint_values({"a": 2, "b": 1})
    assert fingerprint_values((1, 2)) == fingerprint_values([1, 2])


@given(first=st.lists(JSON_VALUES, max_size=3), second=st.lists(JSON_VALUES, max_size=3))
def test_fingerprints_are_equal_exactly_when_the_values_are(first: list[object], second: list[object]):
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (fingerprint_values(*first) == fingerprint_values(*second)) is same


@pytest.mark.parametrize(
    ("first", "second"),
    [(("a", "b"), ("ab",)), (("a,b",), ("a", "b")), ((1,), ("1",)), ((None,), ()), ((["a"],), ("a",))],
)
def test_fingerprints_tell_apart(first: tuple[object, ...], second: tuple[object, ...]):
    assert fingerprint_values(*first) != fingerprint_values(*second)
