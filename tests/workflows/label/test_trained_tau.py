"""The photometric threshold that a refiner was trained with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import save_weights
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.trained_tau import trained_tau


@pytest.fixture
def refiner(tmp_path):
    def refiner(**pairs):
        save_weights(tmp_path / "best.safetensors", {"x": torch.zeros(1)}, {"kind": "refiner", "pairs": pairs})
        return tmp_path

    return refiner


@pytest.mark.parametrize(("tau", "text"), [(60.0, "60.0"), (60, "60.0"), ("inf", "inf")])
def test_what_the_checkpoint_says_is_taken_as_an_option(refiner, tau, text):
    folder = refiner(tau=tau)
    assert trained_tau(folder) == trained_tau(folder / "best.safetensors") == text


def test_a_file_that_does_not_say_leaves_it_open(refiner, tmp_path):
    assert trained_tau(tmp_path) is None
    assert trained_tau(refiner(motion="dis")) is None


@pytest.mark.parametrize("tau", ["auto", -1, [1]])
def test_what_is_no_threshold_is_refused(refiner, tau):
    with pytest.raises(UserError, match=r"was trained with tau .*give --tau"):
        trained_tau(refiner(tau=tau))


@pytest.mark.parametrize(
    ("options", "tau"),
    [
        ({"settings": "paper"}, "60.0"),
        ({"settings": "paper", "tau": "25"}, "25"),
        ({"settings": "paper", "tau": "inf"}, "inf"),
        ({}, "auto"),
    ],
)
def test_the_papers_refine_takes_it_unless_told_otherwise(refiner, options, tau):
    config = LabelConfig(Path("frames"), Path("labels"), Path("out"), "cityscapes", refiner=str(refiner(tau=60.0)))
    resolved = LabelConfig(**{**vars(config), **options}).resolved()
    assert resolved.tau == tau
    assert resolved.resolved() == resolved


def test_the_papers_inpaint_has_the_default():
    config = LabelConfig(Path("frames"), Path("labels"), Path("out"), "cityscapes", method="inpaint", settings="paper")
    assert config.resolved().tau == "40.0"


@pytest.mark.parametrize("tau", ["-1", "nan", "x"])
def test_an_option_that_is_no_threshold_is_refused(tau):
    with pytest.raises(UserError, match="expected a number from 0 on, inf or auto"):
        LabelConfig(Path("frames"), Path("labels"), Path("out"), "cityscapes", tau=tau)
