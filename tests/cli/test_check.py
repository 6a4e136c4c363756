"""``seglift check`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

SPACE = "name: two\nignore: 255\nclasses:\n- {id: 0, name: floor}\n- {id: 5, name: wall}\n- {id: 6, name: roof}\n"
HEIGHT, WIDTH = 4, 6


@pytest.fixture
def root(tmp_path, save):
    """Two splits of a folder dataset, six frames of one clip to train on, every other one labelled."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "space.yaml").write_text(SPACE)
    for index in range(6):
        save(root / f"images/train/a/{index}.png", np.full((HEIGHT, WIDTH, 3), index, np.uint8))
    for index in (0, 2, 4):
        label = np.full((HEIGHT, WIDTH), 255, np.uint8)
        label[0, : index + 1] = 5
        label[1, :2] = 0
        save(root / f"labels/train/a/{index}.png", label)
    save(root / "images/val/x.png", np.zeros((2, 2, 3), np.uint8))
    save(root / "labels/val/x.png", np.zeros((2, 2), np.uint8))
    return root


def row(text, name):
    """Numbers behind a class in the printed tables, each time it stands there."""
    return [line.split()[1:] for line in text.splitlines() if line.split()[:1] == [name]]


def complaint(ran):
    """The error's line, the last of stderr, which progress may stand before."""
    *progress, last = ran.err.splitlines()
    assert ran.status == 2 and all(line.startswith("checking ") for line in progress), ran
    assert last.startswith("seglift: error: ")
    return last


def test_a_good_dataset(run, root, tmp_path):
    ran = run("check", "folder", "--root", root, "--json", tmp_path / "c.json").done()
    assert "folder train: 6 images, 3 of them with label" in ran.out and "sizes: 6x4 (6)" in ran.out
    assert "images with a frame at -5: 1, -2: 4, -1: 5, +1: 5, +2: 4, +5: 1" in ran.out
    assert "note: 3 images without a label: a_1, a_3, a_5\n" in ran.out and ran.out.count("without a label") == 1
    assert ran.out.count("problems: none") == 2 and "never labelled: roof" in ran.out
    assert row(ran.out, "wall") == [["5", "1", "12.500", "3"], ["5", "1", "0.000", "0"]]
    assert row(ran.out, "floor") == [["0", "0", "8.333", "3"], ["0", "0", "100.000", "1"]]
    found = json.loads((tmp_path / "c.json").read_text())
    train = found["splits"]["train"]
    assert {entry["name"]: entry["pixels"] for entry in train["classes"]} == {
        "floor": 6, "wall": 9, "roof": 0, "void": 57,
    }  # fmt: skip
    assert train["unlabelled"] == ["a_1", "a_3", "a_5"] and found["splits"]["val"]["unlabelled"] == []
    assert train["neighbours"]["10"] == 0 and train["neighbours"]["-1"] == 5 and train["sizes"] == {"6x4": 6}
    assert sum(entry["share"] for entry in train["classes"]) == pytest.approx(1.0)
    assert found["splits"]["val"]["neighbours"]["1"] == 0 and found["not_opened"] == {}


def test_only_the_named_splits(run, root):
    out = run("check", "folder", "--root", root, "--split", "val").done().out
    assert "folder val: 1 image," in out and "train:" not in out
    error = run("check", "folder", "--root", root, "--split", "val", "test").error
    assert "is 'test', one of train, val is expected" in error


def test_everything_that_may_be_wrong(run, root, save, tmp_path):
    images, labels = root / "images/train/a", root / "labels/train/a"
    (images / "1.png").write_bytes((images / "1.png").read_bytes()[:60])
    (images / "3.png").write_bytes(b"")
    (labels / "4.png").write_bytes(b"no image")
    save(labels / "0.png", np.full((3, WIDTH), 5, np.uint8))
    odd = np.zeros((HEIGHT, WIDTH), np.uint8)
    odd[0, :4], odd[1, 0] = 77, 5
    odd[2] = 200
    save(labels / "2.png", odd)
    odd[2] = 0
    save(labels / "5.png", odd)
    save(labels / "9.png", odd)
    ran = run("check", "folder", "--root", root, "--json", tmp_path / "c.json")
    for told in (
        "1.png is a damaged PNG (truncated)", "3.png is empty", "4.png is no image",
        "0.png is 6x3, its image is 6x4", "unknown id: 77: 8 px in 2 files, first ", "unknown id: 200: 6 px in 1 file,",
        "label of", "without image left out: a/9",
    ):  # fmt: skip
        assert told in ran.out, told
    assert "folder val: 1 image," in ran.out
    assert complaint(ran).endswith(
        "train has unreadable files: 3, files of another size than their image or clip: 1, unknown ids: 2, "
        f"1 label of {root} without image left out; correct or remove the files that are listed above"
    )
    train = json.loads((tmp_path / "c.json").read_text())["splits"]["train"]
    assert train["unknown_ids"]["77"] == {"pixels": 8, "files": 2, "first": str(labels / "2.png")}
    assert len(train["unreadable"]) == 3 and len(train["other_size"]) == 1 and len(train["left_out"]) == 1
    # 0.png: 18 of wall; 2.png: 1 of wall, 24 - 4 - 1 - 6 of floor; 5.png: 1 of wall, 24 - 4 - 1 of floor
    assert [entry["pixels"] for entry in train["classes"]] == [13 + 19, 20, 0, 0]


def test_known_flaws_are_told_and_do_not_fail_the_check(run, tmp_path, save):
    """GTA-5 has a few pairs of unequal size as it is published."""
    for name, height in (("00001", HEIGHT), ("00002", HEIGHT + 1)):
        save(tmp_path / f"images/{name}.png", np.zeros((height, WIDTH, 3), np.uint8))
        save(tmp_path / f"labels/{name}.png", np.full((HEIGHT, WIDTH), 7, np.uint8))
    words = ("check", "gta5", "--root", tmp_path, "--json", tmp_path / "c.json")
    out = run(*words).done().out
    assert "note: 1 image of GTA-5 whose label has another size left out: 00002" in out and "problems: none" in out
    train = json.loads((tmp_path / "c.json").read_text())["splits"]["train"]
    assert len(train["notes"]) == 1 and train["left_out"] == []
    (tmp_path / "labels/00001.png").rename(tmp_path / "labels/00003.png")
    (tmp_path / "labels/00002.png").unlink()
    save(tmp_path / "images/00003.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    ran = run(*words)
    assert "2 images of GTA-5" in complaint(ran) and "left out: 2 images of GTA-5" in ran.out


def test_companions_are_looked_at(run, root, save):
    save(root / "instances/train/a/0.png", np.zeros((HEIGHT, WIDTH + 1), np.uint16))
    (root / "confidence/train/a").mkdir(parents=True)
    (root / "confidence/train/a/2.png").write_bytes(b"x")
    error = complaint(run("check", "folder", "--root", root))
    assert "unreadable files: 1, files of another size than their image or clip: 1" in error


def test_long_lists_are_cut(run, root):
    for index in range(30):
        (root / f"images/val/{index}.png").write_bytes(b"")
    out = run("check", "folder", "--root", root, "--split", "val").out
    assert out.count("is empty") == 10 and "cannot be read: 20 more (--json FILE has them all)" in out


def test_splits_that_are_not_there_are_named(run, tmp_path, save):
    for kind, end in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
        array = np.full((4, 8, 3) if kind == "leftImg8bit" else (4, 8), 7, np.uint8)
        save(tmp_path / kind / "val/lindau" / f"lindau_000000_000019_{end}.png", array)
    ran = run("check", "cityscapes", "--root", tmp_path).done()
    assert "cityscapes val: 1 image," in ran.out and "cityscapes train: not opened: " in ran.out
    assert row(ran.out, "road") == [["7", "0", "100.000", "1"]] and "never labelled: sidewalk, building" in ran.out
    assert "leftImg8bit/train" in run("check", "cityscapes", "--root", tmp_path, "--split", "train").error


def test_options(run, tmp_path, save):
    save(tmp_path / "701_StillsRaw_full/Seq05VD_f00000.png", np.zeros((2, 2, 3), np.uint8))
    colors = np.array([[(128, 128, 128), (64, 128, 64)], [(64, 0, 64), (0, 0, 0)]], np.uint8)
    save(tmp_path / "LabeledApproved_full/Seq05VD_f00000_L.png", colors)
    words = ("check", "camvid", "--root", tmp_path)
    assert row(run(*words).done().out, "pedestrian") == [["9", "9", "25.000", "1"]]
    fine = run(*words, "--option", "classes=32", "--option", f"video={tmp_path / '701_StillsRaw_full'}").done().out
    assert row(fine, "Animal") == [["0", "0", "25.000", "1"]] and row(fine, "Tunnel") == [["28", "28", "25.000", "1"]]
    assert "11 or 32 classes, not 5" in run(*words, "--option", "classes=5").error
    assert "no option 'class', it has classes, video" in run(*words, "--option", "class=5").error
    assert "'classes' is not NAME=VALUE" in run(*words, "--option", "classes").error
    # Ids that are wrong are counted below a change of classes, too, though such a label has no share in the histogram.
    save(tmp_path / "LabeledApproved_full/Seq05VD_f00000_L.png", np.full((2, 2), 77, np.uint8))
    ran = run(*words)
    assert "unknown id: 77: 4 px in 1 file," in ran.out and "unknown ids: 1" in complaint(ran)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check"], "DATASET"),
        (["check", "camvid"], "--root"),
        (["check", "ade20k", "--root", "."], "no dataset is called 'ade20k', expected one of cityscapes"),
        (["check", "camvid", "--root", "nowhere"], "the CamVid root nowhere does not exist"),
        (["check", "folder", "--root", "nowhere"], "the folder dataset root nowhere does not exist"),
        (["check", "bdd100k", "--root", "nowhere"], "nowhere does not exist"),
    ],
)
def test_wrong_words(run, words, told):
    assert told in run(*words).error


def test_in_a_process_of_its_own(root):
    (root / "images/train/a/5.png").write_bytes(b"")
    code = "import sys; from seglift.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "check", "folder", "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and "cannot be read: " in done.stdout and "Traceback" not in done.stderr
    assert lines[-1].startswith("seglift: error: dataset folder in ") and "unreadable files: 1" in lines[-1]
    assert all(line.startswith("checking folder: ") for line in lines[:-1])


def test_real_stills(run, seglift_data):
    out = run("check", "camvid", "--root", seglift_data / "camvid", "--split", "dense_a").done().out
    assert "camvid dense_a: 51 images, 51 of them with label" in out and "sizes: 480x360 (51)" in out
    assert len(row(out, "road")) == 1 and 10.0 < float(row(out, "road")[0][2]) < 60.0


def test_a_frame_of_another_size_than_its_clip(run, root, save):
    save(root / "images/train/a/3.png", np.zeros((3, 5, 3), np.uint8))
    ran = run("check", "folder", "--root", root)
    assert "3.png is 5x3, the first image of its clip is 6x4" in ran.out
    assert "files of another size than their image or clip: 1" in complaint(ran)
