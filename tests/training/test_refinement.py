from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seglift.base.errors import UserError
from seglift.base.weights import load_weights
from seglift.labels.space import LabelClass, LabelSpace
from seglift.losses.criterion import CriterionConfig
from seglift.propagation.cycle import CYCLE, KEYFRAME, ReturnConfig
from seglift.propagation.refiner import load_refiner
from seglift.training.images.augmentation import AugmentationConfig
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Part
from seglift.training.refinement import FrozenModel, RefinementRecipe, RefinementTask, RefinerNetworkConfig
from seglift.training.refinement_validation import HeldOutReturns
from seglift.training.refining.planned import Return
from seglift.training.refining.returns_cache import ReturnedFrame

COLORS = np.array([[90, 90, 90], [200, 30, 30], [30, 30, 200]], np.uint8)
SPACE = LabelSpace(
    "shapes",
    (
        LabelClass(0, "ground", (90, 90, 90), 0, "flat", False),
        LabelClass(1, "disc", (200, 30, 30), 1, "shape", False),
        LabelClass(2, "box", (30, 30, 200), 2, "shape", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    9,
)
HEIGHT, WIDTH = 32, 48


class Blurred:
    """A segmentation model's features: the picture at half resolution."""

    space_classes = ("ground", "disc", "box")

    def logits(self, images):
        return torch.zeros(len(images), 3, *images.shape[-2:])

    def features(self, images):
        return torch.nn.functional.avg_pool2d(images[:, :3], 2)


class FakeFrames:
    size = (HEIGHT, WIDTH)


class FakePlanned:
    frames = FakeFrames()

    def __init__(self, returns):
        self.returns = returns


class Corrupted:
    """Stands for a cache: shapes told by colour, their labels with wrong blocks and a shift, as carried ones have."""

    def __init__(self, seed, count=6, keyframes=True):
        self.seed = seed
        kinds = (CYCLE, KEYFRAME) if keyframes else (CYCLE,)
        returns = tuple(Return(kind, side, 2) for kind in kinds for side in (-1, 1))
        self.frames = tuple(FakePlanned(returns) for _ in range(count))

    def __len__(self):
        return len(self.frames)

    def read(self, number, which):
        generator = np.random.default_rng([self.seed, number])
        label = np.zeros((HEIGHT, WIDTH), np.uint8)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        for value in (1, 2, 1, 2):
            y, x = generator.integers(4, HEIGHT - 4), generator.integers(4, WIDTH - 4)
            label[(rows - y) ** 2 + (columns - x) ** 2 < 40] = value
        noise = generator.integers(-20, 21, (HEIGHT, WIDTH, 3))
        image = np.clip(COLORS[label].astype(int) + noise, 0, 255).astype(np.uint8)
        image[:3] = 0
        label[:3] = 255
        carried = np.roll(label, 2 * which.side, 1)
        carried[:3, : WIDTH // 2] = 0  # as a model fills in, which does not know void
        for value in (0, 1, 2):
            top, left = generator.integers(3, HEIGHT - 8), generator.integers(0, WIDTH - 8)
            carried[top : top + 8, left : left + 8] = value
        return ReturnedFrame(image, label, np.roll(image, 1, 1), carried)

    def label(self, number):
        return self.read(number, self.frames[number].returns[0]).label

    def fingerprint(self):
        return f"corrupted {self.seed}"


def recipe(**changes):
    fit_config = FitConfig(
        steps=70, learning_rate=0.01, average=None, validate_every=70, checkpoint_every=5, tensorboard=False
    )
    return replace(
        RefinementRecipe(
            network=RefinerNetworkConfig("refiner_compact", {"n_down": 2, "blocks": 1, "residual": 3.0}),
            pairs=ReturnConfig(lengths=(2,), keyframes=(2,)),
            crop=(24, 32),
            batch=4,
            augmentation=AugmentationConfig(scale=(0.9, 1.2), jitter=0.1, blur=None),
            loss=CriterionConfig("cross_entropy"),
            fit=fit_config,
        ),
        **changes,
    )


def task(changes=None, held_out=None, returns=None):
    return RefinementTask(
        returns or Corrupted(0), SPACE, recipe(**(changes or {})), FrozenModel(Blurred(), "blurred"), "dis", held_out
    )


def whole(one, step=0):
    return one.batch(0, step, Part())


@pytest.mark.parametrize("loss", ["cross_entropy", "rmi"])
def test_a_tiny_training_mends_corrupted_labels_of_frames_it_has_not_seen(tmp_path, loss):
    held_out = HeldOutReturns(Corrupted(1, count=4), 16, SPACE, Blurred())
    one = task({"loss": CriterionConfig(loss)}, held_out)
    found = held_out.compare(one.network, torch.device("cpu"), Part())[KEYFRAME, 0]
    assert found.after.miou() == found.before.miou()  # a fresh one gives labels back
    result = fit(one, one.recipe.fit, tmp_path, "cpu", quiet=True)
    found = held_out.compare(one.network, torch.device("cpu"), Part())[KEYFRAME, 0]
    assert 1 - found.after.pixel_accuracy() < 0.5 * (1 - found.before.pixel_accuracy())
    assert found.after.miou() > found.before.miou() + 0.1
    assert result.scores["miou"] == pytest.approx(found.after.miou())
    refiner = load_refiner(tmp_path, SPACE, Blurred())
    assert refiner.about["pairs"]["lengths"] == [2]
    assert refiner.about["pairs"]["motion"] == "dis"
    assert refiner.about["model"] == "blurred"
    assert refiner.network.feature_channels == 3


def test_it_learns_where_the_human_saw_nothing(tmp_path):
    one = task({"balanced": 0.0})
    fit(one, one.recipe.fit, tmp_path, "cpu", quiet=True)
    frame = Corrupted(1).read(0, Return(CYCLE, 1, 2))
    refiner = load_refiner(tmp_path, SPACE, Blurred())
    picture, warped = (torch.from_numpy(one).permute(2, 0, 1)[None] for one in (frame.image, frame.warped))
    refined = refiner.logits(torch.from_numpy(frame.carried)[None], warped, picture).argmax(1)[0]
    assert (refined[:3] == 3).float().mean() > 0.9


def test_a_killed_training_ends_with_the_same_weights(tmp_path):
    class Dies(RefinementTask):
        def loss(self, trainable, batch, counts, epoch):
            if epoch >= 12 / self.steps_per_epoch:
                raise KeyboardInterrupt
            return super().loss(trainable, batch, counts, epoch)

    changes = {"fit": replace(recipe().fit, steps=20)}
    fit(task(changes), recipe(**changes).fit, tmp_path / "whole", "cpu", quiet=True)
    frozen = FrozenModel(Blurred(), "blurred")
    with pytest.raises(KeyboardInterrupt):
        dying = Dies(Corrupted(0), SPACE, recipe(**changes), frozen, "dis")
        fit(dying, recipe(**changes).fit, tmp_path / "killed", "cpu", quiet=True)
    fit(task(changes), recipe(**changes).fit, tmp_path / "killed", "cpu", quiet=True)
    ends = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "killed")]
    assert ends[0] == ends[1]


def test_views_of_labels_and_both_pictures_agree():
    class Twins(Corrupted):
        """The carried picture and labels are the frame's own."""

        def read(self, number, which):
            frame = super().read(number, which)
            return replace(frame, warped=frame.image, carried=frame.label)

    batch = whole(task(returns=Twins(0)))
    assert torch.equal(batch["image"], batch["warped"])
    assert torch.equal(batch["label"], batch["carried"])
    assert batch["image"].shape == (4, 3, 24, 32)
    assert batch["places"].shape == (4, 2, 24, 32)
    assert set(batch["label"].unique().tolist()) <= {0, 1, 2, 3}


def test_ignored_is_a_class_that_counts_inside_the_image_alone():
    one = task({"crop": (64, 64)})
    batch = whole(one)
    ignored = batch["label"] == 3
    assert ignored[batch["weight"] > 0].any()
    assert (batch["weight"][:, 0] == 0).all()  # the view reaches outside
    assert one.counts(batch)[0] == batch["weight"].sum()


def test_parts_of_a_batch_are_the_whole_batch_and_every_epoch_shows_each_frame():
    one = task({"batch": 6, "balanced": 0.0})
    parts = [one.batch(3, 1, Part(index, 2)) for index in (0, 1)]
    together = one.batch(3, 1, Part())
    for name, tensor in together.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), tensor)
    assert sorted(one.draws.draw(3, position).number for position in range(6, 12)) == list(range(6))
    assert one.steps_per_epoch == 1


def test_balanced_views_show_a_class_drawn_uniformly():
    class OneDisc(Corrupted):
        """A single frame has a disc, of a few pixels."""

        def read(self, number, which):
            frame = super().read(number, which)
            label = np.zeros_like(frame.label)
            if number == 4:
                label[20:22, 40:42] = 1
            return replace(frame, label=label)

    changes = {"crop": (16, 16), "batch": 40, "augmentation": AugmentationConfig(scale=(1.0, 1.0))}
    shares = [
        float(
            (whole(task({**changes, "balanced": share}, returns=OneDisc(0)))["label"] == 1)
            .flatten(1)
            .any(1)
            .float()
            .mean()
        )
        for share in (0.0, 1.0)
    ]
    assert shares[0] < 0.2
    assert 0.3 < shares[1] < 0.7


def test_class_balance_weighs_classes_and_ignored_by_their_frequency():
    one = task({"class_balance": 0.5, "balanced": 0.0})
    weights = one.criterion.main.class_weights
    labels = torch.stack([torch.from_numpy(one.returns.label(number)) for number in range(6)])
    counts = torch.bincount(labels.masked_fill(labels == 255, 3).flatten(), minlength=4).double()
    frequency = counts / counts.sum()
    assert torch.allclose(weights.double() * frequency.sqrt(), weights[0].double() * frequency[0].sqrt())
    assert float((weights * frequency).sum()) == pytest.approx(1)
    assert task().criterion.main.class_weights is None
    with pytest.raises(UserError, match="the loss rmi takes no class weights"):
        task({"class_balance": 0.5, "loss": CriterionConfig("rmi")})


def test_the_losses_of_parts_add_up():
    one = task({"network": RefinerNetworkConfig("refiner_compact", {"norm": "instance"})})
    counts = one.counts(whole(one))
    one.network.eval()
    total = one.loss(one.network, whole(one), counts, 0.0)
    parts = [one.loss(one.network, one.batch(0, 0, Part(index, 2)), counts, 0.0) for index in (0, 1)]
    assert torch.allclose(total, parts[0] + parts[1], atol=1e-5)


def test_the_segmentation_model_is_not_trained_nor_sent_to_loading_processes():
    one = task()
    assert all(not name.startswith("_features") for name in one.network.state_dict())
    copied = one.__getstate__()
    assert copied["_features"] is None


def test_the_fingerprint_follows_data_model_and_settings():
    same = task().fingerprint()
    assert task({"fit": FitConfig(steps=3)}).fingerprint() == same
    others = [
        task({"crop": (24, 24)}),
        task(returns=Corrupted(5)),
        task(held_out=HeldOutReturns(Corrupted(1), 4, SPACE, Blurred())),
        RefinementTask(Corrupted(0), SPACE, recipe(), FrozenModel(Blurred(), "another"), "dis"),
    ]
    assert len({same, *(other.fingerprint() for other in others)}) == 5


@pytest.mark.parametrize(
    "changes",
    [{"crop": (8, 32)}, {"batch": 0}, {"balanced": -0.1}, {"class_balance": 2}, {"keyframe_share": 1.5}],
    ids=lambda changes: next(iter(changes)),
)
def test_impossible_values_are_refused(changes):
    with pytest.raises(UserError, match=next(iter(changes))):
        recipe(**changes)


def test_the_weights_file_says_what_it_needs(tmp_path):
    one = task({"fit": replace(recipe().fit, steps=1)})
    fit(one, one.recipe.fit, tmp_path, "cpu", quiet=True)
    _, metadata = load_weights(tmp_path / "best.safetensors")
    assert metadata["kind"] == "refiner"
    assert metadata["classes"] == ["ground", "disc", "box"]
    assert metadata["network"]["arguments"]["feature_channels"] == 3
    assert metadata["pairs"] | {"tau": 40.0, "keyframes": [2], "resample": "recursive"} == metadata["pairs"]
