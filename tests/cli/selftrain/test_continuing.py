"""Rounds that were interrupted go on; what changed is refused or made anew."""

from __future__ import annotations

import json
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from seglift.cli.main import main
from seglift.training.segmentation import SegmentationTask
from seglift.workflows.naive_student import run as rounds_run
from seglift.workflows.naive_student.pseudo_labels import Teacher
from seglift.workflows.rounds.dataset_output import DatasetOutput


def contents(out):
    """What the rounds made: weights, labels, scores, tables."""
    kinds = (".safetensors", ".png", ".csv", ".jsonl", ".html", ".json")
    left_out = {"images", "class_index", ".seglift-selftrain", "tensorboard"}
    free = {"metrics.csv", "run.json", "curves.png"}  # seconds, and the time when something was made
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.suffix in kinds and path.name not in free and not left_out & set(path.relative_to(out).parts)
    }


def stamps(out):
    """When weights and labels were written."""
    return {
        path: path.stat().st_mtime_ns for kind in ("best.safetensors", "labels/**/*.png") for path in out.rglob(kind)
    }


@pytest.fixture
def brief(write, training):
    """One round with everything in it, a share of the labels, a checkpoint after every second step."""
    labelled = [{"dataset": "folder", "name": "town", "share": 0.25}]
    kept = {**training, "fit": {**training["fit"], "checkpoint_every": 2}}
    return lambda **changes: write(rounds=1, labelled=labelled, teacher=kept, student=kept, **changes)


def test_interrupted_at_every_stage_it_ends_with_the_same_bytes(brief, selftrain, tmp_path, monkeypatch, capsys):
    recipe, whole, out = brief(), tmp_path / "whole", tmp_path / "out"
    assert selftrain(recipe, whole) == 0
    batch, label, write_frame, calls = SegmentationTask.batch, Teacher.label, DatasetOutput.write_frame, []
    stops: set[str] = set()

    def interrupt(name):
        calls.append(name)
        if name in stops:
            raise KeyboardInterrupt

    def batch_stops(self, seed, step, part):
        interrupt(f"step {step}")
        return batch(self, seed, step, part)

    def label_stops(self, image, frame):
        interrupt(f"label {frame.name}")
        return label(self, image, frame)

    def write_stops(self, stem, result, entry):
        interrupt(f"write {len([call for call in calls if call.startswith('write')])}")
        return write_frame(self, stem, result, entry)

    monkeypatch.setattr(SegmentationTask, "batch", batch_stops)
    monkeypatch.setattr(Teacher, "label", label_stops)
    monkeypatch.setattr(DatasetOutput, "write_frame", write_stops)
    # Each in turn: the human labels, the teacher, the pseudo-labels, the student, its fine-tuning.
    for stop in ({"write 1"}, {"step 5"}, {"label clip2/01"}, {"step 3"}):
        stops.clear()
        stops.update(stop)
        calls.clear()
        assert selftrain(recipe, out) == 130
        assert "interrupted" in capsys.readouterr().err
    stops.clear()
    assert selftrain(recipe, out, "--stages", "1") == 0
    stops.add("step 2")
    assert selftrain(recipe, out) == 130
    assert "stage 5 of 5: fine-tuned" in capsys.readouterr().err
    stops.clear()
    assert selftrain(recipe, out) == 0
    assert "left" not in capsys.readouterr().out
    found, expected = contents(out), contents(whole)
    assert found.keys() == expected.keys()
    different = [name for name in found if found[name] != expected[name]]
    assert different == []


def test_killed_again_and_again_it_ends_with_the_same_bytes(brief, selftrain, start, town, tmp_path):
    recipe, whole, out = brief(fine_tune=None), tmp_path / "whole", tmp_path / "out"
    assert selftrain(recipe, whole) == 0
    words = ["selftrain", recipe, "--root", f"town={town}", "--out", out, "--device", "cpu"]
    rounds = out / "seed_0"
    for reached in ("human/town/labels/train/*", "round_0/teacher/checkpoint.*", "round_1/pseudo/labels/train/*/*"):
        at_once = lambda reached=reached: any(rounds.glob(reached))  # noqa: E731
        start([str(word) for word in words]).stop_when(at_once, signal.SIGKILL)
    assert selftrain(recipe, out) == 0
    assert contents(out) == contents(whole)
    assert not list(out.rglob("*.part"))


def test_a_finished_stage_is_not_repeated_and_limits_hold(brief, selftrain, tmp_path, capsys):
    recipe, out = brief(), tmp_path / "out"
    assert selftrain(recipe, out, "--stages", "0") == 0
    assert "no network is scored yet" in capsys.readouterr().out
    assert selftrain(recipe, out, "--minutes", "0") == 0
    assert "5 stages are left" in capsys.readouterr().out
    assert selftrain(recipe, out, "--stages", "3") == 0
    said = capsys.readouterr()
    assert "2 stages are left" in said.out and "stage 3 of 5" in said.err and "stage 4 of 5" not in said.err
    before = stamps(out)
    assert selftrain(recipe, out, "--dry-run") == 0
    assert "3 of them done" in capsys.readouterr().out
    assert selftrain(recipe, out) == 0
    said = capsys.readouterr()
    assert "stage 3 of 5" not in said.err and "stage 4 of 5" in said.err
    assert {path: when for path, when in stamps(out).items() if path in before} == before
    before = stamps(out) | {out / "report.html": (out / "report.html").stat().st_mtime_ns}
    assert selftrain(recipe, out) == 0
    assert "stage" not in capsys.readouterr().err
    assert stamps(out) | {out / "report.html": (out / "report.html").stat().st_mtime_ns} == before


def test_a_training_may_go_on_by_train_itself(brief, selftrain, tmp_path, monkeypatch, capsys):
    recipe, out = brief(fine_tune=None), tmp_path / "out"
    batch = SegmentationTask.batch

    def stops(self, seed, step, part):
        if step == 5:
            raise KeyboardInterrupt
        return batch(self, seed, step, part)

    monkeypatch.setattr(SegmentationTask, "batch", stops)
    assert selftrain(recipe, out) == 130
    monkeypatch.undo()
    folder = out / "seed_0" / "round_0" / "teacher"
    assert main(["train", str(folder / "recipe.yaml"), "--out", str(folder), "--device", "cpu"]) == 0
    assert "continues after step 4 of 6" in capsys.readouterr().err
    assert selftrain(recipe, out, "--stages", "1") == 0
    assert "is already trained; nothing is repeated" in capsys.readouterr().err


def test_more_rounds_and_seeds_may_follow_another_recipe_is_refused(brief, write, selftrain, tmp_path, capsys):
    out, words = tmp_path / "out", ["--set", "fine_tune=null"]
    recipe = brief()
    assert selftrain(recipe, out, *words) == 0
    before = stamps(out)
    changes = {
        "mix=0.5": "mix null -> 0.5",
        "student.fit.steps=7": "student.0.fit.steps 6 -> 7",
        "labelling.flip=false": "labelling.flip true -> false",
        "teacher.batch=2": "teacher.batch 4 -> 2",
    }
    for change, told in changes.items():
        assert selftrain(recipe, out, *words, "--set", change) == 2
        assert f"made otherwise ({told});" in capsys.readouterr().err
    assert selftrain(recipe, out, *words, "--set", "student.fit.workers=0", "--set", "rounds=2") == 0
    assert {path: when for path, when in stamps(out).items() if path in before} == before
    assert len(stamps(out)) > len(before)
    assert selftrain(recipe, out, *words, "--set", "mix=0.5", "--overwrite") == 0
    assert not (out / "seed_0" / "round_2").exists()
    rows = json.loads((out / "rounds.json").read_text())["models"]
    assert len(rows) == 2


@pytest.fixture
def own_town(town, tmp_path):
    """A town that a test may change."""
    return shutil.copytree(town, tmp_path / "own")


def test_changed_data_are_made_anew_and_nothing_else(write, own_town, tmp_path, capsys):
    out, recipe = tmp_path / "out", write(rounds=1)
    words = ["selftrain", str(recipe), "--root", f"town={own_town}", "--out", str(out), "--device", "cpu"]
    assert main(words) == 0
    weights = {path: path.read_bytes() for path in out.rglob("best.safetensors")}
    before = stamps(out)

    path = own_town / "images" / "train" / "clip3" / "02.png"  # a frame without human label
    path.unlink()  # not in place: the pseudo-labels' image is the same file
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(path)
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "stage 1 of 4" not in said and "(its inputs changed, anew)" in said
    assert "11 of 12 frames have their labels, 1 are to be labelled" in said
    after = stamps(out)
    labels = [path for path in before if path.suffix == ".png" and before[path] != after[path]]
    assert [path.name for path in labels] == ["02.png"]
    changed = {path.parent.name for path, content in weights.items() if path.read_bytes() != content}
    assert changed == {"student", "fine_tuned"}

    label = own_town / "labels" / "train" / "clip0" / "01.png"  # a human label
    label.write_bytes((own_town / "labels" / "train" / "clip1" / "01.png").read_bytes())
    assert main(words) == 0
    assert "stage 1 of 4" in capsys.readouterr().err


def test_a_removed_frame_goes_from_the_pseudo_labels(write, own_town, tmp_path):
    out, recipe = tmp_path / "out", write(rounds=1, fine_tune=None)
    words = ["selftrain", str(recipe), "--root", f"town={own_town}", "--out", str(out), "--device", "cpu"]
    assert main([*words, "--stages", "2"]) == 0
    for kind in ("images", "labels", "instances"):
        (own_town / kind / "train" / "clip3" / "02.png").unlink()
    assert main([*words, "--stages", "1"]) == 0
    pseudo = out / "seed_0" / "round_1" / "pseudo"
    assert len((pseudo / "manifest.jsonl").read_text().splitlines()) == 11
    assert not (pseudo / "images" / "train" / "clip3" / "02.png").exists()


def test_the_report_is_written_after_an_interrupted_call_too(brief, selftrain, tmp_path, monkeypatch):
    out, recipe = tmp_path / "out", brief()

    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds_run, "write_report", stops)
    assert selftrain(recipe, out, "--stages", "2") == 130
    monkeypatch.undo()
    assert selftrain(recipe, out, "--stages", "0") == 0
    assert "0 teacher" in (before := (out / "report.html").read_text()) and "1 student" not in before

    monkeypatch.setattr(rounds_run, "write_report", stops)
    assert selftrain(recipe, out, "--stages", "2") == 130
    monkeypatch.undo()
    assert selftrain(recipe, out, "--stages", "0") == 0
    assert "1 student" in (out / "report.html").read_text()
