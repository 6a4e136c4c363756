from __future__ import annotations

import numpy as np
import pytest

from seglift.inference.predict import shrunk_size
from seglift.training.images.sample import Sample, shrink


def test_shrinks_to_the_short_side_and_invents_no_label() -> None:
    label = np.where(np.arange(200)[None] < 100, 3, 255).astype(np.uint8).repeat(100, axis=0)
    image = np.where(label[..., None] == 3, 200, 20).astype(np.uint8).repeat(3, axis=2)
    small = shrink(Sample(image, label, np.ones(label.shape, np.float32)), 40)
    assert small.image.shape == (40, 80, 3)
    assert set(np.unique(small.label)) == {3, 255}
    assert np.array_equal(small.label == 3, small.image[..., 0] > 110)
    assert small.weight is not None
    assert small.weight.shape == (40, 80)


def test_small_images_stay_as_they_are() -> None:
    sample = Sample(np.zeros((30, 40, 3), np.uint8), np.zeros((30, 40), np.uint8))
    assert shrink(sample, 30) is sample
    assert shrink(sample, None) is sample
    assert shrunk_size(1024, 2048, 384) == (384, 768)


def test_fingerprint_follows_every_part() -> None:
    image, label = np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.uint8)
    changed = label.copy()
    changed[0, 0] = 1
    prints = {
        Sample(image, label).fingerprint(),
        Sample(image, changed).fingerprint(),
        Sample(image + 1, label).fingerprint(),
        Sample(image, label, np.ones((3, 4), np.float32)).fingerprint(),
    }
    assert len(prints) == 4


def test_wrong_shapes_are_refused() -> None:
    image, label = np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.uint8)
    with pytest.raises(ValueError, match="image uint8"):
        Sample(image.astype(np.float32), label)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="label uint8"):
        Sample(image, label.T)
    with pytest.raises(ValueError, match="weight"):
        Sample(image, label, np.ones((2, 2), np.float32))


def test_instances_shrink_with_the_labels_and_are_part_of_the_fingerprint() -> None:
    label = np.tile(np.arange(80, dtype=np.uint8) // 20, (40, 1))
    image = np.zeros((40, 80, 3), np.uint8)
    sample = Sample(image, label, instances=label.astype(np.uint16) * 300)
    small = shrink(sample, 20)
    assert small.instances is not None
    assert np.array_equal(small.instances, small.label.astype(np.uint16) * 300)
    assert Sample(image, label).fingerprint() != sample.fingerprint()
    with pytest.raises(ValueError, match="instances uint16"):
        Sample(image, label, instances=np.zeros((40, 79), np.uint16))
