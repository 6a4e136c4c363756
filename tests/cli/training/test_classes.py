"""``classes`` of sources: what else than by name becomes of the classes of a data set, in every kind of training."""

from __future__ import annotations

import json

import pytest
import yaml

from seglift.cli.main import main
from seglift.training.loop.fit import fit
from seglift.workflows.train import segmentation

FOLDER = {"dataset": "folder"}
MERGED = {"Box": "disc", "ground": None}


@pytest.fixture
def run(shapes, recipe_values, tmp_path):
    """Runs a recipe whose training source has ``classes``, with changes; gives the exit status."""

    def run(classes, *more, **changes):
        held_out = {**FOLDER, "split": "val"}
        values = recipe_values(train=[{**FOLDER, "classes": classes}], val=held_out)
        values["fit"]["steps"] = 2
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}))
        words = ["train", path, "--root", f"folder={shapes}", "--out", tmp_path / "out", "--device", "cpu", *more]
        return main([str(word) for word in words])

    return run


def test_labels_are_learned_as_the_recipe_says(run, tmp_path, monkeypatch, capsys):
    found = []

    def noting(task, *more):
        found.append({value for sample in task.samples for value in sample.label.ravel().tolist()})
        return fit(task, *more)

    monkeypatch.setattr(segmentation, "fit", noting)
    assert run(MERGED) == 0
    assert found == [{1, 255}]
    said = capsys.readouterr().err
    assert "labels of folder become those of shapes by name; ignored: ground; never labelled there: ground, box" in said
    assert yaml.safe_load((tmp_path / "out/recipe.yaml").read_text())["train"][0]["classes"] == MERGED
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert scores["iou"].keys() == {"ground", "disc", "box"}


def test_another_choice_is_another_training(run, capsys):
    assert run({"box": "disc"}) == 0
    capsys.readouterr()
    assert run({}) == 2
    assert "train.0.classes.box disc -> null; choose another --out" in capsys.readouterr().err
    assert run({"box": "disc"}) == 0
    assert "already trained" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["segmentation", "panoptic"])
@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ({"crate": "box"}, "classes names 'crate', which the data set folder does not have (ground, disc, box)"),
        ({"box": "crate"}, "classes makes 'crate' of 'box' of the data set folder, expected null or a class of shapes"),
        ({3: "box"}, "train[0].classes has 3 for a name, expected text; put it in quotes"),
        ({"box": 3}, "train[0].classes.box is 3, expected text or null"),
        ("box", "train[0].classes is box, expected names with values"),
    ],
)
def test_classes_that_there_are_not(run, tmp_path, capsys, kind, classes, said):
    assert run(classes, kind=kind) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_held_out_sources_and_studies_of_trainings(run, shapes, tmp_path, capsys):
    wrong = {**FOLDER, "split": "val", "classes": {"crate": "box"}}
    assert run({}, test=wrong) == 2
    assert "classes names 'crate'" in capsys.readouterr().err
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({"recipe": "recipe.yaml", "policies": {"a": {}}, "seeds": [0]}))
    words = ["study", path, "--root", f"folder={shapes}", "--out", tmp_path / "out", "--device", "cpu"]
    assert main([str(word) for word in words]) == 2
    assert "classes names 'crate'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
