"""``seglift train`` on coarse and synthetic labels, as a user runs it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main
from seglift.training.coarse_to_fine import CoarseToFineTask


@pytest.fixture(scope="module")
def drawn(shapes, tmp_path_factory):
    """The shapes as another data set, whose space has one other class and other ids."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    shutil.copytree(shapes, root)
    space = yaml.safe_load((root / "space.yaml").read_text())
    space["name"] = "drawn"
    for entry in space["classes"]:
        entry["id"] += 20
        entry["name"] = {"box": "crate"}.get(entry["name"], entry["name"])
    space["ignore"] = 29
    (root / "space.yaml").write_text(yaml.safe_dump(space))
    for path in (root / "labels").rglob("*.png"):
        Image.fromarray((np.array(Image.open(path)) + 20).astype(np.uint8)).save(path)
    return root


@pytest.fixture
def run(shapes, drawn, recipe_values, tmp_path):
    """Runs a recipe with changes; gives the exit status."""

    def run(*more, out=None, **changes):
        values = recipe_values(
            kind="coarse_to_fine",
            train=[{"dataset": "folder", "name": "real"}, {"dataset": "folder", "name": "drawn"}],
            val={"dataset": "folder", "name": "real", "split": "val"},
            synthetic=["drawn"],
        )
        values["fit"]["steps"] = 12
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}))
        words = ["train", path, "--root", f"real={shapes}", "--root", f"drawn={drawn}", "--device", "cpu"]
        return main([str(word) for word in [*words, "--out", out or tmp_path / "out", *more]])

    return run


def test_it_trains_scores_and_goes_on_with_the_same_bytes(run, tmp_path, capsys, monkeypatch):
    assert run("--dry-run") == 0
    said = capsys.readouterr()
    assert "1 x boundary loss of synthetic views, 50% of real views mixed" in said.out
    assert "ignored: crate; never labelled there: box" in said.err
    assert run(out=tmp_path / "whole") == 0
    batch = CoarseToFineTask.batch

    def stops(self, seed, step, part):
        if step == 8:
            raise KeyboardInterrupt
        return batch(self, seed, step, part)

    monkeypatch.setattr(CoarseToFineTask, "batch", stops)
    assert run() == 130
    monkeypatch.undo()
    assert run() == 0
    for name in ("best.safetensors", "last.safetensors", "scores.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_samples_of_synthetic_sources_are_the_synthetic_ones(run, monkeypatch):
    found, before = [], CoarseToFineTask.__init__

    def note(self, samples, space, recipe, synthetic, *more):
        found.append((len(samples), list(synthetic)))
        before(self, samples, space, recipe, synthetic, *more)

    monkeypatch.setattr(CoarseToFineTask, "__init__", note)
    assert run(mix={"probability": 0}, boundary_weight=0) == 0
    assert found == [(20, list(range(10, 20)))]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"synthetic": ["streets"]}, "synthetic names streets, expected sources of train (real, drawn)"),
        ({"synthetic": []}, "0 of 2 sources of train are synthetic"),
        ({"synthetic": ["real", "drawn"]}, "2 of 2 sources of train are synthetic"),
        ({"batch": 16}, "there are 10 synthetic images, expected at least a batch of 16"),
        ({"mix": {"probabilitx": 1}}, "unknown name mix.probabilitx; did you mean mix.probability?"),
        ({"boundary_weight": -1}, "boundary_weight is -1"),
        ({"match_colors": 1.5}, "match_colors is 1.5, expected 0..1"),
        ({"network": {"architecture": "compact_panoptic"}}, "which kind: coarse_to_fine does not train"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(run, tmp_path, capsys, changes, said):
    assert run(**changes) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


POOL = {"dataset": "folder", "name": "drawn", "split": "train"}


def test_views_can_be_mixed_from_images_that_are_not_trained_on(run, tmp_path, monkeypatch, capsys):
    pool = [{**POOL, "split": "val"}]
    found, before = [], CoarseToFineTask.__init__

    def note(self, samples, *more):
        found.append((len(samples), len(more[-2])))
        before(self, samples, *more)

    monkeypatch.setattr(CoarseToFineTask, "__init__", note)
    assert run("--dry-run", mix_from=pool) == 0
    assert "mix from: 3 labelled images of folder val" in capsys.readouterr().out
    assert run(mix_from=pool) == 0
    assert found == [(20, 3)]
    monkeypatch.undo()
    uses = [source["use"] for source in json.loads((tmp_path / "out/run.json").read_text())["data"]["sources"]]
    assert uses == ["train", "train", "val", "mix_from"]
    capsys.readouterr()
    assert run() == 2
    assert "holds another training: mix_from (1 value) -> null;" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({**POOL, "split": "val", "classes": {"moon": "disc"}}, "'moon', which the data set drawn does not have"),
        ({**POOL, "split": "nowhere"}, "nowhere"),
        ({**POOL, "split": "val", "quota": 0.5}, "unknown name mix_from[0].quota"),
        ({"dataset": "folder", "name": "streets", "split": "train"}, "add --root streets=DIR"),
    ],
)
def test_a_pool_that_does_not_fit(run, tmp_path, capsys, pool, said):
    assert run(mix_from=[pool]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
