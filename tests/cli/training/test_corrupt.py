"""Trainings on data of which some files cannot be read."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

IMAGE, LABEL = "images/train/004.png", "labels/train/007.png"  # no neighbours: one stands in for the one before
HELD_OUT = "images/val/001.png"
SHORT = ("--set", "fit.steps=12", "--set", "fit.validate_every=6")
ADVICE = "; --skip-corrupt leaves such images out, `seglift check` lists them all"


@pytest.mark.parametrize("name", [IMAGE, LABEL, HELD_OUT])
def test_a_corrupt_file_is_named_and_stops_the_training(recipe, damage, tmp_path, capsys, train, name):
    assert train(recipe, damage(name), tmp_path / "out", *SHORT) == 2
    error = capsys.readouterr().err
    assert name in error
    lines = [line for line in error.splitlines() if line.startswith("seglift: error:")]
    assert len(lines) == 1
    assert lines[0].endswith(ADVICE)
    assert lines[0].count("--skip-corrupt") == 1
    assert not (tmp_path / "out" / "scores.json").exists()


@pytest.mark.parametrize("name", [LABEL, "labels/val/002.png"])
def test_a_label_of_other_classes_is_not_told_to_take_another_space(recipe, damage, tmp_path, capsys, train, name):
    root = damage()
    Image.fromarray(np.full((48, 64), 77, np.uint8)).save(root / name)
    assert train(recipe, root, tmp_path / "out", *SHORT) == 2
    error = capsys.readouterr().err
    assert name in error
    assert "--space" not in error
    assert ADVICE in error


def test_skip_corrupt_lists_counts_and_goes_on(recipe, damage, tmp_path, capsys, train):
    out, root = tmp_path / "out", damage(IMAGE, LABEL)
    assert train(recipe, root, out, "--skip-corrupt", *SHORT) == 0
    assert "2 images could not be read" in capsys.readouterr().err
    listed = (out / "skipped.txt").read_text().splitlines()
    assert sorted(listed) == [str(root / IMAGE), str(root / "images/train/007.png")]


def test_corrupt_held_out_images_are_dropped_and_nothing_takes_their_place(recipe, damage, tmp_path, capsys, train):
    out, root = tmp_path / "out", damage(HELD_OUT)
    assert train(recipe, root, out, "--skip-corrupt", *SHORT) == 0
    said = capsys.readouterr()
    assert "1 image could not be read" in said.err
    assert said.err.count("skipped: ") == 1
    assert ADVICE not in said.err
    assert (out / "skipped.txt").read_text() == f"{root / HELD_OUT}\n"
    scores = json.loads((out / "scores.json").read_text())
    assert scores["frames"] == 2
    rows = [row for row in csv.DictReader((out / "metrics.csv").open()) if row["miou"]]
    assert len(rows) == 2
    assert max(float(row["miou"]) for row in rows) == pytest.approx(scores["miou"], abs=1e-4)


def test_held_out_data_of_which_nothing_can_be_read_stop_the_training(recipe, damage, tmp_path, capsys, train):
    root = damage(*(f"images/val/{number:03d}.png" for number in range(3)))
    assert train(recipe, root, tmp_path / "a", "--skip-corrupt", *SHORT) == 2
    assert "no validation image that can be read" in capsys.readouterr().err
    test = ["--set", "val=null", "--set", "test={dataset: folder, split: val}"]
    assert train(recipe, root, tmp_path / "b", "--skip-corrupt", *SHORT, *test) == 2
    assert "none of the 3 images" in capsys.readouterr().err
