from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seglift.labels.space_file import get_space
from seglift.metrics.calibration import Calibration
from seglift.metrics.confusion import Confusion
from seglift.propagation.arrival import Arrival
from seglift.workflows.label.keyframe_evidence import (
    KeyframeEvidence,
    KeyframePair,
    agreement_sentence,
    void_warnings,
)

STEMS = [f"f{index}" for index in range(9)]


def arrival(trusted: list[list[int]]) -> Arrival:
    table = np.array(trusted, np.int64)
    confusion = Confusion(np.pad(table, ((0, 0), (0, 1))))
    return Arrival(confusion, Calibration.empty(), table, 1000)


AGREES, CONTRADICTS, NOTHING = arrival([[500, 5], [0, 400]]), arrival([[300, 0], [300, 100]]), arrival([[0, 0], [0, 0]])


@pytest.fixture
def space():
    return get_space("binary")


@pytest.mark.parametrize("sides", [(CONTRADICTS, AGREES), (AGREES, CONTRADICTS)])
def test_one_direction_that_contradicts_is_enough(space, sides):
    line = KeyframePair(2, 7, *sides).warning(STEMS, space)
    assert line == (
        "keyframes f2 and f7 contradict each other: they differ on 43 % of the pixels whose motion is certain, on 75 %"
        " of 'foreground'; look at both labels"
    )


@pytest.mark.parametrize("sides", [(AGREES, AGREES), (NOTHING, NOTHING), (AGREES, NOTHING)])
def test_no_warning_without_a_reason(space, sides):
    assert KeyframePair(2, 7, *sides).warning(STEMS, space) is None


def test_pairs_are_found_again_under_their_name(tmp_path: Path):
    evidence = KeyframeEvidence(tmp_path / "arrivals")
    assert evidence.find("a") is None
    pair = KeyframePair(2, 7, AGREES, CONTRADICTS)
    evidence.keep("a", pair)
    evidence.keep("b", pair)
    found = evidence.find("a")
    assert found is not None
    assert found.describe(STEMS, 10) == pair.describe(STEMS, 10)
    assert found.describe(STEMS, 10)["indices"] == [12, 17]
    evidence.remove_strangers(["b"])
    assert evidence.find("a") is None and evidence.find("b") is not None
    (tmp_path / "arrivals/b.json").write_text('{"left": 2}')
    assert evidence.find("b") is None


def test_the_sentence_pools_all_arrivals():
    pairs = [KeyframePair(0, 4, AGREES, CONTRADICTS), KeyframePair(4, 8, NOTHING, NOTHING)]
    assert agreement_sentence(pairs).endswith("agree with yours on 81 % of the pixels in view")  # 1300 of 1605
    assert agreement_sentence([]) == agreement_sentence(pairs[1:]) == ""


def test_mostly_void_keyframes_are_named():
    lines = void_warnings([("a", 0.2), ("b", 0.9), ("c", 1.0)])
    assert lines == ["keyframe b is 90 % void: little to learn from", "keyframe c is 100 % void: little to learn from"]
    assert void_warnings([("d", 0.9994)]) == ["keyframe d is 99.9 % void: little to learn from"]
