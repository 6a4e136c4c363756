"""BDD100K in its old and its new layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.bdd100k import open_bdd100k

LABEL = np.tile(np.array([0, 18, 255, 13], np.uint8), (8, 4))


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def make(root: Path, layout: str, split: str, names: tuple[str, ...]) -> None:
    for name in names:
        image, label = {
            "old": (f"seg/images/{split}/{name}.jpg", f"seg/labels/{split}/{name}_train_id.png"),
            "new": (f"images/10k/{split}/{name}.jpg", f"labels/sem_seg/masks/{split}/{name}.png"),
        }[layout]
        save(root / image, np.full((8, 16, 3), 50, np.uint8))
        save(root / label, LABEL)


@pytest.mark.parametrize("layout", ["old", "new"])
@pytest.mark.parametrize("wrapper", [".", "bdd100k"])
def test_masks_hold_train_ids(tmp_path: Path, layout: str, wrapper: str) -> None:
    make(tmp_path / wrapper, layout, "val", ("b-10", "b-9"))
    dataset = open_bdd100k(tmp_path, "val")
    assert [item.name for item in dataset.items] == ["b-9", "b-10"]
    item = dataset.items[0]
    assert item.label is not None
    assert (dataset.space.to_train(item.label.read()) == LABEL).all()
    assert item.image.read().shape == (8, 16, 3)
    assert (item.instances, item.clip, dataset.neighbour(item, 1)) == (None, None, None)


def test_bitmasks_are_instances(tmp_path: Path) -> None:
    make(tmp_path, "new", "train", ("a", "b"))
    save(tmp_path / "labels/ins_seg/bitmasks/train/a.png", np.zeros((8, 16, 4), np.uint8))
    dataset = open_bdd100k(tmp_path)
    assert [item.instances is not None for item in dataset.items] == [True, False]
    assert dataset.instance_encoding is None
    assert dataset.notes == ("the instance files of 1 image are in an encoding that is not read here",)
    assert dataset.problems == ()


def test_missing_labels_wrong_root_and_test_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"looked for images/10k/train or seg/images/train .*found nothing"):
        open_bdd100k(tmp_path)
    with pytest.raises(UserError, match="train, val, test"):
        open_bdd100k(tmp_path, "validation")
    make(tmp_path, "old", "train", ("a", "b"))
    (tmp_path / "seg/labels/train/b_train_id.png").unlink()
    assert open_bdd100k(tmp_path).problems[0].startswith("1 image of")
    save(tmp_path / "seg/images/test/t.jpg", np.zeros((8, 16, 3), np.uint8))
    assert [item.label for item in open_bdd100k(tmp_path, "test").items] == [None]
    (tmp_path / "seg/images/test/t.jpg").unlink()
    with pytest.raises(UserError, match="holds no image"):
        open_bdd100k(tmp_path, "test")
