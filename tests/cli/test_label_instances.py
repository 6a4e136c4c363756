"""``seglift label`` carries the instances of the keyframes: ids through the clip, bytes, resume, what is refused."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from seglift.datasets.streets import StreetConfig, write_streets
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instance_files import CITYSCAPES, MOST_OF_A_CLASS
from seglift.labels.instances import decode_cityscapes, encode_coco, encode_kitti, read_coco

SPACE = BUILTIN_SPACES["cityscapes"]
CAR, PERSON, ROAD = 26, 24, 7
SKIP = ("timing.json", ".seglift", "report.html")


def pixels(path):
    return np.array(Image.open(path))


def drawn(label, car=3, person=1, crowd=False):
    """Instances of the two squares (uint16, Cityscapes' encoding), numbered as wished; the car may be a crowd."""
    values = label.astype(np.uint16)
    values[label == CAR] = CAR if crowd else CAR * 1000 + car
    values[label == PERSON] = PERSON * 1000 + person
    return values


def draw(clip, index, save, **numbers):
    stem = clip.stems[index]
    save(clip.keyframes / f"{stem}_instanceIds.png", drawn(pixels(clip.truth / f"{stem}.png"), **numbers))


@pytest.fixture
def objects(clip, save):
    """The clip with instances at its three keyframes, numbered anew in each."""
    for index, (car, person) in zip((0, 4, 8), ((3, 1), (0, 5), (7, 3)), strict=True):
        draw(clip, index, save, car=car, person=person)
    return clip


def ids(out, stem):
    return pixels(out / f"instances/{stem}.png")


def check_agreement(out):
    """Labels and instances never contradict each other."""
    paths = sorted((out / "labels").iterdir())
    assert [path.name for path in paths] == sorted(path.name for path in (out / "instances").iterdir())
    for path in paths:
        label, values = pixels(path), pixels(out / "instances" / path.name)
        assert values.dtype == np.uint16 and (decode_cityscapes(values, SPACE, "")[0] == label).all()
        assert np.isin(label[values >= 1000], (CAR, PERSON)).all()


def check_followed(out, truth, car=26003, person=24001, least=0.95):
    """Every frame shows the two squares under these ids, nearly everywhere."""
    for path in sorted(truth.iterdir()):
        label, values = pixels(path), ids(out, path.stem)
        assert (values[label == CAR] == car).mean() > least and (values[label == PERSON] == person).mean() > least
        assert set(np.unique(values[values >= 1000])) <= {car, person}


def test_kitti_s_encoding_comes_back_as_it_was_given(objects, label, save, tmp_path):
    label(objects, tmp_path / "cityscapes").done()
    for path in objects.keyframes.glob("*_instanceIds.png"):
        save(path, encode_kitti(*decode_cityscapes(pixels(path), SPACE, ""), ""))
    label(objects, tmp_path / "kitti").done()
    for path in sorted((tmp_path / "cityscapes/instances").iterdir()):
        raw, number = decode_cityscapes(pixels(path), SPACE, "")
        assert (ids(tmp_path / "kitti", path.stem) == raw.astype(np.uint16) * 256 + number).all()
    assert {CAR * 256 + 4, PERSON * 256 + 2} <= set(np.unique(ids(tmp_path / "kitti", objects.stems[2])))


def test_ids_stay_with_their_objects_over_the_clip(objects, label, tmp_path):
    label(objects, tmp_path / "out").done()
    check_agreement(tmp_path / "out")
    check_followed(tmp_path / "out", objects.truth)
    for index in (0, 4, 8):
        truth = pixels(objects.truth / f"{objects.stems[index]}.png")
        assert (ids(tmp_path / "out", objects.stems[index]) == drawn(truth)).all()
    about = json.loads((tmp_path / "out/run.json").read_text())["instances"]
    assert (about["encoding"], about["objects"], about["reused"]) == ("cityscapes", 2, 0)
    assert list(about["keyframes"]) == ["f000", "f004", "f008"]


def test_labels_are_what_they_are_without(objects, label, tree, tmp_path):
    label(objects, tmp_path / "with").done()
    label(objects, tmp_path / "without", "--instances", "none").done()
    with_them, without = tree(tmp_path / "with"), tree(tmp_path / "without")
    about = json.loads(with_them["run.json"])
    del about["instances"]
    assert about == json.loads(without["run.json"])
    assert {name for name in with_them if name not in without} == {f"instances/{stem}.png" for stem in objects.stems}
    assert {name for name in without if with_them[name] != without[name]} == {"run.json", "report.html"}
    pages = [found["report.html"].decode() for found in (with_them, without)]
    assert ['"objects.0"' in page for page in pages] == [True, False]
    assert not (tmp_path / "without/.seglift/objects").exists()


@pytest.mark.parametrize(
    "more",
    [
        ("--resample", "recursive"),
        ("--settings", "paper"),
        ("--out-of-view", "void"),
        ("--direction", "forward"),
        ("--direction", "backward"),
        ("--max-distance", 2),
        ("--cuts", "none"),
    ],
)
def test_every_way_to_carry(objects, label, tmp_path, more):
    label(objects, tmp_path / "out", *more).done()
    check_agreement(tmp_path / "out")
    check_followed(tmp_path / "out", objects.truth, least=0.85)


def test_a_part_of_the_clip(objects, label, tmp_path):
    label(objects, tmp_path / "out", "--frames", "2:9").done()
    for stem in objects.stems[:2]:
        (objects.truth / f"{stem}.png").unlink()
    check_agreement(tmp_path / "out")
    check_followed(tmp_path / "out", objects.truth, car=26000, person=24005)


def test_keyframes_that_reach_no_frame_together_are_not_linked(objects, label, tmp_path):
    label(objects, tmp_path / "out", "--max-distance", 1).done()
    check_agreement(tmp_path / "out")
    assert not (ids(tmp_path / "out", "f002") >= 1000).any()
    cars = [
        np.unique(values[values // 1000 == CAR]).tolist()
        for values in (ids(tmp_path / "out", s) for s in objects.stems)
    ]
    assert cars == [[26003], [26003], [], [26000], [26000], [26000], [], [26007], [26007]]


@pytest.mark.parametrize(
    "more",
    [
        ("--method", "inpaint"),
        ("--method", "refine"),
        ("--method", "inpaint", "--settings", "paper"),
        ("--method", "inpaint", "--settings", "paper", "--resample", "once"),
    ],
)
def test_methods_with_a_model(objects, label, small_model, tree, tmp_path, more):
    more = (*more, "--model-steps", 3)
    label(objects, tmp_path / "a", *more).done()
    check_agreement(tmp_path / "a")
    about = json.loads((tmp_path / "a/run.json").read_text())["instances"]
    assert about["objects"] == 2
    label(objects, tmp_path / "b", *more).done()
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_semantic_only_carries_nothing(objects, label, small_model, tmp_path):
    more = ("--method", "semantic", "--model-steps", 2)
    ran = label(objects, tmp_path / "out", *more).done()
    assert "carries nothing, so the keyframes' instances are left out" in ran.err
    assert not (tmp_path / "out/instances").exists()
    assert "use another --method" in label(objects, tmp_path / "x", *more, "--instances", objects.keyframes).error
    ran = label(objects, tmp_path / "y", *more, "--instances", "none").done()
    assert "instances" not in ran.err


def test_neighbouring_keyframes(build_clip, label, save, tmp_path):
    clip = build_clip(tmp_path, 3, keyframes=range(3))
    for index in range(3):
        draw(clip, index, save, car=index, person=9 - index)
    label(clip, tmp_path / "out").done()
    check_followed(tmp_path / "out", clip.truth, car=26000, person=24009, least=0.999)


def test_objects_of_another_scene_get_other_ids(objects, label, tmp_path):
    for index in range(6, 9):
        path = objects.frames / f"{objects.stems[index]}.png"
        Image.fromarray(255 - pixels(path)[::-1]).save(path)
        path = objects.truth / path.name
        Image.fromarray(pixels(path)[::-1].copy()).save(path)
    objects.show(8)
    path = objects.keyframes / "f008_instanceIds.png"
    Image.fromarray(pixels(path)[::-1].copy()).save(path)
    ran = label(objects, tmp_path / "out").done()
    assert "1 scene cut" in ran.err
    check_agreement(tmp_path / "out")
    for index, stem in enumerate(objects.stems):
        found = set(np.unique(ids(tmp_path / "out", stem))) - {ROAD, 23}
        assert found == ({26003, 24001} if index < 6 else {26007, 24003})


def test_new_objects_and_crowds(objects, label, save, tmp_path):
    draw(objects, 4, save, crowd=True)
    draw(objects, 8, save, car=3)
    label(objects, tmp_path / "out").done()
    check_agreement(tmp_path / "out")
    cars = [
        {int(v) for v in np.unique(ids(tmp_path / "out", s)) if v in (26, *range(26000, 27000))} for s in objects.stems
    ]
    assert cars[0] == {26003} and cars[4] == {26} and cars[8] == {26004}
    assert all(found <= {26, 26003} for found in cars[:4]) and all(found <= {26, 26004} for found in cars[5:])


def test_frames_of_a_still_camera(objects, label, save, tmp_path):
    for stem in objects.stems:
        shutil.copyfile(objects.truth / "f000.png", objects.truth / f"{stem}.png") if stem != "f000" else None
        shutil.copyfile(objects.frames / "f000.png", objects.frames / f"{stem}.png") if stem != "f000" else None
    objects.show(4, 8)
    for index, car in ((0, 1), (4, 2), (8, 3)):
        draw(objects, index, save, car=car)
    ran = label(objects, tmp_path / "out").done()
    assert "8 frames repeat" in ran.err
    check_followed(tmp_path / "out", objects.truth, car=26001, least=0.999)


def as_coco(clip):
    """Rewrites the keyframes' instances as COCO panoptic beside the labels' folder."""
    folder = clip.keyframes.parent / "panoptic"
    folder.mkdir()
    annotations = []
    for path in sorted(clip.keyframes.glob("*_instanceIds.png")):
        raw, number = decode_cityscapes(pixels(path), SPACE, "")
        rgb, segments = encode_coco(raw, number, SPACE, "")
        name = path.name.replace("_instanceIds", "")
        Image.fromarray(rgb).save(folder / name)
        annotations.append({"file_name": name, "segments_info": [segment.to_data() for segment in segments]})
        path.unlink()
    (folder.parent / "panoptic.json").write_text(json.dumps({"annotations": annotations}))
    return folder


def test_coco_in_and_out(objects, label, run, tree, tmp_path):
    label(objects, tmp_path / "city").done()
    folder, out = as_coco(objects), tmp_path / "coco"
    label(objects, out, "--instances", folder).done()
    for stem in objects.stems:
        raw, number = read_coco(out / f"instances/{stem}.png", out / "instances.json", SPACE)
        expected = decode_cityscapes(ids(tmp_path / "city", stem), SPACE, "")
        assert (raw == expected[0]).all() and (number == expected[1]).all()
    data = json.loads((out / "instances.json").read_text())
    assert [image["file_name"] for image in data["images"]] == [f"{stem}.png" for stem in objects.stems]
    assert {row["name"] for row in data["categories"] if row["isthing"]} >= {"car", "person"}
    before = tree(out)
    label(objects, out, "--instances", folder).done()
    assert tree(out) == before
    for index in (0, 4, 8):
        stem = objects.stems[index]
        Image.fromarray(drawn(pixels(objects.truth / f"{stem}.png"))).save(
            objects.keyframes / f"{stem}_instanceIds.png"
        )
    label(objects, out).done()
    check_agreement(out)
    assert not (out / "instances.json").exists()


@pytest.mark.parametrize("named", ["{}.png", "{}_instanceIds.png", "{}_gtFine_instanceIds.png"])
def test_a_folder_of_their_own(objects, label, tree, tmp_path, named):
    label(objects, tmp_path / "beside").done()
    folder = tmp_path / "objects"
    folder.mkdir()
    for path in objects.keyframes.glob("*_instanceIds.png"):
        path.rename(folder / named.format(path.name.removesuffix("_instanceIds.png")))
    Image.fromarray(np.zeros((64, 96), np.uint16)).save(folder / named.format("f003"))  # of no keyframe
    label(objects, tmp_path / "apart", "--instances", folder).done()
    assert tree(tmp_path / "beside") == tree(tmp_path / "apart")


def test_a_second_run_writes_nothing(objects, label, tmp_path):
    out = tmp_path / "out"
    label(objects, out).done()
    before = {path: path.stat().st_mtime_ns for path in (out / "instances").iterdir()}
    label(objects, out, "--ground-truth", objects.truth).done()
    assert {path: path.stat().st_mtime_ns for path in (out / "instances").iterdir()} == before


def change_numbers(clip, save):
    draw(clip, 0, save, car=8, person=2)


def change_middle(clip, save):
    draw(clip, 4, save, crowd=True)


def drop_middle(clip, save):
    (clip.keyframes / "f004.png").unlink()
    (clip.keyframes / "f004_instanceIds.png").unlink()


def add_one(clip, save):
    clip.show(6)
    draw(clip, 6, save, car=1, person=6)


def drop_instances(clip, save):
    for path in clip.keyframes.glob("*_instanceIds.png"):
        path.unlink()


def correct_label(clip, save):
    path = clip.keyframes / "f008.png"
    label = pixels(path)
    label[label == PERSON] = ROAD
    save(path, label)
    save(clip.keyframes / "f008_instanceIds.png", drawn(label, car=2))


@pytest.mark.parametrize("change", [change_numbers, change_middle, drop_middle, add_one, drop_instances, correct_label])
def test_a_changed_keyframe_ends_as_a_fresh_run(objects, label, save, tree, tmp_path, change):
    label(objects, tmp_path / "a").done()
    change(objects, save)
    label(objects, tmp_path / "a").done()
    label(objects, tmp_path / "b").done()
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert (tmp_path / "a/instances").exists() == (change is not drop_instances)


def test_other_numbers_at_the_start_change_ids_everywhere_but_no_gap_beyond(objects, label, save, tmp_path):
    out = tmp_path / "out"
    label(objects, out).done()
    times = {path.stem: path.stat().st_mtime_ns for path in (out / "labels").iterdir()}
    change_numbers(objects, save)
    label(objects, out).done()
    check_followed(out, objects.truth, car=26008, person=24002)
    same = {path.stem for path in (out / "labels").iterdir() if path.stat().st_mtime_ns == times[path.stem]}
    assert same == {"f004", "f005", "f006", "f007", "f008"}


def test_what_is_lost_is_made_again(objects, label, tree, tmp_path):
    out = tmp_path / "out"
    label(objects, out).done()
    before = tree(out)
    (out / "instances/f003.png").unlink()
    (out / "instances/f004.png").unlink()
    (out / ".seglift/objects/f006.png").unlink()
    label(objects, out).done()
    assert tree(out) == before
    (out / ".seglift/instances.json").write_text("{")
    label(objects, out).done()
    assert tree(out) == before


def test_killed_between_labels_and_ids(objects, label, save, tree, tmp_path, monkeypatch):
    """Whatever a run leaves that ends before ids are given, no old id lies beside a new label."""
    from seglift.workflows.label.instance_maps import InstanceMaps

    out = tmp_path / "out"
    label(objects, out).done()

    class Killed(BaseException):
        pass

    def die(self):
        raise Killed

    correct_label(objects, save)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(InstanceMaps, "write", die)
        label(objects, out)
    left = {path.stem for path in (out / "instances").iterdir()}
    assert left == {"f000", "f001", "f002", "f003", "f004"}
    for stem in left:
        assert (decode_cityscapes(ids(out, stem), SPACE, "")[0] == pixels(out / f"labels/{stem}.png")).all()
    label(objects, out).done()
    label(objects, tmp_path / "fresh").done()
    assert tree(out) == tree(tmp_path / "fresh")


def test_killed_while_ids_are_written(objects, label, save, tree, tmp_path, monkeypatch):
    from seglift.workflows.label.instance_maps import InstanceMaps

    out, write = tmp_path / "out", InstanceMaps._write_frame
    label(objects, out).done()

    class Killed(BaseException):
        pass

    def die(self, index, **more):
        if index == 5:
            raise Killed
        return write(self, index, **more)

    change_numbers(objects, save)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(InstanceMaps, "_write_frame", die)
        label(objects, out)
    draw(objects, 0, save)  # as it was before
    label(objects, out).done()
    label(objects, tmp_path / "fresh").done()
    assert tree(out) == tree(tmp_path / "fresh")


def test_dry_run_tells_of_them(objects, label, tmp_path):
    said = label(objects, tmp_path / "out", "--dry-run").done().out
    assert "6 instances drawn in the keyframes are carried too, in cityscapes encoding" in said


def test_scores_against_ground_truth(objects, label, save, tmp_path):
    for stem in objects.stems:
        save(objects.truth / f"{stem}_instanceIds.png", drawn(pixels(objects.truth / f"{stem}.png")))
    said = label(objects, tmp_path / "out", "--ground-truth", objects.truth).done().out
    assert "PQ 9" in said and "id switches: 0 (2 objects, matched 12 times in 6 frames)" in said


def test_one_pixel_is_an_object(objects, label, save, tmp_path):
    for index in (0, 4, 8):
        stem = objects.stems[index]
        label_map = pixels(objects.truth / f"{stem}.png")
        label_map[60, 50] = CAR
        values = drawn(label_map)
        values[60, 50] = 26011
        save(objects.keyframes / f"{stem}.png", label_map)
        save(objects.keyframes / f"{stem}_instanceIds.png", values)
    label(objects, tmp_path / "out").done()
    check_agreement(tmp_path / "out")
    assert ids(tmp_path / "out", "f004")[60, 50] == 26011


def test_kinds_of_void_may_differ(objects, label, save, tmp_path):
    path = objects.keyframes / "f004_instanceIds.png"
    label_map, values = pixels(objects.truth / "f004.png"), pixels(path)
    label_map[-3:], values[-3:] = 1, 4
    label_map[-3:, :5], values[-3:, :5] = 1, 29002  # a caravan, which is not evaluated
    save(objects.keyframes / "f004.png", label_map)
    save(path, values)
    label(objects, tmp_path / "out").done()
    check_agreement(tmp_path / "out")
    assert (ids(tmp_path / "out", "f004")[-3:] == 1).all()


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A drawn street with exact instances, and keyframes at every fourth frame with ids of their own."""
    root = tmp_path_factory.mktemp("town")
    write_streets(root / "town", 1, StreetConfig(frames=9, height=192, width=384, seed=5), 1, quiet=True)
    folders = {kind: next((root / "town" / kind / "val").iterdir()) for kind in ("images", "labels", "instances")}
    for kind in ("keys", "objects"):
        (root / kind).mkdir()
    for index in (0, 4, 8):
        name = f"{index:06d}.png"
        shutil.copyfile(folders["labels"] / name, root / "keys" / name)
        values = pixels(folders["instances"] / name).astype(np.int64)
        values = np.where(values >= 1000, values // 1000 * 1000 + (values % 1000 * 7 + index * 31) % 1000, values)
        Image.fromarray(values.astype(np.uint16)).save(root / "objects" / name)
    return root, folders


def test_a_street_against_its_exact_instances(town, run, tmp_path):
    root, folders = town
    words = ("label", folders["images"], "--labels", root / "keys", "--instances", root / "objects")
    run(*words, "--space", "cityscapes", "--out", tmp_path / "out", "--method", "motion", "--device", "cpu").done()
    check_labels = [pixels(path) for path in sorted((tmp_path / "out/labels").iterdir())]
    check_ids = [
        decode_cityscapes(pixels(path), SPACE, "")[0] for path in sorted((tmp_path / "out/instances").iterdir())
    ]
    assert all((a == b).all() for a, b in zip(check_labels, check_ids, strict=True))
    words = ("score", tmp_path / "out", folders["labels"], "--space", "cityscapes", "--json", tmp_path / "scores.json")
    run(*words).done()
    found = json.loads((tmp_path / "scores.json").read_text())
    switches = found["id_switches"]
    assert found["panoptic"]["things"]["pq"] > 0.5
    assert switches["frames"] == 9 and switches["matches"] > 50
    shown = [np.unique(pixels(folders["instances"] / f"{index:06d}.png")) for index in (0, 4, 8)]
    both = sum(np.intersect1d(a, b).searchsorted([1000, 65535]) @ (-1, 1) for a, b in pairwise(shown))
    assert both > 40  # were nothing linked, each of them would switch its id
    assert switches["count"] < 0.4 * both


def test_more_objects_than_numbers(build_clip, label, save, tree, tmp_path, monkeypatch):
    """Two numbers for the cars of a clip of four scenes, as if it were a thousand."""
    clip = build_clip(tmp_path, 13, keyframes=range(0, 13, 2))
    for index in range(0, 13, 2):
        draw(clip, index, save, car=index % 4 // 2, person=1)
    monkeypatch.setitem(MOST_OF_A_CLASS, CITYSCAPES, 2)
    more = ("--max-distance", 1, "--direction", "forward")
    ran = label(clip, tmp_path / "out", *more).done()
    assert "warning" not in ran.err  # neighbours meet, so that there is one car
    monkeypatch.setattr("seglift.propagation.object_tracks.LEAST_IOU", 2.0)  # nothing is the same
    ran = label(clip, tmp_path / "other", *more).done()
    assert "more objects of a class than there are numbers" in ran.err
    cars = [{int(v) for v in np.unique(ids(tmp_path / "other", s)) if v // 1000 == CAR} for s in clip.stems[::2]]
    assert all(len(found) == 1 for found in cars) and all(a != b for a, b in pairwise(cars))
    assert set.union(*cars) == {26000, 26001}
