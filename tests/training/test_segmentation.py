from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import load_weights
from seglift.inference.checkpoint import load_checkpoint
from seglift.inference.predict import predict_logits
from seglift.labels.space import LabelClass, LabelSpace
from seglift.training.augmentation import AugmentationConfig
from seglift.training.fit_config import FitConfig
from seglift.training.sample import Sample
from seglift.training.segmentation import NetworkConfig, SegmentationRecipe, SegmentationTask, train_segmentation

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "grass", (0, 200, 0), 0, "flat", False),
        LabelClass(1, "pond", (0, 0, 200), 1, "flat", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)
RECIPE = SegmentationRecipe(
    network=NetworkConfig(arguments={"width": 16, "low_level": 8}),
    fit=FitConfig(steps=25, learning_rate=0.01, average=0.8, checkpoint_every=10),
    augmentation=AugmentationConfig(jitter=0.1, blur=None),
    crop=(32, 48),
    batch=4,
)


def pond() -> Sample:
    generator = np.random.default_rng(0)
    label = np.zeros((64, 96), np.uint8)
    label[16:48, 32:80] = 1
    colors = np.array([[40, 180, 60], [30, 60, 190]], np.float32)[label] + generator.normal(0, 12, (64, 96, 3))
    label[:3] = 255
    return Sample(colors.clip(0, 255).astype(np.uint8), label)


def test_two_colours_are_learned_in_a_few_steps(tmp_path: Path) -> None:
    sample = pond()
    result = train_segmentation([sample], SPACE, RECIPE, tmp_path, quiet=True)
    model = load_checkpoint(tmp_path, SPACE)
    predicted = predict_logits(model, sample.image).argmax(0).numpy()
    assert (predicted == sample.label)[sample.label != 255].mean() > 0.95
    assert result.steps == 25
    assert model.space_classes == ("grass", "pond")
    assert model.short_side == 384


def test_batches_depend_on_seed_and_step_alone() -> None:
    task, again = SegmentationTask([pond()], SPACE, RECIPE), SegmentationTask([pond()], SPACE, RECIPE)
    task.batch(0, 1)
    first, second, other = task.batch(0, 5), again.batch(0, 5), task.batch(0, 6)
    assert all(torch.equal(first[name], second[name]) for name in ("image", "label", "weight"))
    assert not torch.equal(first["image"], other["image"])
    assert first["image"].shape == (4, 3, 32, 48)
    assert first["label"].dtype == torch.uint8


def test_fingerprint_follows_data_recipe_and_start() -> None:
    task = SegmentationTask([pond()], SPACE, RECIPE)
    changed = pond()
    changed.label[20, 20] = 1
    prints = {
        task.fingerprint(),
        SegmentationTask([changed], SPACE, RECIPE).fingerprint(),
        SegmentationTask([pond()], SPACE, replace(RECIPE, balanced=0.1)).fingerprint(),
        SegmentationTask([pond()], SPACE, RECIPE, start=task.module.state_dict()).fingerprint(),
    }
    assert len(prints) == 4
    assert SegmentationTask([pond()], SPACE, RECIPE).fingerprint() in prints


def test_tuning_starts_from_the_weights_given(tmp_path: Path) -> None:
    recipe = replace(RECIPE, fit=replace(RECIPE.fit, steps=1))
    result = train_segmentation([pond()], SPACE, recipe, tmp_path, quiet=True)
    tensors, _ = load_weights(result.weights)
    task = SegmentationTask([pond()], SPACE, recipe, start=tensors)
    assert all(torch.equal(value, tensors[name]) for name, value in task.module.state_dict().items())


def test_large_images_are_trained_small() -> None:
    task = SegmentationTask([pond()], SPACE, replace(RECIPE, short_side=32))
    assert task.sample(0).label.shape == (32, 48)
    assert task.metadata()["short_side"] == 32


def test_nothing_to_train_on_is_the_users_error() -> None:
    with pytest.raises(UserError, match="no labelled images"):
        SegmentationTask([], SPACE, RECIPE)
    empty = Sample(pond().image, np.full((64, 96), 255, np.uint8))
    with pytest.raises(UserError, match="no pixel"):
        SegmentationTask([empty], SPACE, RECIPE)
    with pytest.raises(UserError, match="batch"):
        replace(RECIPE, batch=0)
