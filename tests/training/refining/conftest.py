"""A clip whose camera pans over shapes told apart by their colours, with labels of some frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seglift.datasets.folder import open_folder
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.training.refining.returns_cache import Making

COLORS = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200]], np.uint8)
CLASSES = [
    {"id": 0, "name": "ground", "color": [90, 90, 90], "train_id": 0, "category": "flat"},
    {"id": 1, "name": "disc", "color": [200, 30, 30], "train_id": 1, "category": "shape"},
    {"id": 2, "name": "box", "color": [30, 30, 200], "train_id": 2, "category": "shape"},
    {"id": 9, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
]
HEIGHT, WIDTH, STEP = 32, 48, 2


def scene(seed):
    """Labels and a picture, wider than a frame; noise shows motion."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((HEIGHT, 2 * WIDTH), np.uint8)
    rows, columns = np.mgrid[:HEIGHT, : 2 * WIDTH]
    for value in (1, 2, 1, 2, 1, 2):
        y, x = generator.integers(4, HEIGHT - 4), generator.integers(4, 2 * WIDTH - 4)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < 40] = value
    labels[:2] = 3
    noise = generator.integers(-20, 21, (HEIGHT, 2 * WIDTH, 3))
    return labels, np.clip(np.append(COLORS, [[0, 0, 0]], 0)[labels].astype(int) + noise, 0, 255).astype(np.uint8)


def write_clip(root, split, clip, frames, every, seed):
    labels, picture = scene(seed)
    for part in ("images", "labels"):
        (root / part / split / clip).mkdir(parents=True)
    for number in range(frames):
        view = np.s_[:, number * STEP : number * STEP + WIDTH]
        Image.fromarray(picture[view]).save(root / "images" / split / clip / f"{number:03d}.png")
        if number % every == 0:
            raw = np.array([0, 1, 2, 9], np.uint8)[labels[view]]
            Image.fromarray(raw).save(root / "labels" / split / clip / f"{number:03d}.png")


@pytest.fixture(scope="session")
def panning(tmp_path_factory):
    """A folder dataset: clips a and b to train, c held out; seven frames, labels of 0, 3 and 6."""
    root = tmp_path_factory.mktemp("panning")
    (root / "space.yaml").write_text(yaml.safe_dump({"name": "shapes", "ignore": 9, "classes": CLASSES}))
    for seed, (split, clip) in enumerate((("train", "a"), ("train", "b"), ("val", "c"))):
        write_clip(root, split, clip, 7, 3, seed)
    return root


@pytest.fixture(scope="session")
def train_split(panning):
    return open_folder(panning, "train")


@pytest.fixture(scope="session")
def val_split(panning):
    return open_folder(panning, "val")


class ByColour:
    """A segmentation model that looks at colours, and never says void; counts what it sees."""

    space_classes = ("ground", "disc", "box")

    def __init__(self):
        self.looked = 0

    def logits(self, images):
        self.looked += 1
        colors = torch.from_numpy(COLORS / np.float32(255)).view(1, 3, 3, 1, 1)
        return -20 * (images[:, None, :3] - colors).square().sum(2)

    def features(self, images):
        return torch.nn.functional.avg_pool2d(images[:, :3], 2)


class Pan:
    """The true flow of a camera that pans to the right: tells which way by comparing pictures."""

    def __init__(self):
        self.calls = 0

    def __call__(self, source, target, previous=None):
        self.calls += 1
        flow = torch.zeros(1, 2, *source.shape[-2:])
        forward = torch.equal(source[..., STEP:], target[..., :-STEP])
        flow[:, 0] = STEP if forward else -STEP
        return flow


@pytest.fixture
def pan():
    return Pan()


@pytest.fixture
def by_colour():
    return ByColour()


@pytest.fixture
def make_making(pan, by_colour):
    """A making with the true flow and a model that looks at colours."""

    def make(config, identity="x", teacher_for=None, estimator=None):
        teacher = teacher_for or (lambda frame: SemanticLabeller(by_colour, frame.space))
        return Making(config, estimator or pan, teacher, lambda frame: identity, torch.device("cpu"))

    return make
