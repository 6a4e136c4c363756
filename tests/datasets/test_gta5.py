"""GTA-5: palette labels, pairs of unequal size, the published and the drawn divisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from seglift.base.errors import UserError
from seglift.datasets.gta5 import open_gta5

LABEL = np.tile(np.array([7, 34, 4, 26], np.uint8), (8, 4))


def add(root: Path, number: int, size: tuple[int, int] = (8, 16), part: str = "") -> None:
    image = root / f"{part and part + '_images/'}images/{number:05d}.png"
    label = root / f"{part and part + '_labels/'}labels/{number:05d}.png"
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(image)
    palette = Image.fromarray(LABEL, mode="P")
    palette.putpalette([20, 20, 20] * 40)
    palette.save(label)


def names(root: Path, **options: object) -> list[str]:
    return [item.name for item in open_gta5(root, **options).items]


def test_indices_are_cityscapes_ids(tmp_path: Path) -> None:
    add(tmp_path, 1)
    dataset = open_gta5(tmp_path)
    label = dataset.items[0].label
    assert label is not None
    assert (dataset.space.decode(label.read()) == LABEL).all()
    assert dataset.space.to_train(label.read())[0, :4].tolist() == [0, 255, 255, 13]


def test_unequal_sizes_are_left_out_and_counted(tmp_path: Path) -> None:
    for number in range(1, 5):
        add(tmp_path, number, size=(8, 16) if number != 3 else (9, 16))
    dataset = open_gta5(tmp_path)
    assert [item.name for item in dataset.items] == ["00001", "00002", "00004"]
    assert dataset.notes == ("1 image of GTA-5 whose label has another size left out: 00003",)
    assert dataset.problems == ()
    assert len(open_gta5(tmp_path, check_sizes=False)) == 4
    (tmp_path / "labels/00001.png").write_bytes(b"no picture")
    damaged = open_gta5(tmp_path)
    assert damaged.items[0].name == "00001"
    with pytest.raises(UserError, match=r"00001\.png"):
        damaged.items[0].label.read()


def test_archives_unpacked_into_folders_of_their_own(tmp_path: Path) -> None:
    add(tmp_path, 1, part="01")
    add(tmp_path, 2501, part="02")
    assert names(tmp_path) == ["00001", "02501"]
    add(tmp_path, 1, part="03")
    with pytest.raises(UserError, match="two files for 00001"):
        open_gta5(tmp_path)


def test_divisions(tmp_path: Path) -> None:
    for number in range(1, 11):
        add(tmp_path, number)
    assert len(names(tmp_path)) == 10
    held = names(tmp_path, split="val", val_share=0.2)
    assert len(held) == 2
    assert sorted(held + names(tmp_path, val_share=0.2)) == names(tmp_path)
    assert names(tmp_path, split="val", val_share=0.2, seed=None) == ["00009", "00010"]
    with pytest.raises(UserError, match="give val_share"):
        open_gta5(tmp_path, "val")
    with pytest.raises(UserError, match="split_file"):
        open_gta5(tmp_path, "test")
    with pytest.raises(UserError, match="train, val, test"):
        open_gta5(tmp_path, "tests")


def test_published_split(tmp_path: Path) -> None:
    for number in range(1, 6):
        add(tmp_path, number)
    path = tmp_path / "split.mat"
    savemat(path, {"trainIds": np.array([[1], [4]], np.uint16), "valIds": np.array([[2]]), "testIds": np.array([[9]])})
    assert names(tmp_path, split_file=path) == ["00001", "00004"]
    assert names(tmp_path, split="val", split_file=str(path)) == ["00002"]
    with pytest.raises(UserError, match="no image of GTA-5 test"):
        open_gta5(tmp_path, "test", split_file=path)
    savemat(path, {"other": np.array([1])})
    with pytest.raises(UserError, match="has no trainIds, only other"):
        open_gta5(tmp_path, split_file=path)
    path.write_bytes(b"no matrix")
    with pytest.raises(UserError, match="cannot read"):
        open_gta5(tmp_path, split_file=path)


def test_wrong_root_and_missing_label(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"looked for images or \*/images, found nothing"):
        open_gta5(tmp_path)
    add(tmp_path, 1)
    add(tmp_path, 2)
    (tmp_path / "labels/00002.png").unlink()
    assert "00002" in open_gta5(tmp_path).problems[0]
    assert open_gta5(tmp_path).notes == ()
