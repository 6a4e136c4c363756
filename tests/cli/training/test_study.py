"""``seglift study`` as a user runs it."""

from __future__ import annotations

import csv
import json

import pytest
import yaml

from seglift.cli.main import main


def test_a_study_pairs_seeds_goes_on_and_compares(shapes, tmp_path, capsys, recipe_values):
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
    summary = json.loads((out / "summary.json").read_text())["metrics"]["miou"]["policies"]
    assert summary[1]["mean"] == pytest.approx((scores["relaxed", 0] + scores["relaxed", 1]) / 2)
    expected = sum(scores["relaxed", seed] - scores["plain", seed] for seed in (0, 1)) / 2
    assert summary[1]["difference"] == pytest.approx(expected)
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.DictReader((out / "study.csv").open()))) == 4

    study.write_text(yaml.safe_dump({"recipe": {**values, "batch": 2}, "policies": policies, "seeds": [0, 1]}))
    assert main(words) == 2
    assert "the policy plain with another meaning (batch 4 -> 2); rename" in capsys.readouterr().err


RECIPE = {"train": [{"dataset": "folder"}], "val": {"dataset": "folder", "split": "val"}}


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
        ({"recipe": {}, "policies": {"a": {}, "b": {}}, "oracle": "a"}, "the oracle is 'a', expected one of b"),
        ({"recipe": {}, "policies": {"a": {"fit": {"seed": 3}}}}, "fit.seed"),
        ({"recipe": {}, "policies": {"a": {}}, "runs": {"fit.seed": 3}}, "fit.seed"),
        ({"recipe": {}, "policies": {"class_index": {}}}, "class_index"),
        ({"recipe": {}, "policies": {"a": None}}, "policies.a is null"),
        ({"recipe": {}, "policies": {"a": {}}, "metrics": ["iou"]}, "pixel_accuracy"),
        ({"recipe": {}, "policies": {"a": {}}, "metrics": []}, "metrics are []"),
        ({"recipe": {}, "policies": {"a": {"seeds": [3]}}}, "set fit.seed or seeds"),
        ({"recipe": {"kind": "refiner"}, "policies": {"a": {}}}, "of kind segmentation, panoptic, naive_student"),
        ({"recipe": RECIPE, "policies": {"a": {}, "b": {"fit.stepz": 3}}}, "policy b: unknown name fit.stepz"),
        ({"recipe": RECIPE, "policies": {"a": {}, "b": {"val": None}}}, "policy b: nothing to score on"),
    ],
)
def test_a_wrong_study_is_refused(tmp_path, capsys, values, said):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    assert main(["study", str(path), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def study(tmp_path, recipe_values):
    """Writes a study of tiny trainings and gives the words to run it."""

    def study(*more, fit=None, **values):
        recipe = recipe_values(fit={"steps": 4, "tensorboard": False, **(fit or {})})
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({"recipe": recipe, "policies": {"plain": {}}, "seeds": [3], **values}))
        return ["study", str(path), "--out", str(tmp_path / "out"), "--device", "cpu", *more]

    return study


def written(out, policy, seed=3):
    return yaml.safe_load((out / policy / f"seed_{seed}" / "recipe.yaml").read_text())


def test_set_changes_what_policies_start_from_and_beats_neither_them_nor_seeds(study, shapes, tmp_path):
    policies = {"plain": {}, "short": {"fit.steps": 2}}
    words = study("--root", str(shapes), "--set", "fit.steps=3", "--set", "batch=2", policies=policies)
    assert main(words) == 0
    plain, short = (written(tmp_path / "out", policy) for policy in policies)
    assert (plain["fit"]["steps"], plain["fit"]["seed"], plain["batch"]) == (3, 3, 2)
    assert (short["fit"]["steps"], short["fit"]["seed"], short["batch"]) == (2, 3, 2)


@pytest.mark.parametrize(
    ("value", "said"), [("fit.seed=7", "seed"), ("fit={seed: 7}", "seed"), ("batch=2", "without effect")]
)
def test_set_that_the_study_would_undo_is_refused(study, shapes, tmp_path, capsys, value, said):
    assert main(study("--root", str(shapes), "--set", value, runs={"batch": 3})) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_folders_are_those_of_all_policies_and_each_run_takes_its_own(study, shapes, tmp_path, capsys):
    more = [{"dataset": "folder"}, {"dataset": "folder", "name": "more", "split": "val"}]
    policies = {"plain": {}, "more": {"train": more}}
    words = study("--root", f"folder={shapes}", "--root", f"more={shapes}", policies=policies)
    assert main([*words, "--root", f"kitti={shapes}"]) == 2
    assert "folder, more" in capsys.readouterr().err
    assert main(words) == 0
    assert len(written(tmp_path / "out", "more")["train"]) == 2


@pytest.mark.parametrize(
    ("roots", "said"),
    [([], 'where "folder" lies'), (["folder={}"], 'where "more" lies'), (["folder={}", "more=nowhere"], "nowhere")],
)
def test_missing_folders_of_a_later_run_stop_the_first(study, shapes, tmp_path, capsys, roots, said):
    more = [{"dataset": "folder"}, {"dataset": "folder", "name": "more", "split": "val"}]
    words = study(policies={"plain": {}, "more": {"train": more}})
    for root in roots:
        words += ["--root", root.format(shapes)]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "run 1 of" not in error
    assert not (tmp_path / "out").exists()


def test_costs_and_classes(study, shapes, tmp_path, capsys):
    policies = {"plain": {}, "short": {"fit.steps": 2}, "full": {"fit.steps": 5}}
    costs = {"hours": {"full": 30}, "cost": {"plain": {"fine": 4}, "short": {"coarse": 30, "synthetic": 9}}}
    costs |= {"minutes": {"coarse": 4}, "groups": {"shapes": ["plain", "short"]}, "line": "full"}
    words = study("--root", str(shapes), "--classes", policies=policies, **costs)
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "hours" in said and "IoU by class" in said and "plot over hours" in said
    out = tmp_path / "out"
    hours = {row["policy"]: float(row["hours"]) for row in csv.DictReader((out / "study.csv").open())}
    assert hours == {"plain": 6, "short": 2, "full": 30}
    assert (out / "budget.png").is_file()
    own = json.loads((out / "short/seed_3/scores.json").read_text())["iou"]
    found = {
        row["class"]: row["mean"] for row in csv.DictReader((out / "classes.csv").open()) if row["policy"] == "short"
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {name: value for name, value in own.items() if value is not None}, abs=1e-6
    )
    assert main(study("--root", str(shapes), policies=policies, **{**costs, "line": "fuller"})) == 2
    assert "line names 'fuller'" in capsys.readouterr().err
    assert main(study(policies=policies, minutes={"coarse": "slow"})) == 2
    assert "minutes.coarse" in capsys.readouterr().err


def test_a_finished_study_is_shown_without_its_data(study, shapes, tmp_path, capsys):
    assert main(study("--root", str(shapes))) == 0
    capsys.readouterr()
    assert main(study()) == 0
    assert "plain" in capsys.readouterr().out


def test_runs_share_one_class_index_and_another_metric_is_no_other_study(study, shapes, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(study("--root", str(shapes))) == 0
    assert list((out / "class_index").glob("*.safetensors"))
    assert not (out / "plain" / "seed_3" / "class_index").exists()
    before = (out / "plain" / "seed_3" / "best.safetensors").stat().st_mtime_ns
    assert main(study("--root", str(shapes), metrics=["pixel_accuracy", "miou"])) == 0
    said = capsys.readouterr().out
    assert "pixel accuracy: mean" in said and "mIoU: mean" in said
    assert (out / "plain" / "seed_3" / "best.safetensors").stat().st_mtime_ns == before


def test_the_dry_run_says_runs_data_steps_and_hours(study, shapes, tmp_path, capsys):
    policies, out = {"plain": {}, "long": {"fit.steps": 9}, "whole": {"fit.epochs": 2}}, tmp_path / "out"
    words = study(
        "--root", str(shapes), policies=policies, seeds=[0, 1], hours={"long": 30}, cost={"plain": {"fine": 4}}
    )
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "3 policies with seeds 0, 1: 6 runs, 0 of them done" in said.out and said.err == ""
    long, plain, whole = (part.splitlines() for part in said.out.split(" of 2 runs done")[1:])
    assert plain[0] == ", 6 hours of annotation" and f"10 labelled images of folder train at {shapes}" in plain[1]
    assert "; 4 steps of 4 crops of 32x48 (1.3 epochs of 10), on cpu" in plain[-2]
    assert long[0] == ", 30 hours of annotation" and "; 9 steps of" in long[-2] and whole[0] == ""
    assert "; 6 steps of" in whole[-2] and whole[-1] == f"writes to {out}; nothing was written now"
    assert not out.exists()
    assert main([*words, "--runs", "1"]) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    capsys.readouterr()
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "6 runs, 1 of them done" in said and "long: 1 of 2 runs done, 30 hours" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"crop": [480, 640]}, "crops of 480x640"),
        ({"network.architecture": "unet"}, "no network is called 'unet'"),
        ({"loss": {"name": "rmi", "rmi_radius": 0}}, "rmi_radius"),
        ({"start": "nowhere"}, "no weights file at nowhere"),
        ({"train": [{"dataset": "folder", "centroid_classes": ["cow"]}]}, "has 'cow', expected classes of shapes"),
    ],
)
def test_what_a_later_run_would_be_refused_for_stops_the_first(study, shapes, tmp_path, capsys, policy, said, more):
    assert main(study("--root", str(shapes), *more, policies={"plain": {}, "other": policy})) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_several_processes_are_refused(study, shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(study("--root", str(shapes))) == 2
    assert "torchrun" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_score_that_runs_lack_is_told(study, shapes, tmp_path, capsys):
    assert main(study("--root", str(shapes), metrics=["pq"])) == 2
    assert "plain, seed 3, has no number called pq" in capsys.readouterr().err
    assert main(study("--root", str(shapes), metrics=["miou"])) == 0


def test_runs_side_by_side_reach_what_they_reach_one_by_one(study, shapes, tmp_path, capsys):
    policies = {"plain": {}, "relaxed": {"loss.name": "relaxed"}, "broken": {"start": str(tmp_path / "nowhere")}}
    alone, together = tmp_path / "alone", tmp_path / "together"
    sound = {name: policies[name] for name in ("plain", "relaxed")}
    words = study("--root", str(shapes), "--device", "cpu", policies=sound, seeds=[0, 1])
    assert main([*words, "--out", str(alone)]) == 0
    assert main([*words, "--out", str(together), "--jobs", "2"]) == 0
    assert (alone / "study.csv").read_text() == (together / "study.csv").read_text()
    log = (together / "relaxed" / "seed_1.log").read_text()
    assert "scoring on" in log and "scoring on" not in capsys.readouterr().err.split("runs, 2 at a time")[1]
    words = study("--root", str(shapes), "--device", "cpu", policies=policies, seeds=[0, 1])
    assert main([*words, "--out", str(together), "--jobs", "2"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main([*words, "--out", str(together), "--jobs", "0"]) == 2
