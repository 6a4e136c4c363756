"""Sources that cannot be read, and what is said about instance files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.datasets.class_index import build_class_index
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile, Source, note_unread_instances
from seglift.datasets.derived import Fitted, IndexedLabel, MappedLabel, Resized
from seglift.datasets.nyuv2_mat import ClassMap, MatImage, MatLabel
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space import LabelSpace
from seglift.labels.writing import write_png
from seglift.training.images.in_space import in_space

SPACE = BUILTIN_SPACES["cityscapes"]
SOURCES: dict[str, Callable[[Path], Source]] = {
    "image": ImageFile,
    "label": lambda path: LabelFile(path, SPACE),
    "indexed": lambda path: IndexedLabel(path, SPACE),
    "mapped": lambda path: MappedLabel(LabelFile(path, SPACE), (0,)),
    "resized": lambda path: Resized(ImageFile(path), 4),
    "fitted": lambda path: Fitted(IndexedLabel(path, SPACE), (4, 4)),
    "mat image": lambda path: MatImage(path, 0),
    "mat label": lambda path: MatLabel(path, 0, ClassMap((0,)), SPACE),
}


def broken(folder: Path, kind: str) -> Path:
    path = folder / "broken.png"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "loop" else folder / "nowhere")
    return path


@pytest.mark.parametrize("kind", ["dangling", "loop", "folder"])
@pytest.mark.parametrize("source", SOURCES)
def test_what_cannot_be_opened_is_named(tmp_path: Path, kind: str, source: str) -> None:
    made = SOURCES[source](broken(tmp_path, kind))
    for access in (made.read, made.fingerprint):
        with pytest.raises(UserError, match=r"broken\.png"):
            access()


def test_a_disk_that_fails_while_it_is_read_is_the_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(bytes(10))

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", fails)
    for source in ("image", "label", "mat image"):
        with pytest.raises(UserError, match=r"a\.png \(Permission denied\)"):
            SOURCES[source](tmp_path / "a.png").fingerprint()


def test_a_dangling_link_among_labels_is_skipped_and_told(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    write_png(good, np.array([[7, 7], [8, 8]], np.uint8))
    items = tuple(
        Item(path.stem, ImageFile(path), LabelFile(path, SPACE)) for path in (good, broken(tmp_path, "dangling"))
    )
    dataset = Dataset("odd", tmp_path, "train", SPACE, items)
    with pytest.raises(UserError, match=r"broken\.png"):
        build_class_index(dataset, quiet=True)
    index = build_class_index(dataset, skip_corrupt=True, quiet=True)
    assert index.usable.tolist() == [0]
    assert len(index.skipped) == 1
    assert "broken.png" in index.skipped[0]


def test_instance_files_without_reader_are_counted() -> None:
    bare, other = (Item("a", ImageFile(Path("a")), None, instances) for instances in (None, Path("b")))
    assert note_unread_instances([bare]) == ()
    assert note_unread_instances([bare, other, other]) == (
        "the instance files of 2 images are in an encoding that is not read here",
    )


def with_instances(path: Path, encoding: str | None, space: LabelSpace = SPACE) -> tuple[Dataset, Item]:
    item = Item("a", ImageFile(path), LabelFile(path, SPACE), path)
    return Dataset("toy", path.parent, "train", space, (item,), instance_encoding=encoding), item


def test_objects_of_all_classes_have_numbers_of_their_own(tmp_path: Path) -> None:
    values = np.array([[7, 26, 26000, 26001], [24000, 24000, 26001, 33]], np.uint16)
    write_png(tmp_path / "a.png", values)
    dataset, item = with_instances(tmp_path / "a.png", "cityscapes")
    assert dataset.has_instances(item)
    found = dataset.read_instances(item)
    assert found is not None and found.numbers.dtype == np.uint16
    np.testing.assert_array_equal(found.numbers, [[0, 0, 2, 3], [1, 1, 3, 0]])
    np.testing.assert_array_equal(SPACE.decode(found.labels), [[7, 26, 26, 26], [24, 24, 26, 33]])
    write_png(tmp_path / "a.png", np.array([[26 << 8, 26 << 8 | 3, 24 << 8 | 3]], np.uint16))
    dataset, item = with_instances(tmp_path / "a.png", "kitti")
    found = dataset.read_instances(item)
    assert found is not None
    np.testing.assert_array_equal(found.numbers, [[0, 2, 1]])


def test_files_that_nothing_reads_are_no_instances(tmp_path: Path) -> None:
    dataset, item = with_instances(tmp_path / "a.png", None)
    assert not dataset.has_instances(item)
    assert dataset.read_instances(item) is None


def test_labels_that_are_read_as_those_of_another_space_keep_their_instances(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[26000, 30001, 7]], np.uint16))  # a trailer is in no other space
    dataset, item = with_instances(tmp_path / "a.png", "cityscapes")
    camvid = BUILTIN_SPACES["camvid11"]
    mapped = in_space(dataset, camvid, quiet=True)
    found = mapped.read_instances(mapped.items[0])
    assert found is not None
    np.testing.assert_array_equal(found.numbers, [[1, 2, 0]])
    assert [camvid.classes[index].name for index in found.labels[0]] == ["car", "void", "road"]
    again = in_space(mapped, SPACE, quiet=True)
    found = again.read_instances(again.items[0])
    assert found is not None
    assert [SPACE.classes[index].name for index in found.labels[0]] == ["car", "unlabeled", "road"]
    with pytest.raises(UserError, match="30"):
        replace(dataset, space=camvid).read_instances(item)
