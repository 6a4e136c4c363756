"""What the labels of coarse-to-fine rounds tell beforehand, alone and in a study: one line, nothing is written."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main

TOWN = {"dataset": "folder", "name": "town"}
OTHER = {"dataset": "folder", "name": "other"}
DRAWN = {"dataset": "folder", "name": "drawn"}


@pytest.fixture
def refused(write, town, drawn, tmp_path, capsys):
    """The one line with which a recipe is refused, by coarse2fine, by its dry run and by a study of it."""

    def refused(changes, other=None):
        recipe, out = write(**changes), tmp_path / "out"
        study = tmp_path / "study.yaml"
        study.write_text(yaml.safe_dump({"recipe": "rounds.yaml", "policies": {"a": {}}, "seeds": [0]}))
        said = set()
        folders = {"town": town, "drawn": drawn, "other": other}
        used = [name for name in folders if name in recipe.read_text() and folders[name] is not None]
        roots = [word for name in used for word in ("--root", f"{name}={folders[name]}")]
        for words in (["coarse2fine", recipe], ["coarse2fine", recipe, "--dry-run"], ["study", study]):
            assert main([str(word) for word in [*words, *roots, "--out", out, "--device", "cpu"]]) == 2
            errors = capsys.readouterr().err.splitlines()
            assert errors[-1].startswith("seglift: error: ") and "Traceback" not in "".join(errors)
            assert not out.exists()
            said.add(errors[-1].replace(f"{study}, policy a: ", "").replace(f"{recipe}: ", ""))
        assert len(said) == 1
        return said.pop()

    return refused


def test_a_share_that_coarsening_does_not_reach(refused):
    said = refused({"coarse": [{**TOWN, "count": 6, "simulate": 0.2}]})
    assert "simulate of town: coarse labels of 20.0 % labelled pixels were asked for" in said
    assert "these labels can be coarsened to" in said


def test_budgets_small_sets_and_spaces_without_a_common_class(refused, drawn, tmp_path):
    assert "count 11 of town is 11 of its 10" in refused({"coarse": [{**TOWN, "count": 11}]})
    assert "count 13 of drawn is 13 of its 12" in refused({"synthetic": [{**DRAWN, "count": 13}]})
    said = refused({"coarse": [{**TOWN, "count": 3, "simulate": 0.92}]})
    assert "3 synthetic images are used, as many as coarse labels where there are enough, expected at least" in said
    other = shutil.copytree(drawn, tmp_path / "other")
    space = yaml.safe_load((other / "space.yaml").read_text())
    for number, entry in enumerate(space["classes"][:-1]):
        entry["name"] = f"thing {number}"
    (other / "space.yaml").write_text(yaml.safe_dump(space))
    assert "none of them in town (ground, disc, box)" in refused({"synthetic": [OTHER]}, other)


def relabel(town, tmp_path, values):
    root = shutil.copytree(town, tmp_path / "other")
    for path in (root / "labels" / "train").iterdir():
        label = np.array(Image.open(path))
        Image.fromarray(values(label).astype(np.uint8)).save(path)
    return root


def test_coarse_labels_that_are_void_everywhere(refused, town, tmp_path):
    other = relabel(town, tmp_path, lambda label: np.full_like(label, 9))
    assert "the 10 coarse labels of other are void everywhere" in refused({"coarse": [OTHER]}, other)


def test_coarse_labels_whose_classes_all_become_void(refused):
    classes = {"ground": None, "disc": None}
    said = refused({"coarse": [{**TOWN, "classes": {**classes, "box": None}}]})
    assert "none of them in town" in said


def test_one_class_alone_is_a_warning_in_a_study_too(write, town, drawn, tmp_path, capsys):
    other = relabel(town, tmp_path, lambda label: np.where(label == 1, 1, 9))
    write(coarse=[OTHER], rounds=1)
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump({"recipe": "rounds.yaml", "policies": {"a": {}}, "seeds": [0]}))
    words = [
        "study",
        study,
        *(w for n, f in (("town", town), ("drawn", drawn), ("other", other)) for w in ("--root", f"{n}={f}")),
    ]
    assert main([str(word) for word in [*words, "--out", tmp_path / "out", "--device", "cpu"]]) == 0
    assert "warning: the 10 coarse labels of other have one class alone, disc" in capsys.readouterr().err
