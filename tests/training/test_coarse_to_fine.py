from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.inference.checkpoint import load_checkpoint
from seglift.inference.predict import Predictor, image_to_tensor
from seglift.labels.space import LabelClass, LabelSpace
from seglift.losses.boundary import BoundaryLoss
from seglift.training.coarse_to_fine import CoarseToFineRecipe, CoarseToFineTask
from seglift.training.crossmix import CrossMix
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Part
from seglift.training.segmentation import NetworkConfig

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "grass", (0, 200, 0), 0, "flat", False),
        LabelClass(1, "pond", (0, 0, 200), 1, "flat", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)
RECIPE = CoarseToFineRecipe(
    network=NetworkConfig(arguments={"width": 16, "low_level": 8}),
    fit=FitConfig(steps=25, learning_rate=0.01, average=0.8, checkpoint_every=10, tensorboard=False),
    augmentation=AugmentationConfig(jitter=0, blur=None),
    crop=(32, 48),
    batch=4,
)


def pond(seed: int, void: int = 0) -> Sample:
    """Grass with a pond, ``void`` pixels around its boundary unlabelled."""
    generator = np.random.default_rng(seed)
    label = np.zeros((64, 96), np.uint8)
    label[16:48, 32:80] = 1
    colors = np.array([[40, 180, 60], [30, 60, 190]], np.float32)[label] + generator.normal(0, 12, (64, 96, 3))
    if void:
        label[16 - void : 48 + void, 32 - void : 80 + void] = 255
        label[16 + void : 48 - void, 32 + void : 80 - void] = 1
    return Sample(colors.clip(0, 255).astype(np.uint8), label)


SAMPLES = [pond(0, void=6), pond(1, void=6), pond(2), pond(3)]


def task(recipe: CoarseToFineRecipe = RECIPE) -> CoarseToFineTask:
    return CoarseToFineTask(SAMPLES, SPACE, recipe, synthetic=[2, 3])


def test_batches_hold_mixed_views_behind_the_drawn_ones() -> None:
    here = task(replace(RECIPE, mix=CrossMix(probability=1)))
    for step in range(5):
        batch, drawn = here.batch(0, step, Part()), here.views(0, step, Part())
        pure = [here.draws.draw(4 * step + number)[0] in (2, 3) for number in range(4)]
        assert batch["synthetic"].tolist() == [*pure, *[False] * (4 - sum(pure))]
        assert all(torch.equal(one, view.label) for one, view in zip(batch["label"], drawn, strict=False))
        assert len(batch["image"]) == len(batch["weight"]) == 8 - sum(pure)
        real = [view for view, is_pure in zip(drawn, pure, strict=True) if not is_pure]
        for label, image, view in zip(batch["label"][4:], batch["image"][4:], real, strict=True):
            same = (image == view.image).all(0)
            assert torch.equal(label[same], view.label[same]) and not same.all()


def test_each_view_is_mixed_or_not_by_a_draw_of_its_own() -> None:
    here = task()
    batches = [here.batch(0, step, Part()) for step in range(8)]
    mixed = sum(len(batch["image"]) - RECIPE.batch for batch in batches)
    real = sum(RECIPE.batch - int(batch["synthetic"].sum()) for batch in batches)
    assert 0.2 * real < mixed < 0.8 * real


def test_synthetic_views_alone_get_the_colours_of_real_ones() -> None:
    dark = [replace(sample, image=sample.image // 4) for sample in SAMPLES[:2]]

    def brightness(matched: float, mix: CrossMix) -> tuple[list[float], list[float], int]:
        recipe = replace(RECIPE, match_colors=matched, mix=mix)
        here = CoarseToFineTask([*dark, *SAMPLES[2:]], SPACE, recipe, synthetic=[2, 3])
        batches = [here.batch(0, step, Part()) for step in range(4)]
        pairs = [pair for one in batches for pair in zip(one["image"], one["synthetic"], strict=True)]
        real = [float(image.mean()) for image, pure in pairs if not pure]
        return real, [float(image.mean()) for image, pure in pairs if pure], len(pairs)

    none = CrossMix(probability=0)
    real, bright, _ = brightness(0, none)
    same, matched, _ = brightness(1, none)
    assert same == real and max(matched) < 0.2 < min(bright)
    some = brightness(0.5, none)[1]
    assert sum(a == b for a, b in zip(some, bright, strict=True)) in range(1, len(some))
    pasted = CrossMix(probability=1, class_probability=1, replace=True)
    assert max(brightness(1, pasted)[0]) < 0.2 < min(brightness(0, pasted)[0])


def test_batches_follow_seed_and_step_and_not_the_parts() -> None:
    whole = task().batch(3, 7, Part())
    again = task().batch(3, 7, Part())
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    parts = [task().batch(3, 7, Part(index, 2)) for index in range(2)]
    assert sorted(image.sum().item() for part in parts for image in part["image"]) == sorted(
        image.sum().item() for image in whole["image"]
    )


def test_the_loss_has_both_terms_and_only_synthetic_boundaries() -> None:
    here = task()
    batch = next(batch for step in range(9) if 0 < (batch := here.batch(0, step, Part()))["synthetic"].sum() < 4)
    network = here.trainable().eval()
    torch.manual_seed(5)
    loss = here.loss(network, batch, here.counts(batch), 0.0)
    logits = network(batch["image"])["main"]
    plain = replace(RECIPE, boundary_weight=0)
    without = task(plain)
    without.network.load_state_dict(here.network.state_dict())
    entropy = without.loss(without.trainable().eval(), batch, without.counts(batch), 0.0)
    torch.manual_seed(5)
    boundary = BoundaryLoss()(logits[batch["synthetic"]], batch["label"][batch["synthetic"]])
    assert boundary > 0
    assert loss.item() == pytest.approx((entropy + boundary).item(), rel=1e-5)


def test_coarse_real_and_fine_synthetic_labels_teach_the_boundary(tmp_path: Path) -> None:
    fit(task(), RECIPE.fit, tmp_path, quiet=True)
    model = load_checkpoint(tmp_path, SPACE)
    predicted = Predictor(model).logits(image_to_tensor(SAMPLES[0].image))[0].argmax(0).numpy()
    assert (predicted == pond(0).label).mean() > 0.95


def test_fingerprint_follows_settings_and_what_is_synthetic() -> None:
    prints = {
        task().fingerprint(),
        task(replace(RECIPE, mix=CrossMix(replace=True))).fingerprint(),
        task(replace(RECIPE, boundary=BoundaryLoss(temperature=1))).fingerprint(),
        task(replace(RECIPE, boundary_weight=0.5)).fingerprint(),
        task(replace(RECIPE, match_colors=0.5)).fingerprint(),
        CoarseToFineTask(SAMPLES, SPACE, RECIPE, synthetic=[3]).fingerprint(),
    }
    assert len(prints) == 6
    assert task().fingerprint() in prints


def test_views_are_mixed_from_the_pool_alone_where_there_is_one() -> None:
    blue = Sample(np.full((256, 384, 3), (0, 0, 255), np.uint8), np.ones((256, 384), np.uint8))
    recipe = replace(RECIPE, mix=CrossMix(probability=1), short_side=128)
    here = CoarseToFineTask(SAMPLES, SPACE, recipe, synthetic=[2, 3], pool=[blue, blue])
    for step in range(3):
        batch, drawn = here.batch(0, step, Part()), here.views(0, step, Part())
        mixed = batch["image"][4:]
        assert len(mixed) == 4 - batch["synthetic"].sum() and len(drawn) == 4
        assert (batch["label"][4:] == 1).all()
        assert all(image[2].min() > 0.9 and image[:2].max() < 0.1 for image in mixed)


def test_the_pool_is_part_of_the_fingerprint() -> None:
    def pooled(*pool: Sample, content: str | None = None) -> str:
        return CoarseToFineTask(SAMPLES, SPACE, RECIPE, [2, 3], pool=pool, pool_content=content).fingerprint()

    prints = [task().fingerprint(), pooled(*SAMPLES[2:]), pooled(SAMPLES[3]), pooled(SAMPLES[3], content="a")]
    assert len(set(prints)) == 4 and pooled(SAMPLES[3]) == prints[2]
    with pytest.raises(UserError, match="the pool of synthetic images to mix is empty"):
        CoarseToFineTask(SAMPLES, SPACE, RECIPE, [2, 3], pool=[])


@pytest.mark.parametrize("synthetic", [[], [0, 1, 2, 3]])
def test_both_domains_are_needed(synthetic: list[int]) -> None:
    with pytest.raises(UserError, match=f"{len(synthetic)} of 4 training images are synthetic"):
        CoarseToFineTask(SAMPLES, SPACE, RECIPE, synthetic)


def test_impossible_weight() -> None:
    with pytest.raises(UserError, match="boundary_weight"):
        CoarseToFineRecipe(boundary_weight=-1)
