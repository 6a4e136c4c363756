"""``classes`` of human labels, all of them or a share."""

from __future__ import annotations

import pytest
import yaml

TOWN = {"dataset": "folder", "name": "town"}


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_human_labels_are_mapped_when_they_are_read(write, selftrain, tmp_path, capsys, share):
    out, labelled = tmp_path / "out", {**TOWN, "share": share, "classes": {"box": "disc"}}
    assert selftrain(write(labelled=[labelled], rounds=0), out) == 0
    assert "never labelled there: box" in capsys.readouterr().err
    training = yaml.safe_load((out / "seed_0/round_0/teacher/recipe.yaml").read_text())
    assert training["train"][0]["classes"] == {"box": "disc"}
    assert selftrain(write(labelled=[{**labelled, "classes": {}}], rounds=0), out) == 2
    assert "labelled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labelled": [{**TOWN, "classes": {"moon": "box"}}]}, "'moon', which the data set town does not have"),
        ({"test": {**TOWN, "split": "val", "classes": {"box": "moon"}}}, "a class of town (ground, disc, box)"),
    ],
)
def test_classes_that_there_are_not(write, selftrain, tmp_path, capsys, change, said):
    assert selftrain(write(**change), tmp_path / "out") == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
