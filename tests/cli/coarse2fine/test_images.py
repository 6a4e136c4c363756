"""``images`` of sources of coarse-to-fine rounds: which are preferred when not all are used."""

from __future__ import annotations

import json

import pytest
import yaml

from seglift.cli.main import main

TOWN = {"dataset": "folder", "name": "town"}
ORDER = ["07", "02", "05", "00", "09"]


@pytest.fixture
def listed(tmp_path):
    """Writes a list beside the recipe; gives a source that names it."""

    def listed(names, **more):
        (tmp_path / "order.txt").write_text("".join(f"{name}\n" for name in names))
        return {**TOWN, "images": "order.txt", **more}

    return listed


def drawn_in(out, use="coarse", seed=0):
    return {path.stem for path in (out / f"seed_{seed}/{use}/town/labels/train").iterdir()}


@pytest.mark.parametrize(("much", "count"), [({"count": 3}, 3), ({"share": 0.4}, 2), ({}, 5)])
def test_the_first_ones_of_the_list_with_every_seed(write, coarse2fine, listed, tmp_path, capsys, much, count):
    out = tmp_path / "out"
    recipe = write(coarse=[listed(ORDER, simulate=0.92, **much)], synthetic=[], rounds=1, seeds=[0, 1])
    assert coarse2fine(recipe, out, "--dry-run") == 0
    assert f"coarse labels: {count} of 10 of town train at" in (said := capsys.readouterr().out)
    assert "the first of a list of 5" in said
    assert coarse2fine(recipe, out, "--stages", "5") == 0
    assert drawn_in(out) == drawn_in(out, seed=1) == set(ORDER[:count])


def test_the_content_of_the_list_counts_and_not_its_place(write, coarse2fine, listed, tmp_path, capsys):
    out = tmp_path / "out"
    changes = {"synthetic": [], "rounds": 1}
    assert coarse2fine(write(coarse=[listed(ORDER, count=3)], **changes), out) == 0
    assert yaml.safe_load((out / "recipe.yaml").read_text())["coarse"][0]["images"] == ORDER
    (tmp_path / "deeper").mkdir()
    (tmp_path / "order.txt").rename(tmp_path / "deeper" / "other.txt")
    recipe = write(coarse=[{**TOWN, "images": "deeper/other.txt", "count": 3}], **changes)
    capsys.readouterr()
    assert coarse2fine(recipe, out) == 0
    assert "stage" not in capsys.readouterr().err
    assert coarse2fine(write(coarse=[listed(ORDER[::-1], count=3)], **changes), out) == 2
    said = capsys.readouterr().err
    assert 'made otherwise (coarse.0.images ["07", "02",' in said


@pytest.mark.parametrize(
    ("names", "much", "said"),
    [
        (
            ["07", "99", "98"],
            {},
            "names 99 and 1 more, which the labelled part of town does not have (it has 00, 01, 02",
        ),
        (["07", "02", "07"], {}, "the list of images of the labelled part of town names 07 twice"),
        (ORDER, {"count": 6}, "count 6 of town is 6 of its 5 listed images, expected 1 to 5"),
        (ORDER, {"share": 0.01}, "share 0.01 of town is 0 of its 5 listed images"),
        ([], {}, "images of town is empty"),
        (ORDER, {"images": "nowhere.txt"}, "cannot read the list of images"),
        (ORDER, {"images": 3}, "coarse[0].images is 3, expected text or a list or null"),
    ],
)
def test_lists_that_cannot_be_used(write, coarse2fine, listed, town, tmp_path, capsys, names, much, said):
    recipe, out = write(coarse=[listed(names, **much)]), tmp_path / "out"
    assert coarse2fine(recipe, out) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump({"recipe": "rounds.yaml", "policies": {"a": {"synthetic": []}}, "seeds": [0]}))
    words = ["study", study, "--root", f"town={town}", "--out", out, "--device", "cpu"]
    assert main([str(word) for word in words]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


def test_what_suggest_orders_is_what_rounds_draw(write, coarse2fine, town, tmp_path):
    """Das et al.'s choice of images: a model of the first ones says what the others show."""
    order, out = tmp_path / "order.txt", tmp_path / "first"
    pool = ["suggest", "--dataset", "folder", "--root", town, "--device", "cpu", "--order", order, "--count"]
    assert main([str(word) for word in [*pool, 3, "--labelled", "none", "--sampling", "uniform"]]) == 0
    first = order.read_text().split()
    source = {**TOWN, "images": "order.txt", "simulate": 0.92}
    assert len(first) == 3
    recipe = write(coarse=[{**source, "count": 3}], synthetic=[], rounds=1)
    assert coarse2fine(recipe, out) == 0 and drawn_in(out) == set(first)
    model = ["--labelled", order, "--model", out / "seed_0/round_0/network", "--json", tmp_path / "next.json"]
    assert main([str(word) for word in [*pool, 4, *model]]) == 0
    both = order.read_text().split()
    assert both[:3] == first and len(set(both)) == 7
    assert json.loads((tmp_path / "next.json").read_text())["labelled"] == 3
    recipe = write(coarse=[{**source, "count": 7}], synthetic=[], rounds=1)
    assert coarse2fine(recipe, tmp_path / "second", "--stages", "2") == 0
    assert drawn_in(tmp_path / "second") == set(both)
