"""``seglift study`` of rounds."""

from __future__ import annotations

import json

import pytest
import yaml

from seglift.cli.main import main


@pytest.fixture
def study(town, tmp_path, write):
    """Runs a study of tiny rounds; gives the exit status."""

    def study(out, policies, *more, changes=None, **values):
        write(**{"rounds": 1, **(changes or {})})
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({"recipe": "rounds.yaml", "policies": policies, "seeds": [0], **values}))
        words = ["study", str(path), "--root", f"town={town}", "--out", str(out), "--device", "cpu"]
        return main([*words, *more])

    return study


POLICIES = {"rounds": {}, "mixed": {"mix": 0.5}, "supervised": {"rounds": 0, "teacher.fit.steps": 9}}


def test_rounds_compare_and_do_once_what_they_have_in_common(study, tmp_path, capsys, panoptic):
    out = tmp_path / "out"
    both = {"teacher": panoptic, "student": panoptic}
    assert study(out, POLICIES, changes=both, metrics=["miou", "pq", "ap"], baseline="supervised") == 0
    said = capsys.readouterr()
    assert said.err.count("taken from") == 2  # the teacher and its pseudo-labels
    teachers = [out / name / "seed_0/seed_0/round_0/teacher/best.safetensors" for name in POLICIES]
    assert teachers[0].read_bytes() == teachers[1].read_bytes() != teachers[2].read_bytes()
    for table in ("PQ: mean", "PQ of mixed, by network", "1 fine-tuned"):
        assert table in said.out
    scores = json.loads((out / "mixed/seed_0/seed_0/round_1/fine_tuned/scores.json").read_text())
    written = json.loads((out / "summary.json").read_text())["metrics"]
    means = {row["policy"]: row["mean"] for row in written["pq"]["policies"]}
    assert means["mixed"] == pytest.approx(scores["panoptic"]["pq"])
    assert (out / "mixed/seed_0/report.html").is_file()
    assert study(out, POLICIES, changes=both, metrics=["miou", "pq", "ap"]) == 0
    assert "stage" not in capsys.readouterr().err


def test_rounds_side_by_side_are_those_one_after_the_other(study, tmp_path):
    for jobs in ("1", "2"):
        assert study(tmp_path / jobs, POLICIES, "--jobs", jobs) == 0
    assert (tmp_path / "1/study.csv").read_text() == (tmp_path / "2/study.csv").read_text()
    logs = "".join((tmp_path / f"2/{name}/seed_0.log").read_text() for name in ("rounds", "mixed"))
    assert logs.count("taken from") == 2


def test_rounds_of_another_kind_do_not_take_labels_without_instances(study, tmp_path, panoptic):
    labelled = [{"dataset": "folder", "name": "town", "share": 0.5}]
    policies = {"classes": {}, "instances": {"teacher": panoptic, "student": panoptic}}
    assert study(tmp_path / "out", policies, changes={"labelled": labelled, "rounds": 0}) == 0
    parts = {
        name: {path.name for path in (tmp_path / f"out/{name}/seed_0/seed_0/human/town").iterdir()} for name in policies
    }
    assert parts["instances"] - parts["classes"] == {"instances"}


def test_scores_of_a_given_teacher_are_those_of_the_own_evaluation(study, town, training, tmp_path, capsys):
    recipe, teacher, out = tmp_path / "teacher.yaml", tmp_path / "teacher", tmp_path / "out"
    recipe.write_text(yaml.safe_dump({**training, "train": [{"dataset": "folder", "name": "town"}]}))
    assert main(["train", str(recipe), "--root", f"town={town}", "--out", str(teacher), "--device", "cpu"]) == 0
    policies = {"plain": {}, "longer": {"student.fit.steps": 9}, "small": {"student.evaluation": {"scales": [0.25]}}}
    capsys.readouterr()
    assert study(out, policies, changes={"teacher": str(teacher), "rounds": 0}) == 0
    assert capsys.readouterr().err.count("taken from") == 1
    plain, longer, small = ((out / name / "seed_0/seed_0/round_0/teacher/scores.json").read_text() for name in policies)
    assert plain == longer != small


def test_the_dry_run_says_what_the_rounds_of_each_policy_train(study, tmp_path, capsys):
    assert study(tmp_path / "out", POLICIES, "--dry-run", changes={"student_changes": {"fit.epochs": 3}}) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "3 policies with seed 0: 3 runs, 0 of them done"
    # 12 frames, 16 images with the human labels, in batches of 4
    assert "3 trainings, 18 steps in total: 0 teacher 6, 1 student 9, 1 fine-tuned 3" in said
    assert "1 student 12" in said and "1 training, 9 steps in total: 0 teacher 9" in said
    assert said.count("human labels: 4 of 4 of town train") == 3 and not (tmp_path / "out").exists()


def test_a_run_without_its_report_goes_on(study, tmp_path):
    out, policies = tmp_path / "out", {"supervised": {"rounds": 0}}
    report = out / "supervised/seed_0/report.html"
    for _ in range(2):
        assert study(out, policies) == 0
        report.unlink()


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"a": {"rounds": -1}}, "policy a: rounds is -1"),
        ({"a": {"student": "weights"}}, "policy a: student is 'weights'"),
        ({"a": {"seeds": [1]}}, "set fit.seed or seeds"),
        ({"a": {"teacher": "nowhere.yaml"}}, "nowhere.yaml"),
        ({"a": {"labelled": [{"dataset": "folder", "name": "village"}]}}, 'where "village" lies'),
        ({"a": {}, "b": {"student.crop": [480, 640]}}, "policy b: crops of 480x640"),
    ],
)
def test_wrong_rounds_are_refused_before_anything_runs(study, tmp_path, capsys, policies, said):
    assert study(tmp_path / "out", policies) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
