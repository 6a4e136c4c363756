"""``seglift train`` as a user runs it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from seglift.base.weights import load_weights
from seglift.cli.main import main
from seglift.training.segmentation import SegmentationTask


def test_a_training_learns_scores_and_leaves_a_model_that_predict_takes(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    assert train(recipe, shapes, out) == 0
    said = capsys.readouterr()
    scores = json.loads((out / "scores.json").read_text())
    assert scores["miou"] > 0.6
    assert scores["frames"] == 3
    assert "disc" in said.out
    assert f"{100 * scores['miou']:.1f}" in said.out
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert rows[-1]["step"] == "40"
    assert [row["step"] for row in rows if row["miou"]] == ["20", "40"]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "tensorboard").iterdir())
    best = max((row for row in rows if row["miou"]), key=lambda row: float(row["miou"]))
    assert f"the best weights are from step {best['step']} of 40 (miou {scores['miou']:.4f}" in said.err
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


def test_the_same_command_again_repeats_nothing(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, "--set", "fit.steps=6") == 0
    names = ("best.safetensors", "run.json", "recipe.yaml")
    before = [(out / name).stat().st_mtime_ns for name in names]
    capsys.readouterr()
    assert train(recipe, shapes, out, "--set", "fit.steps=6", "--set", "fit.log_every=3") == 0
    assert "already trained; nothing is repeated" in capsys.readouterr().err
    assert [(out / name).stat().st_mtime_ns for name in names] == before


def test_another_recipe_on_the_same_folder_is_refused_and_nothing_is_lost(recipe, shapes, tmp_path, capsys, train):
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
    done = {}
    for out in (cut, whole):
        done[out] = subprocess.run([*alone, "--out", str(out)], check=True, capture_output=True, text=True).stderr
    assert re.search(r"continues after step \d+ of 60", done[cut])
    assert "continues" not in done[whole]
    for name in ("best.safetensors", "last.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    without_seconds = [
        [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(path.open())]
        for path in (cut / "metrics.csv", whole / "metrics.csv")
    ]
    assert without_seconds[0] == without_seconds[1]


def test_dry_run_says_what_would_be_done_and_writes_nothing(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "10 labelled images of folder train" in said
    assert "40 steps of 4 crops" in said
    assert not out.exists()


TWO = "train=[{dataset: folder, split: train}, {dataset: folder, name: more, split: val, joins: folder}]"


def test_a_source_that_joins_another_adds_no_draws(recipe, shapes, tmp_path, capsys, train):
    out, more = tmp_path / "out", ["--root", f"folder={shapes}", "--root", f"more={shapes}", "--device", "cpu"]
    words = ["train", str(recipe), "--out", str(out), *more, "--set", TWO, "--set", "fit.steps=6"]
    rare = ["--set", "train.1.centroid_classes=[disc]", "--set", "train.1.until_epoch=1"]
    assert main([*words, *rare, "--dry-run"]) == 0
    assert "2.0 epochs of 10)" in capsys.readouterr().out
    assert main([*words, *rare]) == 0
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert float(rows[-1]["epoch"]) == 2.0


def test_quotas_share_an_epoch(recipe, shapes, tmp_path, capsys, train):
    sources = "train=[{dataset: folder, split: train}, {dataset: folder, split: val, quota: 0.5}]"
    assert train(recipe, shapes, tmp_path / "out", "--set", sources, "--set", "fit.steps=2") == 0
    capsys.readouterr()
    whole = ["--set", "train.1.quota=1.0"]
    assert train(recipe, shapes, tmp_path / "other", "--set", sources, *whole, "--dry-run") == 2
    assert "leave nothing for folder train" in capsys.readouterr().err


def test_dry_run_refuses_the_folder_of_another_training(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, "--set", "fit.steps=2") == 0
    assert train(recipe, shapes, out, "--dry-run") == 2
    assert "another training" in capsys.readouterr().err
    assert train(recipe, shapes, out, "--dry-run", "--overwrite") == 0


REFUSED = [
    (["fit.stepz=3"], "did you mean fit.steps"),
    (["network.architecture=resnet"], "compact_unet"),
    (["crop=[8, 8]"], "crop"),
    (["fit.schedule=stairs"], "schedule"),
    (["loss.name=hinge"], "cross_entropy"),
    (["train=[{dataset: folder, split: nowhere}]"], "nowhere"),
    (["train=[{dataset: folders}]"], "folders"),
    (["start=nowhere.safetensors"], "nowhere.safetensors"),
    (["start=imagenet"], "timm encoder"),
    (["space=camvid11"], "camvid11"),
    (["train=[{dataset: folder, centroid_classes: [cat]}]"], "cat"),
    (["train=[{dataset: folder, joins: nobody}]"], "joins nobody"),
    (["train=[{dataset: folder, quota: 0.5}]"], "add up to 0.5"),
    (["train=[{dataset: folder, until_epoch: 2}]"], "no source is left"),
    (["loss={name: relaxed, arguments: {strict_classes: [7]}}"], "train ids of 0..2"),
    (["loss={name: cross_entropy, arguments: {class_weights: [1.0, 2.0]}}"], "3 numbers"),
    (["fit.precision=16-mixed"], "needs CUDA"),
    (["crop=[128, 64]"], "reach outside every image"),
    (["val.split=empty"], "no labelled image"),
    (["test={dataset: folder, split: empty}"], "no labelled image"),
    (["val.quota=0.5"], "unknown name val.quota"),
    (["new_head=true"], "new_head is true without start"),
]


@pytest.fixture(scope="module")
def with_empty_split(shapes, tmp_path_factory):
    root = tmp_path_factory.mktemp("empty") / "shapes"
    shutil.copytree(shapes, root)
    (root / "images" / "empty").mkdir()
    shutil.copy(root / "images" / "val" / "000.png", root / "images" / "empty")
    return root


@pytest.mark.parametrize(("values", "said"), REFUSED, ids=[values[0] for values, _ in REFUSED])
def test_dry_run_refuses_what_a_run_refuses_before_it_touches_anything(
    recipe, with_empty_split, tmp_path, capsys, train, values, said
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "best.safetensors").write_bytes(b"precious")
    words = [word for value in values for word in ("--set", value)]
    for more in ("--dry-run", "--overwrite"):
        assert train(recipe, with_empty_split, out, *words, more) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len([line for line in error.splitlines() if line.startswith("seglift: error:")]) == 1
    assert (out / "best.safetensors").read_bytes() == b"precious"


def test_a_crop_that_fits_at_the_largest_scale_is_taken(recipe, shapes, tmp_path, train):
    fits = ["--set", "crop=[60, 80]", "--set", "augmentation.scale=[0.5, 1.25]"]
    assert train(recipe, shapes, tmp_path / "out", *fits, "--dry-run") == 0
    assert train(recipe, shapes, tmp_path / "out", *fits, "--set", "short_side=40", "--dry-run") == 2


def test_a_class_index_that_cannot_be_written_is_one_line(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    out.mkdir()
    (out / "class_index").write_text("a file where a folder should be")
    assert train(recipe, shapes, out) == 2
    assert "cannot write the class index" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--root", "kitti=/tmp"], "kitti"), (["--device", "cuda:99"], "cuda:99")],
    ids=["root", "device"],
)
def test_bad_input_is_one_line_and_status_2(recipe, shapes, tmp_path, capsys, more, said, train):
    out = tmp_path / "out"
    assert train(recipe, shapes, out, *more) == 2
    error = capsys.readouterr().err
    assert said in error
    lines = [line for line in error.splitlines() if line.startswith("seglift: error:")]
    assert len(lines) == 1
    assert not (out / "best.safetensors").exists()


def test_a_data_set_without_a_folder_is_asked_for(recipe, tmp_path, capsys):
    assert main(["train", str(recipe), "--out", str(tmp_path / "out")]) == 2
    assert 'where "folder" lies; add --root folder=DIR' in capsys.readouterr().err


def test_an_exploding_loss_stops_with_its_step_and_keeps_the_checkpoint(recipe, shapes, tmp_path, capsys, train):
    out = tmp_path / "out"
    values = ["fit.optimizer=sgd", "fit.learning_rate=1.0e+30", "fit.warmup_steps=30", "fit.warmup_from=1.0e-40"]
    values.append("fit.checkpoint_every=1")
    words = [word for value in values for word in ("--set", value)]
    assert train(recipe, shapes, out, *words) == 2
    assert "step" in capsys.readouterr().err
    state, _ = load_weights(out / "checkpoint.safetensors")
    assert all(np.isfinite(t.float().numpy()).all() for t in state.values() if t.is_floating_point())


def test_a_full_disk_leaves_the_checkpoint_that_was_there(
    recipe, shapes, tmp_path, full_disk, capsys, train, monkeypatch
):
    values = ["--set", "fit.steps=20", "--set", "fit.tensorboard=false"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert train(recipe, shapes, whole, *values) == 0
    batch = SegmentationTask.batch

    def interrupted(self, seed, step, part):
        if step == 12:
            raise KeyboardInterrupt
        return batch(self, seed, step, part)

    with monkeypatch.context() as patched:
        patched.setattr(SegmentationTask, "batch", interrupted)
        assert train(recipe, shapes, out, *values) == 130
    kept = (out / "checkpoint.safetensors").read_bytes()
    with full_disk():
        assert train(recipe, shapes, out, *values) == 2
    assert "cannot write" in capsys.readouterr().err
    assert (out / "checkpoint.safetensors").read_bytes() == kept
    assert train(recipe, shapes, out, *values) == 0
    assert (out / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()
