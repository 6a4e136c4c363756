"""``classes`` of sources of coarse-to-fine rounds, drawn or whole, coarse labels as they are or simulated."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from PIL import Image

TOWN = {"dataset": "folder", "name": "town"}
DRAWN = {"dataset": "folder", "name": "drawn", "classes": {"box": "disc", "star": "box"}}


def values_in(folder):
    return {value for path in folder.iterdir() for value in np.unique(np.array(Image.open(path))).tolist()}


def test_what_is_drawn_is_mapped_once_and_what_is_whole_when_it_is_read(write, coarse2fine, tmp_path, capsys):
    for name, count, classes in (("part", 6, {}), ("whole", 12, DRAWN["classes"])):
        out = tmp_path / name
        recipe = write(synthetic=[{**DRAWN, "count": count}], rounds=1)
        assert coarse2fine(recipe, out, "--dry-run") == 0
        assert "box becomes disc, star becomes box" in capsys.readouterr().out
        assert coarse2fine(recipe, out) == 0
        training = yaml.safe_load((out / "seed_0/round_0/network/recipe.yaml").read_text())
        assert [source["classes"] for source in training["train"]] == [{}, classes]
        (source,) = [one for one in json.loads((out / "run.json").read_text())["sources"] if one["name"] == "drawn"]
        assert source["classes"] == DRAWN["classes"] and source["ignored_classes"] == []
        assert source["never_labelled_classes"] == []
    assert values_in(tmp_path / "part/seed_0/synthetic/drawn/labels/train") == {0, 1, 9}


@pytest.mark.parametrize("count", [6, 10])
def test_coarse_labels_that_are_simulated_are_merged_after_it(write, coarse2fine, tmp_path, count):
    out = tmp_path / "out"
    coarse = [{**TOWN, "count": count, "simulate": 0.92, "classes": {"box": None}}]
    assert coarse2fine(write(coarse=coarse, synthetic=[], rounds=2), out) == 0
    assert 2 in values_in(out / "coarse/town/labels/train")
    filled = out / "seed_0/round_1/filled"
    for path in (filled / "labels/train").iterdir():
        label = np.array(Image.open(path))
        sure = np.array(Image.open(filled / "confidence/train" / path.name))
        simulated = np.array(Image.open(out / "coarse/town/labels/train" / path.name))
        assert ((sure == 255) == (simulated < 2)).all() and (label == simulated)[simulated < 2].all()


def test_another_choice_is_refused(write, coarse2fine, tmp_path, capsys):
    out = tmp_path / "out"
    assert coarse2fine(write(), out, "--stages", "1") == 0
    assert coarse2fine(write(synthetic=[DRAWN]), out) == 2
    said = capsys.readouterr().err
    assert "made otherwise (synthetic." in said and "{" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"synthetic": [{**DRAWN, "classes": {"disc": "box"}}]}, "'disc', which the data set drawn does not have"),
        ({"synthetic": [{**DRAWN, "classes": {"star": "moon"}}]}, "a class of town (ground, disc, box)"),
        ({"coarse": [{**TOWN, "classes": {"box": "moon"}}]}, "a class of town (ground, disc, box)"),
        ({"test": {**TOWN, "split": "val", "classes": {"moon": "box"}}}, "'moon', which the data set town does not"),
    ],
)
def test_classes_that_there_are_not(write, coarse2fine, tmp_path, capsys, change, said):
    assert coarse2fine(write(**change), tmp_path / "out") == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
