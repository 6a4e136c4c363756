from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.datasets.dataset import ImageFile, Item
from seglift.datasets.image_list import find_listed, read_image_list

ITEMS = [Item(name, ImageFile(Path(f"town/{name}.png")), None) for name in ("a_1", "a 2", "b/3")]


def test_names_and_files_in_the_order_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("b/3\n\n  a 2 \ntown/a_1.png\n", encoding="utf-8")
    names = read_image_list(path)
    assert names == ("b/3", "a 2", "town/a_1.png")
    assert find_listed(names, ITEMS, "town") == [2, 1, 0]
    assert find_listed([], ITEMS, "town") == []
    path.write_text("a_1\r\na 2\r\n", encoding="utf-8-sig", newline="")  # as Windows writes it
    assert read_image_list(path) == ("a_1", "a 2")


def test_what_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the list of images .*none.txt \(No such file"):
        read_image_list(tmp_path / "none.txt")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match="is no text"):
        read_image_list(tmp_path / "image.png")
    with pytest.raises(UserError, match=r"names c and 1 more, which town does not have \(it has a_1, a 2, b/3, ...\)"):
        find_listed(["a_1", "c", "d"], ITEMS, "town")
    with pytest.raises(UserError, match=r"names town/a_1\.png twice"):
        find_listed(["a_1", "a 2", "town/a_1.png"], ITEMS, "town")
