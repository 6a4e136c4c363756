"""Trainings that start from an earlier one."""

from __future__ import annotations

import numpy as np
import yaml

from seglift.base.weights import load_weights


def test_weights_of_an_earlier_training_start_another(recipe, shapes, tmp_path, capsys, train):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(recipe, shapes, first) == 0
    start = ["--set", f"start={first}", "--set", "fit.steps=1", "--set", "fit.learning_rate=1.0e-9"]
    assert train(recipe, shapes, second, *start, "--set", "fit.average=null") == 0
    a, b = (load_weights(folder / "last.safetensors")[0] for folder in (first, second))
    name = "classifier.weight"
    assert np.allclose(a[name].numpy(), b[name].numpy(), atol=1e-5)
    capsys.readouterr()
    other = [*start, "--set", "network.arguments.widths=[8, 12, 20]"]
    assert train(recipe, shapes, tmp_path / "third", *other) == 2
    assert "another network" in capsys.readouterr().err


def test_a_start_for_other_classes_needs_a_new_head(recipe, shapes, tmp_path, capsys, train, space):
    other = tmp_path / "other.yaml"
    changed = {**space, "name": "two", "classes": [space["classes"][0], space["classes"][1], space["classes"][3]]}
    other.write_text(yaml.safe_dump(changed))
    first = tmp_path / "first"
    assert train(recipe, shapes, first, "--set", f"space={other}", "--set", "fit.steps=2") == 0
    start = ["--set", f"start={first}", "--set", "fit.steps=2"]
    assert train(recipe, shapes, tmp_path / "second", *start) == 2
    assert "new_head" in capsys.readouterr().err
    assert train(recipe, shapes, tmp_path / "second", *start, "--set", "new_head=true") == 0


def test_a_training_that_has_not_finished_is_no_start(recipe, shapes, tmp_path, capsys, train):
    first = tmp_path / "first"
    first.mkdir()
    assert train(recipe, shapes, tmp_path / "second", "--set", f"start={first}") == 2
    error = capsys.readouterr().err
    assert f"no trained weights in {first} " in error
    assert "has not finished" in error
