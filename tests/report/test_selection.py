from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglift.report.selection import LABEL_NEXT, frames_to_label, labelling_rounds, ordinal, select_frames


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd"), (113, "113th")],
)
def test_ordinal(number, text):
    assert ordinal(number) == text


def test_short_clip_is_shown_whole():
    chosen = select_frames(10, [0, 9], {4}, 20)
    assert chosen.indices == tuple(range(10))
    assert chosen.sentence() == "All 10 frames shown."
    assert select_frames(1, [0], (), 20).sentence() == "The one frame is shown."


def test_long_clip_is_thinned():
    chosen = select_frames(600, [0, 101, 599], {50, 303}, 50)
    assert chosen.every == 14
    assert {0, 14, 28, 50, 101, 303, 599} <= set(chosen.indices)
    assert chosen.sentence() == (
        "Every 14th of 600 frames shown, and all 3 keyframes, the last frame and the frames to label next: 47 in all."
    )


def test_many_keyframes_are_thinned_evenly():
    chosen = select_frames(1000, range(0, 1000, 5), {}, 40)
    assert len(chosen.indices) <= 40
    assert chosen.keyframes < chosen.total_keyframes == 200
    assert "an even choice of the keyframes" in chosen.sentence()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_properties_of_a_selection(data):
    total = data.draw(st.integers(1, 3000))
    keyframes = sorted(data.draw(st.sets(st.integers(0, total - 1), max_size=200)))
    first = data.draw(st.sets(st.integers(0, total - 1), max_size=8))
    limit = data.draw(st.integers(2 * len(first) + 4, 150))
    chosen = select_frames(total, keyframes, first, limit)
    assert len(chosen.indices) <= max(limit, 1)
    assert list(chosen.indices) == sorted(set(chosen.indices))
    assert first | {0, total - 1} <= set(chosen.indices) <= set(range(total))
    if len(keyframes) <= limit // 2 - 1:
        assert set(keyframes) <= set(chosen.indices)
    assert chosen.keyframes == len(set(keyframes) & set(chosen.indices))


def test_a_limit_that_is_too_small():
    with pytest.raises(ValueError, match="at least 14"):
        select_frames(100, [0], range(5), 13)


def test_frames_to_label_next():
    values = [0.5] * 60
    values[10], values[11], values[45], values[20] = 0.1, 0.15, 0.2, None
    assert frames_to_label(values, 2) == (10, 45)
    assert frames_to_label(values, 2, skip=[9]) == (11, 45)
    assert frames_to_label(values, 2, skip=[10]) == (45, 0)  # 11 is beside it
    assert 20 not in frames_to_label(values, 60)
    assert frames_to_label([None, None], 3) == ()
    near = [0.9] * 31
    near[4], near[7], near[15] = 0.1, 0.2, 0.3  # 4 and 7 lie between the same two keyframes: one of them mends both
    assert frames_to_label(near, 8, skip=[0, 10, 20, 30])[:2] == (4, 15)
    assert 7 not in frames_to_label(near, 8, skip=[0, 10, 20, 30])
    assert frames_to_label([0.3, 0.2, 0.1], 8, skip=[1]) == (2, 0)


def test_frames_beside_a_keyframe_or_another_suggestion_come_last():
    values = [0.9] * 12
    values[1], values[5] = 0.1, 0.2  # 5 lies alone between two keyframes
    rounds = [[index for _, index in chosen] for chosen in labelling_rounds(values, [0, 4, 6])]
    assert rounds == [[2, 8, 11], [1, 5, 3, 7, 9], [10]]
    assert frames_to_label([0.5] * 4, 8) == (0, 2) and frames_to_label([0.5, 0.1, 0.1, 0.5], 8, skip=[0, 3]) == (1,)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_frame_of_a_round_is_beside_one_before_where_another_is_free(data):
    values = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=40))
    drawn = data.draw(st.sets(st.integers(0, len(values) - 1)))
    for chosen in labelling_rounds(values, sorted(drawn)):
        places = {index for _, index in chosen}
        free = [index for index in set(range(len(values))) - drawn if not drawn & {index - 1, index + 1}]
        assert places <= set(free) or not free
        assert not places & {index + 1 for index in places}
        drawn |= places


def test_rounds_begin_with_what_a_report_names_and_then_halve_what_is_left():
    values = [1 - 0.01 * min(index, 40 - index) for index in range(41)]
    keyframes = [0, 40]
    rounds = list(labelling_rounds(values, keyframes))
    assert [tuple(index for _, index in chosen) for chosen in rounds[:2]] == [(20,), (10, 30)]
    assert tuple(index for _, index in rounds[0]) == frames_to_label(values, LABEL_NEXT, keyframes)
    assert rounds[1][0][0] == pytest.approx(0.9)  # 10 frames from the new keyframe as from the old one


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rounds_give_every_frame_once(data):
    values = data.draw(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=60))
    skip = data.draw(st.sets(st.integers(0, len(values) - 1)))
    found = [index for chosen in labelling_rounds(values, skip) for _, index in chosen]
    wanted = [index for index, value in enumerate(values) if value is not None and index not in skip]
    assert sorted(found) == wanted
