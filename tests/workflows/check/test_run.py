"""What is read how often while a dataset is checked, and how labels are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets import catalogue
from seglift.datasets.dataset import Dataset, Item, LabelFile
from seglift.datasets.derived import IndexedLabel, MappedLabel, Resized
from seglift.labels.space_file import parse_space
from seglift.workflows.check.item import look_at
from seglift.workflows.check.run import check_dataset

SPACE = parse_space({"ignore": 9, "classes": [{"id": 2, "name": "a", "color": [1, 2, 3]}, {"id": 4, "name": "b"}]}, "t")
READS: Counter[str] = Counter()


@dataclass(frozen=True)
class Counted:
    name: str
    array: np.ndarray

    def read(self):
        READS[self.name] += 1
        return self.array

    def fingerprint(self):
        raise AssertionError

    def __str__(self):
        return self.name


def item(label, image=None, name="x"):
    return Item(name, Counted(f"{name} image", np.zeros((2, 3, 3), np.uint8) if image is None else image), label)


def dataset(*items, neighbour=None):
    extra = {} if neighbour is None else {"neighbour": neighbour}
    return Dataset("odd", Path(), "train", SPACE, items, **extra)


def save(path, array):
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return path


def test_every_file_is_read_once_and_neighbours_never(monkeypatch):
    labels = [np.array([[0, 1, 1], [2, 2, 2]], np.uint8), np.zeros((2, 3), np.uint8)]
    items = [item(Counted(f"{n} label", label), name=str(n)) for n, label in enumerate(labels)]
    near = Counted("neighbour", np.zeros((2, 3, 3), np.uint8))
    opened = dataset(*items, neighbour=lambda one, k: near if one.name == "0" and k in (-3, 1) else None)
    monkeypatch.setitem(catalogue.DATASETS, "odd", lambda root, split="train": opened)
    READS.clear()
    (check,) = check_dataset("odd", Path(), ["train"], quiet=True).splits
    assert dict(READS) == {"0 image": 1, "1 image": 1, "0 label": 1, "1 label": 1}
    assert check.pixels.tolist() == [7, 2, 3] and check.images.tolist() == [2, 1, 1] and check.labelled == 2
    assert {k: n for k, n in check.neighbours.items() if n} == {-3: 1, 1: 1} and check.problems() == []


def test_progress_counts_every_image(monkeypatch, capsys):
    opened = dataset(item(None, name="a"), item(None, name="b"))
    monkeypatch.setitem(catalogue.DATASETS, "odd", lambda root, split="train": opened)
    found = check_dataset("odd", Path(), ["train", "train"])
    assert "checking odd: 2/2 images" in capsys.readouterr().err and len(found.splits) == 1
    assert found.splits[0].pixels.sum() == 0 and found.splits[0].labelled == 0


def test_counts_of_a_large_label():
    label = np.random.default_rng(0).integers(0, 3, (1500, 1400)).astype(np.uint8)
    found = look_at(dataset(), item(Counted("l", label)))
    assert found.pixels.tolist() == np.bincount(label.ravel(), minlength=3).tolist()
    assert found.sizes == ("l is 1400x1500, its image is 3x2",)


def test_unknown_ids_of_every_kind_of_label_file(tmp_path):
    grey = save(tmp_path / "grey.png", [[2, 2, 4], [9, 7, 7]])
    palette = Image.fromarray(np.array([[2, 2, 4], [9, 7, 7]], np.uint8), "P")
    palette.putpalette([value % 256 for value in range(100, 868)])
    palette.save(tmp_path / "palette.png")
    for label in (LabelFile(grey, SPACE), IndexedLabel(tmp_path / "palette.png", SPACE)):
        found = look_at(dataset(), item(label))
        assert found.unknown == {7: 2} and found.pixels.tolist() == [2, 1, 1]
        assert found.unreadable == () and found.sizes == ()
    for label in (MappedLabel(LabelFile(grey, SPACE), (0, 1, 2)), Resized(LabelFile(grey, SPACE), 30)):
        found = look_at(dataset(), item(label))
        assert found.unknown == {7: 2} and found.pixels is None and found.sizes == ()


def test_unknown_colors_are_no_unknown_ids(tmp_path):
    """Black is no colour of the space, and stays none when every id is let in."""
    colors = save(tmp_path / "c.png", [[(1, 2, 3), (0, 1, 0), (1, 2, 3)]] * 2)
    found = look_at(dataset(), item(LabelFile(colors, SPACE)))
    assert found.unknown == {} and found.pixels is None
    assert len(found.unreadable) == 1 and "(0, 1, 0) (2 px)" in found.unreadable[0]
    good = save(tmp_path / "g.png", [[(1, 2, 3)] * 3] * 2)
    assert look_at(dataset(), item(LabelFile(good, SPACE))).pixels.tolist() == [6, 0, 0]


def test_a_space_of_256_ids_knows_all(tmp_path):
    space = parse_space(
        {"classes": [{"id": v, "name": f"c{v}", "train_id": v if v < 255 else 255} for v in range(256)]}, "t"
    )
    values = np.arange(256).reshape(2, 128)
    path = save(tmp_path / "b.png", values)
    every = Dataset("odd", Path(), "train", space, ())
    assert look_at(every, item(LabelFile(path, space))).pixels.tolist() == [1] * 256
    path.write_bytes(b"")
    assert len(look_at(every, item(LabelFile(path, space))).unreadable) == 1


def test_no_split_can_be_opened(tmp_path):
    with pytest.raises(UserError, match="no KITTI root"):
        check_dataset("kitti", tmp_path)
