"""``seglift demo``: what it hands to the workflow, what it prints, exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from seglift.cli.main import main
from seglift.labels.space_file import get_space
from seglift.metrics.confusion import Confusion
from seglift.workflows import demo
from seglift.workflows.demo import METHODS, DemoConfig, DemoResult
from seglift.workflows.score.run import Scores


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DemoConfig]:
    """The configurations that reach the workflow, which answers at once that everything is right."""
    configs: list[DemoConfig] = []

    def answer(config: DemoConfig) -> DemoResult:
        configs.append(config)
        space = get_space("cityscapes")
        right = Confusion.empty(space.num_train)
        right.counts[0, 0] = 10
        scores = Scores(space, right, by_distance={1: right}, frames=1)
        return DemoResult(dict.fromkeys(METHODS, scores), config.out / "report.html")

    monkeypatch.setattr(demo, "run_demo", answer)
    return configs


def test_defaults_are_the_workflows(asked: list[DemoConfig], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    assert asked == [DemoConfig()]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["all", *["100.0"] * len(METHODS)]
    assert lines[-1] == "report: seglift-demo/report.html"


def test_options_reach_the_workflow(asked: list[DemoConfig], tmp_path: Path) -> None:
    words = ["--out", str(tmp_path), "--frames", "9", "--seed", "3", "--model-steps", "20", "--overwrite"]
    assert main(["demo", *words]) == 0
    assert asked == [DemoConfig(tmp_path, frames=9, seed=3, model_steps=20, overwrite=True)]


def test_foreign_folder_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("seglift: error: ")
    assert error.count("\n") == 1
