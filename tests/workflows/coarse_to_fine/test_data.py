from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.workflows.coarse_to_fine.data import open_sources
from seglift.workflows.coarse_to_fine.recipe import parse_rounds

SPACE = "name: two\nignore: 255\nclasses:\n- {id: 0, name: floor}\n- {id: 5, name: wall}\n"


@pytest.fixture
def drawn(tmp_path):
    """Draws from 20 images for a seed, by a recipe with changes."""
    for name in ("real", "synthetic", "more"):
        root = tmp_path / name
        for kind, array in (("images", np.zeros((4, 6, 3), np.uint8)), ("labels", np.zeros((4, 6), np.uint8))):
            (root / kind / "train").mkdir(parents=True)
            for number in range(20):
                Image.fromarray(array).save(root / kind / "train" / f"{number:02d}.png")
        (root / "space.yaml").write_text(SPACE)

    def drawn(seed=0, **sources):
        values = {
            "model": {},
            "test": {"dataset": "folder", "name": "real", "split": "train"},
            **{use: [{"dataset": "folder", **one} for one in given] for use, given in sources.items()},
            "fine_from_start": "fine" in sources,
        }
        recipe = parse_rounds(values, "recipe")
        names = {source.called for source in recipe.sources}
        return open_sources(recipe, {name: tmp_path / name for name in names}).draw(seed)

    return drawn


@pytest.fixture
def draw(drawn):
    """Gives the names of what is drawn by use."""

    def draw(seed=0, **sources):
        data = drawn(seed, **sources)
        by_use = ((use, getattr(data, use)) for use in ("coarse", "fine", "synthetic"))
        return {use: [{item.name for item in one.items} for one in found] for use, found in by_use}

    return draw


def test_budgets_are_nested_and_follow_the_seed(draw):
    sizes = [draw(coarse=[{"name": "real", "count": count}])["coarse"][0] for count in (4, 9, 20)]
    assert sizes[0] < sizes[1] < sizes[2] and [len(names) for names in sizes] == [4, 9, 20]
    assert draw(coarse=[{"name": "real", "share": 0.2}])["coarse"][0] == sizes[0]
    assert draw(seed=1, coarse=[{"name": "real", "count": 4}])["coarse"][0] != sizes[0]


def test_fine_labels_are_those_of_other_images_as_long_as_there_are(draw):
    found = draw(coarse=[{"name": "real", "count": 12}], fine=[{"name": "real", "count": 8}])
    assert not found["coarse"][0] & found["fine"][0]
    smaller = draw(coarse=[{"name": "real", "count": 12}], fine=[{"name": "real", "count": 3}])
    assert smaller["fine"][0] < found["fine"][0]


def test_as_many_synthetic_images_as_coarse_labels_shared_among_the_sources(draw):
    coarse = [{"name": "real", "count": 7}]
    assert len(draw(coarse=coarse, synthetic=[{"name": "synthetic"}])["synthetic"][0]) == 7
    found = draw(coarse=coarse, synthetic=[{"name": "synthetic"}, {"name": "more"}])["synthetic"]
    assert [len(names) for names in found] == [4, 3]
    found = draw(coarse=coarse, synthetic=[{"name": "synthetic", "share": 1.0}, {"name": "more"}])["synthetic"]
    assert [len(names) for names in found] == [20, 7]


def test_a_budget_beyond_the_data(draw):
    with pytest.raises(UserError, match="count 21 of real is 21 of its 20 labelled images, expected 1 to 20"):
        draw(coarse=[{"name": "real", "count": 21}])


def test_fewer_coarse_labels_than_synthetic_sources(draw):
    with pytest.raises(UserError, match="more is to give as many images as its part of the coarse labels, 0 of its 20"):
        draw(coarse=[{"name": "real", "count": 1}], synthetic=[{"name": "synthetic"}, {"name": "more"}])


def test_images_with_both_labels_are_counted_however_their_sources_are_told(drawn):
    coarse = [{"name": "real", "count": 12}]
    for fine, overlaps in (
        ({"name": "real", "count": 8}, 0),
        ({"name": "real", "count": 11}, 3),
        ({"name": "real", "count": 11, "options": {"confidence": False}}, 3),
        ({"name": "synthetic"}, 0),
    ):
        assert drawn(coarse=coarse, fine=[fine]).overlaps() == overlaps
