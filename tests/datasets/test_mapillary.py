"""Mapillary Vistas: palette labels, the v2.0 folder, Cityscapes classes, the longer side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.mapillary import TO_CITYSCAPES, open_mapillary
from seglift.labels.builtin import BUILTIN_SPACES

LABEL = np.arange(128, dtype=np.uint8).reshape(8, 16) % 66


def save(path: Path, array: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array, mode="P") if palette else Image.fromarray(array)
    if palette:
        colors = [value for entry in BUILTIN_SPACES["mapillary"].classes for value in entry.color]
        image.putpalette(colors)
    image.save(path)


def make(root: Path, part: str = "training", names: tuple[str, ...] = ("a", "b"), version: str = "") -> None:
    for name in names:
        save(root / part / f"images/{name}.jpg", np.full((8, 16, 3), 80, np.uint8))
        if part != "testing":
            save(root / part / version / f"labels/{name}.png", LABEL, palette=True)
            save(root / part / version / f"instances/{name}.png", LABEL.astype(np.uint16) * 256)


@pytest.mark.parametrize("version", ["", "v1.2"])
def test_indices_are_the_66_entries(tmp_path: Path, version: str) -> None:
    make(tmp_path, "validation", version=version)
    save(tmp_path / "validation/v2.0/labels/a.png", LABEL + 50)
    dataset = open_mapillary(tmp_path, "val")
    assert [item.name for item in dataset.items] == ["a", "b"]
    item = dataset.items[0]
    assert item.label is not None
    train = dataset.space.to_train(item.label.read())
    assert (train == np.where(LABEL == 65, 255, LABEL)).all()
    assert item.instances == tmp_path / "validation" / version / "instances/a.png"
    assert "not read here" in dataset.notes[0]
    assert (dataset.instance_encoding, dataset.problems) == (None, ())


def test_missing_instances_are_not_taken_from_another_version(tmp_path: Path) -> None:
    make(tmp_path, version="v2.0")
    save(tmp_path / "training/labels/a.png", LABEL, palette=True)
    dataset = open_mapillary(tmp_path)
    assert [item.instances for item in dataset.items] == [None]
    assert dataset.problems[0].endswith("without label left out: b")


def test_cityscapes_classes_by_name(tmp_path: Path) -> None:
    make(tmp_path)
    dataset = open_mapillary(tmp_path, map_to="cityscapes")
    assert dataset.space.name == "cityscapes"
    label = dataset.items[0].label
    assert label is not None
    train = dataset.space.to_train(label.read())
    assert set(np.unique(train)) == {*range(19), 255}
    names = {entry.id: entry.name for entry in BUILTIN_SPACES["mapillary"].classes}
    assert {dataset.space.train_names[train_id]: names[entry] for entry, train_id in TO_CITYSCAPES.items()} == {
        **{"road": "Manhole", "sidewalk": "Sidewalk", "building": "Building", "wall": "Wall", "fence": "Fence"},
        **{"pole": "Utility Pole", "traffic light": "Traffic Light", "traffic sign": "Traffic Sign (Front)"},
        **{"vegetation": "Vegetation", "terrain": "Terrain", "sky": "Sky", "person": "Person", "rider": "Other Rider"},
        **{"car": "Car", "truck": "Truck", "bus": "Bus", "train": "On Rails"},
        **{"motorcycle": "Motorcycle", "bicycle": "Bicycle"},
    }
    more = open_mapillary(tmp_path, map_to="cityscapes", more_road=True).items[0].label
    assert more is not None
    gained = (dataset.space.to_train(more.read()) == 0) & (train != 0)
    assert set(LABEL[gained].tolist()) == {7, 8, 14, 23, 43}


def test_longer_side(tmp_path: Path) -> None:
    make(tmp_path)
    item = open_mapillary(tmp_path, long_edge=32).items[0]
    assert item.label is not None
    assert item.image.read().shape == (16, 32, 3)
    assert (item.label.read() == LABEL.repeat(2, 0).repeat(2, 1)).all()
    with pytest.raises(UserError, match="long_edge is 0"):
        open_mapillary(tmp_path, long_edge=0)


def test_test_split_wrong_root_and_options(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UserError, match=r"looked for training/images .*found elsewhere"):
        open_mapillary(tmp_path)
    with pytest.raises(UserError, match="train, val, test"):
        open_mapillary(tmp_path, "training")
    with pytest.raises(UserError, match="map_to is 'camvid11'"):
        open_mapillary(tmp_path, map_to="camvid11")
    make(tmp_path, "testing")
    assert [item.label for item in open_mapillary(tmp_path, "test").items] == [None, None]
    make(tmp_path)
    make(tmp_path, names=("c",))
    (tmp_path / "training/images/c.jpg").unlink()
    assert open_mapillary(tmp_path).problems[0].endswith("without image left out: c")
