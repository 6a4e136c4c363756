"""The official Cityscapes evaluations of panoptic and instance-level labelling, on files in the official layout."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json

import cv2
import numpy as np
import pytest

from seglift.labels.instances import encode_cityscapes, read_cityscapes
from seglift.labels.space_file import get_space

SPACE = get_space("cityscapes")


class Official:
    """Writes pairs of panoptic maps as Cityscapes has them, and evaluates them by cityscapesScripts.

    ``images``: (prediction, truth), each of raw ids and instance numbers.
    """

    def __init__(self, folder, images):
        self.folder, self.paths = folder, {"found": [], "gtFine": []}
        for index, image in enumerate(images):
            for side, panoptic in zip(self.paths, image, strict=True):
                path = folder / side / "val/ulm" / f"ulm_000000_{index:06d}_gtFine_instanceIds.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(path), encode_cityscapes(*panoptic, path.name))
                self.paths[side].append(path)

    def read(self):
        """The same pairs as the reader of instance files gives them."""
        return [tuple(read_cityscapes(path, SPACE) for path in pair) for pair in zip(*self.paths.values(), strict=True)]

    def panoptic(self):
        """(iou, tp, fp, fn) by name of each class, and (PQ, SQ, RQ) of all, things and stuff; None without any."""
        convert = importlib.import_module("cityscapesscripts.preparation.createPanopticImgs").convert2panoptic
        official = importlib.import_module("cityscapesscripts.evaluation.evalPanopticSemanticLabeling")
        sides = {}
        with contextlib.redirect_stdout(io.StringIO()):
            for side in self.paths:
                convert(str(self.folder / side), str(self.folder / side), setNames=["val"])
                sides[side] = json.loads((self.folder / side / "cityscapes_panoptic_val.json").read_text())
            pairs = list(zip(sides["gtFine"]["annotations"], sides["found"]["annotations"], strict=True))
            folders = (self.folder / side / "cityscapes_panoptic_val" for side in ("gtFine", "found"))
            categories = {row["id"]: row for row in sides["gtFine"]["categories"]}
            stat = official.pq_compute_single_core(0, pairs, *map(str, folders), categories)
        counts = {row["name"]: stat[number] for number, row in categories.items()}
        means = []
        for things in (None, True, False):
            try:
                mean, _ = stat.pq_average(categories, isthing=things)
                means.append((mean["pq"], mean["sq"], mean["rq"]))
            except ZeroDivisionError:
                means.append(None)
        return {name: (row.iou, row.tp, row.fp, row.fn) for name, row in counts.items()}, means

    def instances(self, scores, monkeypatch):
        """AP by name of each class, float64 [10] by threshold; ``scores`` of each image by raw id and number."""
        monkeypatch.setattr(np, "in1d", np.isin, raising=False)
        official = importlib.import_module("cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling")
        results = self.folder / "results"
        results.mkdir()
        for name, value in (("predictionPath", str(results)), ("predictionWalk", None), ("quiet", True)):
            monkeypatch.setattr(official.args, name, value)
        official.setInstanceLabels(official.args)
        names, truths = list(official.args.instLabels), list(map(str, self.paths["gtFine"]))
        texts = [
            self._write_masks(results, path, given) for path, given in zip(self.paths["found"], scores, strict=True)
        ]
        known = official.instances2dict(truths)
        matches = official.matchGtWithPreds(texts, truths, known, official.args)
        found = {}
        for name in names:
            monkeypatch.setattr(official.args, "instLabels", [name])
            try:
                found[name] = official.evaluateMatches(matches, official.args)[0, 0]
            except IndexError:  # the script stumbles over a class of which all predictions are ignored
                found[name] = None
        return found

    @staticmethod
    def _write_masks(folder, path, scores):
        raw, number = read_cityscapes(path, SPACE)
        stem, lines = path.stem.removesuffix("_gtFine_instanceIds"), []
        for key in np.unique(raw[number > 0].astype(int) * 2000 + number[number > 0]).tolist():
            mask = (raw == key // 2000) & (number == key % 2000)
            cv2.imwrite(str(folder / f"{stem}_{key}.png"), mask.astype(np.uint8) * 255)
            lines.append(f"{stem}_{key}.png {key // 2000} {scores.get((key // 2000, key % 2000), 1.0)}\n")
        (folder / f"{stem}.txt").write_text("".join(lines))
        return str(folder / f"{stem}.txt")


@pytest.fixture
def official(tmp_path):
    """Makes an :class:`Official` of pairs of panoptic maps."""
    numbers = itertools.count()
    return lambda images: Official(tmp_path / str(next(numbers)), images)


THINGS = [entry.id for entry in SPACE.classes if entry.thing]


def street(rng, height=60, width=80):
    """A pair of panoptic maps: objects of one pixel to some hundreds, groups, all kinds of void, and what a network
    might make of them: shifted, split, merged, of another class, gone.
    """
    raw = rng.choice([0, 3, 4, 7, 8, 11, 21, 23], (height // 20, width // 20)).repeat(20, 0).repeat(20, 1)
    number = np.zeros(raw.shape, int)
    for count in range(int(rng.integers(0, 40))):
        top, left = rng.integers(0, height), rng.integers(0, width)
        tall, wide = (int(rng.choice([1, 2, 5, 10, 12, 15])) for _ in range(2))
        area = np.s_[top : top + tall, left : left + wide]
        raw[area] = rng.choice([0, 7, *THINGS, 24, 26, 26, 26])
        number[area] = 0 if rng.random() < 0.2 else count + 1
    number[~np.isin(raw, THINGS)] = 0
    found, found_number = raw.copy(), number.copy()
    for _ in range(int(rng.integers(0, 12))):
        top, left = rng.integers(0, height), rng.integers(0, width)
        tall, wide = (int(rng.integers(1, 12)) for _ in range(2))
        area = np.s_[top : top + tall, left : left + wide]
        found[area] = rng.choice([0, 7, 24, 26, 26, 29])
        found_number[area] = rng.integers(0, 60)
    shift = tuple(rng.integers(-2, 3, 2).tolist())
    found, found_number = (np.roll(values, shift, (0, 1)) for values in (found, found_number))
    found_number[~np.isin(found, THINGS)] = 0
    pair = ((found, found_number), (raw, number))
    return tuple((ids.astype(np.uint8), numbers.astype(np.uint16)) for ids, numbers in pair)


def panoptic(raw, number=0, shape=None):
    """Raw ids and numbers with the dtypes of the readers; spread to ``shape`` where that is given."""
    maps = np.asarray(raw, np.uint8), np.asarray(number, np.uint16)
    size = np.broadcast_shapes(*(values.shape for values in maps)) if shape is None else shape
    return tuple(np.broadcast_to(values, size).copy() for values in maps)


def hard_cases():
    """Pairs (prediction, truth) at the edges of the definitions, by name."""
    rng, size = np.random.default_rng(0), (40, 60)
    rows, columns = np.indices(size)
    grid = rows // 2 * 30 + columns // 2 + 1  # 600 objects of 4 pixels
    road, void, cars = panoptic(7, 0, size), panoptic(0, 0, size), panoptic(26, columns // 20 + 1)
    group = panoptic(26, np.where(columns < 30, 0, 1))
    left = panoptic(np.where(columns < 20, 26, 7), columns < 20)
    dots = panoptic(np.where((rows + columns) % 5 == 0, 24, 7), np.where((rows + columns) % 5 == 0, grid, 0))
    halves = panoptic(np.where(columns < 30, 26, 0), np.where(columns < 30, 1, 0))
    caravans = panoptic(np.where(columns < 45, 29, 7), np.where(columns < 30, 1, 0))
    many, other = panoptic(24, grid), panoptic(24, rng.permutation(601)[grid])
    large = panoptic(np.where(rows < 20, 24, 26), np.where(rows < 20, rows // 2 * 6 + columns // 10 + 1, 0))
    most = panoptic(np.where(columns < 58, 26, 7), np.where(columns < 58, columns // 20 + 1, 0))
    return {
        "only stuff": (road, panoptic(np.where(rows < 20, 7, 8))), "only void": (void, void),
        "void predicted": (void, cars), "void in truth": (cars, void), "crowds": (cars, group),
        "a crowd alone": (cars, panoptic(26, 0, size)), "things without number": (group, cars),
        "half on void": (left, halves), "on unevaluated objects": (cars, caravans), "as such": (caravans, cars),
        "one-pixel objects": (dots, road), "single pixels missed": (road, dots), "600 objects": (other, many),
        "some of 600": (panoptic(24, np.where(rows < 20, grid, 0)), many), "small ones": (large, many),
        "below and above 100": (cars, most), "equal": (many, many), "large and many": (many, large),
        "small group": (panoptic(np.where(columns < 30, 24, 7), columns < 30),
                        panoptic(np.where((columns < 2) & (rows < 30), 24, np.where(columns < 19, 3, 7)))),
    }  # fmt: skip


@pytest.fixture(name="street", scope="session")
def give_street():
    """:func:`street`."""
    return street


@pytest.fixture(name="panoptic", scope="session")
def give_panoptic():
    """:func:`panoptic`."""
    return panoptic


@pytest.fixture(name="hard_cases", scope="session")
def give_hard_cases():
    """:func:`hard_cases`."""
    return hard_cases()
