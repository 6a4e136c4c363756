from __future__ import annotations

import pytest

from seglift.workflows.outputs.journal import Journal
from seglift.workflows.rounds.shared_stages import ENTRY
from seglift.workflows.rounds.stages import Stage, StageRunner, count_done


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl", ENTRY)


@pytest.fixture
def stage(tmp_path):
    """A stage that notes what happens to it; ``stops`` interrupts its work."""

    def stage(name="a", key="1", stops=False):
        product = tmp_path / name
        notes.append((name, key))

        def work():
            notes.append(f"work {name}")
            if stops:
                raise KeyboardInterrupt
            product.write_text(key)

        return Stage(name, f"stage {name}", key, (product,), work, lambda: notes.append(f"clear {name}"))

    notes: list[object] = []
    return stage, notes


def test_a_stage_is_done_once(journal, stage):
    make, notes = stage
    for _ in range(2):
        runner = StageRunner(journal, 2)
        assert runner.run(make()) and runner.left == 1
    assert [note for note in notes if isinstance(note, str)] == ["work a"]
    assert runner.made == 0


def test_interrupted_work_goes_on_and_other_inputs_clear_first(journal, stage):
    make, notes = stage
    with pytest.raises(KeyboardInterrupt):
        StageRunner(journal, 1).run(make(stops=True))
    StageRunner(journal, 1).run(make())
    with pytest.raises(KeyboardInterrupt):
        StageRunner(journal, 1).run(make(key="2", stops=True))
    assert count_done(journal) == 0
    StageRunner(journal, 1).run(make(key="2"))
    assert count_done(journal) == 1
    assert [note for note in notes if isinstance(note, str)] == ["work a", "work a", "clear a", "work a", "work a"]


def test_what_is_missing_is_made_again(journal, stage, tmp_path):
    make, notes = stage
    StageRunner(journal, 1).run(make())
    (tmp_path / "a").unlink()
    assert not StageRunner(journal, 1).is_done(make())
    StageRunner(journal, 1).run(make())
    assert "clear a" not in notes and notes.count("work a") == 2


def test_limits(journal, stage):
    make, _ = stage
    runner = StageRunner(journal, 3, limit=1)
    assert runner.run(make("a")) and not runner.run(make("b")) and runner.left == 2
    assert not StageRunner(journal, 3, minutes=-1).run(make("b"))
    again = StageRunner(journal, 3, limit=1)
    assert again.run(make("a")) and again.run(make("b")) and not again.run(make("c"))
