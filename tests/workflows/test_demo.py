"""The demo end to end on a tiny street: files, scores, one training for all methods, resuming, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.workflows.demo import METHODS, DemoConfig, DemoResult, format_demo, run_demo, write_clip
from seglift.workflows.label import auto_model
from seglift.workflows.score.run import score_folders

pytest.importorskip("embreex")


@dataclass(frozen=True)
class Done:
    config: DemoConfig
    result: DemoResult
    trainings: list[Path]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """A finished demo of five frames with keyframes 0, 2 and 4, and the folders that models were trained in."""
    config = DemoConfig(tmp_path_factory.mktemp("demo") / "out", frames=5, model_steps=3, height=64, width=96)
    trainings: list[Path] = []
    train = auto_model.train_segmentation

    def counted(*arguments: object, **named: object) -> object:
        trainings.append(Path(str(arguments[3])))
        return train(*arguments, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto_model, "train_segmentation", counted)
        yield Done(config, run_demo(config), trainings)


def stamps(folder: Path, pattern: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob(pattern))}


def test_clip_holds_frames_exact_labels_and_keyframes(done: Done) -> None:
    clip = done.config.out / "clip"
    stems = [f"{index:06d}.png" for index in range(5)]
    assert sorted(path.name for path in (clip / "frames").iterdir()) == stems
    assert sorted(path.name for path in (clip / "ground_truth").iterdir()) == stems
    assert sorted(path.name for path in (clip / "keyframes").iterdir()) == stems[::2]
    for name in stems[::2]:
        assert (clip / "keyframes" / name).read_bytes() == (clip / "ground_truth" / name).read_bytes()
    labels = cv2.imread(str(clip / "ground_truth" / stems[0]), cv2.IMREAD_UNCHANGED)
    assert labels is not None
    assert labels.shape == (64, 96)
    assert {7, 11, 26} <= set(np.unique(labels).tolist())  # road, building, car of Cityscapes


def test_every_method_labels_every_frame(done: Done) -> None:
    for method in METHODS:
        out = done.config.out / method
        assert len(list((out / "labels").glob("*.png"))) == 5
        assert json.loads((out / "run.json").read_text())["options"]["method"] == method
    shares = {
        method: json.loads((done.config.out / method / "frames.jsonl").read_text().splitlines()[1])["provenance"]
        for method in METHODS
    }
    assert shares["semantic"]["model"] == 1
    assert shares["motion"]["model"] == 0


def test_one_model_is_trained_for_all(done: Done) -> None:
    assert done.trainings == [done.config.out / "refine" / ".seglift" / "model"]


def test_scores_are_those_of_the_score_command(done: Done) -> None:
    clip = done.config.out / "clip"
    for method in METHODS:
        again = score_folders(done.config.out / method, clip / "ground_truth", "cityscapes", clip / "keyframes")
        assert done.result.scores[method].as_json() == again.as_json()
        assert again.frames == 2


def test_table_has_every_distance_and_method(done: Done) -> None:
    lines = format_demo(done.result).splitlines()
    order = ["motion", "semantic", "inpaint", "refine"]
    assert lines[1].split()[-4:] == order
    overall = [f"{100 * done.result.scores[m].confusion.miou():.1f}" for m in order]
    assert [line.split() for line in lines[2:]] == [["1", *overall], ["all", *overall]]


def test_one_page_compares_the_methods(done: Done) -> None:
    assert done.result.report == done.config.out / "report.html"
    page = done.result.report.read_text()
    assert all(method in page for method in METHODS)
    assert page.count("data:image/") >= 5 * (2 + 3 * len(METHODS))  # picture, truth; labels, confidence, errors


def test_the_same_again_does_nothing_new(done: Done) -> None:
    out = done.config.out
    before = stamps(out, "*.png") | stamps(out, "*.safetensors")
    page = done.result.report.read_bytes()
    again = run_demo(done.config)
    assert len(done.trainings) == 1
    assert stamps(out, "*.png") | stamps(out, "*.safetensors") == before
    assert again.report.read_bytes() == page
    assert format_demo(again) == format_demo(done.result)


def test_a_renamed_folder_goes_on(done: Done, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(done.config.out, moved)
    before = stamps(moved, "*.png")
    run_demo(replace(done.config, out=moved))
    assert len(done.trainings) == 1 and stamps(moved, "*.png") == before


def test_other_options_are_refused(done: Done) -> None:
    with pytest.raises(UserError, match=r"other options.*--overwrite"):
        run_demo(replace(done.config, seed=1))


def test_lost_frames_are_rendered_again_equal(done: Done, tmp_path: Path) -> None:
    shutil.copytree(done.config.out / "clip", tmp_path / "clip")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    (tmp_path / "clip" / "frames" / "000001.png").unlink()
    (tmp_path / "clip" / "keyframes" / "000002.png").unlink()
    kept = tmp_path / "clip" / "frames" / "000003.png"
    stamp = kept.stat().st_mtime_ns
    write_clip(replace(done.config, out=tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before
    assert kept.stat().st_mtime_ns == stamp


def test_overwrite_removes_the_demo_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(config: DemoConfig) -> None:
        raise UserError(f"stopped at {config.seed}")

    monkeypatch.setattr("seglift.workflows.demo.write_clip", stop)
    with pytest.raises(UserError, match="stopped at 0"):
        run_demo(DemoConfig(tmp_path))
    (tmp_path / "clip").mkdir()
    (tmp_path / "motion").mkdir()
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="stopped at 1"):
        run_demo(DemoConfig(tmp_path, seed=1, overwrite=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json", "notes.txt"]
    with pytest.raises(UserError, match="other options"):
        run_demo(DemoConfig(tmp_path))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_files_is_refused(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "holiday.png").write_bytes(b"x")
    with pytest.raises(UserError, match="no demo"):
        run_demo(DemoConfig(tmp_path, overwrite=overwrite))
    assert [path.name for path in tmp_path.rglob("*")] == ["clip", "holiday.png"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        run_demo(DemoConfig(tmp_path / "out"))


def test_a_start_killed_at_once_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".demo.json.abc.part").write_text("{")

    def stop(config: DemoConfig) -> None:
        raise UserError("reached the clip")

    monkeypatch.setattr("seglift.workflows.demo.write_clip", stop)
    with pytest.raises(UserError, match="reached the clip"):
        run_demo(DemoConfig(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(5, [0, 2, 4]), (9, [0, 4, 8]), (10, [0, 4, 8]), (41, [0, 20, 40]), (50, [0, 20, 40]), (61, [0, 20, 40, 60])],
)
def test_keyframes(frames: int, expected: list[int]) -> None:
    assert list(DemoConfig(frames=frames).keyframes()) == expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": 4}, "--frames is 4, expected 5 or more"),
        ({"frames": 10**6}, "expected at most 180 s"),
        ({"seed": -1}, "--seed is -1"),
        ({"seed": 2**32}, "--seed is 4294967296"),
        ({"model_steps": 0}, "--model-steps is 0"),
        ({"height": 8}, "expected 32"),
    ],
)
def test_bad_options_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DemoConfig(**wrong)  # type: ignore[arg-type]
