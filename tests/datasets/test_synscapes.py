"""Synscapes at both sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.synscapes import open_synscapes

LABEL = np.tile(np.array([7, 26, 23, 11], np.uint8), (8, 4))


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def make(root: Path, numbers: range, kind: str = "rgb", size: tuple[int, int] = (8, 16)) -> None:
    for number in numbers:
        save(root / f"img/{kind}/{number}.png", np.full((*size, 3), number, np.uint8))
        save(root / f"img/class/{number}.png", LABEL)
        save(root / f"img/instance/{number}.png", np.full((8, 16, 3), (1, 2, 0), np.uint8))


def names(root: Path, **options: object) -> list[str]:
    return [item.name for item in open_synscapes(root, **options).items]


@pytest.mark.parametrize("wrapper", [".", "Synscapes"])
def test_natural_order_and_ids(tmp_path: Path, wrapper: str) -> None:
    make(tmp_path / wrapper, range(1, 12))
    dataset = open_synscapes(tmp_path)
    assert [item.name for item in dataset.items] == [str(number) for number in range(1, 12)]
    item = dataset.items[9]
    assert item.label is not None
    assert (item.image.read() == 10).all()
    assert (dataset.space.decode(item.label.read()) == LABEL).all()
    assert item.instances == tmp_path / wrapper / "img/instance/10.png"
    assert "not read here" in dataset.notes[0]
    assert (dataset.instance_encoding, dataset.problems) == (None, ())


def test_labels_fit_larger_pictures(tmp_path: Path) -> None:
    make(tmp_path, range(1, 3), "rgb-2k", (16, 32))
    dataset = open_synscapes(tmp_path)
    item = dataset.items[0]
    assert item.label is not None
    assert item.image.read().shape == (16, 32, 3)
    assert (dataset.space.decode(item.label.read()) == LABEL.repeat(2, 0).repeat(2, 1)).all()
    with pytest.raises(UserError, match=r"looked for img/rgb or \*/img/rgb, found rgb-2k, class, instance|found class"):
        open_synscapes(tmp_path, images="rgb")
    make(tmp_path, range(1, 3))
    assert open_synscapes(tmp_path).items[0].image.read().shape == (8, 16, 3)
    assert open_synscapes(tmp_path, images="rgb-2k").items[0].image.read().shape == (16, 32, 3)


def test_validation_share(tmp_path: Path) -> None:
    make(tmp_path, range(1, 11))
    assert names(tmp_path, split="val", val_share=0.3, seed=None) == ["8", "9", "10"]
    drawn = names(tmp_path, split="val", val_share=0.3)
    assert len(drawn) == 3
    assert {*drawn, *names(tmp_path, val_share=0.3)} == set(names(tmp_path))
    with pytest.raises(UserError, match="give val_share"):
        open_synscapes(tmp_path, "val")
    with pytest.raises(UserError, match="leaves none for val"):
        open_synscapes(tmp_path, "val", val_share=0.01)


def test_bad_roots_and_options(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"looked for img/rgb or img/rgb-2k .*found nothing"):
        open_synscapes(tmp_path)
    with pytest.raises(UserError, match="one of train, val"):
        open_synscapes(tmp_path, "test")
    with pytest.raises(UserError, match="one of rgb, rgb-2k"):
        open_synscapes(tmp_path, images="rgb-4k")
    make(tmp_path, range(1, 3), "rgb-2k")
    (tmp_path / "img/class/2.png").unlink()
    assert open_synscapes(tmp_path).problems[0].endswith("without label left out: 2")
    (tmp_path / "img/rgb-2k/1.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"1\.png is no image"):
        open_synscapes(tmp_path)
