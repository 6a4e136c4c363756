"""What is never filled in labels of a source in a space of its own."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main

EGO_ROWS = 4


@pytest.mark.parametrize("simulate", [None, 0.92])
def test_the_space_of_each_coarse_source_tells_it(write, words, drawn, town, tmp_path, simulate):
    """The first source knows no ego vehicle, the second one does."""
    plain, out = shutil.copytree(drawn, tmp_path / "plain"), tmp_path / "out"
    coarse = [
        {"dataset": "folder", "name": "plain", "count": 4},
        {"dataset": "folder", "name": "town", "count": 4, "simulate": simulate},
    ]
    recipe = write(
        coarse=coarse, synthetic=[], rounds=2, test={"dataset": "folder", "name": "plain"} | {"split": "train"}
    )
    assert main(words(recipe, out, "--root", f"plain={plain}")) == 0
    space = yaml.safe_load((out / "seed_0/round_1/filled/space.yaml").read_text())
    assert "ego vehicle" not in {entry["name"] for entry in space["classes"]}
    found = {True: [], False: []}
    for path in (out / "seed_0/round_1/filled/labels/train").iterdir():
        found[path.name.startswith("town_")].append(np.array(Image.open(path))[-EGO_ROWS:])
    assert len(found[True]) == len(found[False]) == 4
    assert all((rows == 99).all() for rows in found[True])
    assert any((rows != 99).any() for rows in found[False])
