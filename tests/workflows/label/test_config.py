"""Options as given, checked and resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.workflows.label.config import LabelConfig, parse_cut


def config(**options):
    return LabelConfig(Path("frames"), Path("labels"), Path("out"), "cityscapes", **options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"method": "refine", "model": "auto", "resample": "once", "tau": "auto", "refiner": "auto"}),
        ({"refiner": "none"}, {"method": "inpaint", "refiner": "none"}),
        ({"refiner": "."}, {"method": "refine", "refiner": "."}),
        ({"refiner": ".", "settings": "paper"}, {"method": "refine", "resample": "recursive", "tau": "40.0"}),
        ({"model": "none"}, {"method": "motion", "model": "none"}),
        ({"method": "motion"}, {"method": "motion", "model": "none"}),
        ({"method": "motion", "resample": "recursive"}, {"resample": "recursive"}),
        ({"settings": "paper"}, {"method": "inpaint", "resample": "recursive", "tau": "40.0"}),
        ({"settings": "paper", "tau": "25", "resample": "once"}, {"resample": "once", "tau": "25"}),
        ({"method": "semantic"}, {"model": "auto"}),
        ({"model": "mine.safetensors"}, {"model": "mine.safetensors", "model_steps": None}),
        ({"model": "mine.safetensors", "tune": True, "model_minutes": 0.5}, {"model_steps": 400}),
    ],
)
def test_what_is_left_open_is_decided(options, expected):
    resolved = config(**options).resolved()
    assert {name: getattr(resolved, name) for name in expected} == expected
    assert resolved.device != "auto" and resolved.resolved() == resolved


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "refine", "model": "none"}, "--model auto"),
        ({"method": "refine", "refiner": "none"}, "--method inpaint"),
        ({"method": "refine", "settings": "paper"}, "seglift train made with kind: refiner"),
        ({"method": "refine", "settings": "paper", "refiner": ".", "resample": "once"}, "leave --resample out"),
        ({"method": "inpaint", "refiner": "."}, "of no use to --method inpaint"),
        ({"model": "none", "refiner": "."}, "but --model is none"),
        ({"method": "motion", "tau": "20"}, "--tau 20 is of no use to --method motion"),
        ({"refiner": "no/such"}, "no/such does not exist"),
        ({"method": "inpaint", "model": "none"}, "--model auto"),
        ({"method": "semantic", "model": "none"}, "--model auto"),
        ({"method": "motion", "model": "hf:some/thing"}, "--method inpaint"),
        ({"resample": "recursive"}, "--settings paper"),
        ({"model": "mine.safetensors", "model_steps": 7}, "--model-steps is 7, .* add --tune"),
        ({"model": "mine.safetensors", "model_minutes": 0.5}, "--model-minutes is 0.5, .* add --tune"),
    ],
)
def test_what_does_not_go_together(options, told):
    with pytest.raises(UserError, match=told):
        config(**options).resolved()


def test_only_what_can_change_a_label_identifies_a_run():
    plain = config().label_options()
    same = config(ground_truth=Path("gt"), overwrite=True, dry_run=True).label_options()
    assert plain == same and not {"frames", "labels", "out"} & set(plain)
    for change in ({"seed": 1}, {"cut": (0, 3)}, {"tau": "3"}, {"max_distance": 4}, {"model_steps": 7}):
        assert config(**change).label_options() != plain


@pytest.mark.parametrize(
    ("text", "cut"), [("0:10", (0, 10)), (":10", (None, 10)), ("5:", (5, None)), (":", (None, None))]
)
def test_cut(text, cut):
    assert parse_cut(text) == cut


@pytest.mark.parametrize("text", ["", "5", "a:b", "1.5:3", "1:2:3", "0-9", "1:x"])
def test_no_cut(text):
    with pytest.raises(UserError, match="expected A:B"):
        parse_cut(text)


def test_devices():
    assert config(device="cpu").resolved().device == "cpu"
    with pytest.raises(UserError, match="'tpu' is not here; choose auto or one of cpu"):
        config(device="tpu").resolved()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (19, 11)),
        ({"direction": "forward"}, (19, 20)),
        ({"direction": "backward"}, (10, 11)),
        ({"max_distance": 6}, (16, 14)),
        ({"max_distance": 3}, (13, 17)),
        ({"max_distance": 50}, (19, 11)),
        ({"max_distance": 4, "direction": "forward"}, (14, 20)),
    ],
)
def test_what_two_keyframes_reach(options, expected):
    assert config(**options).reach(10, 20) == expected
    assert config(**options).reach(10, 11) == (10, 11)
