from __future__ import annotations

import csv
import dataclasses
import json

import pytest

from seglift.workflows.study.recipe import StudyRecipe, read_study
from seglift.workflows.study.results import format_study, write_results
from seglift.workflows.study.runs import Run

GAINS = {("a", 0): 0.5, ("a", 1): 0.5, ("b", 0): 0.6, ("b", 1): 0.6, ("best", 0): 0.75, ("best", 1): 0.75}


@pytest.fixture
def study(tmp_path):
    """A study of three policies with scores of two networks each, the second one's as in GAINS."""
    path = tmp_path / "study.yaml"
    path.write_text(
        json.dumps(
            {
                "recipe": {
                    "kind": "naive_student",
                    "teacher": {"network": {"architecture": "compact_unet"}},
                    "student": {"network": {"architecture": "compact_unet"}},
                    "labelled": [{"dataset": "folder"}],
                    "unlabelled": [{"dataset": "folder"}],
                    "test": {"dataset": "folder", "split": "val"},
                    "rounds": 1,
                    "fine_tune": None,
                },
                "policies": {"a": {}, "b": {"share": 0.5}, "best": {"mix": 0.5}},
                "seeds": [0, 1],
                "oracle": "best",
                "metrics": ["miou", "pq"],
            }
        )
    )
    recipe, policies = read_study(path, {})
    runs = [Run(policies[name], seed, tmp_path / name / str(seed)) for name, seed in GAINS]
    for run in runs:
        for number, place in enumerate(run.scores.values()):
            place.parent.mkdir(parents=True)
            miou = GAINS[run.policy.name, run.seed] - (0.2 + 0.1 * run.seed) * (number == 0)
            place.write_text(json.dumps({"miou": miou, "panoptic": {"pq": miou / 2}}))
        (run.folder / run.policy.kind.last).write_text("")
    return recipe, runs


def test_policies_compare_by_their_last_network_and_networks_with_the_first(study, tmp_path):
    recipe, runs = study
    assert isinstance(recipe, StudyRecipe) and all(run.is_done() for run in runs)
    miou, pq = write_results(recipe, runs, tmp_path)
    assert [row.mean for row in miou.policies] == pytest.approx([0.5, 0.6, 0.75])
    assert [row.share for row in miou.policies] == [None, pytest.approx(0.4), None]
    assert [(row.policy, row.mean) for row in miou.networks["b"]] == [
        ("0 teacher", pytest.approx(0.35)),
        ("1 student", pytest.approx(0.6)),
    ]
    assert miou.networks["b"][1].difference == pytest.approx(0.25)
    assert miou.networks["b"][1].error == pytest.approx(0.05)
    assert [row.mean for row in pq.policies] == pytest.approx([0.25, 0.3, 0.375])


def test_files_and_tables_say_the_same(study, tmp_path):
    recipe, runs = study
    text = format_study(write_results(recipe, runs, tmp_path))
    assert "PQ: mean" in text and "mIoU of b, by network" in text and "40 %" in text
    rows = list(csv.DictReader((tmp_path / "study.csv").open()))
    assert len(rows) == 12
    assert rows[0] == {"policy": "a", "network": "0 teacher", "seed": "0", "miou": "0.300000", "pq": "0.150000"}
    written = json.loads((tmp_path / "summary.json").read_text())["metrics"]
    assert written["miou"]["policies"][1]["difference"] == pytest.approx(0.1)
    assert written["pq"]["networks"]["a"][1]["policy"] == "1 student"
    assert (tmp_path / "study.png").read_bytes().startswith(b"\x89PNG")


def test_before_the_first_run_there_is_nothing(study, tmp_path):
    recipe, runs = study
    empty = [Run(run.policy, run.seed, tmp_path / "nowhere") for run in runs]
    summaries = write_results(recipe, empty, tmp_path / "out")
    assert format_study(summaries) == "no run is done yet"
    assert not (tmp_path / "out/study.png").exists()


def test_hours_are_in_every_result_and_have_a_plot_of_their_own(study, tmp_path):
    recipe, runs = study
    write_results(recipe, runs, tmp_path)
    assert not (tmp_path / "budget.png").exists() and "hours" not in (tmp_path / "study.csv").read_text()
    costs = dataclasses.replace(recipe, hours={"best": 4462}, cost={"b": {"coarse": 600}}, line="best")
    text = format_study(write_results(costs, runs, tmp_path))
    assert [line.split()[:2] for line in text.splitlines()[2:5]] == [["a", "2"], ["b", "70.0"], ["best", "4462"]]
    rows = list(csv.DictReader((tmp_path / "study.csv").open()))
    assert {(row["policy"], row["hours"]) for row in rows} == {("a", ""), ("b", "70"), ("best", "4462")}
    written = json.loads((tmp_path / "summary.json").read_text())["metrics"]["miou"]["policies"]
    assert [row.get("hours") for row in written] == [None, 70, 4462]
    assert (tmp_path / "budget.png").read_bytes().startswith(b"\x89PNG")
    write_results(recipe, runs, tmp_path)
    assert not (tmp_path / "budget.png").exists()


def test_classes_are_written_where_scores_have_them(study, tmp_path):
    recipe, runs = study
    write_results(recipe, runs, tmp_path)
    assert not (tmp_path / "classes.csv").exists()
    for run in runs:
        place = list(run.scores.values())[-1]
        place.write_text(
            json.dumps({**json.loads(place.read_text()), "iou": {"car": GAINS[run.policy.name, run.seed]}})
        )
    write_results(recipe, runs, tmp_path)
    rows = list(csv.DictReader((tmp_path / "classes.csv").open()))
    assert [(row["class"], row["policy"], row["mean"]) for row in rows][1] == ("car", "b", "0.600000")
    assert json.loads((tmp_path / "summary.json").read_text())["classes"]["car"][2]["difference"] == pytest.approx(0.25)
