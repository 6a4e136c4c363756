"""Options of ``synthesize``: what they mean, and what is refused before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from seglift.base.errors import UserError
from seglift.workflows.synthesize.config import SynthesizeConfig, parse_distances


def config(**more):
    values = {"dataset": "folder", "root": Path("r"), "out": Path("o"), "method": "motion", "distances": (1, 2)}
    return SynthesizeConfig(**{**values, "device": "cpu", **more})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("5", (5,)), ("1-5", (1, 2, 3, 4, 5)), ("8,2, 4,6", (2, 4, 6, 8)), ("1-3,10,5-5", (1, 2, 3, 5, 10))],
)
def test_distances(text, wanted):
    assert parse_distances(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "-2", "5-1", "1..5", "2,,4", "a", "1-", "2.5", "99999", "0-3", "٣"])
def test_no_distances(text):
    with pytest.raises(UserError, match=r"^--distances is .*2,4,6,8 or 1-5"):
        parse_distances(text)


def test_a_distance_twice():
    with pytest.raises(UserError, match="names 3 twice"):
        parse_distances("1-5,3")


def test_offsets():
    assert config().offsets == (-2, -1, 1, 2)
    assert config(direction="forward").offsets == (1, 2)
    assert config(direction="backward").offsets == (-2, -1)


def test_settings():
    product = config(method="inpaint", model="m").resolved()
    assert (product.resample, product.tau, product.threshold) == ("once", "auto", "none")
    paper = config(method="inpaint", model="m", settings="paper").resolved()
    assert (paper.resample, paper.tau) == ("recursive", "40.0")
    assert config(method="semantic", model="m").resolved().threshold == "none"
    assert config(method="semantic", model="m", settings="paper").resolved().threshold == "0.9"
    assert config(method="semantic", model="m", settings="paper", threshold="none").resolved().threshold == "none"
    assert config(settings="paper").resolved().resample == "recursive"
    assert config(settings="paper", resample="once").resolved().resample == "once"


def test_where_motion_goes_both_ways():
    assert config().needs_evidence and not config(confidence=False).needs_evidence
    assert config(method="inpaint", model="m", confidence=False).needs_evidence
    assert not config(method="inpaint", model="m", confidence=False, settings="paper").needs_evidence
    assert config(method="refine", model="m", confidence=False).needs_evidence
    assert not config(method="refine", model="m", confidence=False, settings="paper").needs_evidence
    assert not config(method="semantic", model="m").needs_evidence


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "refine"}, r"--method refine needs a segmentation model"),
        (
            {"method": "refine", "model": "m", "refiner": "none"},
            r"contradicts --refiner none; use --method inpaint",
        ),
        ({"method": "refine", "model": "m", "settings": "paper"}, r"needs a trained network.*--refiner is auto"),
        ({"method": "refine", "model": "m", "refiner": "nowhere"}, r"--refiner nowhere does not exist"),
        ({"method": "inpaint", "model": "m", "refiner": "."}, r"--refiner \. is of no use to --method inpaint"),
        ({"method": "refine", "model": "m", "resample": "recursive"}, r"--method refine is the paper's; add"),
        (
            {"method": "refine", "model": "m", "refiner": ".", "settings": "paper", "resample": "once"},
            r"goes on from refined labels; leave --resample out",
        ),
        ({"method": "semantic"}, r"needs a segmentation model.*--model is none; give a checkpoint or hf:ID"),
        (
            {"method": "inpaint", "model": "auto"},
            r"--model is auto; give a checkpoint.*not labelled by a model that is",
        ),
        ({"model": "m"}, r"--method motion uses no model"),
        ({"method": "semantic", "model": "m", "pairs": "joint"}, r"--pairs joint.*use --pairs label"),
        ({"method": "inpaint", "model": "m", "pairs": "joint"}, r"--pairs joint.*or --method motion"),
        ({"method": "inpaint", "model": "m", "resample": "recursive"}, r"add --settings paper"),
        ({"threshold": "0.5"}, r"--threshold is for --method semantic"),
        ({"tau": "40"}, r"--tau is for --method inpaint or refine"),
        ({"device": "cuda:77"}, r"cuda:77' is not here"),
    ],
)
def test_contradictions(values, message):
    with pytest.raises(UserError, match=message):
        config(**values).resolved()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "auto"}, r"--method is 'auto', one of motion, semantic, inpaint, refine"),
        ({"pairs": "both"}, r"--pairs is 'both', one of label, joint"),
        ({"direction": "up"}, r"--direction"),
        ({"resample": "twice"}, r"--resample"),
        ({"out_of_view": "black"}, r"--out-of-view"),
        ({"settings": "best"}, r"--settings"),
        ({"tau": "-1"}, r"--tau is '-1', expected a number above 0 or auto"),
        ({"tau": "nan"}, r"--tau is 'nan'"),
        ({"threshold": "1.5"}, r"--threshold is '1.5', expected a number between 0 and 1"),
        ({"workers": 0}, r"--workers is 0"),
        ({"seed": -1}, r"--seed is -1"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(UserError, match=message):
        config(**values)
