from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.video.clip import check_label_size, open_clip, pair_ground_truth, pair_labels
from seglift.video.frames import open_frames

FRAMES = [f"f{index}.png" for index in range(12)]


@pytest.fixture
def frames(tmp_path: Path, save_images) -> Path:
    return save_images(tmp_path / "frames", FRAMES)


def test_keyframes_by_rising_index(tmp_path: Path, frames: Path, save_labels):
    clip = open_clip(frames, save_labels(tmp_path / "labels", ["f10.png", "f2.png"]))
    assert [(key.index, key.label.name, key.instances) for key in clip.keyframes] == [
        (2, "f2.png", None),
        (10, "f10.png", None),
    ]
    assert (len(clip.frames), clip.first) == (12, 0)


@pytest.mark.parametrize(
    ("frame", "label"),
    [
        ("aachen_000000_000019_leftImg8bit", "aachen_000000_000019_gtFine_labelIds"),
        ("aachen_000000_000019_leftImg8bit", "aachen_000000_000019_gtCoarse_labelIds"),
        ("aachen_000000_000019_leftImg8bit", "aachen_000000_000019_labelIds"),
        ("aachen_000000_000019_leftImg8bit", "aachen_000000_000019_leftImg8bit"),
        ("aachen_000000_000019_leftImg8bit", "aachen_000000_000019"),
        ("aachen_000000_000019", "aachen_000000_000019_gtFine_labelIds"),
        ("0001TP_006690", "0001TP_006690_L"),
        ("stereo_L", "stereo_L"),
    ],
)
def test_suffixes_are_dropped_before_matching(tmp_path: Path, save_images, save_labels, frame: str, label: str):
    save_images(tmp_path / "frames", [f"{frame}.png"])
    clip = open_clip(tmp_path / "frames", save_labels(tmp_path / "labels", [f"{label}.png"]))
    assert clip.keyframes[0].label.name == f"{label}.png"
    assert list(clip.frames.stems) == [frame]


def test_a_folder_of_cityscapes_ground_truth(tmp_path: Path, save_images, save_labels):
    save_images(tmp_path / "frames", ["ulm_000000_000018_leftImg8bit.png", "ulm_000000_000019_leftImg8bit.png"])
    kinds = ("labelIds", "instanceIds", "color", "labelTrainIds")
    labels = save_labels(tmp_path / "labels", [f"ulm_000000_000019_gtFine_{kind}.png" for kind in kinds])
    (labels / "ulm_000000_000019_gtFine_polygons.json").write_text("{}")
    (key,) = open_clip(tmp_path / "frames", labels).keyframes
    assert (key.index, key.label.name) == (1, "ulm_000000_000019_gtFine_labelIds.png")
    assert key.instances == labels / "ulm_000000_000019_gtFine_instanceIds.png"


def test_instances_need_a_label(tmp_path: Path, frames: Path, save_labels):
    labels = save_labels(tmp_path / "labels", ["f1.png", "f2_instanceIds.png"])
    with pytest.raises(UserError, match=r"f2_instanceIds\.png has no label"):
        open_clip(frames, labels)


@pytest.mark.parametrize(
    "names", [("f1.png", "f3.png", "f9.png"), ("f1_labelIds.png", "f1_instanceIds.png", "f3_instanceIds.png")]
)
def test_instances_in_a_folder_of_their_own(tmp_path: Path, frames: Path, save_labels, names: tuple[str, ...]):
    labels = save_labels(tmp_path / "labels", ["f1.png", "f2.png", "f2_instanceIds.png"])
    folder = save_labels(tmp_path / "instances", names)
    found = {key.index: key.instances for key in open_clip(frames, labels, instances=folder).keyframes}
    assert found == {1: folder / next(name for name in names if name in ("f1.png", "f1_instanceIds.png")), 2: None}


def test_a_label_of_no_frame_is_named_with_an_example(tmp_path: Path, frames: Path, save_labels):
    labels = save_labels(tmp_path / "labels", ["f1.png", "g1.png"])
    with pytest.raises(UserError, match=r"g1\.png .*belongs to no frame .*f0"):
        open_clip(frames, labels)
    found = pair_labels(open_frames(frames).stems, labels, allow_unmatched=True)
    assert found == {1: labels / "f1.png"}


def test_two_labels_of_one_frame_are_both_named(tmp_path: Path, frames: Path, save_labels):
    labels = save_labels(tmp_path / "labels", ["f1.png", "f1_labelIds.png"])
    with pytest.raises(UserError, match=r"f1\.png and f1_labelIds\.png"):
        open_clip(frames, labels)


@pytest.mark.parametrize("make", ["missing", "file", "empty", "only colours"])
def test_no_labels(tmp_path: Path, frames: Path, save_labels, make: str):
    labels = tmp_path / "labels"
    if make == "file":
        labels.write_text("x")
    elif make == "empty":
        labels.mkdir()
    elif make == "only colours":
        save_labels(labels, ["f1_color.png", ".f2.png"])
    with pytest.raises(UserError, match="label"):
        open_clip(frames, labels)


def test_without_labels(frames: Path):
    assert open_clip(frames, None).keyframes == ()


def test_frames_are_cut_before_labels(tmp_path: Path, frames: Path, save_labels):
    labels = save_labels(tmp_path / "labels", ["f1.png", "f3.png", "f6.png", "f7.png"])
    clip = open_clip(frames, labels, (3, 7))
    assert list(clip.frames.stems) == ["f3", "f4", "f5", "f6"]
    assert [key.index for key in clip.keyframes] == [0, 3]
    assert clip.first == 3
    assert int(clip.frames[0][0, 0, 0]) == 3
    for index in (-1, 4):
        with pytest.raises(IndexError):
            clip.frames[index]


def test_a_cut_does_not_excuse_a_label_of_no_frame(tmp_path: Path, frames: Path, save_labels):
    with pytest.raises(UserError, match=r"g1\.png"):
        open_clip(frames, save_labels(tmp_path / "labels", ["f1.png", "g1.png"]), (0, 3))


@pytest.mark.parametrize(
    ("cut", "count"), [((None, None), 12), ((0, 12), 12), ((None, 1), 1), ((11, None), 1), ((2, 5), 3)]
)
def test_cuts(frames: Path, cut: tuple[int | None, int | None], count: int):
    assert len(open_clip(frames, None, cut).frames) == count


@pytest.mark.parametrize("cut", [(0, 13), (12, None), (5, 5), (6, 5), (-1, 4), (None, 0), (None, -1)])
def test_cuts_out_of_range(frames: Path, cut: tuple[int | None, int | None]):
    with pytest.raises(UserError, match="12 frames"):
        open_clip(frames, None, cut)


def test_every_label_cut_away(tmp_path: Path, frames: Path, save_labels):
    with pytest.raises(UserError, match="none of the 1 labels"):
        open_clip(frames, save_labels(tmp_path / "labels", ["f1.png"]), (5, 8))


def test_ground_truth_follows_the_cut(tmp_path: Path, frames: Path, save_labels):
    truth = save_labels(tmp_path / "truth", ["f1_L.png", "f4_L.png", "f7_L.png"])
    assert pair_ground_truth(open_clip(frames, None, (3, 7)), truth) == {1: truth / "f4_L.png"}
    assert sorted(pair_ground_truth(open_clip(frames, None), truth)) == [1, 4, 7]


def test_video_labels_are_named_by_index(tmp_path: Path, tiny_video: Path, save_labels):
    labels = save_labels(tmp_path / "labels", ["000000.png", "000039_labelIds.png"])
    clip = open_clip(tiny_video, labels)
    assert [key.index for key in clip.keyframes] == [0, 39]
    save_labels(labels, ["000040.png"])
    with pytest.raises(UserError, match=r"000040\.png .*000000 \.\.\. 000039"):
        open_clip(tiny_video, labels)


def test_fingerprint_of_a_cut_is_that_of_its_frames(tmp_path: Path, frames: Path, save_images):
    before = open_clip(frames, None, (3, 7)).frames.fingerprint()
    save_images(frames, ["f8.png"], value=99)
    assert open_clip(frames, None, (3, 7)).frames.fingerprint() == before
    save_images(frames, ["f6.png"], value=99)
    assert open_clip(frames, None, (3, 7)).frames.fingerprint() != before


def test_label_size():
    check_label_size(Path("a.png"), np.zeros((4, 6)).shape, (4, 6))
    with pytest.raises(UserError, match=r"a\.png is 6x4, its frame is 4x6"):
        check_label_size(Path("a.png"), (4, 6), (6, 4))
