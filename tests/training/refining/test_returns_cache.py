from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.folder import open_folder
from seglift.propagation.cycle import ReturnConfig
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.training.refining.planned import Return, plan_returns
from seglift.training.refining.returns_cache import ReturnsCache

CONFIG = ReturnConfig(lengths=(1, 2), keyframes=(3,))


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def planned(train_split):
    return plan_returns(train_split, CONFIG)


def test_what_comes_back_is_right_in_view_and_void_stays_void(planned, make_making, tmp_path):
    making = make_making(CONFIG)
    cache = ReturnsCache(tmp_path, planned, making)
    cache.make(making, "", quiet=True)
    middle = cache.read(1, Return("cycle", 1, 2))
    assert middle.label.shape == middle.carried.shape == middle.image.shape[:2] == middle.warped.shape[:2]
    assert np.array_equal(middle.carried[:, 4:], middle.label[:, 4:])
    assert set(np.unique(middle.label)) == {0, 1, 2, 255}
    assert (middle.carried[:2, 4:] == 255).all()
    assert not (middle.carried[:2, :4] == 255).any()  # the model filled in, and does not know void
    assert np.array_equal(middle.warped[:, 2:], middle.image[:, 2:])
    neighbour = cache.read(1, Return("keyframe", -1, 3))
    assert np.array_equal(neighbour.carried[:, :-6], neighbour.label[:, :-6])
    assert len(content(tmp_path)) == 6 + 2 * (2 * 3 + 1 * 2) + 2 * (6 + 2)


def test_a_killed_making_goes_on_and_ends_with_the_same_bytes(planned, make_making, tmp_path):
    making = make_making(CONFIG)
    ReturnsCache(tmp_path / "whole", planned, making).make(making, "", quiet=True)
    calls = 0

    def dies(frame):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return making.teacher_for(frame)

    killed = make_making(CONFIG, teacher_for=dies)
    cache = ReturnsCache(tmp_path / "killed", planned, killed)
    with pytest.raises(KeyboardInterrupt):
        cache.make(killed, "", quiet=True)
    half = sorted((tmp_path / "killed").rglob("index.json"))
    assert len(half) == 3
    half[0].unlink()
    next(half[1].parent.glob("cycle_*.png")).unlink()
    (half[1].parent / ".x.png.part").write_bytes(b"torn")
    times = {path: path.stat().st_mtime_ns for path in half[2].parent.iterdir()}
    cache.make(making, "", quiet=True)
    assert times == {path: path.stat().st_mtime_ns for path in half[2].parent.iterdir()}
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_nothing_is_made_twice(planned, make_making, tmp_path, pan):
    making = make_making(CONFIG)
    ReturnsCache(tmp_path, planned, making).make(making, "", quiet=True)
    calls = pan.calls
    ReturnsCache(tmp_path, planned, making).make(making, "", quiet=True)
    assert pan.calls == calls


@pytest.mark.parametrize("change", ["tau", "identity", "resample"])
def test_other_settings_or_models_make_others(planned, make_making, tmp_path, change):
    making = make_making(CONFIG)
    other = {
        "tau": make_making(ReturnConfig(lengths=(1, 2), keyframes=(3,), tau=3.0)),
        "resample": make_making(ReturnConfig(lengths=(1, 2), keyframes=(3,), resample="once")),
        "identity": make_making(CONFIG, identity="y"),
    }[change]
    caches = [ReturnsCache(tmp_path, planned, one) for one in (making, other)]
    assert caches[0].fingerprint() != caches[1].fingerprint()
    for cache, one in zip(caches, (making, other), strict=True):
        cache.make(one, "", quiet=True)
    assert len(list(tmp_path.iterdir())) == 12


def test_each_frame_is_filled_in_by_the_teacher_that_is_asked_for_it(planned, make_making, tmp_path, by_colour):
    asked = []

    def teacher(frame):
        asked.append(frame.item.name)
        return SemanticLabeller(by_colour, frame.space)

    making = make_making(CONFIG, teacher_for=teacher)
    ReturnsCache(tmp_path, planned, making).make(making, "", quiet=True)
    assert asked == [frame.item.name for frame in planned]


def test_a_label_of_another_size_is_named(panning, make_making, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(panning, root)
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(root / "labels/train/a/003.png")
    making = make_making(CONFIG)
    cache = ReturnsCache(tmp_path / "out", plan_returns(open_folder(root, "train"), CONFIG), making)
    with pytest.raises(UserError, match=r"003\.png is 12x10, its image is 48x32"):
        cache.make(making, "", quiet=True)
