from __future__ import annotations

import shutil
import threading

import pytest

from seglift.workflows.outputs.journal import Journal
from seglift.workflows.rounds import shared_stages
from seglift.workflows.rounds.shared_stages import ENTRY, SharedStages
from seglift.workflows.rounds.stages import Stage, StageRunner


@pytest.fixture
def rounds(tmp_path):
    """A runner of rounds of that name, which share with the others, and a stage that counts its work."""
    worked: list[str] = []
    started = threading.Event()

    def rounds(name, key="1", hold=None):
        out = tmp_path / name
        work = out / ".seglift-selftrain"
        work.mkdir(parents=True, exist_ok=True)
        others = [tmp_path / other for other in "abc" if other != name]
        runner = StageRunner(
            Journal(work / "journal.jsonl", ENTRY), 1, shared=SharedStages("selftrain", out, others, tmp_path / "locks")
        )

        def do():
            worked.append(name)
            started.set()
            if hold is not None:
                hold.wait(10)
            (out / "stage" / "deep").mkdir(parents=True)
            (out / "stage" / "best.txt").write_text(key)
            (out / "stage" / "deep" / "a.png").write_bytes(b"picture")

        stage = Stage("stage", "a stage", key, (out / "stage" / "best.txt",), do, lambda: None)
        return lambda: runner.run(stage)

    return rounds, worked, started


def test_the_same_stage_is_taken_and_another_is_done(rounds, tmp_path):
    make, worked, _ = rounds
    assert make("a")() and make("b")() and make("c", "2")()
    assert worked == ["a", "c"]
    assert (tmp_path / "b/stage/best.txt").read_text() == "1"
    picture, own = (tmp_path / name / "stage/deep/a.png" for name in "ab")
    assert picture.samefile(own)
    (tmp_path / "b/stage/best.txt").write_text("changed")
    assert (tmp_path / "a/stage/best.txt").read_text() == "1"


def test_remains_of_an_interrupted_stage_are_replaced(rounds, tmp_path):
    make, worked, _ = rounds
    assert make("a")()
    (tmp_path / "b/stage").mkdir(parents=True)
    (tmp_path / "b/stage/half.txt").write_text("half")
    assert make("b")()
    assert worked == ["a"] and not (tmp_path / "b/stage/half.txt").exists()


def test_a_folder_without_its_products_is_not_taken(rounds, tmp_path):
    make, worked, _ = rounds
    assert make("a")()
    (tmp_path / "a/stage/best.txt").unlink()
    assert make("b")()
    assert worked == ["a", "b"]


def test_a_copy_that_was_interrupted_leaves_nothing_behind(rounds, tmp_path, monkeypatch):
    make, worked, _ = rounds
    assert make("a")()

    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shared_stages, "link_or_copy", stops)
    with pytest.raises(KeyboardInterrupt):
        make("b")()
    monkeypatch.undo()
    assert not (tmp_path / "b/stage").exists()
    shutil.rmtree(tmp_path / "a")
    assert make("b")()
    assert worked == ["a", "b"] and not list((tmp_path / "b").glob(".stage*"))


def test_who_comes_second_waits_for_the_first(rounds, tmp_path):
    make, worked, started = rounds
    hold = threading.Event()
    threads = [threading.Thread(target=make(name, hold=hold)) for name in "ab"]
    threads[0].start()
    assert started.wait(10)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive() and worked == ["a"]
    hold.set()
    for thread in threads:
        thread.join(10)
    assert worked == ["a"] and (tmp_path / "b/stage/best.txt").is_file()
