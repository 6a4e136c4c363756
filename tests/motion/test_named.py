from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.motion.dis import PRESETS, DisFlow
from seglift.motion.named import MOTION_NAMES, get_estimator


@pytest.mark.parametrize("name", ["", "farneback", "DIS", "raftx:small", ":fast"])
def test_an_unknown_name_is_answered_with_all_names(name: str):
    with pytest.raises(UserError, match="is unknown; choose one of") as caught:
        get_estimator(name)
    assert f"'{name}'" in str(caught.value)
    for known in MOTION_NAMES:
        assert known in str(caught.value)


def test_an_unknown_preset_is_answered_with_all_presets():
    with pytest.raises(UserError, match="preset 'slow' is unknown") as caught:
        get_estimator("dis:slow")
    for known in PRESETS:
        assert known in str(caught.value)


def test_every_preset_has_a_name():
    assert {f"dis:{preset}" for preset in PRESETS} == {name for name in MOTION_NAMES if name.startswith("dis:")}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str):
    estimator = get_estimator(f"dis:{preset}")
    assert isinstance(estimator, DisFlow)
    assert estimator.preset == preset


def test_the_preset_is_chosen_where_none_is_named():
    estimator = get_estimator("dis")
    assert isinstance(estimator, DisFlow)
    assert estimator.preset == "auto"


def test_raft_weights_that_are_not_there(tmp_path: Path):
    with pytest.raises(UserError, match=r"no RAFT weights at .*nothing\.pth"):
        get_estimator(f"raft:{tmp_path / 'nothing.pth'}")


def test_a_path_alone_is_told_what_to_write(tmp_path: Path):
    with pytest.raises(UserError, match=f"is a path; write sdcnet:{tmp_path}"):
        get_estimator(str(tmp_path))
