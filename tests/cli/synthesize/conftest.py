"""A picture that moves by whole pixels from frame to frame, as a dataset, with motion known exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import seglift.workflows.synthesize.setup
from seglift.base.weights import save_weights
from seglift.inference.checkpoint import segmentation_metadata
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import feature_channels, load_model
from seglift.labels.space_file import get_space, space_to_data
from seglift.models.zoo import build, build_refiner
from seglift.propagation.refiner import refiner_metadata

HEIGHT, WIDTH, SPEED, FRAMES = 40, 56, 2, 9
SPACE = get_space("cityscapes")


def world(seed):
    """A wide picture of which each frame shows a part: RGB, Cityscapes ids and instance ids."""
    generator = np.random.default_rng(seed)
    width = WIDTH + SPEED * FRAMES
    image = generator.integers(0, 256, (HEIGHT, width, 3), dtype=np.uint8)
    ids = np.array([7, 8, 11, 23, 26], np.uint8)[generator.integers(0, 5, (HEIGHT // 8, -(-width // 8)))]
    ids = ids.repeat(8, 0).repeat(8, 1)[:, :width]
    number = (np.arange(width) // 8 % 5).astype(np.uint16)[None] + 5 * (np.arange(HEIGHT) // 8).astype(np.uint16)[
        :, None
    ]
    return image, ids, np.where(ids == 26, ids.astype(np.uint16) * 1000 + number, ids).astype(np.uint16)


def part(array, index):
    """What frame ``index`` shows."""
    return array[:, SPEED * index : SPEED * index + WIDTH]


def shifted(array, k):
    """What a frame's array becomes ``k`` frames on, its border replicated, by plain indexing."""
    columns = np.clip(np.arange(WIDTH) + SPEED * k, 0, WIDTH - 1)
    return array[:, columns]


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(array)).save(path)


def write_dataset(root, clips=("a", "b"), labelled=(4,), suffix=".png"):
    """A folder dataset of one moving picture a clip."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "space.yaml").write_text(yaml.safe_dump(space_to_data(SPACE), sort_keys=False))
    for seed, clip in enumerate(clips):
        image, ids, instances = world(seed)
        for index in range(FRAMES):
            place = f"train/{clip}/f{index:02d}"
            save(root / f"images/{place}{suffix}", part(image, index))
            save(root.parent / f"truth/{clip}/f{index:02d}.png", part(ids, index))
            if index in labelled:
                save(root / f"labels/{place}.png", part(ids, index))
                save(root / f"instances/{place}.png", part(instances, index))
    return root


class ExactMotion:
    """Sees by which whole shift two frames differ; counts what it is asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, source, target, previous=None):
        self.asked += 1
        ahead = torch.equal(target[..., : WIDTH - SPEED], source[..., SPEED:])
        flow = torch.zeros(1, 2, HEIGHT, WIDTH)
        if not torch.equal(source, target):
            flow[:, 0] = SPEED if ahead else -SPEED
        return flow


@pytest.fixture
def exact(monkeypatch):
    """``--motion dis`` is exact."""
    estimator = ExactMotion()
    monkeypatch.setattr(seglift.workflows.synthesize.setup, "get_estimator", lambda name, device: estimator)
    return estimator


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path / "data")


@pytest.fixture
def model(tmp_path):
    """A network with random weights, as a checkpoint."""
    config = {"architecture": "compact_deeplab", "arguments": {"num_classes": 19, "width": 8, "low_level": 8}}
    network = build(config, seed=3).eval()
    metadata = segmentation_metadata(config, SPACE.name, SPACE.train_names, 64)
    save_weights(tmp_path / "model/best.safetensors", dict(network.state_dict()), metadata)
    return tmp_path / "model"


@pytest.fixture
def refiner(model, tmp_path):
    """A refiner with random weights that changes labels, as a checkpoint."""
    features = feature_channels(Predictor(load_model(str(model), SPACE, "cpu")), "cpu")
    arguments = {"num_classes": 19, "feature_channels": features, "width": 4, "blocks": 1, "residual": 0.0}
    config = {"architecture": "refiner_compact", "arguments": arguments}
    metadata = refiner_metadata(config, SPACE, {}, "m")
    save_weights(tmp_path / "refiner/best.safetensors", build_refiner(config, seed=3).state_dict(), metadata)
    return tmp_path / "refiner"


@pytest.fixture
def words(root, tmp_path):
    """The words of ``synthesize`` by motion; later options override."""

    def words(*more, out="out", data=root):
        listed = ["synthesize", "folder", "--root", data, "--method", "motion", "--distances", "1,3"]
        return [str(word) for word in (*listed, "--out", tmp_path / out, "--device", "cpu", *more)]

    return words


@pytest.fixture
def synthesize(run, words, tmp_path):
    """Runs ``synthesize`` in this process."""
    return lambda *more, **names: run(*words(*more, **names))


class Result:
    """What lies in an OUT."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]

    def read(self, pair, kind):
        return np.array(Image.open(self.folder / pair[kind]))

    def targets(self):
        return [(pair["source_frame"], pair["k"], pair["target_frame"]) for pair in self.pairs]


@pytest.fixture
def result(tmp_path):
    return lambda out="out": Result(tmp_path / out)


class Moving:
    """The picture and what becomes of it, for tests (their files cannot import this one)."""

    height, width, speed, frames = HEIGHT, WIDTH, SPEED, FRAMES
    world, part, shifted = staticmethod(world), staticmethod(part), staticmethod(shifted)
    save, write_dataset = staticmethod(save), staticmethod(write_dataset)


@pytest.fixture(scope="session")
def moving():
    return Moving
