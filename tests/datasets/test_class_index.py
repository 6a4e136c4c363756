from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.datasets.class_index import ClassIndex, build_class_index
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import Array8

CAMVID = BUILTIN_SPACES["camvid11"]
ROAD, TREE, CAR, VOID = 3, 5, 8, 11
READS: list[str] = []


@dataclass(frozen=True)
class CountedFile(LabelFile):
    """A label file that notes its reads."""

    def read(self) -> Array8:
        READS.append(self.path.stem)
        return super().read()


@pytest.fixture(autouse=True)
def no_reads_yet() -> None:
    READS.clear()


def write_labels(root: Path) -> None:
    root.mkdir(parents=True)
    for number in range(5):
        label = np.full((24, 40), VOID, np.uint8)
        label[:10, :] = TREE
        label[12:, number : number + 9] = ROAD
        if number == 3:
            label[20, 33] = CAR
        cv2.imwrite(str(root / f"{number}.png"), label)


def dataset(root: Path) -> Dataset:
    items = tuple(
        Item(path.stem, ImageFile(path), CountedFile(path, CAMVID)) for path in sorted(root.glob("*.png"), key=str)
    )
    return Dataset("small", root, "train", CAMVID, items)


def build(data: Dataset, cache: Path | None = None, **options: object) -> ClassIndex:
    return build_class_index(data, cache=cache, quiet=True, **options)  # type: ignore[arg-type]


def same(first: ClassIndex, second: ClassIndex) -> bool:
    names = ("pixels", "usable", "items", "points", "train_ids")
    equal = all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)
    return equal and first.content == second.content


def test_records_and_counts(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    index = build(dataset(tmp_path / "a"))
    # Tiles of 24 pixels: columns 0..23 and 16..39.
    of_car = index.of_class(CAR)
    assert index.items[of_car].tolist() == [3]
    assert index.points[of_car].tolist() == [[20, 33]]
    first_road = index.of_class(ROAD)[0]
    assert index.points[first_road].tolist() == [(12 + 23) // 2, 4]
    assert index.pixels[:, TREE].tolist() == [400] * 5
    assert index.pixels[:, ROAD].tolist() == [108] * 5
    assert index.pixels.sum() == 5 * 508 + 1
    assert len(index.pixels) == 5
    assert index.class_names[CAR] == "car"
    assert len(index.of_class(0)) == 0
    assert sum(len(index.of_class(train_id)) for train_id in range(11)) == len(index.items)


def test_threads_do_not_change_it(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    data = dataset(tmp_path / "a")
    assert same(build(data, workers=1), build(data, workers=4))


def test_known_labels_are_not_read_again_wherever_they_lie(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    first = build(dataset(tmp_path / "a"), tmp_path / "cache")
    assert sorted(READS) == list("01234")
    READS.clear()
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    again = build(dataset(tmp_path / "elsewhere"), tmp_path / "cache")
    assert READS == []
    assert same(first, again)


def test_only_changed_and_new_labels_are_read(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    before = build(dataset(tmp_path / "a"), tmp_path / "cache")
    READS.clear()
    cv2.imwrite(str(tmp_path / "a" / "2.png"), np.full((24, 40), CAR, np.uint8))
    (tmp_path / "a" / "4.png").unlink()
    cv2.imwrite(str(tmp_path / "a" / "7.png"), np.full((30, 31), CAR, np.uint8))
    after = build(dataset(tmp_path / "a"), tmp_path / "cache")
    assert sorted(READS) == ["2", "7"]
    assert same(after, build(dataset(tmp_path / "a")))
    assert after.content != before.content
    assert after.pixels[:, CAR].tolist() == [0, 0, 960, 1, 930]
    READS.clear()
    build(dataset(tmp_path / "a"), tmp_path / "cache")
    assert READS == []


def test_other_tiles_and_other_spaces_do_not_share_a_cache(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    data = dataset(tmp_path / "a")
    whole = build(data, tmp_path / "cache")
    fine = build(data, tmp_path / "cache", tile=8)
    assert len(fine.items) > len(whole.items)
    classes = tuple(replace(entry, train_id=255) if entry.train_id == 10 else entry for entry in CAMVID.classes)
    ten = replace(CAMVID, classes=classes)
    READS.clear()
    other = build(replace(data, space=ten), tmp_path / "cache")
    assert len(READS) == 5
    assert other.num_classes == 10
    assert other.content != whole.content


def damage_header(data: bytes) -> bytes:
    return b"\xff" * 8 + data[8:]


def damage_values(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", damage_header, damage_values, pickle.dumps]
)
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: object) -> None:
    write_labels(tmp_path / "a")
    first = build(dataset(tmp_path / "a"), tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    READS.clear()
    assert same(build(dataset(tmp_path / "a"), tmp_path / "cache"), first)
    assert len(READS) == 5
    assert path.read_bytes() == whole


def test_a_flipped_bit_anywhere_never_changes_the_index(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    first = build(dataset(tmp_path / "a"), tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    for position in range(0, len(whole), 37):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        assert same(build(dataset(tmp_path / "a"), tmp_path / "cache"), first)


def test_a_corrupt_label_is_named(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    (tmp_path / "a" / "3.png").write_bytes((tmp_path / "a" / "3.png").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"3\.png is a damaged PNG"):
        build(dataset(tmp_path / "a"), tmp_path / "cache")


def test_what_was_read_before_an_error_need_not_be_read_again(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    good = (tmp_path / "a" / "3.png").read_bytes()
    (tmp_path / "a" / "3.png").write_bytes(good[:-20])
    with pytest.raises(UserError):
        build(dataset(tmp_path / "a"), tmp_path / "cache", workers=1)
    (tmp_path / "a" / "3.png").write_bytes(good)
    READS.clear()
    index = build(dataset(tmp_path / "a"), tmp_path / "cache", workers=1)
    assert not {"0", "1", "2"} & set(READS)
    assert same(index, build(dataset(tmp_path / "a")))


def test_corrupt_labels_are_skipped_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels(tmp_path / "a")
    (tmp_path / "a" / "1.png").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "a" / "2.png"), np.full((24, 40), 77, np.uint8))
    index = build_class_index(dataset(tmp_path / "a"), skip_corrupt=True)
    assert index.usable.tolist() == [0, 3, 4]
    assert not set(index.items.tolist()) & {1, 2}
    assert index.pixels[[1, 2]].sum() == 0
    assert len(index.skipped) == 2
    assert "1.png" in index.skipped[0]
    assert "77" in index.skipped[1]
    assert "small train: 2 labels skipped, the first:" in capsys.readouterr().err


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of the 1 labels of small train could be read"):
        build(dataset(tmp_path / "a"), skip_corrupt=True)


def test_labels_that_are_void_everywhere_have_no_points(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "labels" / "0.png"), np.full((24, 40), VOID, np.uint8))
    first = build(dataset(tmp_path / "labels"), tmp_path / "index")
    assert first.usable.tolist() == [0] and not first.pixels.any() and not len(first.points)
    assert same(first, build(dataset(tmp_path / "labels"), tmp_path / "index"))


def test_items_without_labels_are_not_usable(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    data = dataset(tmp_path / "a")
    bare = tuple(replace(item, label=None) if item.name in "13" else item for item in data.items)
    index = build(replace(data, items=bare))
    assert index.usable.tolist() == [0, 2, 4]
    assert len(index.of_class(CAR)) == 0
    with pytest.raises(UserError, match=r"has no labels \(5 images\)"):
        build(replace(data, items=tuple(replace(item, label=None) for item in data.items)))


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(UserError, match="cannot write"):
        build(dataset(tmp_path / "a"), tmp_path / "cache")


def test_tiles_have_pixels(tmp_path: Path) -> None:
    write_labels(tmp_path / "a")
    with pytest.raises(ValueError, match="at least 1 pixel, got 0"):
        build(dataset(tmp_path / "a"), tile=0)


def test_real_labels_hold_every_class() -> None:
    if "SEGLIFT_DATA" not in os.environ:
        pytest.skip("SEGLIFT_DATA is not set")
    root = Path(os.environ["SEGLIFT_DATA"]) / "camvid" / "train" / "labels"
    if not root.is_dir():
        pytest.skip("camvid/train is not at hand")
    data = dataset(root)
    data = replace(data, items=data.items[::10])
    index = build(data)
    for item, pixels in list(zip(data.items, index.pixels, strict=True))[:3]:
        raw = cv2.imread(str(item.image), cv2.IMREAD_UNCHANGED)  # an ImageFile of the label itself
        assert pixels.tolist() == [int((raw == train_id).sum()) for train_id in range(11)]
    assert all(len(index.of_class(train_id)) > 0 for train_id in range(11))
    assert index.points.min() >= 0
    assert (index.points < [360, 480]).all()
