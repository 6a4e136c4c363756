"""``seglift selftrain`` as a user runs it."""

from __future__ import annotations

import csv
import json

import numpy as np
import yaml
from PIL import Image

from seglift.cli.main import main


def pixels(path):
    return np.array(Image.open(path))


def test_rounds_then_check_and_score(write, selftrain, town, tmp_path, capsys):
    out = tmp_path / "out"
    assert selftrain(write(), out) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines if line[:1].isdigit()] == [
        ["0", "teacher"],
        ["1", "student"],
        ["1", "fine-tuned"],
        ["2", "student"],
        ["2", "fine-tuned"],
    ]
    assert "left" not in said.out and "stage 7 of 7" in said.err and "warning" not in said.err
    rounds = json.loads((out / "rounds.json").read_text())["models"]
    for row, name in zip(rounds, ("teacher", "student", "fine_tuned", "student", "fine_tuned"), strict=True):
        folder = out / "seed_0" / f"round_{row['round']}" / name
        scores = json.loads((folder / "scores.json").read_text())
        assert (row["model"], row["scores"]["0"]["miou"]) == (name, scores["miou"])
    rows = list(csv.DictReader((out / "rounds.csv").open()))
    assert len(rows) == 5 and float(rows[0]["miou"]) == round(rounds[0]["scores"]["0"]["miou"], 6)
    page = (out / "report.html").read_text()
    assert page.count("<figure><img") == 2 * (1 + 2 + 1) and "after round 2" in page

    pseudo = out / "seed_0" / "round_1" / "pseudo"
    assert main(["check", "folder", "--root", str(pseudo)]) == 0
    checked = capsys.readouterr().out
    assert "12" in checked
    found = tmp_path / "scores.json"
    words = ["--space", str(pseudo / "space.yaml"), "--json", str(found)]
    assert main(["score", str(pseudo), str(town / "labels" / "train"), *words]) == 0
    assert json.loads(found.read_text())["frames"] == 12


def test_ego_regions_are_copied_within_the_clip_and_images_are_links(write, selftrain, town, tmp_path):
    out = tmp_path / "out"
    assert selftrain(write(rounds=1, fine_tune=None), out) == 0
    pseudo = out / "seed_0" / "round_1" / "pseudo"
    lines = [json.loads(line) for line in (pseudo / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 12
    assert {(line["k"], line["source_frame"]) for line in lines if line["clip"] == "clip2"} == {
        (-1, "clip2_01"),
        (0, "clip2_01"),
        (1, "clip2_01"),
    }
    for line in lines:
        label = pixels(pseudo / line["label"])
        assert (label[-6:] == 5).all() and not (label[:-6] == 5).any()
    image = pseudo / lines[0]["image"]
    assert image.samefile(town / "images" / "train" / "clip0" / "00.png")

    without = tmp_path / "without"
    assert selftrain(write(rounds=1, fine_tune=None, void_classes=[]), without) == 0
    label = pixels(without / "seed_0" / "round_1" / "pseudo" / lines[0]["label"])
    assert not (label == 5).any()


def test_panoptic_rounds_have_instances_and_their_scores(write, selftrain, panoptic, town, tmp_path, capsys):
    out = tmp_path / "out"
    more = ["--set", "segments={stuff_area: 0, threshold: 0.01}", "--set", "rounds=1"]
    assert selftrain(write(teacher=panoptic, student=panoptic), out, *more) == 0
    table = capsys.readouterr().out
    assert "PQ" in table and "AP" in table
    rounds = json.loads((out / "rounds.json").read_text())["models"]
    assert all({"miou", "pq", "ap"} <= row["scores"]["0"].keys() for row in rounds)
    pseudo = out / "seed_0" / "round_1" / "pseudo"
    for line in map(json.loads, (pseudo / "manifest.jsonl").read_text().splitlines()):
        instances, label = pixels(pseudo / line["instances"]), pixels(pseudo / line["label"])
        np.testing.assert_array_equal(np.where(instances >= 1000, instances // 1000, instances), label)
    assert main(["check", "folder", "--root", str(pseudo)]) == 0
    words = ["--space", str(pseudo / "space.yaml"), "--json", str(tmp_path / "scores.json")]
    assert main(["score", str(pseudo), str(town / "labels" / "train"), *words]) == 0
    assert json.loads((tmp_path / "scores.json").read_text())["panoptic"]["pq"] > 0


def test_a_share_of_labels_and_of_frames_is_drawn_by_the_seed_and_mixed_in(write, selftrain, town, tmp_path, capsys):
    out, values = tmp_path / "out", {"dataset": "folder", "name": "town", "share": 0.25}
    recipe = write(labelled=[values], share=0.5, mix=0.25, seeds=[0, 1], rounds=1, labelled_frames=False)
    assert selftrain(recipe, out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "human labels: 3 of 12 of town" in said and "10 stages with seeds 0, 1" in said
    assert "6 trainings, 30 steps in total: 0 teacher 6, 1 student 6, 1 fine-tuned 3 with each seed" in said
    assert not out.exists()
    assert selftrain(recipe, out) == 0
    assert "±" in capsys.readouterr().out
    drawn = []
    for seed in (0, 1):
        folder = out / f"seed_{seed}"
        human = sorted(path.name for path in (folder / "human" / "town" / "labels" / "train").iterdir())
        frames = [
            path.relative_to(folder / "round_1/pseudo/labels/train") for path in folder.rglob("pseudo/labels/**/*.png")
        ]
        assert len(human) == 3 and len(frames) == round(0.5 * 9)
        assert not {"_".join(path.parts) for path in frames} & set(human)
        drawn.append(human)
        source = town / "labels" / "train" / human[0].replace("_", "/", 1)
        assert (pixels(folder / "human" / "town" / "labels" / "train" / human[0]) == pixels(source)).all()
    assert drawn[0] != drawn[1]


def test_frames_of_video_around_labelled_ones_and_plain_folders(write, selftrain, town, tmp_path):
    out = tmp_path / "out"
    sources = [
        {"dataset": "folder", "name": "town", "options": {"every": 3, "first": 1}, "before": 1, "after": 1},
        {"frames": "more"},
    ]
    recipe = write(unlabelled=sources, rounds=1, fine_tune=None)
    assert selftrain(recipe, out, "--root", f"more={town / 'images' / 'val'}") == 0
    manifest = (out / "seed_0" / "round_1" / "pseudo" / "manifest.jsonl").read_text().splitlines()
    names = [json.loads(line)["label"] for line in manifest]
    assert sum("/town_clip" in name for name in names) == 12 and sum("/more_clip" in name for name in names) == 6


def test_a_student_begins_with_the_one_before_and_a_smaller_one_is_warned_of(
    write, selftrain, training, tmp_path, capsys
):
    teacher = {**training, "network": {"architecture": "compact_unet", "arguments": {"widths": [12, 16]}}}
    recipe = write(teacher=teacher, start_from_previous=True, fine_tune=None)
    assert selftrain(recipe, tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert said.count("warning: the student of round 1") == 1 and "equal or larger" in said
    text = (tmp_path / "out" / "seed_0" / "round_2" / "student" / "recipe.yaml").read_text()
    assert "round_1/student/best.safetensors" in text


def test_students_begin_with_their_teachers(write, selftrain, tmp_path):
    assert selftrain(write(start_from_teacher=True), tmp_path / "out") == 0
    starts = [
        yaml.safe_load((tmp_path / f"out/seed_0/round_{number}/student/recipe.yaml").read_text())["start"]
        for number in (1, 2)
    ]
    assert starts[0].endswith("round_0/teacher/best.safetensors")
    assert starts[1].endswith("round_1/fine_tuned/best.safetensors")
