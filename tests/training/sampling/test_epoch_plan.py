from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglift.base.errors import UserError
from seglift.datasets.class_index import ClassIndex
from seglift.training.sampling.epoch_plan import Draw, EpochPlan, PlannedSource

NAMES = ("road", "fence", "rider", "train")


def index(
    records: list[tuple[int, int]], items: int, content: str = "x", usable: list[int] | None = None
) -> ClassIndex:
    """Records (item, class); each has the point (its number, its number + 1)."""
    numbers = np.arange(len(records), dtype=np.int32)
    return ClassIndex(
        "made up",
        NAMES,
        np.zeros((items, len(NAMES)), np.int64),
        np.arange(items, dtype=np.int32) if usable is None else np.array(usable, np.int32),
        np.array([item for item, _ in records], np.int32),
        np.stack((numbers, numbers + 1), axis=1).reshape(-1, 2),
        np.array([train_id for _, train_id in records], np.uint8),
        (),
        content,
    )


def street(items: int = 40, content: str = "x") -> ClassIndex:
    """Roads in every item, fences in every third, riders in two, no train."""
    records = [(item, 0) for item in range(items)] + [(item, 1) for item in range(0, items, 3)] + [(1, 2), (7, 2)]
    return index(sorted(records), items, content)


def plan(*sources: PlannedSource, **options: object) -> EpochPlan:
    return EpochPlan(sources, quiet=True, **options)  # type: ignore[arg-type]


@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 1000), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_classes_are_drawn_by_quota_and_the_rest_without_replacement(
    size: int, balanced: float, seed: int, epoch: int
) -> None:
    draws = plan(PlannedSource("a", street()), size=size, balanced=balanced, seed=seed).epoch(epoch)
    assert len(draws) == size
    often = Counter(draws.train_ids.tolist())
    for train_id in (0, 1, 2):
        assert size * balanced / 4 - 1 <= often[train_id] <= size * balanced / 4 + 1e-6
    assert often[3] == 0
    images = np.bincount(draws.items[draws.train_ids < 0], minlength=40)
    assert images.max() - images.min() <= 1
    # Centroids come round before they come again, too.
    for train_id in (0, 1, 2):
        points = draws.points[draws.train_ids == train_id, 0]
        known = street().of_class(train_id)
        seen = [int((points == record).sum()) for record in known]
        assert max(seen) - min(seen) <= 1


def test_draws_are_records_of_the_index() -> None:
    made = street()
    draws = plan(PlannedSource("a", made), size=80).epoch(3)
    columns = (made.items.tolist(), *made.points.T.tolist(), made.train_ids.tolist())
    records = set(zip(*columns, strict=True))
    for position, draw in enumerate(draws):
        assert isinstance(draw, Draw)
        if draw.point is None:
            assert draws.train_ids[position] == -1
        else:
            assert (draw.item, *draw.point, int(draws.train_ids[position])) in records
    assert draws[2:4] == [draws[2], draws[3]]
    assert draws[-1] == draws[79]
    with pytest.raises(IndexError):
        draws[80]


def test_over_epochs_all_images_come_before_one_comes_again() -> None:
    made = plan(PlannedSource("a", street()), size=16, balanced=0.5)
    images = np.concatenate([(e := made.epoch(n)).items[e.train_ids < 0] for n in range(4)])
    # 10 images an epoch: 3 classes have 2 centroids each and the class without any leaves its 2 to images.
    assert sorted(images.tolist()) == list(range(40))


def test_equal_seeds_equal_plans_whatever_was_asked_before() -> None:
    first, second = (plan(PlannedSource("a", street()), size=50, seed=4) for _ in range(2))
    forward = [list(first.epoch(number)) for number in range(8)]
    backward = [list(second.epoch(number)) for number in reversed(range(8))][::-1]
    assert forward == backward
    resumed = plan(PlannedSource("a", street()), size=50, seed=4)
    assert [resumed.draw_at(position) for position in range(270, 330)] == [
        draw for number in (5, 6) for draw in forward[number]
    ][20:80]
    other = plan(PlannedSource("a", street()), size=50, seed=5)
    assert list(other.epoch(0)) != forward[0]
    assert len({tuple(draws) for draws in forward}) == 8


def test_processes_take_turns_in_one_plan() -> None:
    whole = plan(PlannedSource("a", street()), size=50)
    shares = [plan(PlannedSource("a", street()), size=50) for _ in range(4)]
    together = [shares[position % 4].draw_at(position) for position in range(120)]
    assert together == [whole.draw_at(position) for position in range(120)]


def test_draws_are_mixed_over_the_epoch() -> None:
    draws = plan(PlannedSource("a", street()), PlannedSource("b", street()), size=400).epoch(0)
    for values in (draws.train_ids < 0, draws.sources == 0):
        first = float(values[:200].mean())
        assert abs(first - float(values[200:].mean())) < 0.2


def test_quotas_are_exact() -> None:
    made = plan(
        PlannedSource("manual", street(), quota=0.3), PlannedSource("propagated", street(), quota=0.7), size=2975
    )
    assert np.bincount(made.epoch(0).sources).tolist() == [893, 2082]
    by_size = plan(PlannedSource("a", street(30)), PlannedSource("b", street(90)))
    assert by_size.size == 120
    assert np.bincount(by_size.epoch(1).sources).tolist() == [30, 90]


def test_sources_without_an_index_give_images_only() -> None:
    draws = plan(PlannedSource("a", street()), PlannedSource("b", 10), size=100).epoch(0)
    assert (draws.train_ids[draws.sources == 1] == -1).all()
    assert (draws.train_ids[draws.sources == 0] >= 0).any()
    assert np.bincount(draws.items[draws.sources == 1]).tolist() == [2] * 10


def test_only_usable_items_are_drawn() -> None:
    made = index([(4, 0), (6, 1)], 9, usable=[4, 6, 8])
    draws = plan(PlannedSource("a", made), size=60).epoch(0)
    assert set(draws.items.tolist()) == {4, 6, 8}


def test_chosen_classes_share_the_class_uniform_draws() -> None:
    source = PlannedSource("coarse", street(), centroid_classes=(1, 2), balanced=1.0)
    draws = plan(PlannedSource("fine", street(), quota=0.5), source, size=40, balanced=0.0).epoch(0)
    assert Counter(draws.train_ids[draws.sources == 1].tolist()) == {1: 10, 2: 10}
    assert (draws.train_ids[draws.sources == 0] == -1).all()


def test_until_epoch_leaves_the_draws_to_the_others() -> None:
    made = plan(
        PlannedSource("fine", street(), quota=0.5),
        PlannedSource("pseudo", street(), quota=0.1),
        PlannedSource("coarse", street(), quota=0.4, until_epoch=3),
        size=60,
    )
    assert np.bincount(made.epoch(2).sources).tolist() == [30, 6, 24]
    assert np.bincount(made.epoch(3).sources).tolist() == [50, 10]
    images = made.epoch(3).items[(made.epoch(3).sources == 0) & (made.epoch(3).train_ids < 0)]
    assert len(set(images.tolist())) == len(images)


def test_joining_centroids_are_drawn_beside_the_sources_own() -> None:
    fine = index([(item, train_id) for item in range(6) for train_id in (0, 1)], 6)
    coarse = index([(item, train_id) for item in range(50) for train_id in range(4)], 50)
    joined = PlannedSource("coarse", coarse, centroid_classes=(1, 3), joins="fine", until_epoch=2)
    made = plan(PlannedSource("fine", fine), joined, size=200, balanced=1.0)
    draws = made.epoch(0)
    often = Counter(zip(draws.sources.tolist(), draws.train_ids.tolist(), strict=True))
    # Class 0 only in fine, class 3 only in coarse, class 1 in both, class 2 is not among the chosen ones.
    assert often[0, 0] == often[1, 3] == 50
    assert often[0, 1] + often[1, 1] == 50
    assert often[1, 1] > 35
    assert often[1, 0] == often[1, 2] == often[1, -1] == 0
    coarse_fence = (draws.sources == 1) & (draws.train_ids == 1)
    assert set(draws.points[coarse_fence, 0].tolist()) <= set(coarse.of_class(1).tolist())
    assert (made.epoch(2).sources == 0).all()


def test_missing_classes_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    made = EpochPlan([PlannedSource("a", street())], size=80)
    made.epoch(0)
    made.epoch(1)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "a: no label has train;" in said
    EpochPlan([PlannedSource("a", street())], size=80, balanced=0.0)
    assert capsys.readouterr().err == ""


def test_epochs_too_small_for_every_class_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    made = EpochPlan([PlannedSource("a", street())], size=7)
    assert "7 draws an epoch are too few for class-uniform draws of 4 classes" in capsys.readouterr().err
    assert (made.epoch(0).train_ids == -1).all()


def test_the_fingerprint_tells_plans_apart() -> None:
    source = PlannedSource("a", street())
    plans = [
        plan(source, size=50),
        plan(source, size=51),
        plan(source, size=50, seed=1),
        plan(source, size=50, balanced=0.4),
        plan(PlannedSource("a", street(content="y")), size=50),
        plan(PlannedSource("a", street(), centroid_classes=(1,)), size=50),
        plan(PlannedSource("a", 40), size=50),
    ]
    assert len({made.fingerprint() for made in plans}) == len(plans)
    assert plans[0].fingerprint() == plan(PlannedSource("a", street()), size=50).fingerprint()


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        ([], {}, "no source of images"),
        ([PlannedSource("a", 0)], {}, "a has no images"),
        ([PlannedSource("a", 3), PlannedSource("a", 3)], {}, "expected different names"),
        ([PlannedSource("a", 3)], {"size": 0}, "an epoch of 0 draws"),
        ([PlannedSource("a", 3)], {"balanced": 1.2}, r"expected at least 1 and 0\.\.1"),
        ([PlannedSource("a", 3, quota=0.7), PlannedSource("b", 3, quota=0.5)], {}, "add up to 1.2"),
        ([PlannedSource("a", street(), balanced=-1)], {}, "balanced of a is -1"),
        ([PlannedSource("a", street(), centroid_classes=(1, 9))], {}, r"train ids 0\.\.3"),
        ([PlannedSource("a", street(), centroid_classes=())], {}, r"train ids 0\.\.3"),
        ([PlannedSource("a", 3, until_epoch=4)], {}, "no source is left from epoch 4 on"),
        ([PlannedSource("a", 3, quota=1.0, until_epoch=4), PlannedSource("b", 3, quota=0.0)], {}, "quota 0 are left"),
        ([PlannedSource("a", 3, until_epoch=0)], {}, "until_epoch of a is 0"),
        ([PlannedSource("a", 3), PlannedSource("b", street(), joins="c")], {}, "b joins c, expected one of a"),
        ([PlannedSource("a", 3), PlannedSource("b", street(), joins="a", quota=0.1)], {}, "neither quota nor"),
        ([PlannedSource("b", street(), joins="b")], {}, "expected one of no source"),
    ],
)
def test_impossible_plans(sources: list[PlannedSource], options: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EpochPlan(sources, **options)  # type: ignore[arg-type]


def test_sources_must_agree_in_their_classes() -> None:
    two = ClassIndex(
        "two", ("a", "b"), np.zeros((1, 2), np.int64), *(np.zeros(1, np.int32),) * 2,
        np.zeros((1, 2), np.int32), np.zeros(1, np.uint8), (), "z",
    )  # fmt: skip
    with pytest.raises(UserError, match=r"have \[2, 4\] classes"):
        EpochPlan([PlannedSource("a", street()), PlannedSource("b", two)])


def test_balanced_draws_need_an_index() -> None:
    with pytest.raises(ValueError, match="need its class index"):
        EpochPlan([PlannedSource("a", 5, balanced=0.5)])
    with pytest.raises(ValueError, match="epochs count from 0"):
        plan(PlannedSource("a", 5)).epoch(-1)
