from __future__ import annotations

from collections import Counter

import pytest
from cityscapesscripts.helpers.labels import labels as official

from seglift.labels.builtin import BUILTIN_SPACES

NUMBERS = {  # raw ids, evaluated classes, raw id of ignore
    "cityscapes": (34, 19, 0),
    "camvid11": (12, 11, 11),
    "camvid32": (32, 31, 30),
    "kitti": (34, 19, 0),
    "nyuv2": (41, 40, 0),
    "apolloscape": (36, 22, 255),
    "bdd100k": (20, 19, 255),
    "mapillary": (66, 65, 65),
    "gta5": (35, 19, 0),
    "synscapes": (34, 19, 0),
    "binary": (3, 2, None),
}


def test_all_names_are_there():
    assert list(BUILTIN_SPACES) == list(NUMBERS)


@pytest.mark.parametrize("name", NUMBERS)
def test_counts(name):
    space = BUILTIN_SPACES[name]
    assert space.name == name
    assert (space.num_indices, space.num_train, space.ignore) == NUMBERS[name]
    assert len(space.train_names) == space.num_train
    assert sorted(t for members in space.categories.values() for t in members) == list(range(space.num_train))


@pytest.mark.parametrize("name", ["cityscapes", "kitti", "synscapes", "gta5"])
def test_equal_to_the_official_cityscapes_table(name):
    ours = {entry.id: entry for entry in BUILTIN_SPACES[name].classes}
    theirs = {label.id: label for label in official if label.id >= 0}
    if name == "gta5":
        assert ours.pop(34).train_id == 255
    assert ours.keys() == theirs.keys()
    for value, label in theirs.items():
        mine = (ours[value].name, ours[value].train_id, ours[value].color, ours[value].category, ours[value].thing)
        assert mine == (label.name, label.trainId, label.color, label.category, label.hasInstances)


def test_bdd100k_ids_are_cityscapes_train_ids():
    theirs = {label.trainId: (label.name, label.color) for label in official if 0 <= label.trainId < 255}
    ours = {entry.id: (entry.name, entry.color) for entry in BUILTIN_SPACES["bdd100k"].classes if entry.id != 255}
    assert ours == theirs


@pytest.mark.parametrize("name", ["camvid11", "camvid32", "mapillary", "nyuv2"])
def test_classes_have_colors_of_their_own(name):
    counts = Counter(entry.color for entry in BUILTIN_SPACES[name].classes)
    assert counts.most_common(1)[0][1] == 1


def test_apolloscape_groups_share_the_train_id_of_their_members():
    by_id = {entry.id: entry for entry in BUILTIN_SPACES["apolloscape"].classes}
    for member in range(33, 41):
        group = by_id[member + 128]
        assert group.train_id == by_id[member].train_id == member - 32
        assert by_id[member].thing and not group.thing


def test_some_entries_by_hand():
    mapillary = {entry.id: entry.name for entry in BUILTIN_SPACES["mapillary"].classes}
    assert (mapillary[13], mapillary[27], mapillary[55], mapillary[65]) == ("Road", "Sky", "Car", "Unlabeled")
    nyuv2 = {entry.id: entry.name for entry in BUILTIN_SPACES["nyuv2"].classes}
    assert (nyuv2[1], nyuv2[22], nyuv2[40]) == ("wall", "ceiling", "otherprop")
    camvid = {entry.name: entry for entry in BUILTIN_SPACES["camvid32"].classes}
    assert camvid["Wall"].train_id == 30 and camvid["VegetationMisc"].train_id == 29
