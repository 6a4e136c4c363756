"""NYU-Depth V2: a labelled .mat file written by h5py as MATLAB lays it out, raw recordings, and the exported folder."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pytest
import scipy.io
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.nyuv2 import open_nyuv2
from seglift.datasets.nyuv2_export import export_nyuv2
from seglift.datasets.nyuv2_raw import frame_time
from seglift.labels.space_file import get_space

h5py = pytest.importorskip("h5py")

HEIGHT, WIDTH, COUNT = 6, 8, 4
START = 1294439283.9
FRAMES = ("kitchen_0001", "kitchen_0001", "office_0003", "office_0003")
TIMES = (START, START + 1.5, START, START + 100)


def frame_name(time):
    return f"r-{time:.6f}-12345.ppm"


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def fine_label(seed):
    label = np.random.default_rng(100 + seed).integers(0, 895, (HEIGHT, WIDTH)).astype(np.uint16)
    label[0, :3] = (0, 1, 894)
    return label


def write_mat(path):
    with h5py.File(path, "w") as file:
        file["images"] = np.stack([picture(i).transpose(2, 1, 0) for i in range(COUNT)])
        file["labels"] = np.stack([fine_label(i).T for i in range(COUNT)])
        cells = file.create_dataset("rawRgbFilenames", (1, COUNT), dtype=h5py.ref_dtype)
        for i in range(COUNT):
            text = f"{FRAMES[i]}/{frame_name(TIMES[i])}"
            file[f"#refs#/{i}"] = np.array([[ord(letter)] for letter in text], np.uint16)
            cells[0, i] = file[f"#refs#/{i}"].ref


CLASS_OF = np.arange(894) * 7 % 41


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "nyu"
    root.mkdir()
    write_mat(root / "nyu_depth_v2_labeled.mat")
    scipy.io.savemat(root / "splits.mat", {"trainNdxs": np.array([[1], [4]]), "testNdxs": np.array([[2], [3]])})
    scipy.io.savemat(root / "classMapping40.mat", {"mapClass": CLASS_OF[None].astype(np.float64)})
    return root


@pytest.fixture
def raw(tmp_path):
    """A recording at 30 frames/s from -1.2 s to 2.5 s around picture 1, with a hole from 1.6 s to 2.3 s."""
    folder = tmp_path / "raw" / "kitchens_part1" / "kitchen_0001"
    folder.mkdir(parents=True)
    for step in range(-36, 76):
        gone = step / 30
        if not 1.6 < gone < 2.3:
            image = np.full((HEIGHT, WIDTH, 3), step + 100, np.uint8)
            Image.fromarray(image).save(folder / frame_name(START + gone))
    (folder / "a-1294439283.900000-1.dump").write_bytes(b"")
    return tmp_path / "raw"


def test_pictures_and_labels_are_turned_and_grouped(root):
    dataset = open_nyuv2(root)
    assert [item.name for item in dataset.items] == ["0001", "0004"] and dataset.space is get_space("nyuv2")
    assert [item.clip for item in open_nyuv2(root, "test").items] == ["kitchen_0001", "office_0003"]
    item = pickle.loads(pickle.dumps(dataset)).items[1]
    assert np.array_equal(item.image.read(), picture(3))
    fine = fine_label(3)
    expected = np.where(fine == 0, 0, CLASS_OF[np.maximum(fine, 1) - 1])
    label = item.label.read()
    assert label.dtype == np.uint8 and np.array_equal(label, expected)
    train = dataset.space.to_train(label)
    assert np.array_equal(train, np.where(expected == 0, 255, expected - 1))
    assert item.label.fingerprint() != dataset.items[0].label.fingerprint() != dataset.items[0].image.fingerprint()


def test_labels_of_another_maker(root):
    (root / "classMapping40.mat").unlink()
    with pytest.raises(UserError, match=r"classMapping40\.mat is missing"):
        open_nyuv2(root)
    (root / "labels40").mkdir()
    Image.fromarray(np.full((HEIGHT, WIDTH), 40, np.uint8)).save(root / "labels40" / "0004.png")
    assert set(open_nyuv2(root).items[1].label.read().ravel()) == {40}


def test_neighbours_at_two_frames_a_second(root, raw):
    dataset = open_nyuv2(root, raw=raw)
    item = dataset.items[0]
    steps = {}
    assert dataset.neighbour(item, 0) == item.image
    for offset in range(-11, 12):
        source = dataset.neighbour(item, offset) if offset else None
        if source is not None:
            steps[offset] = int(source.read()[0, 0, 0]) - 100
    # 45 is picture 2, of the test split; at 2 s the nearest frame lies within the hole's far side: too far; -1.5 s is
    # before the recording began (-1.2 s is 0.3 s off).
    assert steps[-2] == -30 and steps[-1] == -15 and steps[1] == 15 and steps[2] == 30
    assert steps[3] in (44, 46)
    assert sorted(steps) == [-2, -1, 1, 2, 3]
    assert dataset.neighbour(dataset.items[1], 1) is None


def test_a_frame_serves_one_offset(root, raw):
    folder = raw / "kitchens_part1" / "kitchen_0001"
    for path in folder.glob("r-*"):
        path.unlink()
    for gone in (0.75, 1.2):
        Image.fromarray(picture(0)).save(folder / frame_name(START + gone))
    dataset = open_nyuv2(root, raw=raw)
    found = [dataset.neighbour(dataset.items[0], offset) for offset in (1, 2, 3)]
    assert [source and round(frame_time(source.path.name) - START, 3) for source in found] == [0.75, 1.2, None]


def test_export_opens_to_the_same(root, raw, tmp_path):
    out = tmp_path / "out"
    export_nyuv2(root / "nyu_depth_v2_labeled.mat", root / "splits.mat", raw, out, quiet=True)
    assert json.loads((out / "splits.json").read_text()) == {"train": [1, 4], "test": [2, 3]}
    before = open_nyuv2(root, raw=raw)
    after = open_nyuv2(out)
    for left, right in zip(before.items, after.items, strict=True):
        assert left.name == right.name
        assert np.array_equal(left.image.read(), right.image.read())
        assert np.array_equal(left.label.read(), right.label.read())
        for offset in range(-11, 12):
            one, two = before.neighbour(left, offset), after.neighbour(right, offset)
            assert (one is None) == (two is None)
            assert one is None or np.array_equal(one.read(), two.read())
    assert sorted(path.name for path in (out / "neighbors").iterdir()) == [
        "0001_+01.png", "0001_+02.png", "0001_+03.png", "0001_-01.png", "0001_-02.png",
    ]  # fmt: skip
    (out / "labels40" / "0004.png").unlink()
    assert open_nyuv2(out).problems == ("1 picture of NYU-Depth V2 train without label: 0004",)
    export_nyuv2(root / "nyu_depth_v2_labeled.mat", root / "splits.mat", None, out, quiet=True)
    assert open_nyuv2(out).problems == ()


def test_bad_input(root, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is 'val', one of train, test"):
        open_nyuv2(root, "val")
    with pytest.raises(UserError, match=r"no NYU-Depth V2 root: looked for nyu_depth_v2_labeled\.mat or images"):
        open_nyuv2(_empty(tmp_path))
    with pytest.raises(UserError, match="raw recordings does not exist"):
        open_nyuv2(root, raw=tmp_path / "absent")
    scipy.io.savemat(root / "splits.mat", {"trainNdxs": np.array([[0]]), "testNdxs": np.array([[2]])})
    with pytest.raises(UserError, match=r"names picture 0, each of 1\.\.4"):
        open_nyuv2(root)
    scipy.io.savemat(root / "splits.mat", {"testNdxs": np.array([[2]])})
    with pytest.raises(UserError, match="lacks trainNdxs"):
        open_nyuv2(root)
    (root / "splits.mat").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="as a MATLAB file"):
        open_nyuv2(root)
    monkeypatch.setitem(sys.modules, "h5py", None)
    scipy.io.savemat(root / "splits.mat", {"trainNdxs": np.array([[1]]), "testNdxs": np.array([[2]])})
    with pytest.raises(UserError, match=r"needs h5py.*pip install 'seglift\[nyu\]'"):
        open_nyuv2(root)


def test_a_damaged_labelled_file(root):
    dataset = open_nyuv2(root)
    path = root / "nyu_depth_v2_labeled.mat"
    with h5py.File(path, "r+") as file:
        file["labels"][0, 0, 0] = 895
    with pytest.raises(UserError, match=r"\(label 1\) has label 895, 0\.\.894 are expected"):
        dataset.items[0].label.read()
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match="as NYU-Depth V2's labelled file"):
        dataset.items[0].image.read()
    with pytest.raises(UserError, match="as NYU-Depth V2's labelled file"):
        open_nyuv2(root)


def test_a_map_of_other_classes(root):
    scipy.io.savemat(root / "classMapping40.mat", {"mapClass": np.arange(894.0)})
    with pytest.raises(UserError, match=r"mapClass of .* has 894 values from 0 to 893"):
        open_nyuv2(root)


def test_broken_exports(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "splits.json").write_text('{"train": [1]}')
    with pytest.raises(UserError, match="no picture of split train"):
        open_nyuv2(tmp_path)
    with pytest.raises(UserError, match="no list test"):
        open_nyuv2(tmp_path, "test")


def _empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty"
