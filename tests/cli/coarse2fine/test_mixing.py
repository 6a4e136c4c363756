"""Which synthetic images views are mixed from in coarse-to-fine rounds."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main


@pytest.mark.parametrize(
    ("changes", "mixes"),
    [
        ({}, True),
        ({"synthetic": [{"dataset": "folder", "name": "drawn", "count": 12}]}, False),
        ({"mix": None}, False),
        ({"mix": {"probability": 0}}, False),
    ],
)
def test_views_are_mixed_from_the_whole_set_where_a_part_is_drawn(write, coarse2fine, drawn, tmp_path, changes, mixes):
    out = tmp_path / "out"
    assert coarse2fine(write(rounds=1, **changes), out) == 0
    training = yaml.safe_load((out / "seed_0/round_0/network/recipe.yaml").read_text())
    assert [(source["root"], source["split"]) for source in training["mix_from"]] == [(str(drawn), "train")] * mixes


def test_an_image_that_is_mixed_from_and_not_drawn_changes_the_training(write, words, drawn, tmp_path, capsys):
    own, out = shutil.copytree(drawn, tmp_path / "own"), tmp_path / "out"
    recipe = write(synthetic=[{"dataset": "folder", "name": "own"}], rounds=1)
    given = words(recipe, out, "--root", f"own={own}")
    assert main(given) == 0
    taken = {path.name for path in (out / "seed_0/synthetic/own/labels/train").iterdir()}
    path = next(path for path in sorted((own / "labels/train").iterdir()) if path.name not in taken)
    label = np.array(Image.open(path))
    label[:20] = 10
    Image.fromarray(label).save(path)
    capsys.readouterr()
    assert main(given) == 0
    said = capsys.readouterr().err
    assert said.count("(its inputs changed, anew)") == 1 and "network of round 0, seed 0 (its" in said
