"""``seglift score`` with instance files on both sides: panoptic quality and instance AP."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from seglift.labels.instances import decode_cityscapes
from seglift.labels.space_file import get_space
from seglift.metrics.instance_ap import InstanceAP
from seglift.metrics.panoptic_quality import PanopticQuality

SPACE = get_space("cityscapes")
STEMS = ("ulm_000000_000019", "ulm_000001_000019", "ulm_000002_000019")
SHAPE = (48, 64)


def draw(rng):
    """Instance ids of a truth and of a prediction: stuff, void, a group, objects; all moved, one of another class."""
    truth = np.full(SHAPE, 7)
    truth[:20], truth[44:], truth[:4, :4] = 23, 1, 0
    truth[30:34] = 26
    for number, (raw, top, left) in enumerate(((26, 8, 3), (26, 22, 20), (24, 20, 45), (33, 36, 30))):
        truth[top : top + 12, left : left + 14] = raw * 1000 + number
    found = np.roll(truth, tuple(rng.integers(-2, 3, 2).tolist()), (0, 1))
    found[found == 24002] = rng.choice([24002, 25002, 7])
    return truth.astype(np.uint16), found.astype(np.uint16)


def labels(instances):
    return np.where(instances >= 1000, instances // 1000, instances).astype(np.uint8)


@pytest.fixture
def pairs(save, tmp_path):
    """Truth in Cityscapes' layout, predictions as an OUT of ``label`` and beside their labels; the ids of both."""
    rng, ids = np.random.default_rng(3), []
    for stem in STEMS:
        truth, found = draw(rng)
        ids.append((truth, found))
        save(tmp_path / f"gt/{stem}_gtFine_labelIds.png", labels(truth))
        save(tmp_path / f"gt/{stem}_gtFine_instanceIds.png", truth)
        save(tmp_path / f"out/labels/{stem}_leftImg8bit.png", labels(found))
        save(tmp_path / f"out/instances/{stem}_leftImg8bit.png", found)
        save(tmp_path / f"beside/{stem}_labelIds.png", labels(found))
        save(tmp_path / f"beside/{stem}_instanceIds.png", found)
    return ids


@pytest.fixture
def score(run, tmp_path):
    def score(prediction):
        words = ("score", tmp_path / prediction, tmp_path / "gt", "--space", "cityscapes")
        ran = run(*words, "--json", tmp_path / "scores.json").done()
        return json.loads((tmp_path / "scores.json").read_text()), ran

    return score


def count(ids):
    quality, precision = PanopticQuality.empty(SPACE), InstanceAP.empty(SPACE)
    for truth, found in ids:
        maps = [decode_cityscapes(values, SPACE, "") for values in (found, truth)]
        quality.update(*maps)
        precision.update(*maps)
    return quality, precision


def expect(ids):
    quality, precision = count(ids)
    (ap, ap50), classes = precision.mean(), precision.by_class().items()
    near = pytest.approx
    return {
        "panoptic": {
            **{name: near(value) for name, value in quality.mean()._asdict().items()},
            "things": near(quality.mean(things=True)._asdict()),
            "stuff": near(quality.mean(things=False)._asdict()),
            "by_class": {n: None if np.isnan(row.pq) else near(row._asdict()) for n, row in quality.by_class().items()},
        },
        "instances": {
            "ap": near(ap), "ap50": near(ap50),
            "by_class": {n: None if np.isnan(row[0]) else near({"ap": row[0], "ap50": row[1]}) for n, row in classes},
        },
    }  # fmt: skip


def test_pooled_over_frames(pairs, score):
    found, ran = score("out")
    expected = expect(pairs)
    assert {name: found[name] for name in expected} == expected
    panoptic, instances = found["panoptic"], found["instances"]
    assert 0 < panoptic["things"]["pq"] < 1 and 0 < panoptic["stuff"]["pq"] < 1 and 0 < instances["ap"] < 1
    assert panoptic["by_class"]["bus"] is None and instances["by_class"]["bus"] is None
    assert set(panoptic["by_class"]) == set(SPACE.train_names)
    assert f"PQ {100 * panoptic['pq']:.1f}" in ran.out and f"AP {100 * instances['ap']:.1f}" in ran.out
    assert "both sides" not in ran.out and not ran.err


def test_beside_the_labels_and_other_scores_unchanged(pairs, score, tmp_path):
    whole, _ = score("out")
    assert score("beside")[0] == whole
    for path in (tmp_path / "out/instances").iterdir():
        path.unlink()
    without, ran = score("out")
    assert "panoptic" not in without and "instances" not in without and "PQ" not in ran.out and not ran.err
    assert {name: whole[name] for name in without} == without


def test_below_folders(pairs, score, tmp_path):
    whole, _ = score("out")
    for kind in ("labels", "instances"):
        (tmp_path / "out" / kind).rename(tmp_path / kind)
        (tmp_path / "out" / kind / "train").mkdir(parents=True)
        (tmp_path / kind).rename(tmp_path / "out" / kind / "train/ulm")
    assert score("out")[0] == whole


def test_perfect(pairs, score):
    found, _ = score("gt")
    assert found["panoptic"]["pq"] == found["panoptic"]["stuff"]["sq"] == 1.0
    assert found["instances"]["ap"] == found["instances"]["ap50"] == 1.0


def test_frames_without_instances_are_left_out(pairs, score, tmp_path):
    (tmp_path / f"out/instances/{STEMS[1]}_leftImg8bit.png").unlink()
    found, ran = score("out")
    expected = expect([pairs[0], pairs[2]])
    assert found["panoptic"] == expected["panoptic"] and found["instances"] == expected["instances"]
    assert (
        found["frames"] == 3 and "2 frames with instances on both sides" in ran.out and "leave out 1 frame" in ran.err
    )


def test_files_that_disagree(pairs, run, save, score, tmp_path):
    def error():
        return run("score", tmp_path / "out", tmp_path / "gt", "--space", "cityscapes").error

    whole, _ = score("out")
    for index, path in ((1, f"out/instances/{STEMS[0]}_leftImg8bit.png"), (0, f"gt/{STEMS[0]}_gtFine_instanceIds.png")):
        values = pairs[0][index].copy()
        values[0, 60:] = 21
        save(tmp_path / path, values)
        assert path.rpartition("/")[2] in error() and "at 4 pixels" in error()
        # Other kinds of void are no other class.
        save(tmp_path / path, np.where(pairs[0][index] == 1, 4, pairs[0][index]).astype(np.uint16))
        assert score("out")[0] == whole


def test_other_encodings(pairs, run, save, tmp_path):
    path = tmp_path / f"out/instances/{STEMS[0]}_leftImg8bit.png"

    def error():
        return run("score", tmp_path / "out", tmp_path / "gt", "--space", "cityscapes").error

    save(path, np.zeros((*SHAPE, 3), np.uint8))
    assert path.name in error() and "so COCO panoptic, whose JSON is expected" in error()
    save(path, pairs[0][1][:-1])
    assert f"{path.name} is 64x47" in error()
    # The 1001st bicycle is nobody's in 16 bits: it reads as the first of the next class, which there is none of.
    values = pairs[0][1].copy()
    values[values == 33003] = 34000
    save(path, values)
    assert path.name in error() and "34 (168 px)" in error()
    # That of a car reads as a truck, which the label is not.
    values = pairs[0][1].copy()
    values[values == 26001] = 27000
    save(path, values)
    assert "another class" in error() and "at 168 pixels" in error()
    assert Image.open(path).size == (64, 48)


def test_torch_is_not_loaded(pairs, tmp_path):
    words = ["score", str(tmp_path / "out"), str(tmp_path / "gt"), "--space", "cityscapes"]
    code = f"import sys\nfrom seglift.cli.main import main\nsys.exit(main({words!r}) or 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "PQ" in done.stdout
