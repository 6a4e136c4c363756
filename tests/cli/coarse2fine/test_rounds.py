"""``seglift coarse2fine`` as a user runs it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main

TOWN = {"dataset": "folder", "name": "town"}


def pixels(path):
    return np.array(Image.open(path))


def test_rounds_then_check_and_score(write, coarse2fine, town, tmp_path, capsys):
    out = tmp_path / "out"
    assert coarse2fine(write(), out) == 0
    said = capsys.readouterr()
    rows = [line.split()[:2] for line in said.out.splitlines() if line[:1].isdigit()]
    assert rows == [["0", "network"], ["1", "network"], ["2", "network"]]
    assert "to round 0" in said.out and "left" not in said.out and "stage 8 of 8" in said.err
    seed = out / "seed_0"
    coarse = {path.name: pixels(path) for path in (seed / "coarse/town/labels/train").iterdir()}
    assert len(coarse) == 6 and len(list((seed / "synthetic/drawn/labels/train").iterdir())) == 6
    for number in (1, 2):  # every round begins with the coarse labels
        filled = seed / f"round_{number}" / "filled"
        for name, drawn in coarse.items():
            label, confidence = pixels(filled / "labels/train" / name), pixels(filled / "confidence/train" / name)
            classed = drawn < 3
            assert (label[classed] == drawn[classed]).all() and (confidence[classed] == 255).all()
            assert (label[-4:] == 5).all() and not (label[:-4] == 5).any()
            added = ~classed & (label < 3)
            assert (confidence[added] >= 102).all() and (confidence[(label == 5) | (label == 9)] == 0).all()
            truth = pixels(town / "labels/train" / name)
            assert ((drawn == truth) | (drawn == 9)).all()
        shares = json.loads((filled / "run.json").read_text())["shares"]
        added = sum(
            ((pixels(filled / "labels/train" / name) < 3) & (drawn > 2)).sum() for name, drawn in coarse.items()
        )
        assert added > 0 and shares["filled"] == pytest.approx(added / (6 * 44 * 64))
        assert 0 < shares["right"] <= 1 and shares["labelled"] == pytest.approx(shares["drawn"] + shares["filled"])
        assert (filled / "images/train" / name).samefile(town / "images/train" / name)
    rounds = json.loads((out / "rounds.json").read_text())
    assert [entry["round"] for entry in rounds["filled"]] == [1, 2]
    assert rounds["filled"][1]["seeds"]["0"] == shares
    scores = json.loads((seed / "round_2/network/scores.json").read_text())
    assert rounds["models"][2]["scores"]["0"]["miou"] == scores["miou"]
    assert len(list(csv.DictReader((out / "rounds.csv").open()))) == 3
    run = json.loads((out / "run.json").read_text())
    assert run["sources"][1]["ignored_classes"] == ["star"] and run["sources"][1]["never_labelled_classes"] == ["disc"]
    assert run["sources"][0]["images"] == 6 and run["sources"][0]["of"] == 10 and run["filled"]
    page = (out / "report.html").read_text()
    assert page.count("<figure><img") == 2 * (1 + 1 + 2 + 1) and "used to judge alone" in page
    assert "seglift coarse2fine" in page and "teacher" not in page

    assert main(["check", "folder", "--root", str(filled)]) == 0
    words = ["--space", str(filled / "space.yaml"), "--json", str(tmp_path / "scores.json")]
    assert main(["score", str(filled), str(town / "labels" / "train"), *words]) == 0
    assert json.loads((tmp_path / "scores.json").read_text())["frames"] == 6


def test_the_dry_run_says_what_is_used_and_what_is_not_mapped(write, coarse2fine, tmp_path, capsys):
    out = tmp_path / "out"
    fine = {"fine": [{**TOWN, "count": 2}], "fine_from_start": True, "fine_tune": {"steps": 2}}
    assert coarse2fine(write(seeds=[0, 1], **fine), out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "coarse labels: 6 of 10 of town train" in said and "92.0 % of whose pixels stay labelled" in said
    assert "synthetic images: 6 of 12" in said
    assert "classes ignored: star; never labelled there: disc" in said
    assert (
        "50% of real views mixed (added to the batch), each class with 50% of any of 12 images, 1 x boundary loss"
        in said
    )
    assert "where all 2 views agree" in said and "the fine labels, too" in said and "at last 2 steps" in said
    lengths = "0 network 8, 1 network 8, 2 network 8, 2 fine-tuned 2 with each seed"
    assert f"8 trainings, 52 steps in total: {lengths}" in said
    assert "19 stages with seeds 0, 1" in said and "nothing was written now" in said
    assert not out.exists()


def test_lengths_in_epochs_are_told_in_steps(write, coarse2fine, training, tmp_path, capsys):
    model = {**training, "fit": {**training["fit"], "epochs": 5}}
    assert coarse2fine(write(model=model, rounds=1), tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "\n1 round\n" in said and "1 training, 15 steps in total: 0 network 15\n" in said  # of 12 images


def test_smaller_budgets_are_parts_of_larger_ones_and_fine_labels_are_others(write, coarse2fine, tmp_path):
    found = {}
    for count in (3, 5):
        out = tmp_path / str(count)
        fine = {"fine": [{**TOWN, "share": 0.3}], "fine_from_start": True}
        recipe = write(coarse=[{**TOWN, "count": count, "simulate": 0.92}], synthetic=[], rounds=1, **fine)
        assert coarse2fine(recipe, out) == 0
        for use in ("coarse", "fine"):
            found[use, count] = {path.name for path in (out / f"seed_0/{use}/town/labels/train").iterdir()}
    assert found["coarse", 3] < found["coarse", 5] and found["fine", 3] == found["fine", 5]
    assert len(found["coarse", 5]) == 5 and len(found["fine", 5]) == 3
    assert not found["coarse", 5] & found["fine", 5]


def test_fine_tuning_learns_from_the_fine_labels_alone_and_begins_with_the_last_network(write, coarse2fine, tmp_path):
    out = tmp_path / "out"
    recipe = write(fine=[{**TOWN, "count": 2}], fine_tune={"steps": 3}, rounds=2, start_from_previous=True)
    assert coarse2fine(recipe, out) == 0
    seed = out / "seed_0"
    tuned = yaml.safe_load((seed / "round_1/fine_tuned/recipe.yaml").read_text())
    assert [source["name"] for source in tuned["train"]] == ["fine_town"] and tuned["kind"] == "segmentation"
    assert tuned["start"] == str((seed / "round_1/network/best.safetensors").resolve())
    last = yaml.safe_load((seed / "round_1/network/recipe.yaml").read_text())
    assert [source["name"] for source in last["train"]] == ["filled", "synthetic_drawn"]
    assert last["synthetic"] == ["synthetic_drawn"] and last["kind"] == "coarse_to_fine"
    assert last["train"][0]["options"] == {"confidence": False}
    assert last["start"] == str((seed / "round_0/network/best.safetensors").resolve())


def test_without_synthetic_images_mix_or_boundary(write, coarse2fine, town, tmp_path):
    """Coarse labels as they are: nothing is simulated, nothing judged."""
    out = tmp_path / "out"
    assert coarse2fine(write(coarse=[TOWN], synthetic=[], rounds=2, weigh_by_confidence=True), out) == 0
    values = yaml.safe_load((out / "seed_0/round_1/network/recipe.yaml").read_text())
    assert values["kind"] == "segmentation" and values["train"][0]["options"] == {}
    first = yaml.safe_load((out / "seed_0/round_0/network/recipe.yaml").read_text())
    assert first["train"][0]["root"] == str(town) and not (out / "coarse").exists()
    assert json.loads((out / "rounds.json").read_text())["filled"][0]["seeds"]["0"]["right"] is None
    assert "used to judge alone" not in (out / "report.html").read_text()
    off = tmp_path / "off"
    assert coarse2fine(write(mix=None, boundary=None, rounds=1), off) == 0
    values = yaml.safe_load((off / "seed_0/round_0/network/recipe.yaml").read_text())
    assert values["mix"]["probability"] == 0 and values["boundary_weight"] == 0


def test_how_much_and_in_which_colours_trainings_learn_from_synthetic_images(write, coarse2fine, tmp_path, capsys):
    out, recipe = tmp_path / "out", write(rounds=1, synthetic_share=0.25, match_colors=0.75)
    assert coarse2fine(recipe, out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "75% in the colours of a real view, 25% of the views" in said and "M parameters, random weights" in said
    assert coarse2fine(recipe, out) == 0
    values = yaml.safe_load((out / "seed_0/round_0/network/recipe.yaml").read_text())
    assert [source.get("quota") for source in values["train"]] == [None, 0.25] and values["match_colors"] == 0.75


def test_views_that_must_be_surer_fill_less(write, coarse2fine, tmp_path):
    filled = []
    for sure in (0.4, 0.999):
        out = tmp_path / str(sure)
        recipe = write(rounds=2, labelling={"scales": [0.5, 1], "flip": True, "confidence": sure})
        assert coarse2fine(recipe, out, "--stages", "5") == 0
        found = json.loads((out / "rounds.json").read_text())["filled"][0]["seeds"]["0"]
        filled.append(found["filled"])
    assert filled[0] > filled[1]


def test_fine_labels_of_another_space_are_tuned_to_as_well(write, coarse2fine, tmp_path):
    out = tmp_path / "out"
    recipe = write(fine=[{"dataset": "folder", "name": "drawn"}], synthetic=[], fine_tune={"steps": 3}, rounds=1)
    assert coarse2fine(recipe, out) == 0
    tuned = yaml.safe_load((out / "seed_0/round_0/fine_tuned/recipe.yaml").read_text())
    (source,) = tuned["train"]
    assert yaml.safe_load((Path(source["root"]) / "space.yaml").read_text())["name"] == "town"
