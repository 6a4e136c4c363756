from __future__ import annotations

from dataclasses import replace

import pytest

from seglift.base.errors import UserError
from seglift.datasets.dataset import no_neighbours
from seglift.propagation.cycle import ReturnConfig
from seglift.training.refining.planned import Return, plan_returns


def test_each_labelled_frame_gets_what_the_video_has(train_split):
    planned = plan_returns(train_split, ReturnConfig(lengths=(1, 2, 5), keyframes=(2, 3, 6)))
    assert [frame.item.name for frame in planned] == ["a_000", "a_003", "a_006", "b_000", "b_003", "b_006"]
    first, middle, last = planned[:3]
    assert (first.reach, middle.reach, last.reach) == ((0, 6), (3, 3), (6, 0))
    assert first.returns == (
        *(Return("cycle", 1, length) for length in (1, 2, 5)),
        *(Return("keyframe", 1, distance) for distance in (3, 6)),
    )
    assert middle.returns == tuple(
        one
        for side in (-1, 1)
        for one in (*(Return("cycle", side, length) for length in (1, 2, 3)), Return("keyframe", side, 3))
    )
    assert sorted(middle.labels) == [0, 3, 6]
    assert middle.key == 3


def test_an_estimator_that_looks_back_gets_a_frame_more(train_split):
    plain, more = (
        plan_returns(train_split, ReturnConfig(lengths=(1,)), looks_back=looks)[1] for looks in (False, True)
    )
    assert (len(plain.frames), len(more.frames)) == (3, 5)
    assert plain.reach == more.reach == (1, 1)
    assert plain.returns == more.returns


def test_stills_are_refused_with_what_to_do(train_split):
    stills = replace(train_split, neighbour=no_neighbours)
    with pytest.raises(UserError, match=r"none of the 6 labelled images of folder train .* put the frames around"):
        plan_returns(stills, ReturnConfig())


def test_the_fingerprint_follows_labels_and_what_comes_back(train_split):
    prints = [
        plan_returns(train_split, config)[1].fingerprint()
        for config in (ReturnConfig(lengths=(1,)), ReturnConfig(lengths=(1,), tau=3), ReturnConfig(lengths=(1, 2)))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_names_of_files():
    assert (Return("cycle", -1, 3).file, Return("keyframe", 1, 5).warped_file) == (
        "cycle_before_3.png",
        "warped_after.png",
    )
