"""Nothing is carried across a scene cut."""

from __future__ import annotations

import pytest


@pytest.fixture
def cut(root, moving):
    """From frame 6 on clip ``a`` shows another place."""
    image, _, _ = moving.world(7)
    for index in range(6, moving.frames):
        moving.save(root / f"images/train/a/f{index:02d}.png", moving.part(image, index))


def targets(result):
    return {clip: [pair["k"] for pair in result().pairs if pair["clip"] == clip] for clip in "ab"}


@pytest.mark.parametrize("method", ["motion", "inpaint", "motion joint"])
def test_neighbours_behind_a_cut_are_left_out(cut, exact, synthesize, result, model, method):
    more = ["--pairs", "joint"] if "joint" in method else ["--model", model] if method == "inpaint" else []
    done = synthesize("--method", method.split()[0], "--distances", "1-4", *more).done()
    assert targets(result) == {"a": [-4, -3, -2, -1, 1], "b": [-4, -3, -2, -1, 1, 2, 3, 4]}
    assert "3 neighbours lie behind one" in done.err
    again = synthesize("--method", method.split()[0], "--distances", "1-4", *more).done()
    assert "2 of 2 labelled frames are up to date" in again.err and "3 neighbours lie behind one" in again.err


def test_going_backward(cut, exact, synthesize, result, root, moving):
    for clip in "ab":
        for kind in ("labels", "instances"):
            (root / kind / "train" / clip / "f04.png").rename(root / kind / "train" / clip / "f07.png")
    synthesize("--distances", "1,2,3").done()
    assert targets(result) == {"a": [-1, 1], "b": [-3, -2, -1, 1]}


def test_not_looked_for(cut, synthesize, result):
    done = synthesize("--cuts", "none", "--distances", "1-4").done()
    assert len(targets(result)["a"]) == 8 and "scene cuts" not in done.err


def test_semantic_labels_look_at_each_frame_alone(cut, synthesize, result, model):
    synthesize("--method", "semantic", "--model", model, "--distances", "1-4").done()
    assert len(targets(result)["a"]) == 8
