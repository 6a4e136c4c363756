"""Datasets by name: names, options as text, and what a wrong one is told."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets import catalogue
from seglift.datasets.catalogue import DATASETS, SPLITS, SPLITS_IN_ROOT, likely_splits, open_dataset, option_types
from seglift.datasets.dataset import Dataset
from seglift.labels.space_file import get_space


@pytest.fixture
def opened(monkeypatch):
    """What an opener with options of every type was given."""
    seen = {}

    def opener(
        root: Path,
        split: str = "train",
        number: int = 1,
        share: float = 0.5,
        switch: bool = False,
        name: str = "x",
        fold: int | None = None,
        place: Path | str | None = None,
    ) -> Dataset:
        seen.update(locals())
        return Dataset("odd", root, split, get_space("binary"), ())

    monkeypatch.setitem(catalogue.DATASETS, "odd", opener)
    return seen


def test_names():
    assert list(DATASETS) == [
        "cityscapes", "camvid", "kitti", "nyuv2", "apolloscape", "bdd100k", "mapillary", "gta5", "synscapes", "folder",
    ]  # fmt: skip
    assert SPLITS.keys() | SPLITS_IN_ROOT.keys() == DATASETS.keys()
    with pytest.raises(UserError, match="no dataset is called 'ade20k', expected one of cityscapes, camvid"):
        open_dataset("ade20k", Path())
    with pytest.raises(UserError, match="no dataset is called 'x'"):
        likely_splits("x", Path())


@pytest.mark.parametrize("name", DATASETS)
def test_openers_keep_to_the_interface(name, tmp_path):
    parameters = list(inspect.signature(DATASETS[name]).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] == ["root", "split"]
    assert all(parameter.default is not inspect.Parameter.empty for parameter in parameters[1:])
    assert set(option_types(name)) == {parameter.name for parameter in parameters[2:]}
    for option, hint in option_types(name).items():
        catalogue._read_value("1" if hint is not bool else "true", hint, option)
    for split in (*SPLITS.get(name, ()), "train"):
        with pytest.raises(UserError) as refused:
            open_dataset(name, tmp_path / "absent", split)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_options_from_text_and_as_they_are(opened):
    text = {"number": "-3", "share": "1e-1", "switch": "True", "name": "7", "fold": "2", "place": "~/a"}
    open_dataset("odd", Path("r"), "val", text)
    assert opened["number"] == -3 and opened["share"] == 0.1 and opened["switch"] is True and opened["name"] == "7"
    assert opened["fold"] == 2 and opened["place"] == Path.home() / "a" and opened["split"] == "val"
    open_dataset("odd", Path("r"), options={"number": 4, "share": 1, "switch": False, "fold": None, "place": None})
    assert opened["number"] == 4 and opened["share"] == 1.0 and opened["switch"] is False and opened["fold"] is None
    open_dataset("odd", Path("r"), options={"fold": "none"})
    assert opened["fold"] is None


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("number", "two", "is 'two', a whole number is expected"),
        ("number", 1.5, r"is 1\.5, a whole number"),
        ("number", True, "is True, a whole number"),
        ("share", "half", "is 'half', a number"),
        ("share", [1], r"is \[1\], a number"),
        ("switch", "maybe", "is 'maybe', true or false"),
        ("switch", 1, "is 1, true or false"),
        ("name", 7, "is 7, text"),
        ("fold", "x", "is 'x', a whole number or none"),
        ("place", 3, "is 3, a path or text or none"),
        ("colour", 3, "has no option 'colour', it has number, share, switch, name, fold, place"),
    ],
)
def test_wrong_options(opened, option, value, told):
    with pytest.raises(UserError, match=told):
        open_dataset("odd", Path(), options={option: value})


def test_a_dataset_without_options():
    with pytest.raises(UserError, match="dataset bdd100k has no option 'x', it has none"):
        open_dataset("bdd100k", Path(), options={"x": 1})


def test_splits_that_lie_in_the_root(tmp_path):
    for split in ("b", "a10", "a2"):
        (tmp_path / "images" / split).mkdir(parents=True)
        Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "images" / split / "x.png")
    assert likely_splits("folder", tmp_path) == ("a2", "a10", "b")
    assert len(open_dataset("folder", tmp_path, "a10", {"space": "binary"})) == 1
    assert likely_splits("folder", tmp_path / "images") == ()
