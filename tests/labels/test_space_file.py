from __future__ import annotations

import contextlib
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space_file import distinct_colors, get_space, parse_space, space_to_data


def write(tmp_path, text, name="mine.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_short_file_is_completed(tmp_path):
    space = get_space(write(tmp_path, "ignore: 9\nclasses: [{id: 3, name: road}, {id: 1, name: car, thing: true}]"))
    assert (space.name, space.ignore, space.ids, space.num_train) == ("mine", 9, (3, 1, 9), 2)
    assert [entry.train_id for entry in space.classes] == [0, 1, 255]
    assert [entry.category for entry in space.classes] == ["road", "car", "void"]
    assert [entry.thing for entry in space.classes] == [False, True, False]
    assert len({entry.color for entry in space.classes}) == 3 and space.classes[2].color == (0, 0, 0)


def test_ignore_among_the_classes_is_not_numbered(tmp_path):
    space = get_space(write(tmp_path, "ignore: 0\nclasses: [{id: 0, name: void}, {id: 4, name: road}]"))
    assert [entry.train_id for entry in space.classes] == [255, 0]


def test_full_json_with_a_second_void(tmp_path):
    rows = [
        {"id": 0, "name": "a", "color": [1, 2, 3], "train_id": 0, "category": "k", "thing": False},
        {"id": 7, "name": "rim", "color": [9, 9, 9], "train_id": 255, "category": "void", "thing": False},
    ]
    data = {"name": "two", "ignore": None, "classes": rows}
    space = get_space(write(tmp_path, json.dumps(data), "s.json"))
    assert space_to_data(space) == data
    assert space.unknown_index == 0


@pytest.mark.parametrize("space", BUILTIN_SPACES.values(), ids=lambda space: space.name)
def test_builtin_spaces_survive_a_file(space, tmp_path):
    assert get_space(space.name) is space
    assert get_space(write(tmp_path, json.dumps(space_to_data(space)), "s.json")) == space


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("classes: [{id: 0, name: a}, {id: 0, name: b}]", "id 0 appears more than once"),
        ("classes: [{id: 0, name: a}, {id: 1, name: a}]", "name a appears more than once"),
        ("classes: [{id: 256, name: a}]", "256"),
        ("classes: [{id: -1, name: a}]", "-1"),
        ("classes: [{id: 0, name: a, colour: [1, 2, 3]}]", "unknown key colour"),
        ("klasses: []\nclasses: []", "unknown key klasses"),
        ("classes: []", "at least one class"),
        ("name: x", "classes is missing"),
        ("classes: [{id: 0}]", "name is missing"),
        ("classes: [{id: 0, name: no}]", "'name' must be text"),
        ("classes: [{id: true, name: a}]", "'id' must be an integer"),
        ("classes: [{id: 0, name: a, color: [1, 2]}]", "'color' must be"),
        ("classes: [{id: 0, name: a, color: [1, 2, 300]}]", "300"),
        ("classes: [{id: 0, name: a, thing: 1}]", "'thing' must be true or false"),
        ("classes: [{id: 0, name: a, train_id: 0}, {id: 1, name: b, train_id: 2}]", "without a gap"),
        ("classes: [{id: 0, name: a, train_id: 0}, {id: 1, name: b}]", "'b' lacks train_id"),
        ("ignore: 0\nclasses: [{id: 0, name: a, train_id: 0}]", "must have train_id 255"),
        ("ignore: 0\nclasses: [{id: 0, name: a}]", "no class is evaluated"),
        ("ignore: x\nclasses: [{id: 0, name: a}]", "'ignore' must be"),
        ("ignore: 999\nclasses: [{id: 0, name: a}]", "999"),
        ("classes: [{id: 0, name: a]", "not valid YAML"),
        ("just text", "a mapping"),
        ("", "a mapping"),
    ],
)
def test_mistakes_are_explained_with_the_file(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        get_space(path)
    assert says in str(error.value) and path in str(error.value) and "\n" not in str(error.value)


def test_unknown_name_lists_what_exists():
    with pytest.raises(UserError) as error:
        get_space("cityscape")
    assert all(name in str(error.value) for name in BUILTIN_SPACES)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        get_space(str(tmp_path / "none.yaml"))
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="not valid"):
        get_space(str(tmp_path / "b.yaml"))


def test_generated_colors_are_distinct_and_repeatable():
    taken = {(0, 0, 0), next(distinct_colors(set()))}
    first = list(itertools.islice(distinct_colors(taken), 256))
    assert len(set(first)) == 256 and not set(first) & taken
    assert first == list(itertools.islice(distinct_colors(taken), 256))


KEYS = st.sampled_from(["name", "id", "ignore", "classes", "color", "train_id"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12))
def test_no_data_breaks_the_parser(data):
    with contextlib.suppress(UserError):
        parse_space(data, "x.yaml")
