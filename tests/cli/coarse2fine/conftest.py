"""A tiny town with fine labels, drawn images with exact ones in another space, ``seglift coarse2fine`` on them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main

SPACE = {
    "name": "town",
    "ignore": 9,
    "classes": [
        {"id": 0, "name": "ground", "color": [90, 90, 90], "train_id": 0, "category": "flat"},
        {"id": 1, "name": "disc", "color": [200, 30, 30], "train_id": 1, "category": "shape"},
        {"id": 2, "name": "box", "color": [30, 30, 200], "train_id": 2, "category": "shape"},
        {"id": 5, "name": "ego vehicle", "color": [5, 5, 5], "train_id": 255, "category": "void"},
        {"id": 9, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
    ],
}
DRAWN_SPACE = {
    "name": "drawn",
    "ignore": 99,
    "classes": [
        {"id": 10, "name": "Box", "color": [30, 30, 200], "train_id": 0, "category": "shape"},
        {"id": 20, "name": "ground", "color": [90, 90, 90], "train_id": 1, "category": "flat"},
        {"id": 30, "name": "star", "color": [90, 200, 90], "train_id": 2, "category": "shape"},
        {"id": 99, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
    ],
}
COLORS = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200]], np.uint8)
EGO_ROWS = 4


def draw(generator):
    """An image and its labels: a disc and a box on grey above the car's bonnet."""
    label = np.zeros((48, 64), np.uint8)
    rows, columns = np.mgrid[:48, :64]
    y, x = generator.integers(10, 36), generator.integers(10, 54)
    label[(rows - y) ** 2 + (columns - x) ** 2 < 81] = 1
    top, left = generator.integers(0, 30), generator.integers(0, 50)
    label[top : top + 13, left : left + 13] = 2
    noise = generator.integers(-20, 21, (48, 64, 3))
    image = np.clip(COLORS[label].astype(int) + noise, 0, 255).astype(np.uint8)
    label[-EGO_ROWS:] = 5
    return image, label


def _write(root, space, splits, ids):
    generator = np.random.default_rng(len(ids))
    root.mkdir(parents=True, exist_ok=True)
    (root / "space.yaml").write_text(yaml.safe_dump(space))
    for split, count in splits.items():
        for number in range(count):
            for kind, array in zip(("images", "labels"), draw(generator), strict=True):
                path = root / kind / split / f"{number:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array if kind == "images" else ids[array]).save(path)
    return root


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    """Fine labels in their own space, in ``train`` and ``val``."""
    return _write(tmp_path_factory.mktemp("town"), SPACE, {"train": 10, "val": 3}, np.arange(10, dtype=np.uint8))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Exact labels in a space that knows no disc, but a star."""
    ids = np.array([20, 99, 10, 99, 99, 99], np.uint8)
    return _write(tmp_path_factory.mktemp("drawn"), DRAWN_SPACE, {"train": 12}, ids)


TRAINING = {
    "network": {"architecture": "compact_unet", "arguments": {"widths": [8, 12]}},
    "crop": [32, 48],
    "batch": 4,
    "short_side": None,
    "augmentation": {"scale": [0.8, 1.25], "jitter": 0.1, "blur": None},
    "fit": {"steps": 8, "learning_rate": 0.02, "optimizer": "muon", "checkpoint_every": 2, "tensorboard": False},
}
TOWN = {"dataset": "folder", "name": "town"}
RECIPE = {
    "model": TRAINING,
    "coarse": [{**TOWN, "count": 6, "simulate": 0.92}],
    "synthetic": [{"dataset": "folder", "name": "drawn"}],
    "test": {**TOWN, "split": "val"},
    "rounds": 3,
    "labelling": {"scales": [1.0], "flip": True, "confidence": 0.4},
    "snapshots": 2,
}


@pytest.fixture(scope="session")
def training():
    """Plain values of a tiny training's recipe."""
    return copy.deepcopy(TRAINING)


@pytest.fixture
def write(tmp_path):
    """Writes a recipe of rounds, with changes by name."""

    def write(**changes):
        path = tmp_path / "rounds.yaml"
        path.write_text(yaml.safe_dump({**copy.deepcopy(RECIPE), **changes}))
        return path

    return write


@pytest.fixture(scope="session")
def words(town, drawn):
    """The words of a command on a CPU, with the folders that the recipe asks for."""

    def words(recipe, out, *more):
        folders = {"town": town, "drawn": drawn}
        roots = [
            word for name in folders if name in recipe.read_text() for word in ("--root", f"{name}={folders[name]}")
        ]
        return [str(word) for word in ["coarse2fine", recipe, *roots, "--out", out, "--device", "cpu", *more]]

    return words


@pytest.fixture(scope="session")
def coarse2fine(words):
    """``seglift coarse2fine``; gives the exit status."""
    return lambda *given: main(words(*given))
