from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seglift.base.errors import UserError
from seglift.workflows.coarse_to_fine.recipe import read_rounds
from seglift.workflows.coarse_to_fine.rounds import models_of
from seglift.workflows.recipes.recipe import read_yaml
from seglift.workflows.rounds.trainings import count_network, parsed_training

RECIPES = Path(__file__).parents[3] / "recipes"
SHIPPED = [p for p in sorted(RECIPES.rglob("*.yaml")) if read_yaml(p).get("kind") == "coarse_to_fine_rounds"]
LEAST = {
    "model": {"fit": {"steps": 3}},
    "coarse": [{"dataset": "camvid"}],
    "test": {"dataset": "camvid", "split": "test"},
}


@pytest.fixture
def read(tmp_path):
    """Reads a recipe with changes, and with words of --set as values by dotted name."""

    def read(changes=None, **overrides):
        path = tmp_path / "rounds.yaml"
        path.write_text(yaml.safe_dump({**LEAST, **(changes or {})}))
        return read_rounds(path, {name.replace("__", "."): value for name, value in overrides.items()})

    return read


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_every_recipe_that_ships_can_be_read(path):
    recipe = read_rounds(path, {})
    assert count_network(parsed_training(recipe.values, "model"), 19) > 0


def test_recipes_ship():
    assert {path.parent.name for path in SHIPPED} >= {"camvid", "das2023"}


def test_the_papers_values():
    recipe = read_rounds(RECIPES / "das2023/cityscapes.yaml", {})
    model = parsed_training(recipe.values, "model")
    assert (model.crop, model.batch, model.fit.epochs, model.fit.power) == ((760, 760), 12, 100, 2.0)
    assert (model.fit.optimizer, model.fit.momentum, model.fit.weight_decay) == ("sgd", 0.9, 1e-4)
    assert model.network.architecture == "deeplabv3plus_xception71" and model.start == "imagenet"
    assert recipe.mix is not None and (recipe.mix.probability, recipe.mix.class_probability) == (0.5, 0.5)
    assert recipe.labelling.scales == (0.5, 1.0, 2.0) and recipe.labelling.confidence == 0.9 and recipe.labelling.flip
    assert [model.title for model in models_of(recipe)] == ["0 network", "1 network", "2 network", "2 fine-tuned"]


def test_the_defaults_are_the_papers_too(read):
    recipe = read()
    assert recipe.rounds == 3 and recipe.mix is not None and recipe.boundary is not None
    assert recipe.labelling.confidence == 0.9 and not recipe.start_from_previous and not recipe.weigh_by_confidence


def test_the_model_may_be_a_file_beside_the_recipe_or_beside_nothing(read, tmp_path):
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"fit": {"steps": 4}}))
    assert read({"model": "own.yaml"}).values["fit"]["steps"] == 4
    assert read({"model": "own.yaml"}, model__fit__steps=6).values["fit"]["steps"] == 6
    assert read(model=str(tmp_path / "own.yaml")).values["fit"]["steps"] == 4
    with pytest.raises(UserError, match="cannot read the recipe"):
        read({"model": "none.yaml"})
