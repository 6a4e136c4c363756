from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.writing import write_png
from seglift.training.images.in_space import in_space, map_to_space

CITYSCAPES, CAMVID = BUILTIN_SPACES["cityscapes"], BUILTIN_SPACES["camvid11"]
STREETS = {
    **{"truck": "car", "bus": "car", "bicycle": "bicyclist", "traffic light": "sign", "wall": "building"},
    "terrain": None,
}


@pytest.fixture
def streets(tmp_path: Path) -> Dataset:
    """One label in Cityscapes' ids: road, ego vehicle, wall, bridge, traffic light, terrain, car, truck, bicycle."""
    write_png(tmp_path / "a.png", np.array([[7, 1, 12, 15, 19, 22, 26, 27, 33]], np.uint8))
    item = Item("a", ImageFile(tmp_path / "image.png"), LabelFile(tmp_path / "a.png", CITYSCAPES))
    return Dataset("folder", tmp_path, "train", CITYSCAPES, (item,))


def names(dataset: Dataset) -> list[str]:
    label = dataset.items[0].label
    assert label is not None
    return [dataset.space.classes[index].name for index in label.read()[0].tolist()]


def test_chosen_classes_and_the_rest_by_name(streets: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    plain = in_space(streets, CAMVID)
    assert names(plain) == ["road", "void", "void", "void", "void", "void", "car", "void", "void"]
    capsys.readouterr()
    found = in_space(streets, CAMVID, chosen=STREETS, called="town")
    assert names(found) == ["road", "void", "building", "void", "sign", "void", "car", "car", "bicyclist"]
    said = capsys.readouterr().err
    assert "labels of town become those of camvid11 by name; ignored: terrain, train, motorcycle; never" in said


def test_single_classes_that_have_no_train_id_of_their_own(streets: Dataset) -> None:
    found = in_space(streets, CAMVID, True, {"bridge": "building", "ego vehicle": "car"})
    assert names(found)[1:4] == ["car", "void", "building"]
    assert map_to_space(CITYSCAPES, CAMVID, "town", {"bridge": "building"}).channels[1] == (2, 19)


def test_classes_of_one_space_are_merged(streets: Dataset) -> None:
    assert in_space(streets, CITYSCAPES) is streets
    found = in_space(streets, CITYSCAPES, True, {"truck": "car", "wall": None})
    assert [*names(found)[:1], *names(found)[4:8]] == ["road", "traffic light", "terrain", "car", "car"]
    assert names(found)[2] == "unlabeled"


def test_another_choice_is_another_content(streets: Dataset) -> None:
    prints = set()
    for chosen in (None, {"truck": "car"}, {"truck": None}, {"truck": "car", "bus": "car"}):
        label = in_space(streets, CAMVID, True, chosen).items[0].label
        assert label is not None
        prints.add(label.fingerprint())
    assert len(prints) == 3  # trucks are void anyway


def test_what_there_is_not(streets: Dataset) -> None:
    with pytest.raises(UserError, match=r"'lorry', which the data set town does not have \(road, "):
        in_space(streets, CAMVID, True, {"lorry": "car"}, "town")
    with pytest.raises(UserError, match=r"expected null or a class of camvid11 \(sky, building, "):
        in_space(streets, CAMVID, True, {"truck": "lorry"})
