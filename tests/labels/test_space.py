from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelClass, LabelSpace, describe_ids, look_up

CITYSCAPES, BINARY, APOLLOSCAPE = (BUILTIN_SPACES[name] for name in ("cityscapes", "binary", "apolloscape"))
SPACES = st.sampled_from(list(BUILTIN_SPACES.values()))
SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=6)


def make_space(ids, train_ids, ignore=None, **changes):
    classes = [LabelClass(i, f"c{i}", (i, 0, 0), t, "all", False) for i, t in zip(ids, train_ids, strict=True)]
    return LabelSpace("test", tuple(classes), ignore, **changes)


@given(st.data())
def test_every_raw_id_survives_encode_and_decode(data):
    space = data.draw(SPACES)
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]))
    raw = data.draw(hnp.arrays(dtype, data.draw(SHAPES), elements=st.sampled_from(space.ids)))
    index = space.encode(raw, "x.png")
    assert index.dtype == np.uint8
    assert space.decode(index).dtype == np.uint8
    np.testing.assert_array_equal(space.decode(index), raw)


@given(st.data())
def test_tables_agree_with_the_class_list(data):
    space = data.draw(SPACES)
    indices = st.integers(0, space.num_indices - 1)
    index = data.draw(hnp.arrays(np.uint8, (2, 5), elements=indices))
    for y, x in np.ndindex(index.shape):
        entry = space.classes[index[y, x]]
        assert space.decode(index)[y, x] == entry.id
        assert space.to_train(index)[y, x] == entry.train_id
        assert tuple(space.colorize(index)[y, x]) == entry.color


@given(st.data())
def test_from_train_is_undone_by_to_train(data):
    space = data.draw(SPACES)
    space = space.preferring(data.draw(st.sets(st.sampled_from(space.ids))))
    void = [] if space.ignore is None else [255]
    train = data.draw(hnp.arrays(np.uint8, (3, 4), elements=st.sampled_from([*range(space.num_train), *void])))
    np.testing.assert_array_equal(space.to_train(space.from_train(train)), train)


def test_unknown_becomes_ignore_or_the_background():
    void = np.full((1, 2), 255, np.uint8)
    assert CITYSCAPES.decode(CITYSCAPES.from_train(void)).tolist() == [[0, 0]]
    assert APOLLOSCAPE.decode(APOLLOSCAPE.from_train(void)).tolist() == [[255, 255]]
    assert BINARY.decode(BINARY.from_train(void)).tolist() == [[0, 0]]
    assert BINARY.unknown_index == 0


def test_preferred_ids_decide_what_a_shared_train_id_is_written_as():
    train = np.array([[0, 1]], np.uint8)
    assert BINARY.decode(BINARY.from_train(train)).tolist() == [[0, 1]]
    as_it_came = BINARY.preferring([0, 255, 77])
    assert as_it_came.decode(as_it_came.from_train(train)).tolist() == [[0, 255]]
    both = BINARY.preferring([255, 1])
    assert both.decode(both.from_train(train)).tolist() == [[0, 1]]
    groups = APOLLOSCAPE.preferring([161])
    assert groups.decode(groups.from_train(train)).tolist() == [[17, 161]]


def test_unknown_ids_are_listed_with_counts_and_the_file():
    raw = np.array([[7, 7, 40], [40, 200, 8]], np.uint8)
    with pytest.raises(UserError) as error:
        CITYSCAPES.encode(raw, "keyframes/a.png")
    text = str(error.value)
    assert "keyframes/a.png" in text and "40 (2 px)" in text and "200 (1 px)" in text and "7 (" not in text
    assert "0-33" in text


@pytest.mark.parametrize("value", [-1, 256, 26001, 2**31 - 1])
def test_ids_outside_a_byte_are_unknown_not_wrapped(value):
    with pytest.raises(UserError, match=rf"{value} \(1 px\)"):
        CITYSCAPES.encode(np.array([[0, value]], np.int32), "a.png")


def test_a_space_of_256_ids_has_no_unknown_value():
    space = make_space(range(255, -1, -1), [255, *range(255)], ignore=255)
    raw = np.arange(256, dtype=np.uint8).reshape(16, 16)
    index = space.encode(raw, "a.png")
    assert index[0, 0] == 255
    np.testing.assert_array_equal(space.decode(index), raw)


def test_foreign_indices_and_train_ids_are_refused():
    for convert in (CITYSCAPES.decode, CITYSCAPES.to_train, CITYSCAPES.colorize):
        with pytest.raises(ValueError, match="34"):
            convert(np.array([[34]], np.uint8))
    with pytest.raises(ValueError, match="19"):
        CITYSCAPES.from_train(np.array([[19]], np.uint8))
    with pytest.raises(ValueError, match="integers"):
        CITYSCAPES.encode(np.zeros((2, 2)), "a.png")
    with pytest.raises(ValueError, match="uint8"):
        CITYSCAPES.decode(np.zeros((2, 2), np.int64))


@pytest.mark.parametrize(
    ("ids", "train_ids", "ignore", "problem"),
    [
        ([], [], None, "no class"),
        ([0, 0], [0, 1], None, "id 0 appears"),
        ([0, 300], [0, 1], None, "300"),
        ([0, 1], [0, 2], None, "gap"),
        ([0, 1], [255, 255], 0, "no class is evaluated"),
        ([0, 1], [0, 1], 5, "no class has that id"),
        ([0, 1], [0, 1], 1, "must have train_id 255"),
    ],
)
def test_bad_spaces_are_refused(ids, train_ids, ignore, problem):
    with pytest.raises(ValueError, match=problem):
        make_space(ids, train_ids, ignore)


def test_train_names_things_and_categories():
    assert CITYSCAPES.train_names[:2] == ("road", "sidewalk") and CITYSCAPES.train_names[18] == "bicycle"
    assert CITYSCAPES.thing_train_ids == (11, 12, 13, 14, 15, 16, 17, 18)
    assert CITYSCAPES.categories["human"] == (11, 12) and "void" not in CITYSCAPES.categories
    assert BINARY.train_names == ("background", "foreground")


def test_shared_colors_mean_ignore_first_then_evaluated():
    assert CITYSCAPES.ids[CITYSCAPES.color_to_index[0, 0, 0]] == 0
    assert CITYSCAPES.ids[CITYSCAPES.color_to_index[153, 153, 153]] == 17
    assert BINARY.preferring([255]).color_to_index[255, 255, 255] == 2


def test_look_up_of_any_shape():
    table = np.arange(256, dtype=np.uint8)[::-1].copy()
    values = np.arange(120, dtype=np.uint8).reshape(2, 3, 4, 5)[:, ::2]
    np.testing.assert_array_equal(look_up(table, values), table[values])
    with pytest.raises(ValueError, match="uint8"):
        look_up(table, values.astype(np.int32))


def test_describe_ids_joins_runs():
    assert describe_ids([3, 0, 1, 2, 255, 7]) == "0-3, 7, 255"
