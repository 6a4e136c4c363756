from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.datasets.folder import ClipNeighbours
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.workflows.naive_student.frames import annotated_items, check_names, dataset_frames, place_of
from seglift.workflows.naive_student.recipe import UnlabelledSource

CITY = BUILTIN_SPACES["cityscapes"]
ASKED = UnlabelledSource(dataset="folder", name="town")


def item(clip, number, labelled=False):
    label = LabelFile(Path(f"/labels/{clip}/{number}.png"), CITY) if labelled else None
    return Item(f"{clip}_{number}", ImageFile(Path(f"/images/{clip}/{number}.png")), label, clip=clip)


def dataset(*items):
    clips = {one.clip: tuple(other.image for other in items if other.clip == one.clip) for one in items}
    places = {one.name: (one.clip, clips[one.clip].index(one.image)) for one in items}
    return Dataset("folder", Path("/"), "train", CITY, items, ClipNeighbours(places, clips))


TOWN = dataset(*(item("a", n, labelled=n in (1, 4)) for n in range(6)), item("b", 0), item("b", 1))


def test_every_frame_finds_the_nearest_annotated_one_of_its_clip():
    known = annotated_items(TOWN, TOWN.items)
    frames = {frame.name: frame for frame in dataset_frames(ASKED, TOWN, known, "")}
    assert list(frames) == [*(f"a/{n}" for n in range(6)), "b/0", "b/1"]
    found = [(frame.annotated.name, frame.distance) for name, frame in frames.items() if name[0] == "a"]
    assert found == [("a_1", -1), ("a_1", 0), ("a_1", 1), ("a_4", -1), ("a_4", 0), ("a_4", 1)]
    assert frames["b/0"].annotated is None
    assert [name for name, frame in frames.items() if frame.labelled] == ["a/1", "a/4"]


def test_only_labels_that_are_used_are_looked_at_unless_a_source_has_its_own():
    known = annotated_items(TOWN, TOWN.items[:2])
    frames = dataset_frames(ASKED, TOWN, known, "x_")
    assert {frame.annotated.name for frame in frames if frame.annotated} == {"a_1"}
    assert frames[5].distance == 4 and frames[0].name == "x_a/0"
    own = dataset_frames(UnlabelledSource(dataset="folder", void_from="own"), TOWN, {}, "")
    assert {frame.annotated.name for frame in own if frame.annotated} == {"a_1", "a_4"}
    assert not any(frame.labelled for frame in own)


def test_windows_of_video_overlap_without_repeating_a_frame():
    centres = dataset(*TOWN.items)
    sparse = Dataset("folder", Path("/"), "train", CITY, (TOWN.items[1], TOWN.items[4]), centres.neighbour)
    asked = UnlabelledSource(dataset="folder", before=1, after=2)
    frames = dataset_frames(asked, sparse, annotated_items(sparse, sparse.items), "")
    assert sorted(frame.name for frame in frames) == [f"a/{n}" for n in range(6)]
    by_name = {frame.name: (frame.annotated.name, frame.distance) for frame in frames}
    assert by_name["a/3"] == ("a_4", -1) and by_name["a/2"] == ("a_1", 1)


def test_stills_have_no_neighbours():
    stills = Dataset("gta5", Path("/"), "train", CITY, TOWN.items)
    with pytest.raises(UserError, match="has a frame before or after it"):
        dataset_frames(UnlabelledSource(dataset="gta5", after=1), stills, {}, "")


def test_two_files_of_one_name_are_refused(tmp_path):
    frames = dataset_frames(ASKED, dataset(item("a", 0), item("a_0", 0), item("a", "0_0")), {}, "")
    with pytest.raises(UserError, match="would both be written as"):
        check_names(frames)
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    assert place_of(ImageFile(tmp_path / "link.png")) == place_of(ImageFile(tmp_path / "a.png"))
