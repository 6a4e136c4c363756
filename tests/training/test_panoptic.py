from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import load_weights
from seglift.inference.checkpoint import PanopticCheckpointModel, load_checkpoint
from seglift.inference.panoptic.model import PanopticPredictor
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.labels.space import LabelClass, LabelSpace
from seglift.losses.panoptic import PanopticLossConfig
from seglift.losses.panoptic_targets import panoptic_targets
from seglift.training.image_task import NetworkConfig
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
from seglift.training.panoptic import TARGETS, PanopticRecipe, PanopticTask, train_panoptic
from seglift.training.panoptic_validation import panoptic_sums

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "ground", (90, 90, 90), 0, "flat", False),
        LabelClass(5, "box", (0, 0, 200), 1, "thing", True),
        LabelClass(6, "disc", (200, 0, 0), 2, "thing", True),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)
LOSS = PanopticLossConfig(sigma=3.0, small_area=60, share=1.0, offset=0.05)
RECIPE = PanopticRecipe(
    network=NetworkConfig("compact_panoptic", {"widths": [12, 16, 24, 32], "head": 16, "places": False}),
    fit=FitConfig(steps=110, learning_rate=0.01, schedule="warmup_cosine", average=0.9, tensorboard=False),
    augmentation=AugmentationConfig(scale=(0.9, 1.1), jitter=0, blur=None),
    loss=LOSS,
    crop=(64, 96),
    batch=4,
    short_side=None,
)
TINY = replace(
    RECIPE,
    network=NetworkConfig("compact_panoptic", {"widths": [8, 8, 8], "head": 8}),
    fit=FitConfig(steps=5, learning_rate=0.01, average=0.8, clip_norm=1.0, checkpoint_every=1, tensorboard=False),
    crop=(32, 48),
)


def scene(seed: int = 0) -> Sample:
    """Boxes and discs on grey, the class told by colour; no two of them touch."""
    generator = np.random.default_rng(seed)
    label, number = np.zeros((64, 96), np.uint8), np.zeros((64, 96), np.uint16)
    y, x = np.mgrid[:64, :96]
    for n, (row, column) in enumerate([(r, c) for r in (16, 46) for c in (16, 48, 80)], start=1):
        cy, cx = row + generator.integers(-4, 5), column + generator.integers(-4, 5)
        radius, is_disc = int(generator.integers(6, 11)), generator.random() < 0.5
        far = np.hypot(y - cy, x - cx) if is_disc else np.maximum(abs(y - cy), abs(x - cx))
        label[far <= radius], number[far <= radius] = (2 if is_disc else 1), n
    colors = np.array([[90, 90, 90], [30, 40, 200], [210, 40, 30]], np.float32)[label]
    image = (colors + generator.normal(0, 8, (64, 96, 3))).clip(0, 255).astype(np.uint8)
    label[:3] = 255
    return Sample(image, label, instances=number)


def semantic(seed: int = 0) -> Sample:
    return replace(scene(seed), instances=None)


def test_objects_are_learned_by_heart_in_seconds(tmp_path: Path) -> None:
    samples = [scene(seed) for seed in range(3)]
    train_panoptic(samples, SPACE, RECIPE, tmp_path, quiet=True)
    model = load_checkpoint(tmp_path, SPACE)
    assert isinstance(model, PanopticCheckpointModel)
    sums = panoptic_sums(PanopticPredictor(model), samples.__getitem__, range(3), SPACE, PanopticSettings(stuff_area=0))
    scores = sums.scores()
    assert scores["pq"] > 0.8
    assert scores["pq_things"] > 0.75
    assert scores["ap50"] > 0.8
    assert scores["miou"] > 0.9


def test_targets_are_those_of_what_the_crop_shows() -> None:
    """Each view cuts objects: its centres and areas are those of the parts it shows."""
    task = PanopticTask([scene()], SPACE, TINY)
    batch, views = task.batch(0, 5, Part()), task.views(0, 5, Part())
    label, number = (torch.stack([getattr(view, name) for view in views]) for name in ("label", "instances"))
    expected = panoptic_targets(label, number, (1, 2), LOSS.sigma, LOSS.small_area, LOSS.small_weight)
    for name in TARGETS:
        assert torch.equal(batch[name], getattr(expected, name)), name
    assert batch["image"].shape == (4, 5, 32, 48)
    assert batch["offset"].abs().amax() < 24  # half of the largest box, not the way to a centre outside


def test_batches_depend_on_seed_and_step_alone() -> None:
    task, again = PanopticTask([scene()], SPACE, TINY), PanopticTask([scene()], SPACE, TINY)
    task.batch(0, 1, Part())
    first, second, other = task.batch(0, 5, Part()), again.batch(0, 5, Part()), task.batch(0, 6, Part())
    assert first.keys() == {"image", "weight", *TARGETS}
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["centre"], other["centre"])


def test_samples_without_instances_teach_classes_alone() -> None:
    task, known = PanopticTask([semantic()], SPACE, TINY), PanopticTask([scene()], SPACE, TINY)
    batch, whole = task.batch(0, 3, Part()), known.batch(0, 3, Part())
    assert torch.equal(batch["label"], whole["label"])
    assert (batch["label"] == 1).any()
    assert not batch["centre_mask"].any() and not batch["offset_mask"].any()
    assert task.counts(batch).tolist() == [known.counts(whole)[0].item(), 0.0, 0.0]
    trainable = task.trainable().train()
    task.loss(trainable, batch, task.counts(batch), 0.0).backward()
    network = task.network
    assert not network.centre[-1].weight.grad.any() and not network.offset[-1].weight.grad.any()
    assert network.classifier.weight.grad.any()


@pytest.mark.parametrize("count", [2, 4])
def test_shares_of_a_mixed_batch_add_up_to_the_whole(count: int) -> None:
    """Two processes, accumulated parts: some have no instance at all, and are divided by the counts of the whole."""
    recipe = replace(TINY, balanced=0.0, class_balance=0.5, loss=replace(LOSS, share=0.3))
    task = PanopticTask([semantic(0), scene(1)], SPACE, recipe)
    maps = task.trainable().eval()  # batch norm would see other batches
    whole = task.batch(0, 2, Part())
    parts = [task.batch(0, 2, Part(index, count)) for index in range(count)]
    assert all(torch.equal(torch.cat([part[name] for part in parts]), whole[name]) for name in whole)
    known = whole["centre_mask"].flatten(1).any(1)
    assert known.any() and not known.all()
    counts = torch.stack([task.counts(part) for part in parts]).sum(0)
    assert torch.equal(counts, task.counts(whole))
    with torch.no_grad():
        shares = [task.loss(maps, part, counts, 0.0).item() for part in parts]
        assert sum(shares) == pytest.approx(task.loss(maps, whole, counts, 0.0).item(), rel=1e-5)


def test_confidence_weighs_every_term() -> None:
    sure, unsure = (replace(scene(), weight=np.full((64, 96), value, np.float32)) for value in (1, 0.25))
    batches = [PanopticTask([sample], SPACE, TINY).batch(0, 3, Part()) for sample in (sure, unsure)]
    task = PanopticTask([sure], SPACE, TINY)
    inside = batches[0]["weight"] > 0
    assert torch.equal(batches[1]["weight"][inside], batches[0]["weight"][inside] / 4)
    counts = [task.counts(batch) for batch in batches]
    assert torch.equal(counts[1][1:], counts[0][1:] / 4)


def test_a_killed_training_ends_with_the_same_bytes(tmp_path: Path) -> None:
    class Stopped(PanopticTask):
        """Breaks off at step 3."""

        def batch(self, seed: int, step: int, part: Part) -> Batch:
            if step == 3:
                raise KeyboardInterrupt
            return super().batch(seed, step, part)

    samples = [scene(0), semantic(1)]
    whole = train_panoptic(samples, SPACE, TINY, tmp_path / "whole", quiet=True).weights.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fit(Stopped(samples, SPACE, TINY), TINY.fit, tmp_path / "killed", quiet=True)
    assert train_panoptic(samples, SPACE, TINY, tmp_path / "killed", quiet=True).weights.read_bytes() == whole


def test_a_student_starts_from_its_teacher(tmp_path: Path) -> None:
    short = replace(TINY, fit=replace(TINY.fit, steps=1))
    tensors, metadata = load_weights(train_panoptic([scene()], SPACE, short, tmp_path, quiet=True).weights)
    assert metadata["kind"] == "segmentation"
    task = PanopticTask([scene()], SPACE, short, start=tensors)
    assert all(torch.equal(value, tensors[name]) for name, value in task.module.state_dict().items())


def test_fingerprint_follows_instances_and_loss() -> None:
    fewer = scene()
    fewer.instances[fewer.instances == 1] = 0
    prints = [
        PanopticTask([sample], SPACE, recipe).fingerprint()
        for sample, recipe in (
            (scene(), TINY),
            (fewer, TINY),
            (semantic(), TINY),
            (scene(), replace(TINY, loss=replace(LOSS, sigma=4.0))),
            (scene(), replace(TINY, fit=replace(TINY.fit, workers=2))),
        )
    ]
    assert len(set(prints[:4])) == 4
    assert prints[4] == prints[0]


def test_what_cannot_be_trained_is_the_users_error() -> None:
    flat = LabelSpace("flat", tuple(replace(entry, thing=False) for entry in SPACE.classes), ignore=9)
    with pytest.raises(UserError, match="flat has no things"):
        PanopticTask([scene()], flat, TINY)
    with pytest.raises(UserError, match="compact_unet has no instance heads"):
        PanopticTask([scene()], SPACE, replace(TINY, network=NetworkConfig("compact_unet")))
    with pytest.raises(UserError, match="no labelled images"):
        PanopticTask([], SPACE, TINY)
