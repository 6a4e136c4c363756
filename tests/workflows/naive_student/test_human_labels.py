from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.folder import open_folder
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.space_file import space_to_data
from seglift.workflows.naive_student.data import HumanLabels
from seglift.workflows.naive_student.human_labels import write_human_labels
from seglift.workflows.naive_student.recipe import LabelledSource


@pytest.fixture
def town(tmp_path):
    """Three frames of a clip with labels, instances and confidence."""
    root = tmp_path / "town"
    arrays = {
        "images": np.zeros((4, 6, 3), np.uint8),
        "labels": np.full((4, 6), 26, np.uint8),
        "instances": np.full((4, 6), 26001, np.uint16),
        "confidence": np.full((4, 6), 200, np.uint8),
    }
    for kind, array in arrays.items():
        (root / kind / "train" / "a").mkdir(parents=True)
        for number in range(3):
            Image.fromarray(array + array.dtype.type(number)).save(root / kind / "train" / "a" / f"{number}.png")
    (root / "space.yaml").write_text(yaml.safe_dump(space_to_data(BUILTIN_SPACES["cityscapes"])))
    return open_folder(root)


def chosen(dataset, *numbers):
    source = LabelledSource("folder", share=0.5)
    return HumanLabels(source, dataset, tuple(dataset.items[number] for number in numbers), len(dataset))


def pixels(path):
    return np.array(Image.open(path))


def test_everything_that_a_frame_has_is_in_the_dataset_of_the_chosen_ones(town, tmp_path):
    out = tmp_path / "out"
    write_human_labels(out, chosen(town, 0, 1))
    found = open_folder(out)
    assert found.space.classes == town.space.classes
    assert [item.name for item in found.items] == ["a_0", "a_1"]
    for item, original in zip(found.items, town.items, strict=False):
        np.testing.assert_array_equal(item.image.read(), original.image.read())
        np.testing.assert_array_equal(item.label.read(), original.label.read())
        np.testing.assert_array_equal(pixels(item.instances), pixels(original.instances))
        np.testing.assert_array_equal(pixels(item.confidence), pixels(original.confidence))
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [(line["source_frame"], line["k"], line["clip"]) for line in lines] == [("a_0", 0, "a"), ("a_1", 0, "a")]


def test_another_choice_takes_its_place(town, tmp_path):
    out = tmp_path / "out"
    write_human_labels(out, chosen(town, 0, 1))
    write_human_labels(out, chosen(town, 2))
    assert [item.name for item in open_folder(out).items] == ["a_2"]
    assert not (out / "labels" / "train" / "a_0.png").exists()


def test_labels_and_instances_that_cannot_be_read(town, tmp_path, capsys):
    root, out = tmp_path / "town", tmp_path / "out"
    (root / "labels/train/a/0.png").write_bytes(b"x")
    Image.fromarray(np.zeros((3, 6), np.uint16)).save(root / "instances/train/a/1.png")
    with pytest.raises(UserError, match=r"a/0\.png is no image.*--skip-corrupt leaves such images out"):
        write_human_labels(out, chosen(town, 0, 2))
    with pytest.raises(UserError, match=r"instances/train/a/1\.png is not of the size of .*labels/train/a/1\.png"):
        write_human_labels(out, chosen(town, 1, 2))
    write_human_labels(out, chosen(town, 0, 1, 2), skip_corrupt=True)
    assert [item.name for item in open_folder(out).items] == ["a_2"]
    assert len((out / "skipped.txt").read_text().splitlines()) == 2
    assert "unreadable labels left out: 2" in capsys.readouterr().err
    with pytest.raises(UserError, match="none of the 2 labels of folder can be read"):
        write_human_labels(out, chosen(town, 0, 1), skip_corrupt=True)


def test_instances_that_nobody_needs_are_not_read(town, tmp_path):
    (tmp_path / "town/instances/train/a/0.png").write_bytes(b"x")
    write_human_labels(tmp_path / "out", chosen(town, 0), instances=False)
    (item,) = open_folder(tmp_path / "out").items
    assert item.instances is None and item.confidence is not None
