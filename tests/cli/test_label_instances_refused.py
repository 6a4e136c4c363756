"""Instances that ``seglift label`` refuses: one line, and nothing is written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instances import decode_cityscapes, encode_coco

SPACE = BUILTIN_SPACES["cityscapes"]
CAR, PERSON, ROAD = 26, 24, 7


def pixels(path):
    return np.array(Image.open(path))


@pytest.fixture
def objects(clip, save):
    """The clip with instances at its three keyframes."""
    for index in (0, 4, 8):
        label = pixels(clip.truth / f"{clip.stems[index]}.png").astype(np.uint16)
        values = np.where(np.isin(label, (CAR, PERSON)), label * np.uint16(1000) + np.uint16(index), label)
        save(clip.keyframes / f"{clip.stems[index]}_instanceIds.png", values)
    return clip


def bad_class(clip, save):
    values = pixels(clip.keyframes / "f004_instanceIds.png")
    values[:2] = 11
    save(clip.keyframes / "f004_instanceIds.png", values)


def bad_size(clip, save):
    save(clip.keyframes / "f004_instanceIds.png", pixels(clip.keyframes / "f004_instanceIds.png")[:-1])


def missing(clip, save):
    (clip.keyframes / "f004_instanceIds.png").unlink()


def no_thing(clip, save):
    values = pixels(clip.keyframes / "f004_instanceIds.png")
    values[values == ROAD] = ROAD * 1000 + 4
    save(clip.keyframes / "f004_instanceIds.png", values)


def unknown_id(clip, save):
    values = pixels(clip.keyframes / "f004_instanceIds.png")
    values[0, 0] = 64000
    save(clip.keyframes / "f004_instanceIds.png", values)


def colour_without_json(clip, save):
    save(clip.keyframes / "f004_instanceIds.png", np.zeros((64, 96, 3), np.uint8))


def mixed(clip, save):
    raw, number = decode_cityscapes(pixels(clip.keyframes / "f004_instanceIds.png"), SPACE, "")
    rgb, segments = encode_coco(raw, number, SPACE, "")
    save(clip.keyframes / "f004_instanceIds.png", rgb)
    data = {"segments_info": [segment.to_data() for segment in segments]}
    (clip.keyframes / "f004_instanceIds.json").write_text(json.dumps(data))


def too_many(clip, save):
    label = np.full((64, 96), CAR, np.uint8)
    numbers = np.arange(64 * 96).reshape(64, 96) % 1001
    rgb = np.stack([numbers & 255, numbers >> 8, np.full_like(numbers, 1)], axis=2).astype(np.uint8)
    segments = [{"id": int(n) + 65536, "category_id": CAR} for n in range(1001)]
    for stem in ("f000", "f004", "f008"):
        save(clip.keyframes / f"{stem}.png", label)
        save(clip.keyframes / f"{stem}_instanceIds.png", rgb)
        (clip.keyframes / f"{stem}_instanceIds.json").write_text(json.dumps({"segments_info": segments}))


def truncated(clip, save):
    path = clip.keyframes / "f004_instanceIds.png"
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (bad_class, "another class than its label at 192 pixels"),
        (bad_size, "f004_instanceIds.png is 96x63"),
        (missing, "f004.png has no instance file, but other keyframes have one"),
        (no_thing, "instances of 'road', which is no thing"),
        (unknown_id, "f004_instanceIds.png has ids that label space cityscapes lacks: 64 (1 px)"),
        (colour_without_json, "whose JSON is expected as f004_instanceIds.json"),
        (mixed, "is in coco encoding, but"),
        (too_many, "has 1001 instances of 'car'"),
        (truncated, "f004_instanceIds.png is a damaged PNG"),
    ],
)
def test_what_is_refused(objects, label, save, tmp_path, spoil, told):
    spoil(objects, save)
    assert told in label(objects, tmp_path / "out").error
    assert not (tmp_path / "out").exists()
    label(objects, tmp_path / "none", "--instances", "none").done()


@pytest.mark.parametrize(
    ("folder", "told"),
    [("nowhere", "--instances nowhere does not exist"), ("frames", "is 8-bit"), ("empty", "has no PNG of a keyframe")],
)
def test_folders_that_are_refused(objects, label, tmp_path, folder, told):
    (tmp_path / "empty").mkdir()
    path = "nowhere" if folder == "nowhere" else tmp_path / folder
    told = "so COCO panoptic, whose JSON is expected" if folder == "frames" else told
    assert told in label(objects, tmp_path / "out", "--instances", path).error


def test_instances_that_lie_in_out(objects, label, tmp_path):
    folder = tmp_path / "out/mine"
    folder.mkdir(parents=True)
    assert "where it could be overwritten" in label(objects, tmp_path / "out", "--instances", folder).error
