from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seglift.base.errors import UserError
from seglift.base.weights import load_weights
from seglift.inference.checkpoint import load_checkpoint
from seglift.inference.predict import Predictor, image_to_tensor
from seglift.labels.space import LabelClass, LabelSpace
from seglift.losses.criterion import CriterionConfig
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.images.sample import Sample
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Batch, Part
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
    fit=FitConfig(steps=25, learning_rate=0.01, average=0.8, checkpoint_every=10, tensorboard=False),
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
    predicted = Predictor(model).logits(image_to_tensor(sample.image))[0].argmax(0).numpy()
    assert (predicted == sample.label)[sample.label != 255].mean() > 0.95
    assert result.steps == 25
    assert model.space_classes == ("grass", "pond")
    assert model.short_side == 384


def test_batches_depend_on_seed_and_step_alone() -> None:
    task, again = SegmentationTask([pond()], SPACE, RECIPE), SegmentationTask([pond()], SPACE, RECIPE)
    task.batch(0, 1, Part())
    first, second, other = task.batch(0, 5, Part()), again.batch(0, 5, Part()), task.batch(0, 6, Part())
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


class Counted(list[Sample]):
    """Samples that count how often they are fetched."""

    fetched = 0

    def __getitem__(self, number):
        self.fetched += 1
        return super().__getitem__(number)


def test_views_do_not_fetch_their_sample_again_and_do_not_change_it() -> None:
    samples = Counted([pond()])
    task = SegmentationTask(samples, SPACE, replace(RECIPE, short_side=32))
    before, fetched = task.sample(0).fingerprint(), samples.fetched
    for step in range(5):
        task.batch(0, step, Part())
    assert samples.fetched == fetched
    assert task.sample(0).fingerprint() == before


UNET = replace(
    RECIPE,
    network=NetworkConfig("compact_unet", {"widths": [8, 8, 8]}),
    augmentation=AugmentationConfig(scale=(1.0, 1.0), flip=0.5, jitter=0, blur=None),
)


def quarter_pond() -> Sample:
    """3 parts of grass, 1 of pond, some void that counts for nothing."""
    label = np.zeros((64, 96), np.uint8)
    label[:16, :] = 1
    label[:, 80:] = 255
    return Sample(pond().image, label)


@pytest.mark.parametrize("network", [RECIPE.network, UNET.network])
@pytest.mark.parametrize("power", [0.5, 1.0])
def test_class_balance_weighs_by_frequency_with_mean_1(network: NetworkConfig, power: float) -> None:
    task = SegmentationTask([quarter_pond()], SPACE, replace(RECIPE, network=network, class_balance=power))
    raw = np.array([0.75, 0.25]) ** -power
    expected = raw / (raw * [0.75, 0.25]).sum()
    assert task.class_weights is not None
    assert task.class_weights.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert SegmentationTask([quarter_pond()], SPACE, RECIPE).class_weights is None


def test_a_class_that_never_occurs_weighs_nothing() -> None:
    only_grass = Sample(pond().image, np.zeros((64, 96), np.uint8))
    task = SegmentationTask([only_grass], SPACE, replace(RECIPE, class_balance=0.5))
    assert task.class_weights is not None
    assert task.class_weights.tolist() == pytest.approx([1.0, 0.0])


def test_balanced_loss_is_the_weighted_mean_over_the_labelled_pixels() -> None:
    task = SegmentationTask([quarter_pond()], SPACE, replace(UNET, class_balance=1.0))
    logits = torch.randn(2, 2, 5, 7)
    label = torch.randint(0, 2, (2, 5, 7), dtype=torch.uint8)
    label[0, 0] = 255
    batch = {"image": torch.zeros(1), "label": label, "weight": torch.ones(2, 5, 7)}
    loss = task.loss(lambda images: {"main": logits}, batch, task.counts(batch), 0.0)
    total = weights = 0.0
    log_chances = logits.log_softmax(1)
    for b, y, x in np.ndindex(2, 5, 7):
        if label[b, y, x] != 255:
            weight = [2 / 3, 2.0][int(label[b, y, x])]
            total -= weight * float(log_chances[b, int(label[b, y, x]), y, x])
            weights += weight
    assert float(loss) == pytest.approx(total / weights, rel=1e-5)


def test_the_balance_is_undone_in_evaluation() -> None:
    task = SegmentationTask([quarter_pond()], SPACE, replace(UNET, class_balance=0.5))
    features = torch.rand(1, 8, 4, 4)
    with torch.no_grad():
        trained = task.network.train().classify(features)
        evaluated = task.network.eval().classify(features)
    prior = 0.5 * torch.log(torch.tensor([0.75, 0.25])).view(1, 2, 1, 1)
    assert torch.allclose(evaluated, trained + prior, atol=1e-6)


def test_what_undoes_the_balance_is_kept_with_the_trained_weights(tmp_path: Path) -> None:
    recipe = replace(UNET, class_balance=0.5, fit=replace(RECIPE.fit, steps=3, schedule="warmup_cosine"))
    train_segmentation([quarter_pond()], SPACE, recipe, tmp_path, quiet=True)
    tensors, _ = load_weights(tmp_path / "best.safetensors")
    assert tensors["log_prior"].tolist() == pytest.approx([0.5 * np.log(0.75), 0.5 * np.log(0.25)], rel=1e-4)
    assert load_checkpoint(tmp_path, SPACE).wants_places


def test_networks_that_want_places_get_them() -> None:
    batch = SegmentationTask([pond()], SPACE, UNET).batch(0, 3, Part())
    assert batch["image"].shape == (4, 5, 32, 48)
    steps = batch["image"][:, 3].diff(dim=-1)
    # One view pixel is one image pixel here; mirrored views run backwards.
    assert torch.allclose(steps.abs(), torch.full_like(steps, 2 / 95), atol=1e-6)
    assert torch.allclose(batch["image"][:, 4].diff(dim=-2), torch.tensor(2 / 63), atol=1e-6)
    assert SegmentationTask([pond()], SPACE, RECIPE).batch(0, 3, Part())["image"].shape[1] == 3


def test_a_training_without_balance_forgets_that_of_its_start() -> None:
    balanced = SegmentationTask([quarter_pond()], SPACE, replace(UNET, class_balance=0.5)).network.state_dict()
    assert balanced["log_prior"].any()
    plain = SegmentationTask([quarter_pond()], SPACE, UNET, start=balanced).network.state_dict()
    assert not plain["log_prior"].any()
    assert all(torch.equal(tensor, balanced[name]) for name, tensor in plain.items() if name != "log_prior")
    other = SegmentationTask([quarter_pond()], SPACE, replace(UNET, class_balance=1.0), start=balanced).network
    assert other.log_prior.tolist() == pytest.approx([np.log(0.75), np.log(0.25)], rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (CriterionConfig("cross_entropy", {"class_weights": [1.0, 2.0, 3.0]}), "class_weights .* 2 numbers"),
        (CriterionConfig("relaxed", {"strict_classes": [1, 2]}), r"strict_classes .* train ids of 0\.\.1"),
    ],
)
def test_settings_of_the_loss_that_do_not_fit_the_classes(loss: CriterionConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SegmentationTask([pond()], SPACE, replace(RECIPE, loss=loss))


def test_loading_processes_share_the_memory_for_samples() -> None:
    limits = [
        SegmentationTask([pond()], SPACE, replace(RECIPE, fit=replace(RECIPE.fit, workers=workers)))._small.limit
        for workers in (0, 1, 4)
    ]
    assert limits[0] == limits[1] == 4 * limits[2]


def test_the_loss_is_computed_in_32_bit_where_the_network_works_in_16(tmp_path: Path) -> None:
    inside: list[torch.dtype] = []
    seen: list[tuple[torch.dtype, torch.dtype]] = []

    class Watched(SegmentationTask):
        """Looks at the logits the criterion gets, and at the loss it gives."""

        def loss(self, trainable: nn.Module, batch: Batch, counts: Tensor, epoch: float) -> Tensor:
            outputs = trainable(batch["image"])
            loss = super().loss(lambda _: outputs, batch, counts, epoch)
            seen.append((outputs["main"].dtype, loss.dtype))
            exact = F.cross_entropy(outputs["main"].double(), batch["label"].long(), ignore_index=255)
            assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
            return loss

    recipe = replace(UNET, fit=replace(RECIPE.fit, steps=2, precision="bf16-mixed"))
    task = Watched([pond()], SPACE, recipe)
    task.network.classifier.register_forward_hook(lambda _module, _inputs, output: inside.append(output.dtype))
    fit(task, recipe.fit, tmp_path, quiet=True)
    assert inside == [torch.bfloat16] * 2
    assert seen == [(torch.float32, torch.float32)] * 2


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_killed_training_of_a_network_in_channels_last_ends_with_the_same_bytes(
    tmp_path: Path, precision: Literal["32-true", "bf16-mixed"]
) -> None:
    recipe = replace(
        UNET,
        network=NetworkConfig("compact_unet", {"widths": [8, 12, 20]}),
        fit=replace(RECIPE.fit, steps=5, checkpoint_every=1, clip_norm=1.0, precision=precision),
    )

    class Stopped(SegmentationTask):
        """Breaks off at step 3."""

        def batch(self, seed: int, step: int, part: Part) -> Batch:
            if step == 3:
                raise KeyboardInterrupt
            return super().batch(seed, step, part)

    whole = train_segmentation([pond()], SPACE, recipe, tmp_path / "whole", quiet=True).weights.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fit(Stopped([pond()], SPACE, recipe), recipe.fit, tmp_path / "killed", quiet=True)
    task = SegmentationTask([pond()], SPACE, recipe)
    killed = fit(task, recipe.fit, tmp_path / "killed", quiet=True).weights.read_bytes()
    assert killed == whole
    kernels = [tensor for tensor in task.network.parameters() if tensor.ndim == 4 and tensor.shape[-1] > 1]
    assert kernels
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


@pytest.mark.parametrize("power", [-0.1, 1.1])
def test_impossible_balance_is_the_users_error(power: float) -> None:
    with pytest.raises(UserError, match="class_balance"):
        replace(RECIPE, class_balance=power)


def test_nothing_to_train_on_is_the_users_error() -> None:
    with pytest.raises(UserError, match="no labelled images"):
        SegmentationTask([], SPACE, RECIPE)
    empty = Sample(pond().image, np.full((64, 96), 255, np.uint8))
    with pytest.raises(UserError, match="no pixel"):
        SegmentationTask([empty], SPACE, RECIPE)
    with pytest.raises(UserError, match="batch"):
        replace(RECIPE, batch=0)
