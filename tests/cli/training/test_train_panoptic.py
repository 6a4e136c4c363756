"""``seglift train`` of a panoptic network as a user runs it, then ``predict`` and ``score``."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main
from seglift.labels.space_file import get_space
from seglift.training.panoptic import PanopticTask

BOX, DISC = 2, 1


@pytest.fixture(scope="module")
def objects(shapes, tmp_path_factory):
    """The shapes with their instances: what is of one class lies in one piece. Every second has none in train."""
    root = tmp_path_factory.mktemp("objects") / "data"
    shutil.copytree(shapes, root)
    space = yaml.safe_load((root / "space.yaml").read_text())
    for entry in space["classes"]:
        entry["thing"] = entry["category"] == "shape"
    (root / "space.yaml").write_text(yaml.safe_dump(space))
    for split in ("train", "val"):
        (root / "instances" / split).mkdir(parents=True)
        for path in sorted((root / "labels" / split).iterdir()):
            label = np.array(Image.open(path)).astype(np.uint16)
            values = np.where(np.isin(label, (BOX, DISC)), label * 1000, label).astype(np.uint16)
            Image.fromarray(values).save(root / "instances" / split / path.name)
    return root


@pytest.fixture
def write(recipe_values, tmp_path):
    """A recipe's file, with changes by name."""

    def write(**changes):
        values = recipe_values(
            kind="panoptic",
            network={"architecture": "compact_panoptic", "arguments": {"widths": [8, 12, 16], "head": 8}},
            loss={"sigma": 3, "small_area": 50, "share": 1, "offset": 0.05},
            segments={"stuff_area": 0},
        )
        path = tmp_path / "panoptic.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}))
        return path

    return write


def test_train_then_predict_then_score(write, objects, tmp_path, capsys, train):
    out, space = tmp_path / "out", objects / "space.yaml"
    recipe = write()
    assert train(recipe, objects, tmp_path / "dry", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "200 x squared error of centres (sigma 3)" in said and "nothing was written" in said
    assert train(recipe, objects, out, "--set", "fit.steps=80", "--set", "fit.validate_every=40") == 0
    said = capsys.readouterr()
    assert "Panoptic quality by class" in said.out and "ranked by their scores" in said.out
    scores = json.loads((out / "scores.json").read_text())
    assert scores["panoptic"]["pq"] > 0.4
    assert set(scores["panoptic"]["by_class"]) == {"ground", "disc", "box"}
    assert set(scores["instances"]["by_class"]) == {"disc", "box"}
    assert scores["miou"] > 0.6 and scores["iou"]["box"] > 0.3
    rows = [row for row in csv.DictReader((out / "metrics.csv").open()) if row["pq"]]
    assert [row["step"] for row in rows] == ["40", "80"]
    assert max(float(row["pq"]) for row in rows) == pytest.approx(scores["panoptic"]["pq"], abs=1e-9)
    assert "best weights are from step" in said.err and "(pq 0." in said.err
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert yaml.safe_load((out / "recipe.yaml").read_text())["loss"]["small_weight"] == 3.0

    predicted, found = tmp_path / "predicted", tmp_path / "scores.json"
    words = ["--model", str(out), "--space", str(space), "--stuff-area", "0"]
    assert main(["predict", str(objects / "images" / "val"), *words, "--out", str(predicted)]) == 0
    truth = tmp_path / "truth"  # as `score` finds instances
    truth.mkdir()
    for path in (objects / "labels" / "val").iterdir():
        shutil.copy(path, truth / path.name)
        shutil.copy(objects / "instances" / "val" / path.name, truth / f"{path.stem}_instanceIds.png")
    assert main(["score", str(predicted), str(truth), "--space", str(space), "--json", str(found)]) == 0
    again = json.loads(found.read_text())
    by_class, once = (found["panoptic"].pop("by_class") for found in (again, scores))
    assert all(by_class[name] == pytest.approx(once[name]) for name in once)
    assert all(again["panoptic"][part] == pytest.approx(scores["panoptic"][part]) for part in ("things", "stuff", "pq"))
    assert again["instances"]["ap50"] is not None


def test_images_without_instances_are_mixed_in_and_said_once(write, objects, shapes, tmp_path, capsys, train):
    space = str(objects / "space.yaml")
    sources = [
        {"dataset": "folder", "name": "objects", "quota": 0.5},
        {"dataset": "folder", "name": "classes", "options": {"space": space}},
    ]
    recipe = write(train=sources, val={"dataset": "folder", "name": "objects", "split": "val"}, class_balance=0.5)
    roots = ["--root", f"objects={objects}", "--root", f"classes={shapes}"]
    words = ["train", str(recipe), *roots, "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main([*words, "--set", "fit.steps=4", "--set", "fit.validate_every=4"]) == 0
    assert capsys.readouterr().err.count("10 of 20 labelled images have no instances: they teach classes alone") == 1


def test_a_killed_training_goes_on_to_the_same_bytes(write, objects, tmp_path, capsys, train, monkeypatch):
    recipe, batch = write(), PanopticTask.batch
    steps = ["--set", "fit.steps=8", "--set", "fit.checkpoint_every=2", "--set", "fit.validate_every=4"]
    assert train(recipe, objects, tmp_path / "whole", *steps) == 0

    def stops(self, seed, step, part):
        if step == 5:
            raise KeyboardInterrupt
        return batch(self, seed, step, part)

    monkeypatch.setattr(PanopticTask, "batch", stops)
    assert train(recipe, objects, tmp_path / "cut", *steps) == 130
    monkeypatch.undo()
    capsys.readouterr()
    assert train(recipe, objects, tmp_path / "cut", *steps) == 0
    assert "continues after step 4 of 8" in capsys.readouterr().err
    for name in ("best.safetensors", "last.safetensors", "scores.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_two_processes(write, objects, tmp_path):
    recipe = write(fit={"steps": 4, "validate_every": 2, "checkpoint_every": 2, "tensorboard": False})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", port, "-m", "seglift"]
    words = ["train", recipe, "--root", objects, "--out", tmp_path / "out", "--device", "cpu"]
    ran = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *map(str, [*launch, *words])],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Panoptic quality by class") == 1
    rows = [row for row in csv.DictReader((tmp_path / "out" / "metrics.csv").open()) if row["pq"]]
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert max(float(row["pq"]) for row in rows) == pytest.approx(scores["panoptic"]["pq"], abs=1e-4)


def test_a_semantic_training_is_the_start(write, recipe, objects, tmp_path, capsys, train):
    assert train(recipe, objects, tmp_path / "semantic", "--set", "fit.steps=2") == 0
    panoptic = write(start=str(tmp_path / "semantic"))
    assert train(panoptic, objects, tmp_path / "out", "--set", "fit.steps=2") == 0
    assert "has no instance heads" in capsys.readouterr().err


def test_what_cannot_be_trained_is_said_in_one_line(write, objects, shapes, tmp_path, capsys, train):
    space = {"dataset": "folder", "split": "train", "options": {"space": str(objects / "space.yaml")}}
    flat = tmp_path / "flat"
    shutil.copytree(objects, flat)
    shutil.rmtree(flat / "instances" / "val")
    cases = [
        (write, {"train": [space], "val": None}, shapes, "none of the 10 labelled images has instances"),
        (write, {}, shapes, "has no things"),
        (write, {}, flat, "val (folder val at"),
        (write, {"network": {"architecture": "compact_unet"}}, objects, "compact_unet has no instance heads"),
        (write, {"loss": {"sigmas": 3}}, objects, "unknown name loss.sigmas; did you mean loss.sigma"),
        (write, {"loss": {"name": "relaxed"}}, objects, "unknown name loss.name"),
        (write, {"segments": {"window": 4}}, objects, "window is 4"),
        (write, {"loss": {"share": 0}}, objects, "share is 0"),
        (write, {"kind": "panoptics"}, objects, "segmentation, panoptic, video_prediction, refiner"),
    ]
    for make, changes, root, said in cases:
        assert train(make(**changes), root, tmp_path / "out") == 2, said
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seglift: error:")]
        assert said in line
    assert not (tmp_path / "out" / "best.safetensors").exists()


def test_a_semantic_training_leaves_no_untrained_instance_heads(recipe, objects, tmp_path, capsys, train):
    assert train(recipe, objects, tmp_path / "out", "--set", "network={architecture: compact_panoptic}") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "network compact_panoptic has instance heads, which kind: segmentation does not train" in error
    assert "compact_unet" in error and not (tmp_path / "out").exists()


def test_images_without_a_single_labelled_pixel(write, objects, tmp_path, capsys, train):
    root = tmp_path / "void"
    shutil.copytree(objects, root)
    ignore = get_space(str(root / "space.yaml")).ignore
    for kind in ("labels", "instances"):
        for path in sorted((root / kind / "train").iterdir()):
            Image.fromarray(np.full_like(np.array(Image.open(path)), ignore)).save(path)
    assert train(write(), root, tmp_path / "out", "--set", "fit.steps=2") == 0
    with (tmp_path / "out" / "metrics.csv").open() as file:
        assert {float(row["loss"]) for row in csv.DictReader(file) if row["loss"]} == {0.0}


def test_instances_of_another_size_are_skipped_where_asked(write, objects, tmp_path, capsys, train):
    root = tmp_path / "cut"
    shutil.copytree(objects, root)
    path = sorted((root / "instances" / "train").iterdir())[0]
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)
    recipe = write()
    assert train(recipe, root, tmp_path / "out", "--set", "fit.steps=6") == 2
    assert "is not of the size of" in capsys.readouterr().err
    assert train(recipe, root, tmp_path / "out", "--set", "fit.steps=6", "--skip-corrupt", "--overwrite") == 0
    assert "1 image could not be read and was left out" in capsys.readouterr().err


def test_the_fixture_tells_things_from_stuff(objects):
    assert get_space(str(objects / "space.yaml")).thing_train_ids == (1, 2)
