from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from seglift.base.weights import load_weights
from seglift.labels.space import LabelClass, LabelSpace
from seglift.models.zoo import build_refiner
from seglift.propagation.refiner import CLASSES
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.images.sample import Sample
from seglift.training.keyframe_refinement import KeyframeRecipe, KeyframeTask, view_classes
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Part
from seglift.training.refinement import RefinerNetworkConfig
from seglift.training.refining.left_out import BOTH, EARLIER, LATER, Decision, LeftOut

SPACE = LabelSpace(
    "shapes",
    (
        LabelClass(4, "ground", (90, 90, 90), 0, "flat", False),
        LabelClass(7, "disc", (200, 30, 30), 1, "shape", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    9,
)
HEIGHT, WIDTH = 32, 48


def drawn(number):
    """Discs told by their colour."""
    generator = np.random.default_rng(number)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(3):
        y, x = generator.integers(6, HEIGHT - 6), generator.integers(6, WIDTH - 6)
        label[(rows - y) ** 2 + (columns - x) ** 2 < 40] = 1
    image = np.where(label[..., None] == 1, (200, 30, 30), (90, 90, 90)) + generator.integers(
        -20, 21, (*label.shape, 3)
    )
    label[:2] = 255
    return Sample(image.clip(0, 255).astype(np.uint8), label)


@pytest.fixture
def frames(tmp_path):
    """Keyframes whose decisions lie three pixels off, to the left or to the right."""
    made = []
    for number in range(4):
        frame = LeftOut(number, partial(drawn, number), tmp_path / "evidence", (BOTH, EARLIER, LATER))
        sample = drawn(number)
        for side, shift in ((BOTH, 3), (EARLIER, 3), (LATER, -3)):
            labels = torch.from_numpy(SPACE.from_train(np.roll(sample.label, shift, 1)))[None]
            warped = torch.from_numpy(np.roll(sample.image, shift, 1)).permute(2, 0, 1)[None].contiguous()
            frame.write(side, Decision(labels, warped, torch.full((1, 2, 8, 12), 128, dtype=torch.uint8)))
        made.append(frame)
    return made


def recipe(**changes):
    settings = FitConfig(steps=60, learning_rate=0.01, average=None, checkpoint_every=5, tensorboard=False)
    network = RefinerNetworkConfig("refiner_compact", {"n_down": 2, "blocks": 1, "residual": 3.0})
    views = AugmentationConfig(scale=(0.9, 1.2), jitter=0.1, blur=None)
    return replace(KeyframeRecipe(settings, network, views, (24, 32)), **changes)


def test_views_of_everything_show_the_same(frames):
    plain = AugmentationConfig(scale=(1.0, 1.0), flip=0.5, jitter=0, blur=None)
    batch = KeyframeTask(frames, SPACE, recipe(augmentation=plain, batch=8), "m").batch(5, 0, Part())
    assert {name: tuple(values.shape) for name, values in batch.items()} == {
        "image": (8, 3, 24, 32), "warped": (8, 3, 24, 32), "label": (8, 24, 32), "carried": (8, 24, 32),
        "weight": (8, 24, 32), "classes": (8, 2, 6, 8),
    }  # fmt: skip
    assert torch.allclose(batch["classes"], torch.full((), 128 / 255))
    shifts = set()
    for label, carried, image, warped in zip(*(batch[n] for n in ("label", "carried", "image", "warped")), strict=True):
        found = [s for s in (3, -3) if torch.equal(label.roll(s, 1)[:, 3:-3], carried[:, 3:-3])]
        assert found and torch.allclose(image.roll(found[0], 2)[..., 3:-3], warped[..., 3:-3], atol=1e-6)
        shifts.add(found[0])
    assert shifts == {3, -3}
    assert set(batch["label"].unique().tolist()) == {0, 1, 2}


def test_parts_of_a_batch_are_the_batch(frames):
    task = KeyframeTask(frames, SPACE, recipe(), "m")
    whole, halves = task.batch(3, 7, Part()), [task.batch(3, 7, Part(n, 2)) for n in range(2)]
    for name, values in whole.items():
        assert torch.equal(values, torch.cat([half[name] for half in halves]))


@pytest.mark.parametrize("flip", [False, True])
def test_the_classes_of_a_view(flip):
    """A ramp over the whole image, seen through a window with one pixel in the image to one in the view."""
    ramp = torch.linspace(0, 220, 12).round().to(torch.uint8).expand(1, 1, 8, 12).contiguous()
    columns, rows = torch.arange(8, 40).float(), torch.arange(4, 28).float()
    x = columns / (WIDTH - 1) * 2 - 1
    places = torch.stack(
        ((x.flip(0) if flip else x).expand(24, 32), (rows / (HEIGHT - 1) * 2 - 1)[:, None].expand(24, 32))
    )
    seen = view_classes(ramp, places, (HEIGHT, WIDTH))
    expected = ramp[0, :, 1:7, 2:10].float() / 255
    assert torch.allclose(seen, expected.flip(2) if flip else expected, atol=1e-5)


def test_void_weighs_no_more_than_one(frames):
    weights = KeyframeTask(frames, SPACE, recipe(class_balance=1.0), "m").class_weights
    assert weights[2] == 1.0 < weights[1]


def test_it_learns_and_resumes_to_the_same_bytes(frames, tmp_path):
    task = KeyframeTask(frames, SPACE, recipe(), "m")
    trained = fit(task, task.recipe.fit, tmp_path / "whole", "cpu", quiet=True).weights
    tensors, metadata = load_weights(trained)
    assert (metadata["features"], metadata["classes"]) == (CLASSES, ["ground", "disc"])
    network = build_refiner(metadata["network"])
    network.load_state_dict(tensors)
    batch = task.batch(99, 0, Part())
    with torch.no_grad():
        refined = network.eval()(batch["carried"], batch["warped"], batch["image"], batch["classes"]).argmax(1)
    known = (batch["label"] < 2) & (batch["weight"] > 0)
    assert (refined == batch["label"])[known].float().mean() > (batch["carried"] == batch["label"])[
        known
    ].float().mean()

    stopping = KeyframeTask(frames, SPACE, recipe(), "m")
    drawn_before, stopping.batch = (
        stopping.batch,
        lambda seed, step, part: stop_at(step, drawn_before(seed, step, part)),
    )
    with pytest.raises(KeyboardInterrupt):
        fit(stopping, task.recipe.fit, tmp_path / "again", "cpu", quiet=True)
    again = KeyframeTask(frames, SPACE, recipe(), "m")
    assert (
        fit(again, task.recipe.fit, tmp_path / "again", "cpu", quiet=True).weights.read_bytes() == trained.read_bytes()
    )


def stop_at(step, batch):
    if step == 23:
        raise KeyboardInterrupt
    return batch


def test_the_fingerprint_follows_data_recipe_and_model(frames):
    prints = [
        KeyframeTask(frames, SPACE, recipe(), "m").fingerprint(),
        KeyframeTask(frames, SPACE, recipe(), "other").fingerprint(),
        KeyframeTask(frames[:3], SPACE, recipe(), "m").fingerprint(),
        KeyframeTask(frames, SPACE, recipe(class_balance=0.1), "m").fingerprint(),
    ]
    frames[0].write(LATER, frames[1].read(BOTH))
    prints.append(KeyframeTask(frames, SPACE, recipe(), "m").fingerprint())
    assert len(set(prints)) == 5
