from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.labels.space import LabelClass, LabelSpace
from seglift.training.images.dataset_samples import DatasetSamples

SPACE = LabelSpace(
    "toy",
    (
        LabelClass(0, "grass", (0, 200, 0), 0, "flat", False),
        LabelClass(1, "pond", (0, 0, 200), 1, "flat", False),
        LabelClass(9, "void", (0, 0, 0), 255, "void", False),
    ),
    ignore=9,
)


def save(path, value, shape=(4, 6)):
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)
    return path


@pytest.fixture
def dataset(tmp_path):
    """Four images of brightness 0, 10, 20, 30; the third has no label."""
    items = []
    for number in range(4):
        image = ImageFile(save(tmp_path / f"{number}.png", 10 * number, (4, 6, 3)))
        label = LabelFile(save(tmp_path / f"{number}_label.png", 1), SPACE) if number != 2 else None
        items.append(Item(f"item{number}", image, label))
    return Dataset("toy", tmp_path, "train", SPACE, tuple(items))


def with_confidence(dataset, path):
    first, *rest = dataset.items
    return replace(dataset, items=(replace(first, confidence=path), *rest))


def test_the_fingerprint_follows_images_labels_and_confidence(dataset, tmp_path):
    path = save(tmp_path / "confidence.png", 200)
    before = [DatasetSamples([dataset]).fingerprint(), DatasetSamples([with_confidence(dataset, path)]).fingerprint()]
    assert before[0] != before[1]
    save(path, 100)
    doubtful = DatasetSamples([with_confidence(dataset, path)]).fingerprint()
    assert doubtful not in before
    assert DatasetSamples([dataset]).fingerprint() == before[0]
    save(tmp_path / "3_label.png", 0)
    assert DatasetSamples([dataset]).fingerprint() != before[0]


def test_a_confidence_map_weights_the_pixels(dataset, tmp_path):
    path = save(tmp_path / "confidence.png", 51)
    weight = DatasetSamples([with_confidence(dataset, path)])[0].weight
    assert weight is not None
    assert np.allclose(weight, 0.2)


def test_what_cannot_be_read_is_an_error_without_a_list(dataset, tmp_path):
    (tmp_path / "1.png").write_bytes(b"")
    samples = DatasetSamples([dataset])
    for read in (samples.__getitem__, samples.find):
        with pytest.raises(UserError, match=r"1\.png"):
            read(1)


def test_a_draw_of_what_cannot_be_read_gives_the_next_and_a_look_gives_nothing(dataset, tmp_path, capsys):
    (tmp_path / "1.png").write_bytes(b"")
    listed = tmp_path / "skipped.txt"
    samples, again = DatasetSamples([dataset], listed), DatasetSamples([dataset], listed)
    assert samples[1].image.max() == 30
    assert samples.find(1) is None
    assert again[1].image.max() == 30
    assert listed.read_text() == f"{tmp_path / '1.png'}\n"
    assert capsys.readouterr().err.count("skipped: ") == 1


def test_a_missing_file_does_not_stop_a_training_that_skips(dataset, tmp_path):
    (tmp_path / "1.png").unlink()
    with pytest.raises(UserError, match=r"1\.png"):
        DatasetSamples([dataset]).fingerprint()
    assert DatasetSamples([dataset], tmp_path / "skipped.txt").fingerprint()


def test_labels_that_the_index_left_out_are_listed(dataset, tmp_path):
    listed = tmp_path / "skipped.txt"
    DatasetSamples([dataset], listed).list_unusable(0, np.array([0, 3], np.int32))
    assert listed.read_text() == f"{tmp_path / '1.png'}\n"
    DatasetSamples([dataset]).list_unusable(0, np.array([], np.int32))


def test_nothing_that_can_be_read_is_an_error(dataset, tmp_path):
    for number in (0, 1, 3):
        (tmp_path / f"{number}.png").write_bytes(b"")
    with pytest.raises(UserError, match="not one image"):
        DatasetSamples([dataset], tmp_path / "skipped.txt")[0]


def with_instances(dataset, path):
    first, *rest = dataset.items
    return replace(dataset, items=(replace(first, instances=path), *rest), instance_encoding="cityscapes")


def test_instances_are_read_where_they_are_asked_for(dataset, tmp_path):
    numbers = np.zeros((4, 6), np.uint16)
    numbers[1:3, 2:4] = 1000
    Image.fromarray(numbers).save(tmp_path / "instances.png")
    dataset = with_instances(dataset, tmp_path / "instances.png")
    plain, samples = DatasetSamples([dataset]), DatasetSamples([dataset], instances=True)
    assert plain[0].instances is None
    np.testing.assert_array_equal(samples[0].instances, (numbers > 0).astype(np.uint16))
    assert samples[1].instances is None
    before = plain.fingerprint(), samples.fingerprint()
    Image.fromarray(numbers * 0 + 1000).save(tmp_path / "instances.png")
    assert plain.fingerprint() == before[0]
    assert samples.fingerprint() != before[1]


def test_pixels_of_another_class_than_the_label_are_of_no_object(dataset, tmp_path, capsys):
    values = np.ones((4, 6), np.uint16)
    values[1:3, 2:4], values[0] = 1000, 9
    values[1, 2] = 0
    Image.fromarray(values).save(tmp_path / "instances.png")
    label = np.ones((4, 6), np.uint8)
    label[2, 3] = 9  # void for the label, an object for the instances
    Image.fromarray(label).save(tmp_path / "0_label.png")
    samples = DatasetSamples([with_instances(dataset, tmp_path / "instances.png")], instances=True)
    expected = np.zeros((4, 6), np.uint16)
    expected[1, 3] = expected[2, 2] = 1
    for _ in range(2):
        np.testing.assert_array_equal(samples[0].instances, expected)
    told = capsys.readouterr().err
    assert told.count("warning: ") == 1 and "instances.png has another class than its label at 8 pixels" in told


def test_instances_of_another_size_are_the_users_error(dataset, tmp_path):
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(tmp_path / "instances.png")
    with pytest.raises(UserError, match=r"instances\.png is not of the size"):
        DatasetSamples([with_instances(dataset, tmp_path / "instances.png")], instances=True)[0]


def test_going_through_the_samples_comes_to_an_end(dataset):
    samples = DatasetSamples([dataset])
    assert [sample.image.max() for sample in samples] == [0, 10, 30]
    with pytest.raises(IndexError):
        samples[3]
