"""KITTI semantics with its scene-flow neighbours, in the three ways people unpack it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.kitti import open_kitti, read_drives
from seglift.labels.instances import INSTANCE_READERS

LABEL = np.tile(np.array([7, 26, 0, 24], np.uint8), (8, 4))


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def make(base: Path, count: int = 8) -> None:
    for index in range(count):
        name = f"{index:06d}_10.png"
        save(base / "training/image_2" / name, np.full((8, 16, 3), index, np.uint8))
        save(base / "training/semantic" / name, LABEL)
        save(base / "training/instance" / name, LABEL.astype(np.uint16) * 256 + 1)
    save(base / "testing/image_2/000000_10.png", np.zeros((8, 16, 3), np.uint8))


def make_neighbours(base: Path, index: int, frames: tuple[int, ...]) -> None:
    for frame in frames:
        save(base / f"training/image_2/{index:06d}_{frame:02d}.png", np.full((8, 16, 3), 100 + frame, np.uint8))


@pytest.mark.parametrize("inner", ["data_semantics", ".", "wrapper/data_semantics"])
def test_labels_are_cityscapes_ids(tmp_path: Path, inner: str) -> None:
    make(tmp_path / inner)
    dataset = open_kitti(tmp_path)
    assert [item.name for item in dataset.items] == [f"{index:06d}_10" for index in range(8)]
    item = dataset.items[3]
    assert item.label is not None
    assert dataset.space.to_train(item.label.read())[0, :4].tolist() == [0, 13, 255, 11]
    assert (item.image.read() == 3).all()
    assert item.clip == "000003"
    assert item.instances == (tmp_path / inner / "training/instance/000003_10.png")
    assert dataset.instance_encoding is not None
    raw, number = INSTANCE_READERS[dataset.instance_encoding](item.instances, dataset.space)
    assert np.array_equal(raw, LABEL)
    assert (number == 1).all()
    assert (dataset.notes, dataset.problems) == ((), ())
    assert [item.label for item in open_kitti(tmp_path, "test").items] == [None]


def test_missing_labels_and_images_are_problems(tmp_path: Path) -> None:
    make(tmp_path / "data_semantics", 3)
    (tmp_path / "data_semantics/training/semantic/000001_10.png").unlink()
    (tmp_path / "data_semantics/training/image_2/000002_10.png").unlink()
    dataset = open_kitti(tmp_path)
    assert [item.name for item in dataset.items] == ["000000_10"]
    assert ["000001_10" in dataset.problems[0], "000002_10" in dataset.problems[1]] == [True, True]
    assert dataset.notes == ()


def test_wrong_root(tmp_path: Path) -> None:
    make_neighbours(tmp_path / "data_scene_flow_multiview", 0, (9, 10, 11))
    with pytest.raises(UserError, match=r"looked for data_semantics/training/semantic .*found data_scene_flow_multi"):
        open_kitti(tmp_path)
    with pytest.raises(UserError, match="looked for data_semantics/testing/image_2"):
        open_kitti(tmp_path, "test")


@pytest.mark.parametrize(
    ("root", "semantics", "multiview"),
    [
        (".", "data_semantics", "data_scene_flow_multiview"),
        ("data_semantics", "data_semantics", "data_scene_flow_multiview"),
        (".", ".", "."),
    ],
)
def test_neighbours_inside_beside_and_unpacked_over(tmp_path: Path, root: str, semantics: str, multiview: str) -> None:
    make_neighbours(tmp_path / multiview, 2, (0, 8, 9, 10, 11, 20, 21))
    make(tmp_path / semantics, 3)
    dataset = open_kitti(tmp_path / root)
    assert len(dataset) == 3
    item = dataset.items[2]
    found = [offset for offset in range(-12, 13) if dataset.neighbour(item, offset) is not None]
    assert found == [-10, -2, -1, 0, 1, 10]
    assert dataset.neighbour(item, 0) is item.image
    source = pickle.loads(pickle.dumps(dataset)).neighbour(item, 1)
    assert (source.read() == 111).all()
    assert dataset.neighbour(dataset.items[0], 1) is None


def test_folds(tmp_path: Path) -> None:
    make(tmp_path)
    every = {item.name for item in open_kitti(tmp_path, "trainval", fold=0).items}
    held = [{item.name for item in open_kitti(tmp_path, "val", folds=4, fold=fold).items} for fold in range(4)]
    assert [len(part) for part in held] == [2, 2, 2, 2]
    assert set.union(*held) == every
    for fold in range(4):
        train = {item.name for item in open_kitti(tmp_path, "train", folds=4, fold=fold).items}
        assert train == every - held[fold]
    assert held[0] != {item.name for item in open_kitti(tmp_path, "val", folds=4, fold=0, seed=3).items}
    with pytest.raises(UserError, match="no validation split; give fold"):
        open_kitti(tmp_path, "val")
    with pytest.raises(UserError, match="train, val, trainval, test"):
        open_kitti(tmp_path, "training")


def test_folds_keep_drives_together(tmp_path: Path) -> None:
    make(tmp_path)
    lines = ["2011_09_26 drive_a 0000000059", "", *["2011_09_26 drive_b 0000000001"] * 3, "d drive_a 1", "", ""]
    mapping = tmp_path / "train_mapping.txt"
    mapping.write_text("\n".join(lines))
    drives = read_drives(mapping)
    assert drives == {
        "000000_10": "drive_a",
        **{f"00000{index}_10": "drive_b" for index in (2, 3, 4)},
        "000005_10": "drive_a",
    }
    for fold in range(3):
        held = {item.name for item in open_kitti(tmp_path, "val", folds=3, fold=fold, drives=mapping).items}
        assert len(held & {"000000_10", "000005_10"}) in (0, 2)
        assert len(held & {"000002_10", "000003_10", "000004_10"}) in (0, 3)
    mapping.write_text("one two\n")
    with pytest.raises(UserError, match=r"line 1 .*'one two'"):
        read_drives(mapping)
    with pytest.raises(UserError, match="cannot read"):
        open_kitti(tmp_path, "val", fold=0, drives=str(tmp_path / "absent.txt"))
