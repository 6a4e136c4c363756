"""Rounds that were interrupted go on; what changed is refused or made anew."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from seglift.cli.main import main
from seglift.training.segmentation import SegmentationTask
from seglift.workflows.coarse_to_fine import coarse_labels
from seglift.workflows.coarse_to_fine import run as coarse_run
from seglift.workflows.coarse_to_fine.fill import Filler
from seglift.workflows.rounds.dataset_output import DatasetOutput

TOWN = {"dataset": "folder", "name": "town"}


def contents(out):
    """What the rounds made: weights, labels, scores, tables."""
    kinds = (".safetensors", ".png", ".csv", ".jsonl", ".html", ".json")
    left_out = {"images", "class_index", ".seglift-coarse2fine", "tensorboard"}
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
def brief(write):
    """Two rounds with everything in them: nine stages."""
    fine = {"fine": [{**TOWN, "count": 2}], "fine_tune": {"steps": 3}}
    return lambda **changes: write(rounds=2, **{**fine, **changes})


def test_interrupted_at_every_stage_it_ends_with_the_same_bytes(brief, coarse2fine, tmp_path, monkeypatch, capsys):
    recipe, whole, out = brief(), tmp_path / "whole", tmp_path / "out"
    assert coarse2fine(recipe, whole) == 0
    calls, stops = [], set()

    def interrupt(name):
        calls.append(name.partition(" ")[0])
        if f"{calls[-1]} {calls.count(calls[-1]) - 1}" in stops:
            raise KeyboardInterrupt

    def watched(owner, name, called):
        before = getattr(owner, name)

        def watching(*given, **named):
            interrupt(called)
            return before(*given, **named)

        monkeypatch.setattr(owner, name, watching)

    watched(coarse_labels, "coarsen", "coarsen")
    watched(SegmentationTask, "stacked", "step")
    watched(Filler, "fill", "fill")
    watched(DatasetOutput, "write_frame", "write")
    # In turn: calibration, coarse labels, those drawn, synthetic ones, the training, filling, the second training.
    for stop in ("coarsen 3", "write 2", "write 9", "step 5", "fill 3", "step 5"):
        stops.clear()
        stops.add(stop)
        calls.clear()
        assert coarse2fine(recipe, out) == 130
        assert "interrupted" in capsys.readouterr().err
    stops.clear()
    assert coarse2fine(recipe, out, "--stages", "1") == 0
    calls.clear()
    stops.add("step 2")
    assert coarse2fine(recipe, out) == 130
    assert "stage 8 of 8: fine-tuned" in capsys.readouterr().err
    stops.clear()
    assert coarse2fine(recipe, out) == 0
    assert "left" not in capsys.readouterr().out
    found, expected = contents(out), contents(whole)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_killed_again_and_again_it_ends_with_the_same_bytes(brief, coarse2fine, start, words, tmp_path):
    recipe, whole, out = brief(fine=[], fine_tune=None), tmp_path / "whole", tmp_path / "out"
    assert coarse2fine(recipe, whole) == 0
    places = (
        "coarse/town/labels/train/*",
        "seed_0/round_0/network/checkpoint.*",
        "seed_0/round_1/filled/labels/train/*",
    )
    for reached in places:
        at_once = lambda reached=reached: any(out.glob(reached))  # noqa: E731
        start(words(recipe, out)).stop_when(at_once, signal.SIGKILL)
    assert coarse2fine(recipe, out) == 0
    assert contents(out) == contents(whole)
    assert not list(out.rglob("*.part"))


def test_a_finished_stage_is_not_repeated_and_limits_hold(brief, coarse2fine, tmp_path, capsys):
    recipe, out = brief(), tmp_path / "out"
    assert coarse2fine(recipe, out, "--stages", "0") == 0
    assert "no network is scored yet" in capsys.readouterr().out
    assert coarse2fine(recipe, out, "--minutes", "0") == 0
    assert "8 stages are left" in capsys.readouterr().out
    assert coarse2fine(recipe, out, "--stages", "5") == 0
    said = capsys.readouterr()
    assert "3 stages are left" in said.out and "stage 5 of 8" in said.err and "stage 6 of 8" not in said.err
    before = stamps(out)
    assert coarse2fine(recipe, out, "--dry-run") == 0
    assert "5 of them done" in capsys.readouterr().out
    assert coarse2fine(recipe, out) == 0
    said = capsys.readouterr()
    assert "stage 5 of 8" not in said.err and "stage 6 of 8" in said.err
    assert {path: when for path, when in stamps(out).items() if path in before} == before
    before = stamps(out) | {out / "report.html": (out / "report.html").stat().st_mtime_ns}
    assert coarse2fine(recipe, out) == 0
    assert "stage" not in capsys.readouterr().err
    assert stamps(out) | {out / "report.html": (out / "report.html").stat().st_mtime_ns} == before


def test_more_rounds_and_seeds_may_follow_another_recipe_is_refused(write, coarse2fine, tmp_path, capsys):
    out, recipe = tmp_path / "out", write(rounds=1)
    assert coarse2fine(recipe, out) == 0
    before = stamps(out)
    changes = {
        "mix=null": "mix (3 values) -> null",
        "model.fit.steps=7": "model.fit.steps 8 -> 7",
        "labelling.flip=false": "labelling.flip true -> false",
        "coarse.0.count=5": "coarse.0.count 6 -> 5",
        "boundary_weight=0.5": "boundary_weight 1.0 -> 0.5",
    }
    for change, told in changes.items():
        assert coarse2fine(recipe, out, "--set", change) == 2
        assert f"made otherwise ({told});" in capsys.readouterr().err
    assert coarse2fine(recipe, out, "--set", "model.fit.workers=0", "--set", "rounds=2", "--set", "seeds=[0, 1]") == 0
    assert {path: when for path, when in stamps(out).items() if path in before} == before
    assert len(stamps(out)) > len(before) and (out / "seed_1/round_1/network/scores.json").is_file()
    assert coarse2fine(recipe, out, "--set", "mix=null", "--overwrite") == 0
    assert not (out / "seed_0" / "round_1").exists() and not (out / "seed_1").exists()


def test_changed_data_are_made_anew_and_nothing_else(write, town, words, tmp_path, capsys):
    own, out = shutil.copytree(town, tmp_path / "own"), tmp_path / "out"
    fine = {"fine": [{**TOWN, "count": 2}], "fine_tune": {"steps": 2}}
    recipe = write(coarse=[{"dataset": "folder", "name": "own"}], rounds=2, start_from_previous=False, **fine)
    given = words(recipe, out, "--root", f"own={own}")
    assert main(given) == 0
    synthetic = stamps(out / "seed_0" / "synthetic")
    filled = stamps(out / "seed_0" / "round_1" / "filled")
    path = own / "labels" / "train" / "03.png"
    label = np.array(Image.open(path))
    label[20:30] = 9
    Image.fromarray(label).save(path)
    capsys.readouterr()
    assert main(given) == 0
    said = capsys.readouterr().err
    # All trainings, the last of which goes on from a new network, and all filled labels: of a new network.
    assert said.count("(its inputs changed, anew)") == 4
    assert stamps(out / "seed_0" / "synthetic") == synthetic
    after = stamps(out / "seed_0" / "round_1" / "filled")
    assert after.keys() == filled.keys() and not set(after.values()) & set(filled.values())


def test_a_report_that_was_not_written_is_written_by_the_next_call(write, coarse2fine, tmp_path, monkeypatch):
    out, recipe = tmp_path / "out", write(rounds=1, synthetic=[])
    assert coarse2fine(recipe, out, "--stages", "1") == 0
    before = (out / "report.html").read_text()

    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(coarse_run, "write_report", stops)
    assert coarse2fine(recipe, out) == 130
    monkeypatch.undo()
    assert (out / "report.html").read_text() == before
    assert coarse2fine(recipe, out) == 0
    assert (out / "report.html").read_text() != before
