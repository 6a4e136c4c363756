from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from seglift.base.errors import UserError
from seglift.datasets.catalogue import DATASETS, option_types
from seglift.labels.space_file import get_space
from seglift.models.zoo import build
from seglift.workflows.recipe import (
    TrainRecipe,
    parse_overrides,
    parse_recipe,
    parse_roots,
    plain_values,
    read_yaml,
    with_overrides,
)

RECIPES = Path(__file__).parents[2] / "recipes"
TRAININGS = sorted(path for path in RECIPES.rglob("*.yaml") if "studies" not in path.parts)
LEAST = {"train": [{"dataset": "camvid"}]}


def parse(values):
    return parse_recipe(values, TrainRecipe, "x.yaml")


def test_defaults_of_inner_parts_stay_where_only_some_values_are_given():
    recipe = parse({**LEAST, "fit": {"steps": 7}})
    assert recipe.fit.steps == 7
    assert recipe.fit.average == TrainRecipe(train=recipe.train).fit.average
    assert recipe.train[0].split == "train"


def test_what_is_written_beside_the_weights_reads_back_as_the_same_recipe():
    recipe = parse(
        {**LEAST, "val": {"dataset": "camvid", "split": "val"}, "crop": [64, 80], "fit": {"betas": [0.8, 0.9]}}
    )
    assert parse(yaml.safe_load(yaml.safe_dump(plain_values(recipe)))) == recipe


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fit": {"stepz": 3}}, "unknown name fit.stepz; did you mean fit.steps"),
        ({"train": [{"datset": "camvid"}]}, "train[0].datset; did you mean train[0].dataset"),
        ({"val": {"dataset": "camvid", "splt": "val"}}, "did you mean val.split"),
        ({"zebra": 1}, "unknown name zebra"),
        ({"fit": {"steps": "many"}}, "steps"),
        ({"fit": {"steps": 1.5}}, "1.5"),
        ({"fit": {"steps": 0}}, "steps is 0"),
        ({"crop": [64]}, "crop"),
        ({"train": []}, "no data to train on"),
        ({"train": [{"dataset": "camvid", "quota": 1.5}]}, "quota of camvid is 1.5"),
        ({"train": [{"dataset": "a", "quota": 0.7}, {"dataset": "b", "quota": 0.6}]}, "add up to 1.3"),
        ({"train": [{"dataset": "a"}, {"dataset": "a"}]}, "twice"),
        ({"balanced": 2}, "balanced is 2"),
        ({"epoch_size": 1}, "epoch_size is 1"),
        ({"tile": 1}, "tile is 1"),
        ({"kind": "panopticum"}, "kind"),
        ({"evaluation": {"scales": []}}, "scales"),
        ({"loss": {"name": "hinge"}}, "hinge"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line_that_names_file_and_value(change, said):
    with pytest.raises(UserError) as caught:
        parse({**LEAST, **change})
    text = str(caught.value)
    assert text.startswith("x.yaml: ")
    assert said in text
    assert "\n" not in text


def test_overrides_reach_into_nested_values_and_leave_the_original_alone():
    values = {"fit": {"steps": 1, "seed": 2}, "crop": [1, 2]}
    changed = with_overrides(values, parse_overrides(["fit.steps=9", "network.architecture=x", "crop=[3, 4]"]))
    assert changed == {"fit": {"steps": 9, "seed": 2}, "crop": [3, 4], "network": {"architecture": "x"}}
    assert values == {"fit": {"steps": 1, "seed": 2}, "crop": [1, 2]}


@pytest.mark.parametrize("word", ["fit.steps", "=3", "a=[1"])
def test_overrides_that_say_nothing_are_refused(word):
    with pytest.raises(UserError, match="--set"):
        parse_overrides([word])


def test_an_override_cannot_reach_into_a_plain_value():
    with pytest.raises(UserError, match="crop as a whole"):
        with_overrides({"crop": [1, 2]}, {"crop.height": 3})


def test_roots_come_with_or_without_a_name():
    assert parse_roots(["a=/x", "/y=z"]) == {"a": Path("/x"), "/y": Path("z")}
    assert parse_roots(["/data/camvid"]) == {"": Path("/data/camvid")}
    with pytest.raises(UserError, match="twice"):
        parse_roots(["a=x", "a=y"])


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "just words"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"r\.yaml"):
        read_yaml(path)


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        read_yaml(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_that_ships_names_what_exists(path):
    recipe = parse_recipe(read_yaml(path), TrainRecipe, path.name)
    for source in (*recipe.train, recipe.val, recipe.test):
        if source is not None:
            assert source.dataset in DATASETS
            assert set(source.options) <= set(option_types(source.dataset))
    with torch.device("meta"):
        network = build(recipe.network.resolved(19))
    assert network.num_classes == 19
    recipe.loss.build(None)
    classes = {name for source in recipe.train for name in source.centroid_classes or ()}
    assert classes <= set(get_space("cityscapes").train_names)
    assert replace(recipe.fit, epochs=None).resolved(10).steps >= 1


def test_recipes_ship():
    assert len(TRAININGS) >= 12
