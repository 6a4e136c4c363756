from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.models.published_file import read_state_dict


class Trap:
    """Touches a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 1}])
@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
def test_wrappings_come_off(tmp_path: Path, prefix: str, wrap: Any) -> None:
    path = tmp_path / "w.tar"
    torch.save(wrap({f"{prefix}a.module.b": torch.arange(3), f"{prefix}c": torch.tensor(2.5)}), path)
    state = read_state_dict(path)
    assert list(state) == ["a.module.b", "c"]
    assert state["a.module.b"].tolist() == [0, 1, 2]


def test_a_prefix_that_only_some_have_stays(tmp_path: Path) -> None:
    torch.save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "w.pt")
    assert list(read_state_dict(tmp_path / "w.pt")) == ["module.a", "b"]


@pytest.mark.parametrize("key", ["state_dict", "other"])
def test_code_is_refused_and_never_runs(tmp_path: Path, key: str) -> None:
    mark, path = tmp_path / "ran", tmp_path / "w.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}, key: Trap(mark)}, path)
    with pytest.raises(UserError, match=r"w\.pth wants \S+ to be run, expected nothing but weights"):
        read_state_dict(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists()  # the trap works


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({}, "holds nothing"),
        ([1, 2], "holds something of type list"),
        (torch.zeros(2), "type Tensor"),
        ({"state_dict": []}, "type dict"),
        ({"a": torch.zeros(1), "b": 3}, "type int under 'b'"),
        ({1: torch.zeros(1)}, "under '1'"),
    ],
)
def test_what_is_no_state_dict_is_said(tmp_path: Path, content: Any, match: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match=match):
        read_state_dict(tmp_path / "w.pth")


def test_a_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint at .*w\.pth"):
        read_state_dict(tmp_path / "w.pth")


@pytest.mark.filterwarnings("error")
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), cut=st.integers(0, 400), mode=st.sampled_from(["bytes", "pickle", "zip", "old"]))
def test_damaged_files_are_the_users_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, mode: str
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "w.pth"
    if mode == "bytes":
        path.write_bytes(data)
    elif mode == "pickle":
        path.write_bytes(pickle.dumps(data))
    else:
        torch.save({"a": torch.zeros(4)}, path, _use_new_zipfile_serialization=mode == "zip")
        whole = path.read_bytes()
        path.write_bytes(whole[: min(cut, len(whole) - 1)])
    with pytest.raises(UserError):
        read_state_dict(path)
