from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.labels.space import LabelClass, LabelSpace
from seglift.propagation.cycle import ReturnConfig
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.training.refining.planned import PlannedFrame
from seglift.training.refining.returns_cache import Making
from seglift.workflows.train.refiner_tau import MOST_FRAMES, TauChoice, choose_tau, frames_to_choose_on

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "road", (0, 90, 0), 0, "flat", False),
        LabelClass(1, "lake", (0, 0, 90), 1, "flat", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)
AUTO = ReturnConfig(lengths=(1, 2), tau="auto")
CHOICE = TauChoice(math.inf, {10.0: 0.5, math.inf: 0.75}, "cycle", 3)


class Frames:
    """Grey frames of one size."""

    def __init__(self, length):
        self.length, self.size = length, (6, 8)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return np.full((6, 8, 3), 100, np.uint8)

    def fingerprint(self):
        return str(self.length)


def planned(name="x", labelled=(1,), reach=(1, 1), value=0):
    """Frame 1 of a clip, with these frames labelled."""
    source = SimpleNamespace(read=lambda: np.full((6, 8), value, np.uint8), fingerprint=lambda: f"{name} {value}")
    frames = Frames(1 + max(reach[1], *labelled))
    return PlannedFrame(SimpleNamespace(name=name), SPACE, frames, 1, dict.fromkeys(labelled, source), reach, ())


class Lake:
    """A model that sees the lake everywhere."""

    space_classes = ("road", "lake")

    def logits(self, images):
        return torch.tensor([0.0, 5.0]).view(1, 2, 1, 1).expand(1, 2, *images.shape[-2:])


def still(source, target, previous=None):
    still.calls += 1
    return torch.zeros(1, 2, *source.shape[-2:])


@pytest.fixture
def making():
    still.calls = 0
    return Making(AUTO, still, lambda frame: SemanticLabeller(Lake(), SPACE), lambda frame: "m", torch.device("cpu"))


def test_labelled_neighbours_are_preferred_and_only_frames_that_have_some_are_looked_at():
    frames = [planned("a"), planned("b", labelled=(1, 2)), planned("c", labelled=(0, 1)), planned("d", labelled=(1, 3))]
    chosen_on = frames_to_choose_on(frames, AUTO)
    assert [frame.item.name for frame in chosen_on.frames] == ["b", "c"]  # d's is out of reach
    assert (chosen_on.kind, chosen_on.config.keyframes, chosen_on.config.lengths) == ("keyframe", (1,), ())


def test_the_distances_of_the_recipe_are_taken_where_it_names_some():
    frames = [planned("a", labelled=(1, 2, 3), reach=(1, 3)), planned("b", labelled=(1, 3), reach=(1, 3))]
    config = ReturnConfig(lengths=(1,), keyframes=(1, 3), tau="auto")
    chosen_on = frames_to_choose_on(frames, config)
    assert [frame.item.name for frame in chosen_on.frames] == ["a"]
    assert chosen_on.config.keyframes == (1,)


def test_without_labelled_neighbours_cycles_are_looked_at():
    chosen_on = frames_to_choose_on([planned("a"), planned("b")], AUTO)
    assert (chosen_on.kind, chosen_on.config.lengths, len(chosen_on.frames)) == ("cycle", (1, 2), 2)


def test_of_many_frames_some_are_taken_evenly_spread():
    frames = [planned(str(number)) for number in range(10 * MOST_FRAMES)]
    names = [int(frame.item.name) for frame in frames_to_choose_on(frames, AUTO).frames]
    assert names == list(range(5, 10 * MOST_FRAMES, 10))


def test_the_choice_is_kept_and_other_frames_are_another(making, tmp_path):
    chosen_on = frames_to_choose_on([planned("a")], AUTO)
    choice = choose_tau(chosen_on, making, tmp_path)
    assert choice.tau == 40.0  # nothing differs
    calls = still.calls
    assert choose_tau(chosen_on, making, tmp_path) == choice
    assert still.calls == calls
    choose_tau(frames_to_choose_on([planned("a", value=1)], AUTO), making, tmp_path)
    assert still.calls == 2 * calls


def test_a_torn_choice_is_made_again(making, tmp_path):
    chosen_on = frames_to_choose_on([planned("a")], AUTO)
    choice = choose_tau(chosen_on, making, tmp_path)
    (kept,) = tmp_path.glob("tau_*.json")
    kept.write_text("{}")
    assert choose_tau(chosen_on, making, tmp_path) == choice


def test_frames_without_a_labelled_pixel_are_refused(making, tmp_path):
    with pytest.raises(UserError, match="not one of the 1 training frames"):
        choose_tau(frames_to_choose_on([planned("a", value=2)], AUTO), making, tmp_path)


def test_a_choice_survives_json_and_is_said():
    assert TauChoice.from_json(json.loads(json.dumps(CHOICE.as_json(), allow_nan=False))) == CHOICE
    assert TauChoice.from_json([]) is None
    assert CHOICE.sentence() == "tau is inf, by mIoU of cycles on 3 training frames (10: 50.00, inf: 75.00)"
