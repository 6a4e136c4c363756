"""Which frames are compared, how often they are read, and what is left out, with motion that is known exactly."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from seglift.base.errors import UserError
from seglift.labels.space_file import get_space
from seglift.video.folder import FrameFolder
from seglift.workflows.score import temporal
from seglift.workflows.score.temporal import Neighbours, TemporalScores

SPACE = get_space("camvid11")
HEIGHT, WIDTH, SHIFT = 12, 20, 3
HIDDEN = np.s_[4:8, 5:9]


class Pan:
    """The camera moves to the right: what a frame shows at x, the one before shows at x + SHIFT. The way back from
    HIDDEN leads elsewhere, so that those pixels count as occluded. Frames know their index by their first pixel.
    """

    wants_previous = False

    def __init__(self):
        self.seen, self._lock = [], threading.Lock()

    def __call__(self, source, target, previous=None):
        a, b = (int(image[0, 0, 0, 0]) for image in (source, target))
        around = None if previous is None else int(previous[0, 0, 0, 0])
        assert source.dtype == torch.uint8 and abs(a - b) == 1
        with self._lock:
            self.seen.append((a, b, around))
        flow = torch.zeros((1, 2, HEIGHT, WIDTH))
        flow[:, 0] = SHIFT * (b - a)
        if a < b:
            flow[(slice(None), 1, *HIDDEN)] = 4.0
        return flow


@pytest.fixture
def pan(monkeypatch):
    estimator = Pan()
    monkeypatch.setattr(temporal, "get_estimator", lambda name, device: estimator)
    return estimator


@pytest.fixture
def clip(tmp_path):
    """Six frames, random predictions of them (void among the classes), and the predictions by index."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, (6, HEIGHT, WIDTH)).astype(np.uint8)
    (tmp_path / "frames").mkdir()
    (tmp_path / "labels").mkdir()
    for index, label in enumerate(labels):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), index, np.uint8)).save(tmp_path / f"frames/f{index}.png")
        Image.fromarray(label).save(tmp_path / f"labels/f{index}_L.png")
    return labels


def chosen(tmp_path, indices=range(6)):
    return {tmp_path / f"labels/f{index}_L.png" for index in indices}


def expect(labels, later):
    """mIoU and agreement by a loop over the pixels."""
    a, b = [], []
    for index in later:
        for y in range(HEIGHT):
            for x in range(WIDTH - SHIFT):
                hidden = 4 <= y < 8 and 5 <= x < 9
                first, second = labels[index - 1, y, x + SHIFT], labels[index, y, x]
                if not hidden and not first == second == 11:
                    a.append(first)
                    b.append(second)
    a, b = np.array(a), np.array(b)
    ious = [((a == c) & (b == c)).sum() / ((a == c) | (b == c)).sum() for c in range(11)]
    return np.mean(ious), (a == b).mean()


@pytest.mark.parametrize(("kept", "later"), [(range(6), [1, 2, 3, 4, 5]), ([0, 1, 3, 4, 5], [1, 4, 5]), ([2, 3], [3])])
def test_known_motion(tmp_path, pan, clip, kept, later):
    scores = Neighbours(tmp_path / "frames", tmp_path / "labels", chosen(tmp_path, kept), "pan").score(SPACE)
    miou, agreement = expect(clip, later)
    assert scores.as_json() == {
        "miou": pytest.approx(miou), "agreement": pytest.approx(agreement), "motion": "pan", "pairs": len(later),
    }  # fmt: skip
    assert sorted(pan.seen) == sorted([(i - 1, i, None) for i in later] + [(i, i - 1, None) for i in later])
    assert scores.line() == (
        f"temporal consistency: mIoU {100 * miou:.1f}, agreement {100 * agreement:.1f} "
        f"({len(later)} {'pair' if len(later) == 1 else 'pairs'} of neighbouring frames, motion pan)"
    )


def test_motion_that_looks_further_back(tmp_path, pan, clip):
    pan.wants_previous = True
    Neighbours(tmp_path / "frames", tmp_path / "labels", chosen(tmp_path), "pan").score(SPACE)
    ahead = [(i - 1, i, i - 2 if i > 1 else None) for i in range(1, 6)]
    back = [(i, i - 1, i + 1 if i < 5 else None) for i in range(1, 6)]
    assert sorted(pan.seen, key=str) == sorted(ahead + back, key=str)


def test_nothing_is_compared_across_scene_cuts(tmp_path, pan, clip):
    pan.wants_previous = True
    place = tmp_path / "frames", tmp_path / "labels", chosen(tmp_path), "pan"
    scores = Neighbours(*place, cuts={"f2", "f5", "elsewhere"}).score(SPACE)
    assert scores.as_json()["miou"] == pytest.approx(expect(clip, [1, 3, 4])[0]) and scores.consistency.pairs == 3
    ahead, back = [(0, 1, None), (2, 3, None), (3, 4, 2)], [(1, 0, None), (3, 2, 4), (4, 3, None)]
    assert sorted(pan.seen, key=str) == sorted(ahead + back, key=str)
    with pytest.raises(UserError, match="no two neighbouring frames"):
        Neighbours(*place, cuts={f"f{index}" for index in range(6)})


@pytest.mark.parametrize("looks_back", [False, True])
def test_each_file_is_read_once_and_in_order(tmp_path, pan, clip, monkeypatch, looks_back):
    pan.wants_previous = looks_back
    frames, labels = [], []
    get, read = FrameFolder.__getitem__, temporal.read_label
    monkeypatch.setattr(FrameFolder, "__getitem__", lambda self, i: frames.append(i) or get(self, i))
    monkeypatch.setattr(temporal, "read_label", lambda path, space: labels.append(path.stem) or read(path, space))
    Neighbours(tmp_path / "frames", tmp_path / "labels", chosen(tmp_path), "pan").score(SPACE)
    assert sorted(frames) == list(range(6)) and labels == [f"f{i}_L" for i in range(6)]


def test_constant_labels_agree_with_themselves(tmp_path, pan, clip):
    for index in range(6):
        Image.fromarray(np.full((HEIGHT, WIDTH), 4, np.uint8)).save(tmp_path / f"labels/f{index}_L.png")
    scores = Neighbours(tmp_path / "frames", tmp_path / "labels", chosen(tmp_path), "pan").score(SPACE)
    assert scores.consistency.miou() == scores.consistency.agreement() == 1.0
    assert (scores + scores).consistency.pairs == 10
    with pytest.raises(ValueError, match="cannot add"):
        scores + TemporalScores(scores.consistency, "other")


def test_nothing_to_compare(tmp_path, pan, clip):
    with pytest.raises(UserError, match="no two neighbouring frames"):
        Neighbours(tmp_path / "frames", tmp_path / "labels", chosen(tmp_path, [0, 2, 4]), "pan")
