"""CamVid in its three layouts, on tiny trees, and where the real stills are at hand."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.camvid import GROUPS, camvid_splits, open_camvid, standard_split
from seglift.labels.space_file import get_space

COLORS = {"Sky": (128, 128, 128), "Archway": (192, 0, 128), "Child": (192, 128, 64), "Void": (0, 0, 0)}


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


def picture(value=0, height=4, width=6):
    return np.full((height, width, 3), value, np.uint8)


def ids(value=0):
    return np.full((4, 6), value, np.uint8)


@pytest.fixture
def segnet(tmp_path):
    """Two stills to train on, one for each other split, as in the SegNet files."""
    names = {"train": ("0001TP_006690", "0016E5_00390"), "val": ("0016E5_07959",), "test": ("Seq05VD_f00000",)}
    for split, stems in names.items():
        for stem in stems:
            save(tmp_path / split / f"{stem}.png", picture())
            save(tmp_path / f"{split}annot" / f"{stem}.png", ids(11))
    return tmp_path


@pytest.fixture
def original(tmp_path):
    for stem in ("0001TP_008520", "0001TP_008550", "0006R0_f00930", "0016E5_07959", "0016E5_08190", "Seq05VD_f00000"):
        save(tmp_path / "701_StillsRaw_full" / f"{stem}.png", picture())
        label = np.array([[COLORS["Sky"], COLORS["Archway"]], [COLORS["Child"], COLORS["Void"]]], np.uint8)
        save(tmp_path / "LabeledApproved_full" / f"{stem}_L.png", label)
    return tmp_path


def names(dataset):
    return [item.name for item in dataset.items]


def test_segnet(segnet):
    dataset = open_camvid(segnet)
    assert names(dataset) == ["0001TP_006690", "0016E5_00390"]
    assert dataset.space is get_space("camvid11") and dataset.notes == dataset.problems == ()
    item = dataset.items[0]
    assert item.image.read().shape == (4, 6, 3) and item.clip == "0001TP"
    assert set(dataset.space.to_train(item.label.read()).ravel()) == {255}
    assert dataset.neighbour(item, 1) is None
    assert names(open_camvid(segnet, "trainval")) == ["0001TP_006690", "0016E5_00390", "0016E5_07959"]
    assert camvid_splits(segnet) == ("train", "val", "test")


def test_segnet_inside_another_folder_and_with_a_list(segnet, tmp_path):
    line = "/SegNet/CamVid/train/0016E5_00390.png /SegNet/CamVid/trainannot/0016E5_00390.png\n"
    (segnet / "train.txt").write_text(line + "\n/SegNet/CamVid/train/0001TP_000001.png x\n")
    dataset = open_camvid(segnet)
    assert names(dataset) == ["0016E5_00390"]
    assert dataset.problems == ("1 listed still of CamVid train not there: 0001TP_000001",)
    outer = tmp_path.parent / "outer"
    outer.mkdir()
    (outer / "CamVid").symlink_to(segnet)
    assert names(open_camvid(outer, "test")) == ["Seq05VD_f00000"]


def test_what_stands_alone_is_counted(segnet):
    save(segnet / "train" / "0001TP_006720.png", picture())
    save(segnet / "trainannot" / "0001TP_006750.png", ids())
    problems = open_camvid(segnet).problems
    assert len(problems) == 2 and "0001TP_006720" in problems[0] and "0001TP_006750" in problems[1]


def test_original_by_the_standard_split(original):
    assert names(open_camvid(original)) == ["0001TP_008520", "0006R0_f00930", "0016E5_08190"]
    assert names(open_camvid(original, "val")) == ["0016E5_07959"]
    assert names(open_camvid(original, "test")) == ["0001TP_008550", "Seq05VD_f00000"]
    assert len(open_camvid(original, "trainval")) == 4


def test_original_in_eleven_and_in_thirty_two_classes(original):
    space = get_space("camvid11")
    label = open_camvid(original).items[0].label
    found = label.read()
    assert [[space.classes[index].name for index in row] for row in found] == [
        ["sky", "building"],
        ["pedestrian", "void"],
    ]
    fine = open_camvid(original, classes=32)
    assert fine.space is get_space("camvid32")
    found = fine.items[0].label.read()
    assert [[fine.space.classes[index].name for index in row] for row in found] == [
        ["Sky", "Archway"],
        ["Child", "Void"],
    ]
    assert len({label.fingerprint(), fine.items[0].label.fingerprint()}) == 2
    save(Path(str(label)), np.array([[(7, 8, 9)]]))
    with pytest.raises(UserError, match=r"0001TP_008520_L\.png .*camvid32 lacks: \(7, 8, 9\) \(1 px\)"):
        label.read()


def test_original_by_lists(original):
    (original / "val.txt").write_text("0001TP_008520\n0006R0_f00930_L.png\n")
    assert names(open_camvid(original, "val")) == ["0001TP_008520", "0006R0_f00930"]
    assert names(open_camvid(original, "test")) == ["0001TP_008550", "Seq05VD_f00000"]


def test_groups_cover_the_thirty_two_classes_once():
    members = [name for group in GROUPS.values() for name in group]
    assert sorted(members) == sorted(entry.name for entry in get_space("camvid32").classes)
    assert list(GROUPS) == [entry.name for entry in get_space("camvid11").classes]


def test_standard_split_counts():
    """The published counts of val and test, from how the stills are numbered."""
    stills = [f"0001TP_{frame:06d}" for frame in range(6690, 10381, 30)]
    stills += [f"0006R0_f{frame:05d}" for frame in range(930, 3931, 30)]
    stills += [f"0016E5_{frame:05d}" for frame in (*range(390, 7921, 30), *range(8190, 8641, 30))]
    stills += [f"0016E5_{frame:05d}" for frame in range(7959, 8160, 2)]
    stills += [f"Seq05VD_f{frame:05d}" for frame in range(0, 5101, 30)]
    counts = {split: sum(standard_split(name) == split for name in stills) for split in ("train", "val", "test")}
    assert counts["val"] == 101 and counts["test"] == 233


def test_images_and_labels_folders(tmp_path):
    for split in ("train", "dense_a"):
        save(tmp_path / split / "images" / f"0016E5_{len(split):05d}.jpg", picture())
        save(tmp_path / split / "labels" / f"0016E5_{len(split):05d}.png", ids(3))
    assert camvid_splits(tmp_path) == ("dense_a", "train")
    assert names(open_camvid(tmp_path, "dense_a")) == ["0016E5_00007"]
    assert names(open_camvid(tmp_path, "trainval")) == ["0016E5_00005", "0016E5_00007"]
    with pytest.raises(UserError, match=r"split of CamVid in .* is 'val', one of dense_a, train, trainval is expected"):
        open_camvid(tmp_path, "val")


def test_neighbours_by_frame_number(segnet, tmp_path):
    video = tmp_path / "video"
    for frame in (6688, 6689, 6691):
        save(video / "0001TP" / f"0001TP_{frame:06d}.jpg", picture(frame % 256))
    dataset = pickle.loads(pickle.dumps(open_camvid(segnet, video=video)))
    item, other = dataset.items
    found = {offset: dataset.neighbour(item, offset) for offset in (-7000, -3, -2, -1, 1, 2)}
    assert [offset for offset, source in found.items() if source is not None] == [-2, -1, 1]
    assert found[-1].path.name == "0001TP_006689.jpg" and found[-1].read().shape == (4, 6, 3)
    assert dataset.neighbour(other, 1) is None and dataset.neighbour(item, 0) == item.image


def test_bad_requests(segnet, tmp_path):
    with pytest.raises(UserError, match=r"11 or 32 classes, not 12"):
        open_camvid(segnet, classes=12)
    with pytest.raises(UserError, match=r"have CamVid's 11 classes.*701_StillsRaw_full"):
        open_camvid(segnet, classes=32)
    with pytest.raises(UserError, match=r"is 'dense', one of train, val, test, trainval"):
        open_camvid(segnet, "dense")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"no CamVid root: looked for .*, found nothing; .* one of these pairs"
    ) as caught:
        open_camvid(tmp_path / "empty")
    for names in (
        "701_StillsRaw_full with LabeledApproved_full",
        "train with trainannot",
        "train/images with train/la",
    ):
        assert names in str(caught.value)
    with pytest.raises(UserError, match=r"does not exist"):
        open_camvid(tmp_path / "absent")
    with pytest.raises(UserError, match=r"no images in the CamVid video folder"):
        open_camvid(segnet, video=tmp_path / "empty")
    with pytest.raises(UserError, match=r"video folder .* does not exist"):
        open_camvid(segnet, video=tmp_path / "absent")


def test_real_stills(seglift_data):
    root = seglift_data / "camvid"
    counts = {split: len(open_camvid(root, split)) for split in ("train", "test", "dense_a", "trainval")}
    assert counts == {"train": 367, "test": 233, "dense_a": 51, "trainval": 418}
    assert all(standard_split(item.name) == "train" for item in open_camvid(root).items)
    assert all(standard_split(item.name) == "test" for item in open_camvid(root, "test").items)
    assert all(standard_split(item.name) == "val" for item in open_camvid(root, "dense_a").items)
    dense = open_camvid(root, "dense_a", video=root / "dense_a" / "images")
    assert dense.neighbour(dense.items[0], 1) is None
    neighbour = dense.neighbour(dense.items[0], 2)
    assert neighbour is not None and np.array_equal(neighbour.read(), dense.items[1].image.read())
