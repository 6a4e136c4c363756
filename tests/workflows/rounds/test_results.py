from __future__ import annotations

import csv
import json

from seglift.workflows.rounds.networks import Model, Network
from seglift.workflows.rounds.results import ModelScores, format_rounds, write_results

SMALL, LARGE = Network("small", 10), Network("large", None)


def scores(miou, pq=None):
    return {"miou": miou, **({} if pq is None else {"panoptic": {"pq": pq}})}


ROWS = [
    ModelScores(Model(0, "teacher"), SMALL, {3: scores(0.4, 0.2), 4: scores(0.5, 0.3)}),
    ModelScores(Model(1, "student"), LARGE, {3: scores(0.45, 0.26), 4: scores(0.57, 0.34)}),
    ModelScores(Model(1, "fine_tuned"), LARGE, {3: scores(0.5)}),
    ModelScores(Model(2, "student"), LARGE, {}),
]


def test_the_table_has_means_spreads_and_paired_gains():
    lines = [line.split() for line in format_rounds(ROWS).splitlines()]
    assert lines[1] == ["model", "runs", "mIoU", "to", "teacher", "PQ", "to", "teacher"]
    assert " ".join(lines[2]) == "0 teacher 2 45.00 ± 7.07 25.00 ± 7.07"
    assert " ".join(lines[3]) == "1 student 2 51.00 ± 8.49 +6.00 ± 1.00 30.00 ± 5.66 +5.00 ± 1.00"
    assert " ".join(lines[4]) == "1 fine-tuned 1 50.00 +10.00"
    assert len(lines) == 5
    assert format_rounds([ModelScores(Model(0, "teacher"), SMALL, {})]) == "no network is scored yet"


def test_files_have_every_run(tmp_path):
    write_results(ROWS, tmp_path)
    rows = list(csv.DictReader((tmp_path / "rounds.csv").open()))
    assert [(row["seed"], row["round"], row["model"], row["miou"], row["pq"], row["ap"]) for row in rows[:2]] == [
        ("3", "0", "teacher", "0.400000", "0.200000", ""),
        ("4", "0", "teacher", "0.500000", "0.300000", ""),
    ]
    assert len(rows) == 5
    models = json.loads((tmp_path / "rounds.json").read_text())["models"]
    assert models[1]["scores"]["4"] == {"miou": 0.57, "pq": 0.34}
    assert models[0]["network"] == {"name": "small", "parameters": 10}
