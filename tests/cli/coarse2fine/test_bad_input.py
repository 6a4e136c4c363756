"""What a user of ``seglift coarse2fine`` can do wrong: status 2 and one line, before anything is written."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main

TOWN = {"dataset": "folder", "name": "town"}
DRAWN = {"dataset": "folder", "name": "drawn"}


@pytest.fixture
def error(coarse2fine, tmp_path, capsys):
    """Runs and gives the one line of the error."""

    def error(recipe, *more, out=None):
        status = coarse2fine(recipe, out or tmp_path / "out", *more)
        lines = capsys.readouterr().err.splitlines()
        assert status == 2 and lines[-1].startswith("seglift: error: "), lines
        assert "Traceback" not in "".join(lines)
        return lines[-1]

    return error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rounds": 0}, "rounds is 0, expected at least 1"),
        ({"round": 2}, "unknown name round; did you mean rounds?"),
        ({"kind": "naive_student"}, "kind is naive_student"),
        ({"model": None}, "model is null"),
        ({"model": "nowhere.yaml"}, "nowhere.yaml"),
        ({"model": "weights"}, "model is 'weights'"),
        ({"model": {"kind": "panoptic"}}, "model is of kind panoptic, expected segmentation"),
        ({"model": {"space": "cityscapes"}}, "model has a space"),
        ({"model": {"stepz": 1}}, "model: unknown name stepz"),
        ({"model": {"network": {"architecture": "unet"}}}, "no network is called 'unet'"),
        ({"coarse": []}, "coarse is empty"),
        ({"coarse": [{**TOWN, "share": 0}]}, "share of town is 0"),
        ({"coarse": [{**TOWN, "share": 0.5, "count": 2}]}, "town has share and count"),
        ({"coarse": [{**TOWN, "count": 0}]}, "count of town is 0"),
        ({"coarse": [{**TOWN, "count": 11}]}, "count 11 of town is 11 of its 10 labelled images, expected 1 to 10"),
        ({"coarse": [{**TOWN, "share": 0.01}]}, "share 0.01 of town is 0 of its 10 labelled images"),
        ({"coarse": [{**TOWN, "simulate": 1.0}]}, "simulate of town is 1.0"),
        ({"coarse": [TOWN, TOWN]}, "two sources are called town"),
        ({"synthetic": [{**DRAWN, "count": 13}]}, "count 13 of drawn is 13 of its 12 labelled images"),
        ({"synthetic": [{**DRAWN, "count": 3}]}, "3 synthetic images are used, expected at least a batch of 4"),
        ({"synthetic": [{**DRAWN, "simulate": 0.5}]}, "unknown name synthetic[0].simulate"),
        ({"fine": [TOWN]}, "neither fine_from_start nor fine_tune uses it"),
        ({"fine_tune": {"steps": 1}}, "there is no fine source"),
        ({"fine": [TOWN], "fine_tune": {"steps": 0}}, "fine_tune.steps is 0"),
        ({"mix": {"probability": 2}}, "probability is 2"),
        ({"mix": {"probabilitx": 1}}, "unknown name mix.probabilitx"),
        ({"boundary": {"temperature": 0}}, "temperature is 0"),
        ({"boundary_weight": -1}, "boundary_weight is -1"),
        ({"match_colors": -0.5}, "match_colors is -0.5, expected 0..1"),
        ({"synthetic_share": 1}, "synthetic_share is 1.0, expected above 0 and below 1"),
        ({"labelling": {"confidence": 1}}, "confidence is 1"),
        ({"labelling": {"average": "probabilities"}}, "expected logits"),
        ({"labelling": {"scales": []}}, "scales is ()"),
        ({"test": None}, "neither val nor test"),
        ({"seeds": [1, 1]}, "each once"),
        ({"snapshots": -1}, "snapshots is -1"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(write, error, change, said, tmp_path):
    assert said in error(write(**change))
    assert not (tmp_path / "out").exists()


def test_what_training_would_refuse_comes_up_before_anything_is_written(write, training, error, tmp_path):
    assert "crops of 480x640" in error(write(model={**training, "crop": [480, 640]}))
    missing = error(write(model={**training, "start": "nowhere"}))
    assert "no weights file at nowhere to start from" in missing and "start: null for random weights" in missing
    assert not (tmp_path / "out").exists()


def test_fine_labels_that_are_only_tuned_to_are_checked_as_well(write, error, town, tmp_path):
    small = shutil.copytree(town, tmp_path / "small")
    for path in (small / "images" / "train").iterdir():
        Image.open(path).resize((16, 12)).save(path)
    for path in (small / "labels" / "train").iterdir():
        Image.open(path).resize((16, 12), Image.Resampling.NEAREST).save(path)
    recipe = write(fine=[{"dataset": "folder", "name": "small"}], fine_tune={"steps": 3})
    assert "crops of" in error(recipe, "--root", f"small={small}")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def relabelled(town, tmp_path):
    """The town with other labels; gives the words that say where it lies."""

    def relabelled(values):
        root = shutil.copytree(town, tmp_path / "other")
        for path in (root / "labels" / "train").iterdir():
            label = np.array(Image.open(path))
            Image.fromarray(values(label).astype(np.uint8)).save(path)
        return "--root", f"other={root}"

    return relabelled


def test_coarse_labels_that_are_void_everywhere(write, error, relabelled, tmp_path):
    recipe = write(coarse=[{"dataset": "folder", "name": "other"}])
    words = relabelled(lambda label: np.full_like(label, 9))
    assert "the 10 coarse labels of other are void everywhere, expected classes of town" in error(recipe, *words)
    assert not (tmp_path / "out").exists()


def test_coarse_labels_of_one_class_are_warned_of(write, coarse2fine, relabelled, tmp_path, capsys):
    recipe = write(coarse=[{"dataset": "folder", "name": "other"}], rounds=1)
    words = relabelled(lambda label: np.where(label == 1, 1, 9))
    assert coarse2fine(recipe, tmp_path / "out", "--dry-run", *words) == 0
    assert "warning: the 10 coarse labels of other have one class alone, disc" in capsys.readouterr().out
    assert coarse2fine(recipe, tmp_path / "out", "--stages", "0", *words) == 0
    assert "have one class alone, disc" in capsys.readouterr().err


def test_spaces_without_a_common_class_empty_sets_and_spaces_without_void(write, error, town, drawn, tmp_path):
    other = shutil.copytree(drawn, tmp_path / "other")
    space = yaml.safe_load((other / "space.yaml").read_text())
    for number, entry in enumerate(space["classes"][:-1]):
        entry["name"] = f"thing {number}"
    (other / "space.yaml").write_text(yaml.safe_dump(space))
    recipe = write(synthetic=[{"dataset": "folder", "name": "other"}])
    assert "none of them in town (ground, disc, box)" in error(recipe, "--root", f"other={other}")
    shutil.rmtree(other / "labels")
    assert "has no labelled image" in error(recipe, "--root", f"other={other}")
    whole = shutil.copytree(town, tmp_path / "whole")
    space = yaml.safe_load((whole / "space.yaml").read_text())
    space["ignore"] = None
    (whole / "space.yaml").write_text(yaml.safe_dump(space))
    recipe = write(coarse=[{"dataset": "folder", "name": "whole"}])
    assert "has no void" in error(recipe, "--root", f"whole={whole}")
    assert not (tmp_path / "out").exists()


def test_images_with_both_labels_are_warned_of(write, coarse2fine, tmp_path, capsys):
    recipe = write(fine=[{**TOWN, "count": 6}], fine_tune={"steps": 1})
    assert coarse2fine(recipe, tmp_path / "out", "--dry-run") == 0
    assert "warning: 2 images are used with both the coarse and the fine label" in capsys.readouterr().out


def test_out_of_something_else(write, error, town, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    assert "other files than those of seglift coarse2fine" in error(write(), out=foreign)
    assert "is the data at" in error(write(), out=town)
    assert "lies in the data at" in error(write(), out=town / "rounds")


def test_an_unreadable_image_is_named_or_left_out(write, town, words, tmp_path, capsys):
    own, out = shutil.copytree(town, tmp_path / "own"), tmp_path / "out"
    path = own / "images" / "train" / "03.png"
    path.write_bytes(path.read_bytes()[:60])
    recipe = write(coarse=[{"dataset": "folder", "name": "own"}], rounds=2)
    given = words(recipe, out, "--root", f"own={own}")
    assert main(given) == 2
    assert "03.png" in capsys.readouterr().err
    assert main([*given, "--skip-corrupt"]) == 0
    assert "unreadable images left out: 1" in capsys.readouterr().err
    filled = out / "seed_0" / "round_1" / "filled"
    assert "03.png" in (filled / "skipped.txt").read_text()
    assert len((filled / "manifest.jsonl").read_text().splitlines()) == 9


def test_recipes_of_other_commands_and_processes(write, training, error, tmp_path, monkeypatch, capsys):
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump({**training, "train": [TOWN]}))
    assert "use seglift train" in error(path)
    path.write_text(yaml.safe_dump({"teacher": training, "student": training, "unlabelled": [TOWN]}))
    assert "use seglift selftrain" in error(path)
    assert main(["train", str(write(kind="coarse_to_fine_rounds")), "--out", str(tmp_path / "out")]) == 2
    assert "kind is coarse_to_fine_rounds" in capsys.readouterr().err
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "coarse2fine runs in one process" in error(write())
    monkeypatch.undo()
    assert "--stages -1" in error(write(), "--stages", "-1")
