"""Sources that change what they read: palette indices, mapped classes, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.derived import Fitted, IndexedLabel, MappedLabel, Resized, mapped_table
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.reading import read_label

CITYSCAPES = BUILTIN_SPACES["cityscapes"]
MAPILLARY = BUILTIN_SPACES["mapillary"]


@dataclass(frozen=True)
class Constant:
    array: np.ndarray

    def read(self) -> np.ndarray:
        return self.array

    def fingerprint(self) -> str:
        return "0" * 64


def save_palette(path: Path, indices: np.ndarray, colors: list[int]) -> None:
    image = Image.fromarray(indices, mode="P")
    image.putpalette(colors)
    image.save(path)


def test_indices_count_whatever_the_palette_says(tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    road_as_sky = [*CITYSCAPES.classes[23].color] * 256
    save_palette(path, np.full((4, 6), 7, np.uint8), road_as_sky)
    with pytest.raises(UserError, match="palette"):
        read_label(path, CITYSCAPES)
    assert (CITYSCAPES.decode(IndexedLabel(path, CITYSCAPES).read()) == 7).all()


def test_unknown_indices_are_listed_and_gray_is_read_too(tmp_path: Path) -> None:
    save_palette(tmp_path / "p.png", np.full((4, 6), 77, np.uint8), [0] * 768)
    with pytest.raises(UserError, match=r"77 \(24 px\)"):
        IndexedLabel(tmp_path / "p.png", CITYSCAPES).read()
    Image.fromarray(np.full((4, 6), 8, np.uint8)).save(tmp_path / "g.png")
    assert (IndexedLabel(tmp_path / "g.png", CITYSCAPES).read() == 8).all()


def test_mapped_classes() -> None:
    table = mapped_table(MAPILLARY, CITYSCAPES, {13: 0, 27: 10})
    source = Constant(np.array([[13, 27, 65, 0]], np.uint8))
    mapped = MappedLabel(source, table)
    assert CITYSCAPES.decode(mapped.read()).tolist() == [[7, 23, 0, 0]]
    assert CITYSCAPES.to_train(mapped.read()).tolist() == [[0, 10, 255, 255]]
    assert mapped.fingerprint() != MappedLabel(source, (0, *table[1:], 1)).fingerprint()


@pytest.mark.parametrize(("long_edge", "size"), [(8, (4, 8)), (32, (16, 32)), (16, (8, 16)), (6, (3, 6))])
def test_longer_side_is_as_wanted(long_edge: int, size: tuple[int, int]) -> None:
    image = Constant(np.full((8, 16, 3), 90, np.uint8))
    label = Constant(np.full((8, 16), 5, np.uint8))
    assert Resized(image, long_edge).read().shape == (*size, 3)
    assert Resized(label, long_edge).read().shape == size
    upright = Constant(np.full((16, 8), 5, np.uint8))
    assert Resized(upright, long_edge).read().shape == size[::-1]
    assert (Resized(image, long_edge).read() == 90).all()


def test_labels_and_pictures_stay_aligned_and_labels_make_no_new_values() -> None:
    half = np.zeros((12, 24), np.uint8)
    half[:, 12:] = 200
    for long_edge in (8, 10, 50):
        label = Resized(Constant(half), long_edge).read()
        picture = Resized(Constant(np.repeat(half[..., None], 3, 2)), long_edge).read()[..., 0]
        assert set(np.unique(label)) == {0, 200}
        assert (label == 200).mean() == 0.5
        assert ((picture > 100) == (label == 200)).all()


def test_fingerprints_depend_on_the_size() -> None:
    source = Constant(np.zeros((4, 4), np.uint8))
    prints = {Resized(source, 3).fingerprint(), Resized(source, 5).fingerprint(), Fitted(source, (3, 5)).fingerprint()}
    assert len(prints) == 3
    assert Fitted(source, (2, 6)).read().shape == (2, 6)
    assert Fitted(source, (4, 4)).read() is source.array
