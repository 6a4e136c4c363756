"""What is found in the instance files of a dataset."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglift.cli.main import main

SPACE = """
name: two
ignore: 9
classes:
- {id: 0, name: floor}
- {id: 1, name: chair, thing: true}
"""


@pytest.fixture
def root(tmp_path):
    """Two stills with two objects each, and a third without instances."""
    (tmp_path / "space.yaml").write_text(SPACE)
    label = np.zeros((4, 6), np.uint8)
    label[1:3] = 1
    instances = label.astype(np.uint16)
    instances[1], instances[2, :3] = 1000, 1007
    for stem in "abc":
        save(tmp_path / f"images/train/{stem}.png", np.zeros((4, 6, 3), np.uint8))
        save(tmp_path / f"labels/train/{stem}.png", label)
    for stem in "ab":
        save(tmp_path / f"instances/train/{stem}.png", instances)
    return tmp_path


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def check(root, capsys):
    """Exit status, what is printed, the error and the JSON."""
    status = main(["check", "folder", "--root", str(root), "--json", str(root / "found.json")])
    said = capsys.readouterr()
    return status, said.out, said.err.splitlines()[-1], json.loads((root / "found.json").read_text())["splits"]["train"]


def change(root, stem, rows, value):
    path = root / f"instances/train/{stem}.png"
    values = np.array(Image.open(path))
    values[rows] = value
    save(path, values)


def test_objects_are_counted_and_missing_files_noted(root, capsys):
    status, out, _, found = check(root, capsys)
    assert status == 0 and "problems: none" in out
    assert "instances: 4 objects in 2 files" in out and "note: 1 label without an instance file: c" in out
    assert found["instances"] == {"files": 2, "objects": 4, "without": ["c"], "contradictions": []}


def test_crowds_alone_are_no_objects(root, capsys):
    for stem in "ab":
        (root / f"instances/train/{stem}.png").write_bytes((root / f"labels/train/{stem}.png").read_bytes())
    status, out, _, _ = check(root, capsys)
    assert status == 0 and "instances: 0 objects in 2 files" in out


def test_instances_of_another_class_than_the_label(root, capsys):
    change(root, "a", 0, 1003)
    status, out, error, found = check(root, capsys)
    assert status == 2 and "contradictions of labels and instances: 1;" in error
    assert "a.png has another class than its label at 6 pixels\n" in out
    assert len(found["instances"]["contradictions"]) == 1


def test_instances_of_what_is_no_thing(root, capsys):
    (root / "space.yaml").write_text(SPACE.replace(", thing: true", ""))
    status, out, error, _ = check(root, capsys)
    assert status == 2 and "contradictions of labels and instances: 2;" in error
    assert "a.png has instances of chair, no thing in two\n" in out


def test_files_that_are_no_instances(root, capsys):
    change(root, "a", 0, 64001)
    save(root / "instances/train/b.png", np.zeros((4, 6, 3), np.uint8))
    status, out, error, found = check(root, capsys)
    assert status == 2 and "train has unreadable files: 2" in error
    assert "a.png has ids that label space two lacks: 64 (6 px); expected 0-1, 9; correct the label\n" in out
    assert "b.png is PNG, mode RGB, 8 bits, one channel of 16 bits is expected" in out
    assert found["instances"]["files"] == 0


def test_a_label_with_unknown_ids_is_not_compared(root, capsys):
    save(root / "labels/train/a.png", np.full((4, 6), 77, np.uint8))
    status, out, error, _ = check(root, capsys)
    assert status == 2 and "unknown ids: 1; correct" in error and "contradiction" not in out
