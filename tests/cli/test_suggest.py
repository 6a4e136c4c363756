"""``seglift suggest`` as users run it."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.labels.space_file import get_space
from seglift.models.zoo import build

SPACE = get_space("cityscapes")
ROAD, CAR, SKY, RIDER, TRAIN, BICYCLE = 7, 26, 23, 25, 31, 33


@pytest.fixture
def labelled(build_clip, label, tmp_path):
    """A clip of 21 frames, labelled from three."""
    clip = build_clip(tmp_path, 21, (0, 10, 20))
    label(clip, tmp_path / "out").done()
    return clip, tmp_path / "out"


def test_frames_are_those_that_the_report_names(labelled, run, tmp_path, tree):
    _, out = labelled
    before = tree(tmp_path, skip=())
    ran = run("suggest", out, "--json", tmp_path / "next.json", "--list", tmp_path / "next.txt").done()
    cards = re.findall(r'data-frame="(\d+)"><span class="thumbnail"', (out / "report.html").read_text())
    found = json.loads((tmp_path / "next.json").read_text())
    assert [row["index"] for row in found["suggestions"]] == [int(card) for card in cards]
    lines = {line["stem"]: line for line in map(json.loads, (out / "frames.jsonl").read_text().splitlines())}
    for rank, row in enumerate(found["suggestions"], 1):
        assert row["rank"] == rank and row["minutes"] == 90 and row["clip"] == str(out)
        assert row["estimated_miou"] == lines[row["stem"]]["estimated_miou"] and row["distance"] > 0
        assert row["file"] == str(out / f"labels/{row['stem']}.png") and row["file"] in ran.out
    assert (tmp_path / "next.txt").read_text().split() == [row["file"] for row in found["suggestions"]]
    assert found["hours"] == found["count"] * 1.5 and f"{found['hours']:.1f} hours at 90 minutes each" in ran.out
    after = tree(tmp_path, skip=())
    assert {name: data for name, data in after.items() if not name.startswith("next.")} == before


def test_a_drawn_frame_is_not_suggested_again(labelled, run, label, tmp_path):
    clip, out = labelled
    words = ("suggest", out, "--count", 3, "--minutes-per-label", 12, "--json", tmp_path / "next.json")
    assert "0.6 hours at 12 minutes each" in run(*words).done().out
    first = json.loads((tmp_path / "next.json").read_text())["suggestions"][0]["index"]
    clip.show(first)
    label(clip, out).done()
    run(*words).done()
    assert first not in [row["index"] for row in json.loads((tmp_path / "next.json").read_text())["suggestions"]]


def test_several_clips_and_hours(labelled, build_clip, label, run, tmp_path):
    _, out = labelled
    other = build_clip(tmp_path / "other", 9, (0,))
    label(other, tmp_path / "second").done()
    words = ("suggest", out, tmp_path / "second", "--hours", 1, "--minutes-per-label", "coarse")
    ran = run(*words, "--json", tmp_path / "next.json").done()
    rows = json.loads((tmp_path / "next.json").read_text())["suggestions"]
    assert len(rows) == 8 and {row["clip"] for row in rows} == {str(out), str(tmp_path / "second")}
    assert "8 of 26 frames that are no keyframes" in ran.out


def test_clips_that_cannot_be_used(labelled, run, label, tmp_path, build_clip):
    _, out = labelled
    assert "--count 19, there are 18 frames" in run("suggest", out, "--count", 19).error
    assert "--hours 30 is enough for 20 labels" in run("suggest", out, "--hours", 30).error
    assert "enough for 0 labels" in run("suggest", out, "--hours", 1).error
    assert "does not exist" in run("suggest", tmp_path / "no").error
    assert "has no frames.jsonl" in run("suggest", tmp_path / "frames").error
    assert "is a file" in run("suggest", out / "run.json").error
    assert "given twice" in run("suggest", out, out).error
    assert "--model is for images" in run("suggest", out, "--model", "x").error
    assert "--sampling is for images" in run("suggest", out, "--sampling", "uniform").error
    for words, told in (
        (["--count", 0], "--count 0"), (["--count", "x"], "--count"), (["--hours", "nan"], "--hours nan"),
        (["--count", 1, "--hours", 2], "not allowed with"), (["--minutes-per-label", "slow"], "'slow'"),
        (["--sampling", "best"], "--sampling"), (["--json", out / "run.json/x"], "cannot write"),
    ):  # fmt: skip
        assert told in run("suggest", out, *words).error, words
    (out / "labels/f005.png").unlink()  # as after a run that was killed
    assert "not finished; run the same command again" in run("suggest", out).error
    (out / "frames.jsonl").unlink()
    assert "not finished" in run("suggest", out).error


@pytest.fixture
def pool(tmp_path, save):
    """Twelve images of two cities, the labels of two, and predictions of all that a perfect model would make."""
    shows = {
        "a/a_0": [CAR], "a/a_1": [CAR], "a/a_2": [CAR], "a/a_3": [CAR], "a/a_4": [CAR, RIDER], "a/a_5": [CAR],
        "b/b_0": [CAR], "b/b_1": [CAR], "b/b_2": [TRAIN], "b/b_3": [CAR], "b/b_4": [CAR, RIDER], "b/b_5": [],
    }  # fmt: skip
    for number, (name, classes) in enumerate(shows.items()):
        noise = np.random.default_rng(number).integers(0, 255, (32, 48, 3), dtype=np.uint8)
        save(tmp_path / f"images/{name}_leftImg8bit.png", noise)
        label = np.full((32, 48), ROAD, np.uint8)
        label[:16] = SKY
        for place, raw in enumerate(classes):
            label[20:26, 10 * place : 10 * place + 8] = raw
        label[31, 47] = TRAIN  # one pixel is no train
        save(tmp_path / f"predicted/labels/{name}_leftImg8bit.png", label)
        if name in {"a/a_0", "b/b_1"}:
            save(tmp_path / f"labels/{name}_gtCoarse_labelIds.png", label)
    words = ["suggest", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "--space", "cityscapes"]
    return [*words, "--predictions", tmp_path / "predicted"]


def found_in(path):
    return [row["stem"].removesuffix("_leftImg8bit") for row in json.loads(path.read_text())["suggestions"]]


def test_images_with_classes_that_are_lacking_come_first(pool, run, tmp_path):
    ran = run(*pool, "--count", 3, "--minutes-per-label", "coarse", "--json", tmp_path / "next.json").done()
    chosen = found_in(tmp_path / "next.json")
    assert "b/b_2" in chosen and {"a/a_4", "b/b_4"} & set(chosen)
    found = json.loads((tmp_path / "next.json").read_text())
    train = next(row for row in found["suggestions"] if row["stem"].startswith("b/b_2"))
    assert [row["classes_in_images_before"]["road"] for row in found["suggestions"]] == [2, 3, 4]
    assert train["classes_in_images_before"]["train"] == 0 and train["file"].endswith("b/b_2_leftImg8bit.png")
    assert found["classes"]["train"] == {"labelled": 0, "with_suggested": 1}
    assert found["classes"]["road"] == {"labelled": 2, "with_suggested": 5}
    assert "train (0)" in ran.out and "images with each class" in ran.out
    assert "3 of 10 unlabelled images" in ran.out and "0.3 hours at 7 minutes each" in ran.out
    everything = tmp_path / "all.json"
    run(*pool, "--count", 10, "--json", everything).done()
    assert found_in(everything)[:3] == chosen and len(set(found_in(everything))) == 10
    assert not {"a/a_0", "b/b_1"} & set(found_in(everything))


def test_classes_that_the_model_never_finds_are_told(pool, run, tmp_path, save):
    label = np.full((32, 48), ROAD, np.uint8)
    label[:10] = BICYCLE
    save(tmp_path / "labels/a/a_5_gtCoarse_labelIds.png", label)
    out = run(*pool, "--count", 2).done().out
    assert "labelled images show bicycle, but the model finds none in the unlabelled ones" in out


def test_uniform_sampling_needs_no_model_and_is_nested_by_seed(pool, run, tmp_path):
    words = [*pool[:-4], "--space", "cityscapes", "--sampling", "uniform", "--json", tmp_path / "next.json"]
    run(*words, "--count", 10).done()
    everything = found_in(tmp_path / "next.json")
    assert "at random" in run(*words, "--count", 4).done().out
    assert found_in(tmp_path / "next.json") == everything[:4]
    assert "classes" not in json.loads((tmp_path / "next.json").read_text())
    run(*words, "--count", 10, "--seed", 1).done()
    assert sorted(found_in(tmp_path / "next.json")) == sorted(everything) != found_in(tmp_path / "next.json")
    run(*pool, "--sampling", "uniform", "--count", 4).done()


def write_model(folder):
    """A network with random weights, as a checkpoint."""
    config = {
        "architecture": "compact_deeplab",
        "arguments": {"num_classes": SPACE.num_train, "width": 8, "low_level": 8},
    }
    network = build(config, seed=3).eval()
    about = segmentation_metadata(config, SPACE.name, SPACE.train_names, 64)
    save_weights(folder / "best.safetensors", network.state_dict(), about)
    return folder


def test_a_model_says_what_its_predictions_say(pool, run, tmp_path):
    model = write_model(tmp_path / "model")
    images = tmp_path / "images"
    run(
        "predict", images, "--model", model, "--space", "cityscapes", "--out", tmp_path / "made", "--device", "cpu"
    ).done()
    words = [*pool[:-2], "--count", 6, "--device", "cpu"]
    run(*words, "--model", model, "--json", tmp_path / "model.json").done()
    run(*words, "--predictions", tmp_path / "made", "--json", tmp_path / "made.json").done()
    assert json.loads((tmp_path / "model.json").read_text()) == json.loads((tmp_path / "made.json").read_text())
    assert "was written by seglift predict" in run("suggest", tmp_path / "made").error


def test_a_dataset_is_a_pool_too(pool, run, tmp_path):
    root = tmp_path / "data"
    for path in (tmp_path / "images").rglob("*.png"):
        (root / "images/train").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, root / "images/train" / path.name)
    (root / "labels/train").mkdir(parents=True)
    shutil.copyfile(tmp_path / "labels/a/a_0_gtCoarse_labelIds.png", root / "labels/train/a_0_leftImg8bit.png")
    words = ["suggest", "--dataset", "folder", "--root", root, "--option", "space=cityscapes", "--count", 2]
    ran = run(*words, "--model", write_model(tmp_path / "model"), "--device", "cpu").done()
    assert "2 of 11 unlabelled images" in ran.out
    assert "no dataset is called 'nothing'" in run("suggest", "--dataset", "nothing", "--root", root, *pool[-2:]).error
    assert "needs its folder" in run("suggest", "--dataset", "folder", *pool[-2:]).error
    assert "--space does not go with --dataset" in run(*words, *pool[-2:], "--space", "kitti").error


def test_where_every_image_has_a_label_it_is_said_how_to_count_fewer(run, tmp_path):
    root = tmp_path / "whole"
    for folder in ("images/train", "labels/train"):
        (root / folder).mkdir(parents=True)
        for name in "ab":
            shape = (8, 8, 3) if folder == "images/train" else (8, 8)
            Image.fromarray(np.full(shape, 7, np.uint8)).save(root / folder / f"{name}.png")
    words = ["suggest", "--dataset", "folder", "--root", root, "--option", "space=cityscapes", "--sampling", "uniform"]
    assert "every image has a label" in (said := run(*words, "--count", 1).error) and "--labelled FILE" in said
    assert "1 of 2 unlabelled images" in run(*words, "--count", 1, "--labelled", "none").done().out


def test_an_order_begins_with_the_labelled_images_and_is_continued(pool, run, tmp_path):
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    run(*pool[:-2], "--sampling", "uniform", "--labelled", "none", "--count", 2, "--order", first).done()
    assert len(set(first.read_text().split())) == 2
    first.write_text("b/b_1_leftImg8bit\na/a_0_leftImg8bit\n")
    ran = run(*pool, "--labelled", first, "--count", 2, "--order", second).done()
    assert "2 of 10 unlabelled images" in ran.out
    names = second.read_text().split()
    assert names[:2] == first.read_text().split() and len(set(names)) == 4
    first.write_text("b/b_1_leftImg8bit\n")
    assert "2 of 11 unlabelled images" in run(*pool, "--labelled", first, "--count", 2).done().out
    for line, told in (
        ("b/b_2_leftImg8bit", "names b/b_2_leftImg8bit, which has no label"),
        ("b/b_9", "names b/b_9, which"),
        ("b/b_1_leftImg8bit\nb/b_1_leftImg8bit", "twice"),
    ):
        first.write_text(line)
        assert told in run(*pool, "--labelled", first).error
    assert "--order is for images" in run("suggest", tmp_path, "--order", first).error


def test_images_that_cannot_be_used(pool, run, tmp_path):
    images = ["suggest", "--images", tmp_path / "images"]
    for words, told in (
        (["suggest"], "give one of them"), (images, "give --model or --predictions"),
        ([*images, "--model", tmp_path / "no"], "neither a file nor a folder"),
        ([*images, *pool[-2:]], "give --space"), ([*images, "--labels", tmp_path / "labels"], "give --model"),
        ([*images, "--labels", tmp_path / "labels", *pool[-2:]], "--labels needs the label space"),
        ([*images, "--root", tmp_path, *pool[-2:]], "--root does not go with --images"),
        ([*images, "--split", "val", *pool[-2:]], "--split does not go with --images"),
        ([*pool, "--model", "m"], "give one of them"), ([*pool, "--count", 11], "--count 11, there are 10 unlabelled"),
        ([*pool, "--hours", 100], "enough for 66 labels"),
        ([*images, *pool[-2:], "--space", "camvid11"], "camvid11"),
        ([*images, *pool[-2:], "--space", "nowhere"], "nowhere"),
        ([*images, "--dataset", "folder", *pool[-2:]], "give one of them"),
    ):  # fmt: skip
        assert told in run(*words).error, words
    missing = next((tmp_path / "predicted/labels").rglob("a_3*.png"))
    missing.unlink()
    assert "no prediction of 1 of 12 images, the first: a/a_3_leftImg8bit" in run(*pool).error
    for path in (tmp_path / "labels").rglob("*.png"):
        path.rename(path.with_name(f"x{path.name}"))
    assert "belongs to an image" in run(*pool).error


def test_a_model_of_other_classes_is_refused(pool, run, tmp_path):
    (tmp_path / "own.yaml").write_text(
        "name: own\nignore: 255\nclasses: [{id: 0, name: cheese}, {id: 1, name: wine}]\n"
    )
    words = ["suggest", "--images", tmp_path / "images", "--space", tmp_path / "own.yaml", "--device", "cpu"]
    assert "cheese" in run(*words, "--model", write_model(tmp_path / "model")).error


def test_help_says_what_can_be_given(run):
    text = run("suggest", "--help").out
    assert all(f"--{name}" in text for name in ("images", "hours", "minutes-per-label", "sampling", "list", "json"))


def test_pictures_are_only_read(pool, run, tmp_path, tree):
    before = tree(tmp_path, skip=())
    run(*pool).done()
    assert tree(tmp_path, skip=()) == before
    assert Image.open(next((tmp_path / "images").rglob("*.png"))).size == (48, 32)
