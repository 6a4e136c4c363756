"""Finding, listing and pairing files, and what the errors say."""

from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.datasets.files import (
    check_choice,
    check_unique,
    count_note,
    find_folder,
    find_folders,
    pair_files,
    require_folder,
    scan_files,
)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_folder_is_found_directly_before_a_wrapper(tmp_path: Path) -> None:
    touch(tmp_path, "b_wrap/left/train/x", "a_wrap/left/val/x", "c_wrap/left/val/x")
    assert find_folder(tmp_path, "left/train") == tmp_path / "b_wrap/left/train"
    assert find_folders(tmp_path, "left/val") == [tmp_path / "a_wrap/left/val", tmp_path / "c_wrap/left/val"]
    touch(tmp_path, "left/val/x")
    assert find_folder(tmp_path, "left/val") == tmp_path / "left/val"
    assert find_folder(tmp_path, "left/test") is None
    assert find_folder(tmp_path / "absent", "left") is None


def test_wrong_root_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    touch(tmp_path, *(f"other{index}/x" for index in range(12)))
    with pytest.raises(UserError) as caught:
        require_folder(tmp_path, "left/train", "seg/train", dataset="Some")
    text = str(caught.value)
    assert "\n" not in text
    assert "looked for left/train or seg/train or */left/train" in text
    assert "found other0, other1, other2, other3, other4, other5 and 6 more" in text
    touch(tmp_path, "wrap/left/val/x")
    with pytest.raises(UserError, match=r"found val in .*wrap/left"):
        require_folder(tmp_path, "left/train", dataset="Some")


@pytest.mark.parametrize(("name", "what"), [("absent", "does not exist"), ("file", "is a file")])
def test_root_that_is_no_folder(tmp_path: Path, name: str, what: str) -> None:
    touch(tmp_path, "file")
    with pytest.raises(UserError, match=what):
        require_folder(tmp_path / name, "left", dataset="Some")


def test_scan_stops_at_depth_and_leaves_out_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, "b10.png", "b9.png", "city/a.png", "city/deep/c.png", "._b9.png", ".hidden/x.png")
    assert scan_files(tmp_path).names == ("b10.png", "b9.png")
    assert set(scan_files(tmp_path, depth=1).names) == {"b9.png", "b10.png", "city/a.png"}
    with pytest.raises(UserError, match="cannot read the folder"):
        scan_files(tmp_path / "absent")


def test_keys_drop_the_first_ending_that_fits(tmp_path: Path) -> None:
    touch(tmp_path, "x_train_id.png", "y.PNG", "z.txt", "c/w10.png", "c/w9.png")
    keys = scan_files(tmp_path, depth=1).by_key("_train_id.png", ".png")
    assert list(keys) == ["c/w9", "c/w10", "x", "y"]
    assert keys["x"] == tmp_path / "x_train_id.png"


def test_two_files_with_one_key_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png")
    with pytest.raises(UserError, match=r"a\.jpg.*a\.png"):
        scan_files(tmp_path).by_key(".jpg", ".png")


def test_pairs_in_natural_order_with_a_line_for_what_stands_alone() -> None:
    images = {name: Path(f"i/{name}.png") for name in ("f10", "f9", "f1", "f2", "f3", "f4")}
    labels = {name: Path(f"l/{name}.png") for name in ("f10", "f9", "f99")}
    pairing = pair_files(images, labels, "Set")
    assert pairing.keys == ("f9", "f10")
    assert pairing.problems == (
        "4 images of Set without label left out: f1, f2, f3, ...",
        "1 label of Set without image left out: f99",
    )
    assert pair_files(images, images, "Set").problems == ()


def test_no_pair_names_both_sides() -> None:
    with pytest.raises(UserError, match=r"1 image \(such as i/a.png\) and 1 label \(such as l/b.png\)"):
        pair_files({"a": Path("i/a.png")}, {"b": Path("l/b.png")}, "Set")
    with pytest.raises(UserError, match="no labels"):
        pair_files({"a": Path("i/a.png")}, {}, "Set")
    with pytest.raises(UserError, match="Set holds no image"):
        pair_files({}, {"b": Path("l/b.png")}, "Set")


def test_choices_names_and_notes() -> None:
    with pytest.raises(UserError, match="the split is 'tran', one of train, val is expected"):
        check_choice("tran", ("train", "val"), "the split")
    with pytest.raises(UserError, match="two images called b"):
        check_unique(["a", "b", "b"], "Set")
    check_unique(["a", "b"], "Set")
    assert count_note([], "image", "left out") is None
