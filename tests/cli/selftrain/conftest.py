"""A tiny town of clips in the folder layout, of whose frames some are labelled, and ``seglift selftrain`` on it."""

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
        {"id": 1, "name": "disc", "color": [200, 30, 30], "train_id": 1, "category": "shape", "thing": True},
        {"id": 2, "name": "box", "color": [30, 30, 200], "train_id": 2, "category": "shape", "thing": True},
        {"id": 5, "name": "ego vehicle", "color": [5, 5, 5], "train_id": 255, "category": "void"},
        {"id": 9, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
    ],
}
COLORS = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200]], np.uint8)
EGO_ROWS = 6
FRAMES = 3


def draw(generator, y, x):
    """A frame, its labels and Cityscapes' instance values: a disc and a box on grey above the car's bonnet."""
    label = np.zeros((48, 64), np.uint8)
    rows, columns = np.mgrid[:48, :64]
    label[(rows - y) ** 2 + (columns - x) ** 2 < 49] = 1
    label[y // 2 : y // 2 + 10, 63 - x : 73 - x] = 2
    image = np.clip(COLORS[label].astype(int) + generator.integers(-25, 26, (48, 64, 3)), 0, 255).astype(np.uint8)
    label[-EGO_ROWS:] = 5
    image[-EGO_ROWS:] = (200, 30, 30)  # looks like a disc
    return image, label, np.where(np.isin(label, (1, 2)), label.astype(np.uint16) * 1000, label).astype(np.uint16)


def _save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    root = tmp_path_factory.mktemp("town")
    generator = np.random.default_rng(0)
    (root / "space.yaml").write_text(yaml.safe_dump(SPACE))
    for split, clips in (("train", 4), ("val", 2)):
        for clip in range(clips):
            y, x = generator.integers(8, 30), generator.integers(10, 50)
            for number in range(FRAMES):
                place = f"{split}/clip{clip}/{number:02d}.png"
                image, label, instances = draw(generator, y, x + 2 * number)
                _save(root / "images" / place, image)
                _save(root / "labels" / place, label)
                _save(root / "instances" / place, instances)
    return root


TRAINING = {
    "network": {"architecture": "compact_unet", "arguments": {"widths": [8, 12]}},
    "crop": [32, 48],
    "batch": 4,
    "short_side": None,
    "augmentation": {"scale": [0.8, 1.25], "jitter": 0.1, "blur": None},
    "fit": {"steps": 6, "learning_rate": 0.01, "validate_every": 6, "tensorboard": False},
}
PANOPTIC = {
    **TRAINING,
    "kind": "panoptic",
    "network": {"architecture": "compact_panoptic", "arguments": {"widths": [8, 12], "head": 8}},
    "loss": {"sigma": 3, "small_area": 50, "share": 1, "offset": 0.05},
    "segments": {"stuff_area": 0},
}
RECIPE = {
    "teacher": TRAINING,
    "student": TRAINING,
    "labelled": [{"dataset": "folder", "name": "town", "options": {"every": FRAMES, "first": 1}}],
    "unlabelled": [{"dataset": "folder", "name": "town"}],
    "test": {"dataset": "folder", "name": "town", "split": "val"},
    "rounds": 2,
    "fine_tune": {"steps": 3},
    "labelling": {"scales": [1.0], "flip": True},
    "snapshots": 2,
}


@pytest.fixture(scope="session")
def training():
    """Plain values of a tiny training's recipe."""
    return copy.deepcopy(TRAINING)


@pytest.fixture(scope="session")
def panoptic():
    """The same of a panoptic network."""
    return copy.deepcopy(PANOPTIC)


@pytest.fixture
def write(tmp_path):
    """Writes a recipe of rounds, with changes by name."""

    def write(**changes):
        path = tmp_path / "rounds.yaml"
        path.write_text(yaml.safe_dump({**copy.deepcopy(RECIPE), **changes}))
        return path

    return write


@pytest.fixture(scope="session")
def selftrain(town):
    """``seglift selftrain`` on a CPU; gives the exit status."""

    def selftrain(recipe, out, *more):
        words = ["selftrain", recipe, "--root", f"town={town}", "--out", out, "--device", "cpu", *more]
        return main([str(word) for word in words])

    return selftrain
