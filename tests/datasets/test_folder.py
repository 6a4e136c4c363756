"""The generic layout: written by hand here, and by ``streets``."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.folder import folder_splits, open_folder
from seglift.datasets.streets import StreetConfig, write_streets
from seglift.labels.space_file import get_space

SPACE = "name: two\nignore: 255\nclasses:\n- {id: 0, name: floor}\n- {id: 5, name: wall}\n"


def save(path, value, color=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 6, 3) if color else (4, 6), value, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE)
    for stem in ("f1", "f2", "f10"):
        save(tmp_path / "images" / "train" / "a" / f"{stem}.jpg", int(stem[1:]))
    save(tmp_path / "images" / "train" / "b" / "f1.PNG", 77)
    save(tmp_path / "images" / "train" / "still.png", 3)
    for key in ("a/f2", "still"):
        save(tmp_path / "labels" / "train" / f"{key}.png", 5, color=False)
    save(tmp_path / "instances" / "train" / "a" / "f2.png", 5, color=False)
    save(tmp_path / "confidence" / "train" / "a" / "f2.png", 200, color=False)
    save(tmp_path / "images" / "val" / "x.png", 0)
    return tmp_path


def test_items(root):
    dataset = open_folder(root)
    assert [item.name for item in dataset.items] == ["a_f1", "a_f2", "a_f10", "b_f1", "still"]
    assert [item.clip for item in dataset.items] == ["a", "a", "a", "b", None]
    first, labelled, *_ = dataset.items
    assert first.label is None and first.instances is None and first.confidence is None
    assert set(labelled.label.read().ravel()) == {1} and dataset.space.classes[1].name == "wall"
    assert labelled.instances == root / "instances/train/a/f2.png"
    assert labelled.confidence == root / "confidence/train/a/f2.png"
    assert dataset.notes == dataset.problems == () and dataset.name == "folder"
    assert folder_splits(root) == ("train", "val") and len(open_folder(root, "val")) == 1


def test_neighbours_are_those_of_the_clip(root):
    dataset = pickle.loads(pickle.dumps(open_folder(root)))
    labelled, still = dataset.items[1], dataset.items[4]
    seen = [dataset.neighbour(labelled, offset) for offset in (-2, -1, 0, 1, 2)]
    assert [source and source.path.stem for source in seen] == [None, "f1", "f2", "f10", None]
    assert dataset.neighbour(still, 1) is None and dataset.neighbour(still, -1) is None


def test_labels_without_image_are_counted(root):
    save(root / "labels" / "train" / "a" / "f3.png", 5, color=False)
    opened = open_folder(root)
    assert opened.notes == () and opened.instance_encoding == "cityscapes"
    assert opened.problems == (f"1 label of {root} without image left out: a/f3",)


def test_a_space_by_name(root):
    (root / "space.yaml").unlink()
    with pytest.raises(UserError, match=r"has no space\.yaml.*give the option space"):
        open_folder(root)
    assert open_folder(root, space="cityscapes").space is get_space("cityscapes")


def test_bad_folders(root, tmp_path):
    with pytest.raises(UserError, match="is 'test', one of train, val"):
        open_folder(root, "test")
    with pytest.raises(UserError, match=r"no folder dataset root: looked for images/SPLIT .*found x\.png"):
        open_folder(root / "images" / "val")
    (root / "images" / "empty").mkdir()
    with pytest.raises(UserError, match=r"no images in .*empty"):
        open_folder(root, "empty")
    save(root / "images" / "train" / "a_f1.png", 0)
    with pytest.raises(UserError, match="two images called a_f1"):
        open_folder(root)
    save(root / "images" / "train" / "a" / "f1.png", 0)
    with pytest.raises(UserError, match="two files for a/f1"):
        open_folder(root)
    (root / "space.yaml").write_text("classes: 3")
    with pytest.raises(UserError, match=r"space\.yaml: 'classes' must be a list"):
        open_folder(root, "val")


def test_streets_open(tmp_path):
    write_streets(tmp_path / "s", 2, StreetConfig(frames=2, height=32, width=64), val=1, quiet=True)
    train, val = open_folder(tmp_path / "s"), open_folder(tmp_path / "s", "val")
    assert len(train) == len(val) == 2 and train.space.name == "cityscapes"
    item = val.items[0]
    assert item.image.read().shape[:2] == item.label.read().shape == (32, 64) and item.instances.is_file()
    assert val.neighbour(item, 1) == val.items[1].image


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()

    def fails(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fails)
    with pytest.raises(UserError, match=r"images \(Permission denied\)"):
        open_folder(tmp_path)


def test_some_labels_of_each_clip(root):
    for key in ("a/f1", "a/f10", "b/f1"):
        save(root / "labels" / "train" / f"{key}.png", 5, color=False)

    def labelled(**options):
        return [item.name for item in open_folder(root, **options).items if item.label is not None]

    assert labelled() == ["a_f1", "a_f2", "a_f10", "b_f1", "still"]
    assert labelled(every=2) == ["a_f1", "a_f10", "b_f1", "still"]
    assert labelled(every=2, first=1) == ["a_f2", "still"]
    thinned = open_folder(root, every=2).items[1]
    assert thinned.instances is None and thinned.confidence is None
    # The others stay as frames, and positions count frames, labelled or not.
    assert open_folder(root, every=2, first=1).neighbour(open_folder(root).items[1], 1).path.stem == "f10"
    (root / "labels/train/a/f1.png").unlink()
    assert labelled(every=2) == ["a_f10", "b_f1", "still"]


def test_bad_positions(root):
    with pytest.raises(UserError, match=r"first is 2 without every"):
        open_folder(root, first=2)
    for every, first in ((0, 0), (2, 2), (3, -1), (-1, 0)):
        with pytest.raises(UserError, match=r"0 <= first < every is expected"):
            open_folder(root, every=every, first=first)
    (root / "labels/train/still.png").unlink()
    with pytest.raises(UserError, match=r"no label at the positions 3, 7, ... of its clips"):
        open_folder(root, every=4, first=3)


def test_confidence_maps_can_be_left_aside(root):
    assert [item.confidence for item in open_folder(root, confidence=False).items] == [None] * 5
