"""``seglift train`` and ``seglift study`` as a user runs them, on a tiny data set of coloured shapes."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.base.weights import load_weights
from seglift.cli.main import main

SPACE = {
    "name": "shapes",
    "ignore": 9,
    "classes": [
        {"id": 0, "name": "ground", "color": [90, 90, 90], "train_id": 0, "category": "flat"},
        {"id": 1, "name": "disc", "color": [200, 30, 30], "train_id": 1, "category": "shape"},
        {"id": 2, "name": "box", "color": [30, 30, 200], "train_id": 2, "category": "shape"},
        {"id": 9, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
    ],
}
COLORS = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200]], np.uint8)


def draw(generator):
    """An image and its labels: a disc and a box on grey, the class told by colour."""
    label = np.zeros((48, 64), np.uint8)
    y, x = np.mgrid[:48, :64]
    cy, cx = generator.integers(8, 40), generator.integers(8, 56)
    label[(y - cy) ** 2 + (x - cx) ** 2 < 49] = 1
    top, left = generator.integers(0, 36), generator.integers(0, 52)
    label[top : top + 12, left : left + 12] = 2
    noise = generator.integers(-25, 26, (48, 64, 3))
    image = np.clip(COLORS[label].astype(int) + noise, 0, 255).astype(np.uint8)
    label[:2] = 9
    return image, label


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    generator = np.random.default_rng(0)
    (root / "space.yaml").write_text(yaml.safe_dump(SPACE))
    for split, count in (("train", 10), ("val", 3)):
        for part in ("images", "labels"):
            (root / part / split).mkdir(parents=True)
        for number in range(count):
            image, label = draw(generator)
            Image.fromarray(image).save(root / "images" / split / f"{number:03d}.png")
            Image.fromarray(label).save(root / "labels" / split / f"{number:03d}.png")
    return root


def recipe_values(**changes):
    return {
        "train": [{"dataset": "folder", "split": "train"}],
        "val": {"dataset": "folder", "split": "val"},
        "network": {"architecture": "compact_unet", "arguments": {"widths": [8, 12, 16]}},
        "crop": [32, 48],
        "batch": 4,
        "short_side": None,
        "augmentation": {"scale": [0.8, 1.25], "jitter": 0.1, "blur": None},
        "fit": {"steps": 40, "learning_rate": 0.01, "average": 0.8, "checkpoint_every": 5, "validate_every": 20},
        **changes,
    }


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_values()))
    return path


def train(recipe, root, out, *more):
    return main(["train", str(recipe), "--root", str(root), "--out", str(out), "--device", "cpu", *more])


def test_a_training_learns_scores_and_leaves_a_model_that_predict_takes(recipe, shapes, tmp_path, capsys):
    out = tmp_path / "out"
    assert train(recipe, shapes, out) == 0
    said = capsys.readouterr().out
    scores = json.loads((out / "scores.json").read_text())
    assert scores["miou"] > 0.6
    assert scores["frames"] == 3
    assert "disc" in said
    assert f"{100 * scores['miou']:.1f}" in said
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert rows[-1]["step"] == "40"
    assert [row["step"] for row in rows if row["miou"]] == ["20", "40"]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "tensorboard").iterdir())
    written = yaml.safe_load((out / "recipe.yaml").read_text())
    assert written["fit"]["steps"] == 40
    assert written["augmentation"]["flip"] == 0.5
    _, metadata = load_weights(out / "best.safetensors")
    assert metadata["classes"] == ["ground", "disc", "box"]
    assert not (out / "checkpoint.safetensors").exists()

    predicted = tmp_path / "predicted"
    frames, space = shapes / "images" / "val", shapes / "space.yaml"
    assert main(["predict", str(frames), "--model", str(out), "--space", str(space), "--out", str(predicted)]) == 0
    truth = shapes / "labels" / "val"
    assert main(["score", str(predicted), str(truth), "--space", str(space), "--json", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text())["miou"] == pytest.approx(scores["miou"], abs=1e-9)


def test_the_same_command_again_repeats_nothing(recipe, shapes, tmp_path):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, "--set", "fit.steps=6") == 0
    before = (out / "best.safetensors").stat().st_mtime_ns
    assert train(recipe, shapes, out, "--set", "fit.steps=6") == 0
    assert (out / "best.safetensors").stat().st_mtime_ns == before


def test_another_recipe_on_the_same_folder_is_refused_and_nothing_is_lost(recipe, shapes, tmp_path, capsys):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, "--set", "fit.steps=6") == 0
    kept = (out / "best.safetensors").read_bytes()
    assert train(recipe, shapes, out, "--set", "fit.steps=7") == 2
    assert "another training" in capsys.readouterr().err
    assert (out / "best.safetensors").read_bytes() == kept
    assert train(recipe, shapes, out, "--set", "fit.steps=7", "--overwrite") == 0
    assert load_weights(out / "best.safetensors")[1]["training"]["steps"] == 7


def test_a_killed_training_ends_with_the_same_bytes(recipe, shapes, tmp_path):
    steps = ["--set", "fit.steps=60", "--set", "fit.validate_every=30"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = ["train", str(recipe), "--root", str(shapes), "--device", "cpu", *steps]
    alone = [sys.executable, "-m", "seglift", *words]
    process = subprocess.Popen([*alone, "--out", str(cut)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (cut / "checkpoint.safetensors").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "last.safetensors").exists(), "the training ended before it could be killed"
    for out in (cut, whole):
        subprocess.run([*alone, "--out", str(out)], check=True, capture_output=True)
    for name in ("best.safetensors", "last.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    without_seconds = [
        [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(path.open())]
        for path in (cut / "metrics.csv", whole / "metrics.csv")
    ]
    assert without_seconds[0] == without_seconds[1]


def test_dry_run_says_what_would_be_done_and_writes_nothing(recipe, shapes, tmp_path, capsys):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "10 labelled images of folder train" in said
    assert "40 steps of 4 crops" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "fit.stepz=3"], "did you mean fit.steps"),
        (["--set", "network.architecture=resnet"], "compact_unet"),
        (["--set", "crop=[8, 8]"], "crop"),
        (["--set", "fit.schedule=stairs"], "schedule"),
        (["--set", "loss.name=hinge"], "cross_entropy"),
        (["--set", "train=[{dataset: folder, split: nowhere}]"], "nowhere"),
        (["--set", "train=[{dataset: folders}]"], "folders"),
        (["--set", "start=nowhere.safetensors"], "nowhere.safetensors"),
        (["--set", "space=camvid11"], "camvid11"),
        (["--set", "train=[{dataset: folder, centroid_classes: [cat]}]"], "cat"),
        (["--root", "kitti=/tmp"], "kitti"),
        (["--device", "cuda:99"], "cuda:99"),
    ],
)
def test_bad_input_is_one_line_and_status_2(recipe, shapes, tmp_path, capsys, more, said):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, *more) == 2
    error = capsys.readouterr().err
    assert said in error
    lines = [line for line in error.splitlines() if line.startswith("seglift: error:")]
    assert len(lines) == 1
    assert not (out / "best.safetensors").exists()


def test_a_data_set_without_a_folder_is_asked_for(recipe, tmp_path, capsys):
    assert main(["train", str(recipe), "--out", str(tmp_path / "out")]) == 2
    assert "--root folder=DIR" in capsys.readouterr().err


def test_an_exploding_loss_stops_with_its_step_and_keeps_the_checkpoint(recipe, shapes, tmp_path, capsys):
    out = tmp_path / "out"
    values = ["fit.optimizer=sgd", "fit.learning_rate=1.0e+30", "fit.warmup_steps=30", "fit.warmup_from=1.0e-40"]
    values.append("fit.checkpoint_every=1")
    words = [word for value in values for word in ("--set", value)]
    assert train(recipe, shapes, out, *words) == 2
    assert "step" in capsys.readouterr().err
    state, _ = load_weights(out / "checkpoint.safetensors")
    assert all(np.isfinite(t.float().numpy()).all() for t in state.values() if t.is_floating_point())


@pytest.fixture
def damaged(shapes, tmp_path):
    import shutil

    root = tmp_path / "damaged"
    shutil.copytree(shapes, root)
    path = root / "images" / "train" / "004.png"
    path.write_bytes(path.read_bytes()[:60])
    return root


def test_a_corrupt_image_is_named(recipe, damaged, tmp_path, capsys):
    assert train(recipe, damaged, tmp_path / "out") == 2
    assert "004.png" in capsys.readouterr().err


def test_skip_corrupt_goes_on_and_counts(recipe, damaged, tmp_path, capsys):
    out = tmp_path / "out"
    assert train(recipe, damaged, out, "--skip-corrupt", "--set", "fit.steps=12") == 0
    assert "1 images could not be read" in capsys.readouterr().err
    assert (out / "skipped.txt").read_text() == f"{damaged / 'images' / 'train' / '004.png'}\n"


def test_weights_of_an_earlier_training_start_another(recipe, shapes, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(recipe, shapes, first) == 0
    start = ["--set", f"start={first}", "--set", "fit.steps=1", "--set", "fit.learning_rate=1.0e-9"]
    assert train(recipe, shapes, second, *start, "--set", "fit.average=null") == 0
    a, b = (load_weights(folder / "last.safetensors")[0] for folder in (first, second))
    name = "classifier.weight"
    assert np.allclose(a[name].numpy(), b[name].numpy(), atol=1e-5)
    capsys.readouterr()
    other = [*start, "--set", "network.arguments.widths=[8, 12, 20]"]
    assert train(recipe, shapes, tmp_path / "third", *other) == 2
    assert "another network" in capsys.readouterr().err


def test_a_start_for_other_classes_needs_a_new_head(recipe, shapes, tmp_path, capsys):
    other = tmp_path / "other.yaml"
    space = {**SPACE, "name": "two", "classes": [SPACE["classes"][0], SPACE["classes"][1], SPACE["classes"][3]]}
    other.write_text(yaml.safe_dump(space))
    first = tmp_path / "first"
    assert train(recipe, shapes, first, "--set", f"space={other}", "--set", "fit.steps=2") == 0
    start = ["--set", f"start={first}", "--set", "fit.steps=2"]
    assert train(recipe, shapes, tmp_path / "second", *start) == 2
    assert "new_head" in capsys.readouterr().err
    assert train(recipe, shapes, tmp_path / "second", *start, "--set", "new_head=true") == 0


def test_a_study_pairs_seeds_goes_on_and_compares(shapes, tmp_path, capsys):
    values = recipe_values()
    values["fit"]["steps"] = 8
    study = tmp_path / "study.yaml"
    policies = {"plain": {}, "relaxed": {"loss.name": "relaxed"}}
    study.write_text(yaml.safe_dump({"recipe": values, "policies": policies, "seeds": [0, 1]}))
    out = tmp_path / "out"
    words = ["study", str(study), "--root", str(shapes), "--out", str(out), "--device", "cpu"]
    assert main([*words, "--runs", "1"]) == 0
    assert "3 runs are left" in capsys.readouterr().out
    first = (out / "plain" / "seed_0" / "best.safetensors").stat().st_mtime_ns
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "left" not in said
    assert (out / "plain" / "seed_0" / "best.safetensors").stat().st_mtime_ns == first
    scores = {
        (policy, seed): json.loads((out / policy / f"seed_{seed}" / "scores.json").read_text())["miou"]
        for policy in policies
        for seed in (0, 1)
    }
    summary = json.loads((out / "summary.json").read_text())["policies"]
    assert summary[1]["mean"] == pytest.approx((scores["relaxed", 0] + scores["relaxed", 1]) / 2)
    expected = sum(scores["relaxed", seed] - scores["plain", seed] for seed in (0, 1)) / 2
    assert summary[1]["difference"] == pytest.approx(expected)
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.DictReader((out / "study.csv").open()))) == 4

    study.write_text(yaml.safe_dump({"recipe": {**values, "batch": 2}, "policies": policies, "seeds": [0, 1]}))
    assert main(words) == 2
    assert "another meaning" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"policies": {"a": {}}}, "recipe"),
        ({"recipe": "nowhere.yaml", "policies": {"a": {}}}, "nowhere.yaml"),
        ({"recipe": {}, "policies": {}}, "at least one policy"),
        ({"recipe": {}, "policies": {"a/b": {}}}, "a/b"),
        ({"recipe": {}, "policies": {"a": {"fit.seed": 3}}}, "fit.seed"),
        ({"recipe": {}, "policies": {"a": {}}, "seeds": [1, 1]}, "once"),
        ({"recipe": {}, "policies": {"a": {}}, "baseline": "b"}, "baseline"),
    ],
)
def test_a_wrong_study_is_refused(tmp_path, capsys, values, said):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    assert main(["study", str(path), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_a_full_disk_leaves_the_checkpoint_that_was_there(recipe, shapes, tmp_path, full_disk, capsys):
    out: Path = tmp_path / "out"
    assert train(recipe, shapes, out, "--set", "fit.minutes=0.0001", "--set", "fit.steps=5000") == 0
    kept = (out / "best.safetensors").read_bytes()
    with full_disk():
        assert train(recipe, shapes, tmp_path / "second") == 2
    assert "cannot write" in capsys.readouterr().err
    assert (out / "best.safetensors").read_bytes() == kept
