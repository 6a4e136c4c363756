"""Which folders ``seglift train`` takes, and what it says of those that it does not take."""

from __future__ import annotations

import shutil

import pytest
import yaml

from seglift.cli.main import main

SHORT = ("--set", "fit.steps=2", "--set", "fit.tensorboard=false")


def error_line(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seglift: error:")]
    assert len(lines) == 1
    return lines[0]


def listing(folder):
    return sorted((str(path), path.is_file() and path.read_bytes()) for path in folder.rglob("*"))


@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--dry-run",)], ids=["run", "overwrite", "dry run"])
@pytest.mark.parametrize("record", [None, '{"model": "of another command"}', "no JSON"])
def test_a_folder_of_something_else_is_left_alone(recipe, shapes, tmp_path, capsys, train, more, record):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("precious")
    if record is not None:
        (out / "run.json").write_text(record)
    before = listing(out)
    assert train(recipe, shapes, out, *SHORT, *more) == 2
    assert "no training's folder (it holds chapter.txt)" in error_line(capsys)
    assert listing(out) == before


def test_a_folder_of_the_data_is_left_alone(recipe, shapes, tmp_path, capsys, train):
    root = tmp_path / "data"
    shutil.copytree(shapes, root)
    before = listing(root)
    assert train(recipe, root, tmp_path / "x" / ".." / "data", *SHORT) == 2
    assert "is a folder of the data" in error_line(capsys)
    assert listing(root) == before


def test_an_empty_folder_and_a_training_with_notes_are_taken(recipe, shapes, tmp_path, train):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".hidden").touch()
    assert train(recipe, shapes, out, *SHORT) == 0
    (out / "notes.txt").write_text("worked")
    assert train(recipe, shapes, out, *SHORT) == 0


def test_another_training_is_told_by_what_differs(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, *SHORT) == 0
    capsys.readouterr()
    changes = ("fit.steps=3", "fit.log_every=7", "augmentation.jitter=0.2", "val.split=train")
    words = [word for change in changes for word in ("--set", change)]
    assert train(recipe, shapes, out, *words) == 2
    said = error_line(capsys)
    assert "holds another training: fit.steps 2 -> 3, augmentation.jitter 0.1 -> 0.2, val.split val -> train;" in said
    assert "log_every" not in said

    many = [
        word
        for name in ("batch=2", "tile=64", "epoch_size=8", "short_side=40", "balanced=0")
        for word in ("--set", name)
    ]
    assert train(recipe, shapes, out, *SHORT, *many) == 2
    assert "and 1 more, see recipe.yaml there" in error_line(capsys)


def test_other_images_under_an_equal_recipe_are_the_data(recipe, shapes, tmp_path, capsys, train):
    out, fewer = tmp_path / "out", tmp_path / "fewer"
    assert train(recipe, shapes, out, *SHORT) == 0
    shutil.copytree(shapes, fewer)
    (fewer / "images" / "train" / "003.png").unlink()
    capsys.readouterr()
    assert train(recipe, fewer, out, *SHORT) == 2
    assert "holds another training: the data;" in error_line(capsys)


def test_a_study_is_no_training_and_the_other_way_round(recipe, shapes, tmp_path, capsys, train, recipe_values):
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump({"recipe": recipe_values(), "policies": {"a": {}}}))
    assert train(study, shapes, tmp_path / "out") == 2
    assert "is a study" in (said := error_line(capsys))
    assert "use seglift study" in said
    assert main(["study", str(recipe), "--root", str(shapes), "--out", str(tmp_path / "out")]) == 2
    assert "use seglift train" in error_line(capsys)
    assert not (tmp_path / "out").exists()
