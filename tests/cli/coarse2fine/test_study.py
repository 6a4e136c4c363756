"""``seglift study`` of coarse-to-fine rounds and trainings."""

from __future__ import annotations

import json

import pytest
import yaml

from seglift.cli.main import main


@pytest.fixture
def study(town, drawn, tmp_path, write):
    """Runs a study of tiny rounds; gives the exit status."""

    def study(out, policies, *more, changes=None, **values):
        write(rounds=2, **(changes or {}))
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({"recipe": "rounds.yaml", "policies": policies, "seeds": [0], **values}))
        words = ["study", path, "--root", f"town={town}", "--root", f"drawn={drawn}", "--out", out, "--device", "cpu"]
        return main([*map(str, words), *more])

    return study


POLICIES = {"rounds": {}, "surer": {"labelling.confidence": 0.6}, "unmixed": {"mix": None}, "real": {"synthetic": []}}


def test_rounds_compare_and_do_once_what_they_have_in_common(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert study(out, POLICIES) == 0
    said = capsys.readouterr()
    # surer: coarse labels, those drawn, synthetic ones, round 0; unmixed: the first three; real: the first two.
    assert said.err.count("taken from") == 4 + 3 + 2
    first = [(out / name / "seed_0/seed_0/round_0/network/best.safetensors").read_bytes() for name in POLICIES]
    assert first[0] == first[1] and len(set(first)) == 3
    assert "mIoU of real, by network" in said.out and "1 network" in said.out
    scores = json.loads((out / "surer/seed_0/seed_0/round_1/network/scores.json").read_text())
    written = json.loads((out / "summary.json").read_text())["metrics"]["miou"]["policies"]
    means = {row["policy"]: row["mean"] for row in written}
    assert means["surer"] == pytest.approx(scores["miou"])
    assert (out / "rounds/seed_0/report.html").is_file()
    assert study(out, POLICIES) == 0
    assert "stage" not in capsys.readouterr().err


def test_the_dry_run_says_what_the_rounds_of_each_policy_train(study, tmp_path, capsys):
    assert study(tmp_path / "out", POLICIES, "--dry-run", hours={"real": 1.5}) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "4 policies with seed 0: 4 runs, 0 of them done"
    assert said.count("2 trainings, 16 steps in total: 0 network 8, 1 network 8") == 4
    assert "real: 0 of 1 run done, 1.5 hours of annotation" in said and said.count("coarse labels: 6 of 10") == 4
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"a": {"rounds": 0}}, "policy a: rounds is 0"),
        ({"a": {"model": "weights"}}, "policy a: model is 'weights'"),
        ({"a": {"seeds": [1]}}, "set fit.seed or seeds"),
        ({"a": {"coarse.0.count": 99}}, "count 99 of town"),
        ({"a": {}, "b": {"model.crop": [480, 640]}}, "policy b: crops of 480x640"),
        ({"a": {}, "b": {"model.start": "nowhere"}}, "policy b: no weights file at nowhere"),
    ],
)
def test_wrong_rounds_are_refused_before_anything_runs(study, tmp_path, capsys, policies, said):
    assert study(tmp_path / "out", policies) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_trainings_of_kind_coarse_to_fine_compare(town, drawn, training, tmp_path, capsys):
    values = {
        **training,
        "kind": "coarse_to_fine",
        "train": [{"dataset": "folder", "name": "town"}, {"dataset": "folder", "name": "drawn"}],
        "test": {"dataset": "folder", "name": "town", "split": "val"},
        "synthetic": ["drawn"],
    }
    path = tmp_path / "study.yaml"
    policies = {"mixed": {}, "unmixed": {"mix.probability": 0}}
    path.write_text(yaml.safe_dump({"recipe": values, "policies": policies, "seeds": [0]}))
    words = ["study", path, "--root", f"town={town}", "--root", f"drawn={drawn}", "--out", tmp_path / "out"]
    assert main([*map(str, words), "--device", "cpu"]) == 0
    assert "unmixed" in capsys.readouterr().out
