"""A tiny data set of coloured shapes, and ``seglift train`` on it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.cli.main import main

SPACE = {
    "name": "shapes",
    "ignore": 9,
    "classes": [
        {"id": 0, "name": "ground", "color": [90, 90, 90], "train_id": 0, "category": "flat"},
        {"id": 1, "name": "disc", "color": [200, 30, 30], "train_id": 1, "category": "shape"},
        {"id": 2, "name": "box", "color": [30, 30, 200], "train_id": 2, "category": "shape"},
        {"id": 9, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
    ],
}
COLORS = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200]], np.uint8)


def draw(generator):
    """An image and its labels: a disc and a box on grey, the class told by colour."""
    label = np.zeros((48, 64), np.uint8)
    y, x = np.mgrid[:48, :64]
    cy, cx = generator.integers(8, 40), generator.integers(8, 56)
    label[(y - cy) ** 2 + (x - cx) ** 2 < 49] = 1
    top, left = generator.integers(0, 36), generator.integers(0, 52)
    label[top : top + 12, left : left + 12] = 2
    noise = generator.integers(-25, 26, (48, 64, 3))
    image = np.clip(COLORS[label].astype(int) + noise, 0, 255).astype(np.uint8)
    label[:2] = 9
    return image, label


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    generator = np.random.default_rng(0)
    (root / "space.yaml").write_text(yaml.safe_dump(SPACE))
    for split, count in (("train", 10), ("val", 3)):
        for part in ("images", "labels"):
            (root / part / split).mkdir(parents=True)
        for number in range(count):
            image, label = draw(generator)
            Image.fromarray(image).save(root / "images" / split / f"{number:03d}.png")
            Image.fromarray(label).save(root / "labels" / split / f"{number:03d}.png")
    return root


@pytest.fixture(scope="session")
def space():
    """The label space of the shapes, as its file has it."""
    return SPACE


def _recipe_values(**changes):
    return {
        "train": [{"dataset": "folder", "split": "train"}],
        "val": {"dataset": "folder", "split": "val"},
        "network": {"architecture": "compact_unet", "arguments": {"widths": [8, 12, 16]}},
        "crop": [32, 48],
        "batch": 4,
        "short_side": None,
        "augmentation": {"scale": [0.8, 1.25], "jitter": 0.1, "blur": None},
        "fit": {"steps": 40, "learning_rate": 0.01, "average": 0.8, "checkpoint_every": 5, "validate_every": 20},
        **changes,
    }


@pytest.fixture(scope="session")
def recipe_values():
    """Plain values of a recipe, with changes by name."""
    return _recipe_values


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(_recipe_values()))
    return path


@pytest.fixture(scope="session")
def train():
    """``seglift train`` on a CPU; gives the exit status."""

    def train(recipe, root, out, *more):
        return main(["train", str(recipe), "--root", str(root), "--out", str(out), "--device", "cpu", *more])

    return train


@pytest.fixture
def damage(shapes, tmp_path):
    """A copy of the shapes with some files cut short."""

    def damage(*names):
        root = tmp_path / "damaged"
        shutil.copytree(shapes, root)
        for name in names:
            (root / name).write_bytes((root / name).read_bytes()[:60])
        return root

    return damage
