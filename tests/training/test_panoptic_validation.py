from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.inference.panoptic.segments import PanopticSegmentation, decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.predict import image_to_tensor
from seglift.inference.settings import InferenceSettings
from seglift.labels.space import LabelClass, LabelSpace
from seglift.models.zoo import build_panoptic
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.images.sample import Sample
from seglift.training.panoptic_validation import PanopticSums, PanopticValidation, true_segments

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "ground", (90, 90, 90), 0, "flat", False),
        LabelClass(5, "box", (0, 0, 200), 1, "thing", True),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)


def boxes() -> Sample:
    """Two boxes of 120 pixels that touch, a border of void."""
    label, number = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint16)
    label[4:14, 4:28], number[4:14, 4:16], number[4:14, 16:28] = 1, 1, 2
    label[:2] = 255
    return Sample(np.zeros((20, 30, 3), np.uint8), label, instances=number)


def test_the_truth_scores_perfectly() -> None:
    sample, sums = boxes(), PanopticSums.empty(SPACE)
    raw, number = true_segments(sample, SPACE)
    assert np.unique(raw).tolist() == [0, 5, 9]
    sums.update(sample.label, PanopticSegmentation(raw, number, {}), sample)
    assert sums.scores() == dict.fromkeys(("pq", "sq", "rq", "pq_things", "pq_stuff", "ap", "ap50", "miou"), 1.0)


def test_one_box_found_as_two_and_the_score_of_its_parts() -> None:
    """The first box whole, the second in two parts of which none matches; the parts are sure, the box is not."""
    sample, sums = boxes(), PanopticSums.empty(SPACE)
    raw, number = true_segments(sample, SPACE)
    number = np.where((number == 2) & (np.arange(30) >= 22), 3, number).astype(np.uint16)
    unsure = {(5, 1): 0.1, (5, 2): 0.9, (5, 3): 0.9}
    sums.update(sample.label, PanopticSegmentation(raw, number, unsure), sample)
    scores = sums.scores()
    assert scores["pq_things"] == pytest.approx(1 / (1 + 0.5 * 2 + 0.5 * 1))
    assert scores["pq_stuff"] == 1.0
    alike = PanopticSums.empty(SPACE)
    alike.update(sample.label, PanopticSegmentation(raw, number, {}), sample)
    assert scores["ap"] < alike.scores()["ap"]
    double = (sums + sums).scores()
    assert double == pytest.approx(scores)


def test_without_instances_an_image_counts_for_the_classes_alone() -> None:
    sample, sums = replace(boxes(), instances=None), PanopticSums.empty(SPACE)
    sums.update(sample.label, PanopticSegmentation(*true_segments(sample, SPACE), {}), sample)
    assert sums.scores() == {"miou": 1.0}


def held_out(folder: Path, count: int = 3, instances: bool = True) -> PanopticValidation:
    generator, items = np.random.default_rng(0), []
    for number in range(count):
        sample = boxes()
        raw, numbers = true_segments(sample, SPACE)
        files = {name: folder / f"{number}_{name}.png" for name in ("image", "label", "instances")}
        Image.fromarray(generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(files["image"])
        Image.fromarray(raw).save(files["label"])
        Image.fromarray(np.where(numbers > 0, raw.astype(np.uint16) * 1000 + numbers, raw)).save(files["instances"])
        label = LabelFile(files["label"], SPACE)
        items.append(Item(str(number), ImageFile(files["image"]), label, files["instances"] if instances else None))
    dataset = Dataset("toy", folder, "val", SPACE, tuple(items), instance_encoding="cityscapes")
    samples = DatasetSamples([dataset], instances=True)
    return PanopticValidation(samples, SPACE, InferenceSettings(), PanopticSettings(stuff_area=0))


def network():
    arguments = {"num_classes": 2, "widths": [8, 8], "head": 8}
    return build_panoptic({"architecture": "compact_panoptic", "arguments": arguments}, seed=0).eval()


def test_scores_are_those_of_each_image_decoded_by_hand(tmp_path: Path) -> None:
    validation, model = held_out(tmp_path), network()
    with torch.no_grad():
        model.centre[-1].bias.fill_(0.5)
    scores = validation.scores(model, SPACE.train_names, None, torch.device("cpu"))
    sums = PanopticSums.empty(SPACE)
    for sample in validation.samples:
        with torch.no_grad():
            output = model.panoptic(image_to_tensor(sample.image))
        classes = output.semantic[0].argmax(0).to(torch.uint8).numpy()
        sums.update(classes, decode_panoptic(output, SPACE, validation.segments)[0], sample)
    assert scores == pytest.approx(sums.scores())
    assert next(iter(scores)) == "pq"


def test_nothing_to_score_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="look at val"):
        held_out(tmp_path, instances=False).scores(network(), SPACE.train_names, None, torch.device("cpu"))


def test_fingerprint_follows_instances_and_settings(tmp_path: Path) -> None:
    validation = held_out(tmp_path)
    other = replace(validation, segments=PanopticSettings(stuff_area=1))
    before = validation.fingerprint()
    assert other.fingerprint() != before
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(tmp_path / "1_instances.png")
    assert validation.fingerprint() != before
