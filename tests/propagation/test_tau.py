from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from seglift.metrics.confusion import Confusion
from seglift.propagation.cycle import LabelledNeighbourhood, ReturnConfig, all_returns
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.tau import TAUS, best_tau, confusions_by_tau, written_tau

HEIGHT, WIDTH = 24, 32
ROAD, LAKE = 2, 3
"""Space indices; train ids 0 and 1."""
CARRIED = ReturnConfig(lengths=(), keyframes=(1,))


class Scene:
    """Two frames, both labelled: a lake of another colour lies in a road, and moves or does not.

    Args:
        moves: columns that the lake moves by, which the motion (none anywhere) does not know.
        brighter: how much brighter the second frame is, in each colour.
    """

    def __init__(self, moves, brighter, filler):
        self.labels, self.frames, self.asked = [], [], Counter()
        for number in range(2):
            label = np.full((HEIGHT, WIDTH), ROAD, np.uint8)
            label[8:16, 8 + number * moves : 16 + number * moves] = LAKE
            colour = np.where(label[..., None] == LAKE, [60, 60, 92], [60, 60, 60]) + number * brighter
            self.labels.append(torch.from_numpy(label)[None])
            self.frames.append(torch.from_numpy(colour.astype(np.uint8)).permute(2, 0, 1)[None].contiguous())
        self.labeller = SemanticLabeller(*filler)

    def __call__(self, source, target, previous=None):
        self.asked[source is self.frames[0], target is self.frames[0]] += 1
        return torch.zeros(1, 2, HEIGHT, WIDTH)

    def around(self, key=1):
        labels = {index: (lambda index=index: self.labels[index]) for index in range(2)}
        return LabelledNeighbourhood(self.frames.__getitem__, 2, key, (key, 1 - key), labels)

    def miou(self, config=CARRIED):
        found = confusions_by_tau(self.around(), self, self.labeller, config)
        return {tau: confusion.miou() for tau, confusion in found.items()}


@pytest.fixture
def says_road(stub_model, space):
    """A model that never sees the lake."""
    probabilities = torch.tensor([0.8, 0.1, 0.1]).view(1, 3, 1, 1).expand(1, 3, HEIGHT, WIDTH)
    return stub_model(probabilities), space


@pytest.fixture
def by_colour(stub_model, space):
    """A model that tells the lake by its blue, however bright, and sees one along the left border, too."""

    def probabilities(images):
        lake = images[:, 2] - images[:, 0] > 0.06
        lake[..., :2] = True
        return torch.stack((0.8 - 0.7 * lake, 0.1 + 0.7 * lake, torch.full(lake.shape, 0.1)), 1)

    return stub_model(probabilities), space


def test_where_motion_is_right_and_brightness_changes_a_large_threshold_is_best(says_road):
    scene = Scene(moves=0, brighter=40, filler=says_road)  # 40 in each of three channels: 69 apart
    miou = scene.miou()
    assert [miou[tau] for tau in TAUS] == [miou[10.0]] * 4 + [1.0] * 4
    assert miou[10.0] < 0.6
    assert best_tau(miou) == 80.0


def test_where_motion_is_wrong_and_colours_tell_a_small_threshold_is_best(by_colour):
    scene = Scene(moves=4, brighter=10, filler=by_colour)  # 17 apart where right, 26 and 44 where wrong
    miou = scene.miou()
    assert miou[10.0] < miou[20.0] == 1.0
    assert miou[20.0] > miou[40.0] > miou[60.0] == miou[math.inf]
    assert best_tau(miou) == 20.0


def test_it_is_what_warp_inpaint_with_that_threshold_brings_back(says_road):
    scene = Scene(moves=2, brighter=25, filler=says_road)
    both = ReturnConfig(lengths=(1,), keyframes=(1,))
    found = confusions_by_tau(scene.around(), scene, scene.labeller, both)
    truth = scene.labeller.space.to_train(scene.labels[1][0].numpy())
    for tau, confusion in found.items():
        expected = Confusion.empty(3)
        config = ReturnConfig(both.lengths, both.keyframes, written_tau(tau))
        for one in all_returns(scene.around(), scene, scene.labeller, config):
            expected.update(scene.labeller.space.to_train(one.labels[0].numpy()), truth)
        assert np.array_equal(confusion.counts, expected.counts)


def test_motion_and_the_model_are_asked_once_for_all_thresholds(says_road):
    scene = Scene(moves=0, brighter=0, filler=says_road)
    scene.miou(ReturnConfig(lengths=(1,), keyframes=(1,)))
    assert scene.asked == Counter([(True, False), (False, True)])
    assert len(says_road[0].seen) == 2


def test_of_equal_thresholds_the_nearest_to_the_default_is_taken():
    assert best_tau(dict.fromkeys(TAUS, 0.5)) == 40.0
    assert best_tau({20.0: 0.5, 60.0: 0.5, math.inf: 0.5}) == 20.0
    assert best_tau({100.0: 0.5, math.inf: 0.6}) == math.inf


@pytest.mark.parametrize("scores", [{}, {40.0: math.nan}])
def test_nothing_to_choose_by_is_refused(scores):
    with pytest.raises(ValueError, match="mIoU by tau"):
        best_tau(scores)


def test_infinity_is_written_as_a_word():
    assert [written_tau(tau) for tau in (40.0, math.inf)] == [40.0, "inf"]
