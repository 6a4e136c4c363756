"""``seglift train`` with ``kind: refiner`` as a user runs it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seglift.base.weights import load_weights
from seglift.cli.main import main
from seglift.inference.semantic_model import load_model
from seglift.labels.space_file import get_space
from seglift.propagation.refiner import load_refiner

HEIGHT, WIDTH, STEP = 48, 64, 2
SHAPES = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200], [0, 0, 0]], np.uint8)
RAW = np.array([0, 1, 2, 9], np.uint8)


def write_clip(root, split, clip, seed):
    """Seven frames of a camera that pans over shapes; frames 0, 3 and 6 are labelled, void on top."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((HEIGHT, 2 * WIDTH), np.uint8)
    rows, columns = np.mgrid[:HEIGHT, : 2 * WIDTH]
    for value in (1, 2, 1, 2, 1, 2):
        y, x = generator.integers(6, HEIGHT - 6), generator.integers(6, 2 * WIDTH - 6)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < 70] = value
    labels[:3] = 3
    noise = generator.integers(-25, 26, (HEIGHT, 2 * WIDTH, 3))
    picture = np.clip(SHAPES[labels].astype(int) + noise, 0, 255).astype(np.uint8)
    for part in ("images", "labels"):
        (root / part / split / clip).mkdir(parents=True)
    for number in range(7):
        view = np.s_[:, number * STEP : number * STEP + WIDTH]
        Image.fromarray(picture[view]).save(root / "images" / split / clip / f"{number:03d}.png")
        if number % 3 == 0:
            Image.fromarray(RAW[labels[view]]).save(root / "labels" / split / clip / f"{number:03d}.png")


@pytest.fixture(scope="module")
def panning(tmp_path_factory, space):
    root = tmp_path_factory.mktemp("panning")
    (root / "space.yaml").write_text(yaml.safe_dump(space))
    for seed, (split, clip) in enumerate((("train", "a"), ("train", "b"), ("val", "c"))):
        write_clip(root, split, clip, seed)
    return root


@pytest.fixture(scope="module")
def model(shapes, tmp_path_factory, recipe_values):
    """A segmentation model of the shapes."""
    out = tmp_path_factory.mktemp("model") / "out"
    recipe = out.parent / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(recipe_values(fit={"steps": 12, "learning_rate": 0.01, "tensorboard": False})))
    assert main(["train", str(recipe), "--root", str(shapes), "--out", str(out), "--device", "cpu"]) == 0
    return out


def values(**changes):
    return {
        "kind": "refiner",
        "train": [{"dataset": "folder", "split": "train"}],
        "val": {"dataset": "folder", "split": "val"},
        "pairs": {"lengths": [1, 2], "keyframes": [3]},
        "network": {"architecture": "refiner_compact", "arguments": {"width": 4, "n_down": 2, "blocks": 1}},
        "crop": [32, 48],
        "batch": 3,
        "augmentation": {"scale": [0.8, 1.25], "jitter": 0.1, "blur": None},
        "fit": {"steps": 8, "learning_rate": 0.01, "checkpoint_every": 3, "validate_every": 4, "tensorboard": False},
        "val_pairs": 8,
        **changes,
    }


@pytest.fixture
def run(panning, model, tmp_path):
    """``seglift train`` on a CPU; gives the exit status."""

    def run(out, *more, sets=(), root=panning, **changes):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(values(**{"model": str(model), **changes})))
        words = [word for value in sets for word in ("--set", value)]
        return main(["train", str(recipe), "--root", str(root), "--out", str(out), "--device", "cpu", *words, *more])

    return run


def error_line(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seglift: error:")]
    assert len(lines) == 1
    return lines[0]


def test_a_training_says_whether_it_helps_and_leaves_a_refiner(run, panning, model, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(out) == 0
    said = capsys.readouterr()
    scores = json.loads((out / "scores.json").read_text())
    assert set(scores) == {"cycle", "keyframe"}
    assert set(scores["cycle"]["by_length"]) <= {"1", "2"}
    assert scores["keyframe"]["by_length"]["3"] == {
        name: value for name, value in scores["keyframe"].items() if name != "by_length"
    }
    assert scores["cycle"]["pairs"] == scores["keyframe"]["pairs"] == 4
    for shown in (
        "out and back, all",
        "from a labelled neighbour, 3",
        f"{100 * scores['cycle']['before']['miou']:.1f}",
    ):
        assert shown in said.out
    assert 0 < scores["cycle"]["after"]["pixel_accuracy"] <= 1
    helps = scores["keyframe"]["after"]["miou"] > scores["keyframe"]["before"]["miou"]
    assert helps != ("refined labels are no better" in said.err)
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert [row["step"] for row in rows if row["miou"]] == ["4", "8"]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((out / "returns").glob("*/index.json"))) == 9
    written = yaml.safe_load((out / "recipe.yaml").read_text())
    assert written["pairs"] == {"lengths": [1, 2], "keyframes": [3], "tau": 40.0, "resample": "recursive"}
    _, metadata = load_weights(out / "best.safetensors")
    assert metadata["kind"] == "refiner"
    assert metadata["pairs"]["motion"] == "dis"

    space = get_space(str(panning / "space.yaml"))
    refiner = load_refiner(out, space, load_model(model, space))
    carried = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.uint8)
    picture = torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    labels, probabilities = refiner.labels(carried, picture, picture)
    assert labels.shape == carried.shape
    assert probabilities.shape == (1, 4, HEIGHT, WIDTH)


def test_the_same_command_again_repeats_nothing_and_a_killed_one_ends_the_same(run, tmp_path, capsys, monkeypatch):
    out, killed = tmp_path / "out", tmp_path / "killed"
    assert run(out) == 0
    best = (out / "best.safetensors").read_bytes()
    assert run(out) == 0
    assert "already trained; nothing is repeated" in capsys.readouterr().err

    from seglift.training.loop.step import OptimizerSteps

    take = OptimizerSteps.take

    def dies(self, step, parts):
        if step == 5:
            raise KeyboardInterrupt
        take(self, step, parts)

    monkeypatch.setattr(OptimizerSteps, "take", dies)
    assert run(killed) != 0
    monkeypatch.undo()
    assert run(killed) == 0
    assert "continues after step 4 of 8" in capsys.readouterr().err
    assert (killed / "best.safetensors").read_bytes() == best
    assert (killed / "scores.json").read_bytes() == (out / "scores.json").read_bytes()


def test_dry_run_says_what_would_be_done_and_writes_nothing(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "train: 24 labellings that come back to 6 frames" in said
    assert "on 8 features of" in said
    assert not out.exists()


def test_each_image_is_filled_in_by_the_model_that_has_not_learnt_it(run, model, tmp_path, capsys):
    folds = [{"model": str(model), "unseen": ["a"]}, {"model": str(model), "unseen": ["b_*"]}]
    assert run(tmp_path / "out", folds=folds, sets=["fit.steps=1"], val=None) == 0
    capsys.readouterr()
    assert run(tmp_path / "other", "--dry-run", folds=folds[:1]) == 2
    assert "no fold leaves out the training image b_000" in error_line(capsys)


def test_without_val_nothing_is_scored(run, tmp_path, capsys):
    assert run(tmp_path / "out", sets=["fit.steps=1"], val=None, pairs={"lengths": [1]}) == 0
    assert not (tmp_path / "out" / "scores.json").exists()


def test_another_recipe_on_the_same_folder_is_refused_and_overwrite_keeps_the_labels(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(out, sets=["fit.steps=1"]) == 0
    times = {path: path.stat().st_mtime_ns for path in (out / "returns").rglob("*.png")}
    capsys.readouterr()
    assert run(out, sets=["fit.steps=1", "crop=[32, 32]"]) == 2
    assert "holds another training: crop" in error_line(capsys)
    assert run(out, "--overwrite", sets=["fit.steps=1", "crop=[32, 32]"]) == 0
    assert times == {path: path.stat().st_mtime_ns for path in (out / "returns").rglob("*.png")}


def test_tau_is_chosen_on_training_frames_once_and_kept(run, tmp_path, capsys, monkeypatch):
    """A resumed training does not choose again, and ends with the same bytes."""
    from seglift.training.loop.step import OptimizerSteps
    from seglift.workflows.train import refiner_tau

    pairs = {"lengths": [1, 2], "keyframes": [3], "tau": "auto"}
    out, killed = tmp_path / "out", tmp_path / "killed"
    assert run(out, pairs=pairs) == 0
    choice = json.loads((out / "tau.json").read_text())
    assert [row["tau"] for row in choice["table"]] == [10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 150.0, "inf"]
    assert (choice["kind"], choice["frames"]) == ("keyframe", 6)
    best = max(choice["table"], key=lambda row: row["miou"])
    assert next(row["miou"] for row in choice["table"] if row["tau"] == choice["tau"]) == best["miou"]
    assert (
        f"tau is {choice['tau']:g}, by mIoU of labels of labelled neighbours on 6 training" in capsys.readouterr().err
    )
    assert load_weights(out / "best.safetensors")[1]["pairs"]["tau"] == choice["tau"]
    assert yaml.safe_load((out / "recipe.yaml").read_text())["pairs"]["tau"] == "auto"

    take = OptimizerSteps.take

    def dies(self, step, parts):
        if step == 5:
            raise KeyboardInterrupt
        take(self, step, parts)

    monkeypatch.setattr(OptimizerSteps, "take", dies)
    assert run(killed, pairs=pairs) != 0
    monkeypatch.undo()
    monkeypatch.delattr(refiner_tau, "confusions_by_tau")
    assert run(killed, pairs=pairs) == 0
    assert "continues after step 4 of 8" in capsys.readouterr().err
    for name in ("best.safetensors", "tau.json", "scores.json"):
        assert (killed / name).read_bytes() == (out / name).read_bytes()


def test_a_chosen_tau_makes_what_the_same_number_makes(run, tmp_path):
    pairs = {"lengths": [1], "keyframes": []}
    assert run(tmp_path / "auto", pairs={**pairs, "tau": "auto"}, sets=["fit.steps=2"]) == 0
    tau = json.loads((tmp_path / "auto" / "tau.json").read_text())["tau"]
    assert run(tmp_path / "number", pairs={**pairs, "tau": tau}, sets=["fit.steps=2"]) == 0
    auto, number = (tmp_path / name / "best.safetensors" for name in ("auto", "number"))
    assert auto.read_bytes() == number.read_bytes()
    assert not (tmp_path / "number" / "tau.json").exists()


def test_without_a_threshold_labels_come_back_too_and_dry_run_says_what_tau_is_chosen_by(run, tmp_path, capsys):
    assert run(tmp_path / "out", sets=["fit.steps=1", "pairs.tau=inf"], val=None) == 0
    assert load_weights(tmp_path / "out" / "best.safetensors")[1]["pairs"]["tau"] == "inf"
    capsys.readouterr()
    assert run(tmp_path / "dry", "--dry-run", sets=["pairs.tau=auto"]) == 0
    said = capsys.readouterr().out
    assert "tau: chosen from 10, 20, 40, 60, 80, 100, 150, inf by labels of labelled neighbours on 6 training" in said


REFUSED = [
    ({"model": None}, [], "names no segmentation model"),
    ({"model": "nowhere.safetensors"}, [], "nowhere.safetensors"),
    ({"motion": "guess"}, [], "motion 'guess' is unknown"),
    ({"train": []}, [], "names no data to train on"),
    ({}, ["network.architecture=compact_unet"], "refiner_compact, refiner_paper"),
    ({}, ["network.arguments={norm: layer}"], "norm"),
    ({}, ["pairs.lengths=[0]"], "lengths is (0,), expected whole numbers from 1"),
    ({"pairs": {"lengths": [], "keyframes": [2]}}, [], "none of the 6 labelled images of folder train"),
    ({}, ["pairs.tao=3"], "did you mean pairs.tau"),
    ({}, ["pairs.tau=-1"], "tau is -1.0, expected at least 0, or one of the words inf, auto"),
    ({}, ["pairs.tau=none"], "pairs.tau is none, expected a number or one of auto, inf"),
    ({}, ["loss.name=hinge"], "hinge"),
    ({}, ["val_pairs=0"], "val_pairs is 0"),
    ({}, ["keyframe_share=2"], "keyframe_share is 2"),
    ({"folds": [{"model": "x", "unseen": []}]}, [], "unseen of the teacher x is empty"),
]


@pytest.mark.parametrize(("changes", "sets", "said"), REFUSED, ids=[said[:30] for *_, said in REFUSED])
def test_bad_recipes_are_refused_in_one_line_before_anything_is_written(run, tmp_path, capsys, changes, sets, said):
    out = tmp_path / "out"
    assert run(out, sets=sets, **changes) == 2
    assert said in error_line(capsys)
    assert not out.exists()


def test_options_of_segmentation_and_stills_are_refused(run, shapes, tmp_path, capsys):
    assert run(tmp_path / "out", "--skip-corrupt") == 2
    assert "--skip-corrupt" in error_line(capsys)
    assert run(tmp_path / "out", root=shapes) == 2
    assert "none of the 10 labelled images of folder train has neighbours" in error_line(capsys)


def test_a_segmentation_model_is_no_refiner_and_a_refiner_no_segmentation_model(run, panning, model, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(out, sets=["fit.steps=1"], val=None, pairs={"lengths": [1]}) == 0
    capsys.readouterr()
    words = ["--space", str(panning / "space.yaml"), "--out", str(tmp_path / "predicted"), "--device", "cpu"]
    assert main(["predict", str(panning / "images" / "val" / "c"), "--model", str(out), *words]) == 2
    assert "holds a refiner model, expected a segmentation model" in error_line(capsys)
    assert run(tmp_path / "again", model=str(out)) == 2
    assert "holds a refiner model, expected a segmentation model" in error_line(capsys)
