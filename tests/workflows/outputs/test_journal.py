"""A journal keeps whole entries whatever happened to the file around them."""

from __future__ import annotations

import threading

import pytest

from seglift.base.errors import UserError
from seglift.workflows.outputs.journal import Journal


def test_entries_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "j", frozenset({"name"}))
    assert list(journal.entries()) == []
    written = [journal.append({"name": str(number), "value": [number]}) for number in range(3)]
    assert list(Journal(tmp_path / "j", frozenset({"name"})).entries()) == written
    journal.clear()
    assert list(journal.entries()) == []
    journal.clear()


def test_a_torn_line_swallows_no_other(tmp_path):
    journal = Journal(tmp_path / "j", frozenset({"name"}))
    journal.append({"name": "a"})
    whole = (tmp_path / "j").read_bytes()
    journal.append({"name": "b"})
    for length in range(len(whole), len((tmp_path / "j").read_bytes())):
        (tmp_path / "j").write_bytes((whole + b'\n{"name": "b"}')[:length])
        journal.append({"name": "c"})
        assert [entry["name"] for entry in journal.entries()] == ["a", "c"]
    (tmp_path / "j").write_bytes(b'[1]\nnull\n{"other": 1}\n\xff\xfe\n{"name": "d"}')
    assert [entry["name"] for entry in journal.entries()] == ["d"]


def test_threads(tmp_path):
    journal = Journal(tmp_path / "j", frozenset({"name"}))

    def write(first):
        for number in range(20):
            journal.append({"name": first + number})

    threads = [threading.Thread(target=write, args=(100 * thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry["name"] for entry in journal.entries()) == [100 * t + n for t in range(4) for n in range(20)]


def test_no_place(tmp_path):
    with pytest.raises(UserError, match="cannot write"):
        Journal(tmp_path / "missing" / "j", frozenset()).append({})
