from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.video.stems import (
    cityscapes_snippets,
    frame_stem,
    instance_stem,
    is_companion,
    label_stem,
    natural_key,
)

NAMES = st.text(alphabet="ab_-.0123456789", min_size=1, max_size=12)


def test_numbers_count_as_numbers():
    names = ["frame10", "frame2", "frame1", "a", "frame2b", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "frame1", "frame2", "frame2b", "frame10"]


@given(st.lists(st.integers(0, 10**12), unique=True, max_size=20), st.sampled_from(["", "frame", "x7_", "²", "٣"]))
def test_natural_order_of_numbered_names_is_numeric(numbers: list[int], prefix: str):
    ordered = sorted((f"{prefix}{number}" for number in numbers), key=natural_key)
    assert ordered == [f"{prefix}{number}" for number in sorted(numbers)]


@given(st.lists(NAMES, unique=True, max_size=20), st.randoms())
def test_natural_order_does_not_depend_on_the_listing(names: list[str], random):
    shuffled = list(names)
    random.shuffle(shuffled)
    assert sorted(names, key=natural_key) == sorted(shuffled, key=natural_key)


@pytest.mark.parametrize("suffix", ["_gtFine_labelIds", "_gtCoarse_labelIds", "_labelIds", "_L", ""])
@given(name=NAMES)
def test_label_and_frame_of_one_name_meet(suffix: str, name: str):
    frame, label = f"{name}x", f"{name}x{suffix}"
    assert label_stem(label) == frame_stem(frame) == frame_stem(f"{frame}_leftImg8bit") == frame


def test_only_the_end_of_a_stem_is_dropped_and_only_once():
    assert label_stem("a_L_b") == "a_L_b"
    assert label_stem("a_L_L") == "a_L"
    assert frame_stem("a_leftImg8bit_2") == "a_leftImg8bit_2"
    assert label_stem("_L") == "_L"
    assert frame_stem("a_L") == "a_L"


def test_instances_and_companions():
    assert instance_stem("a_gtFine_instanceIds") == instance_stem("a_gtCoarse_instanceIds") == "a"
    assert instance_stem("a_instanceIds") == "a"
    assert instance_stem("a_gtFine_panoptic") == instance_stem("a_panoptic") == "a"
    assert instance_stem("a_labelIds") is None
    assert is_companion("a_gtFine_color")
    assert not is_companion("a_colors")


@pytest.mark.parametrize(
    ("stems", "snippets"),
    [
        (["aachen_000000_000000_leftImg8bit", "aachen_000000_000019_leftImg8bit"], 1),
        (["aachen_000000_000019_leftImg8bit", "aachen_000001_000019_leftImg8bit"], 2),
        (["aachen_000000_000019", "bochum_000000_000020"], 2),
        (["bochum_000000_000313", "bochum_000000_000600"], 2),
        ([f"stuttgart_00_000000_{number:06d}" for number in range(1, 599)], 1),
        (["bad-honnef_000000_000000", "bad-honnef_000000_000002"], 1),
        (["0001TP_006690", "0001TP_006720", "frame1", "1305031102.175304"], 0),
    ],
)
def test_cityscapes_snippets(stems: list[str], snippets: int):
    assert len(cityscapes_snippets(stems)) == snippets
