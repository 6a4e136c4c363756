from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seglift.workflows.naive_student.recipe import read_selftrain
from seglift.workflows.recipes.recipe import read_yaml
from seglift.workflows.rounds.kinds import kind_of
from seglift.workflows.rounds.trainings import count_network, parsed_training

RECIPES = Path(__file__).parents[3] / "recipes"
SHIPPED = [path for path in sorted(RECIPES.rglob("*.yaml")) if read_yaml(path).get("kind") == "naive_student"]
LEAST = {
    "teacher": {"fit": {"steps": 3}},
    "student": {"fit": {"steps": 5}},
    "labelled": [{"dataset": "camvid"}],
    "unlabelled": [{"dataset": "camvid"}],
    "test": {"dataset": "camvid", "split": "test"},
}


@pytest.fixture
def read(tmp_path):
    """Reads a recipe with changes, and with words of --set as values by dotted name."""

    def read(changes=None, **overrides):
        path = tmp_path / "rounds.yaml"
        path.write_text(yaml.safe_dump({**LEAST, **(changes or {})}))
        return read_selftrain(path, {name.replace("__", "."): value for name, value in overrides.items()})

    return read


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_every_recipe_that_ships_can_be_read(path):
    recipe = read_selftrain(path, {})
    students = [parsed_training(values, "student") for values in recipe.students]
    assert isinstance(recipe.teacher, dict)
    teacher = count_network(parsed_training(recipe.teacher, "teacher"), 19)
    assert all(count_network(student, 19) >= teacher for student in students)


def test_recipes_ship():
    assert {path.parent.name for path in SHIPPED} >= {"camvid", "naive_student2020", "streets"}


def test_the_papers_values():
    recipe = read_selftrain(RECIPES / "naive_student2020/cityscapes.yaml", {})
    student = parsed_training(recipe.students[1], "student")
    assert (recipe.rounds, student.fit.steps, student.fit.learning_rate, recipe.mix) == (2, 180000, 1e-4, None)
    assert [(source.before, source.after) for source in recipe.unlabelled] == [(19, 10), (0, 0)]
    assert recipe.segments.stuff_area == 4096
    assert 2 * len(recipe.labelling.scales) == 14 and recipe.labelling.average == "probabilities"
    assert kind_of(recipe.students[0], "student") == "panoptic"


def test_aug_is_the_papers_unless_said_otherwise(read):
    assert read().labelling.scales == (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    given = read({"labelling": {"flip": False}}).labelling
    assert (len(given.scales), given.flip, given.average) == (7, False, "probabilities")


def test_recipes_are_found_beside_and_set_reaches_into_them(read, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({"fit": {"steps": 7}, "batch": 2}))
    recipe = read({"student": "small.yaml"}, student__batch=3, student_changes={"fit.steps": 9})
    assert recipe.students == ({"fit": {"steps": 9}, "batch": 3},) * 2
    recipe = read({"student": ["small.yaml", LEAST["student"]], "rounds": 3})
    assert [student["fit"]["steps"] for student in recipe.students] == [7, 5, 5]
    assert read(teacher="runs/teacher").teacher == "runs/teacher"
