"""ApolloScape: tiny trees in the published layout, cut and split."""

from __future__ import annotations

import io
import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.apolloscape import PARTITION, Frame, cut_partitions, frame_time, open_apolloscape, open_partitions


def stem(seconds, camera=5):
    """A drive that began at 06:14:58.408 on the 8th of September 2017; steps over a minute and its milliseconds."""
    total = round((6 * 3600 + 14 * 60 + 58.408 + seconds) * 1000)
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"170908_{hours:02d}{minutes:02d}{rest:05d}_Camera_{camera}"


@cache
def encoded(kind, value):
    content = io.BytesIO()
    Image.fromarray(np.full((3, 4, 3) if kind == "JPEG" else (3, 4), value, np.uint8)).save(content, kind)
    return content.getvalue()


def write(root, road, record, times, camera=5):
    place = f"{record}/Camera {camera}"
    images, labels = root / road / "ColorImage" / place, root / road / "Label" / place
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for number, time in enumerate(times):
        (images / f"{stem(time, camera)}.jpg").write_bytes(encoded("JPEG", number))
        (labels / f"{stem(time, camera)}_bin.png").write_bytes(encoded("PNG", 33))
        (labels / f"{stem(time, camera)}_instanceIds.png").write_bytes(encoded("PNG", 33))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five records of 23 frames."""
    root = tmp_path_factory.mktemp("apolloscape")
    for number in range(1, 6):
        write(root, "road01_ins", f"Record{number:03d}", [0.1 * step for step in range(23)])
    return root


def test_centre_of_each_partition(root):
    train, val = open_apolloscape(root), open_apolloscape(root, "val")
    assert len(train) == 4 and len(val) == 1
    assert not {item.clip for item in train.items} & {item.clip for item in val.items}
    item = train.items[0]
    assert item.name.endswith(stem(1.0)) and item.instances.name == f"{stem(1.0)}_instanceIds.png"
    assert item.clip == item.name.removesuffix(f"_{stem(1.0)}") + "_000"
    assert train.space.to_train(item.label.read()).tolist() == np.full((3, 4), 1).tolist()
    assert train.notes == (
        "8 frames of ApolloScape train fill no partition of 21 and are left out",
        "the instance files of 4 images are in an encoding that is not read here",
    )
    assert train.problems == () and train.instance_encoding is None


def test_neighbours_stay_within_the_partition(root):
    dataset = pickle.loads(pickle.dumps(open_apolloscape(root)))
    item = dataset.items[0]
    seen = {offset: dataset.neighbour(item, offset) for offset in range(-12, 13)}
    assert [offset for offset, source in seen.items() if source is not None] == list(range(-10, 11))
    assert abs(int(seen[-10].read().mean()) - 0) <= 1 and abs(int(seen[10].read().mean()) - 20) <= 1


def test_labels_of_the_other_frames(root):
    others, every = open_apolloscape(root, frames="others"), open_apolloscape(root, frames="all")
    assert len(others) == 80 and len(every) == 84
    centres = {item.name for item in open_apolloscape(root).items}
    assert {item.name for item in every.items} - {item.name for item in others.items} == centres
    assert every.neighbour(every.items[0], -1) is None
    assert str(every.neighbour(every.items[0], 20)) == str(every.items[20].image)
    partitions = open_partitions(root).partitions
    assert [[item.name for item in part] for part in partitions] == [
        [item.name for item in every.items[start : start + PARTITION]] for start in range(0, 84, PARTITION)
    ]


def test_the_split_is_by_record_and_follows_the_seed(root):
    def held_out(seed, share=0.2):
        return {item.clip for item in open_apolloscape(root, "val", seed=seed, val_share=share).items}

    assert held_out(0) == held_out(0) and len({tuple(held_out(seed)) for seed in range(8)}) > 1
    assert len(held_out(0, 0.6)) == 3 and held_out(0) < held_out(0, 0.6)


def test_cameras_and_roads_are_kept_apart(tmp_path):
    steps = [0.1 * step for step in range(21)]
    for road in ("road01_ins", "road02_seg"):
        write(tmp_path, road, "Record001", steps, camera=5)
        write(tmp_path, road, "Record001", steps, camera=6)
    assert len(open_apolloscape(tmp_path, val_share=0.5)) == 2
    clips = {item.clip for split in ("train", "val") for item in open_apolloscape(tmp_path, split, val_share=0.5).items}
    assert clips == {f"road0{road}_{kind}_Record001_Camera_{camera}_000"
                     for road, kind in ((1, "ins"), (2, "seg")) for camera in (5, 6)}  # fmt: skip


def test_what_is_left_out_is_counted(tmp_path):
    root = tmp_path
    for record in ("Record001", "Record002"):
        write(root, "road01_ins", record, [0.1 * step for step in range(22)])
    labels = root / "road01_ins" / "Label" / "Record001" / "Camera 5"
    (labels / f"{stem(0.0)}_bin.png").unlink()
    (labels / f"{stem(77.0)}_bin.png").write_bytes(b"")
    for folder, end in (("Label", "_bin.png"), ("ColorImage", ".jpg")):
        (root / "road01_ins" / folder / "Record001" / "Camera 5" / f"170908_996502408_Camera_5{end}").write_bytes(b"")
    problems = open_apolloscape(root).problems
    assert len(problems) == 3 and all(problem.startswith("1 ") for problem in problems)
    assert "without label" in problems[0] and "without image" in problems[1] and "not at RECORD" in problems[2]


@given(st.lists(st.sampled_from([100, 100, 100, 100, 149, 150, 151, 300]), min_size=1, max_size=150), st.randoms())
def test_partitions_are_runs(gaps, random):
    times = np.cumsum([0, *gaps])
    frames = [Frame(str(index), int(time), None, None, None) for index, time in enumerate(times)]
    random.shuffle(frames)
    parts = [[int(frame.name) for frame in part] for part in cut_partitions(frames)]
    limit = 1.5 * float(np.median(np.diff(times)))
    assert all(part == list(range(part[0], part[0] + PARTITION)) for part in parts)
    assert all(np.diff(times[part]).max() <= limit for part in parts)
    runs = np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > limit) + 1)
    assert len(parts) == sum(len(run) // PARTITION for run in runs)
    flat = [index for part in parts for index in part]
    assert len(flat) == len(set(flat))


def test_times():
    assert frame_time("170908_235959999_Camera_5") is not None
    assert frame_time("170909_000000000_Camera_5") - frame_time("170908_235959999_Camera_5") == 1
    assert frame_time("170908_246502408_Camera_5") is None and frame_time("image_1") is None


def test_bad_requests(root, tmp_path):
    with pytest.raises(UserError, match="is 'test', one of train, val"):
        open_apolloscape(root, "test")
    with pytest.raises(UserError, match="is 'middle', one of centre, others, all"):
        open_apolloscape(root, frames="middle")
    with pytest.raises(UserError, match=r"validation records is 1\.0"):
        open_apolloscape(root, val_share=1.0)
    with pytest.raises(UserError, match=r"no ApolloScape root: looked for ROAD_ins/ColorImage .*found ColorImage"):
        open_apolloscape(_bare(tmp_path))
    write(tmp_path / "short", "road01_ins", "Record001", [0.0, 0.1])
    with pytest.raises(UserError, match="none of the 1 records"):
        open_apolloscape(tmp_path / "short", "val")


def _bare(folder):
    (folder / "bare" / "ColorImage.txt").parent.mkdir()
    (folder / "bare" / "ColorImage.txt").write_text("")
    return folder / "bare"
