"""Cityscapes in its published layout, with and without the folders that its archives leave."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglift.base.errors import UserError
from seglift.datasets.cityscapes import TRAIN_CITIES, VAL_CITIES, cv_cities, open_cityscapes

LABEL = np.tile(np.array([0, 1, 3, 7, 26, 33, 23, 11], np.uint8), (8, 2))


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def add(
    root: Path,
    split: str,
    name: str,
    labels: str = "gtFine",
    instances: bool = True,
    frames: tuple[int, ...] = (),
    wrap: tuple[str, str] = ("", ""),
) -> None:
    """One labelled frame with its neighbours."""
    city, seq, frame = name.split("_")
    picture = np.full((8, 16, 3), 100, np.uint8)
    save(root / wrap[0] / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", picture)
    if labels:
        save(root / wrap[1] / f"{labels}/{split}/{city}/{name}_{labels}_labelIds.png", LABEL)
        save(root / wrap[1] / f"{labels}/{split}/{city}/{name}_{labels}_color.png", picture)
        if instances:
            save(root / wrap[1] / f"{labels}/{split}/{city}/{name}_{labels}_instanceIds.png", LABEL.astype(np.uint16))
    for offset in frames:
        neighbour = f"{city}_{seq}_{int(frame) + offset:06d}_leftImg8bit.png"
        save(root / f"leftImg8bit_sequence/{split}/{city}/{neighbour}", np.full((8, 16, 3), 100 + offset, np.uint8))


def names(root: Path, split: str, **options: object) -> list[str]:
    return [item.name for item in open_cityscapes(root, split, **options).items]


@pytest.mark.parametrize("wrap", [("", ""), ("leftImg8bit_trainvaltest", "gtFine_trainvaltest")])
def test_fine_labels(tmp_path: Path, wrap: tuple[str, str]) -> None:
    add(tmp_path, "train", "zurich_000010_000019", wrap=wrap)
    add(tmp_path, "train", "aachen_000002_000019", wrap=wrap, instances=False)
    add(tmp_path, "train", "aachen_000010_000019", wrap=wrap)
    dataset = open_cityscapes(tmp_path)
    assert (dataset.name, dataset.split, dataset.space.name) == ("cityscapes", "train", "cityscapes")
    assert (dataset.notes, dataset.problems, dataset.instance_encoding) == ((), (), "cityscapes")
    assert [item.name for item in dataset.items] == [
        "aachen_000002_000019",
        "aachen_000010_000019",
        "zurich_000010_000019",
    ]
    item = dataset.items[1]
    assert item.image.read().shape == (8, 16, 3)
    assert item.label is not None
    assert (dataset.space.decode(item.label.read()) == LABEL).all()
    assert dataset.space.to_train(item.label.read())[0, :8].tolist() == [255, 255, 255, 0, 13, 18, 10, 2]
    assert dataset.items[0].instances is None
    assert item.instances is not None
    assert item.instances.name == "aachen_000010_000019_gtFine_instanceIds.png"


def test_what_stands_alone_is_a_problem(tmp_path: Path) -> None:
    add(tmp_path, "train", "aachen_000000_000019")
    add(tmp_path, "train", "aachen_000001_000019", labels="")
    add(tmp_path, "train", "bochum_000001_000019")
    (tmp_path / "leftImg8bit/train/bochum/bochum_000001_000019_leftImg8bit.png").unlink()
    dataset = open_cityscapes(tmp_path)
    assert len(dataset) == 1
    assert len(dataset.problems) == 2
    assert "1 image of" in dataset.problems[0] and "aachen_000001_000019" in dataset.problems[0]
    assert "1 label of" in dataset.problems[1] and "bochum_000001_000019" in dataset.problems[1]


def test_wrong_roots(tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    with pytest.raises(UserError, match=r"looked for leftImg8bit/train .*found something"):
        open_cityscapes(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        open_cityscapes(tmp_path / "absent")
    add(tmp_path, "train", "aachen_000000_000019", labels="")
    with pytest.raises(UserError, match="looked for gtFine/train"):
        open_cityscapes(tmp_path)
    with pytest.raises(UserError, match=r"found train in .*leftImg8bit"):
        open_cityscapes(tmp_path, "val")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"split": "tests"}, "train, val, test, train_extra, trainval"),
        ({"labels": "rough"}, "fine, coarse, none"),
        ({"cv": 4}, "0 to 3"),
        ({"cv": 1, "split": "trainval"}, "train or val alone"),
        ({"split": "train_extra"}, "no fine labels"),
    ],
)
def test_impossible_options(tmp_path: Path, options: dict[str, object], what: str) -> None:
    with pytest.raises(UserError, match=what):
        open_cityscapes(tmp_path, **options)


def test_coarse_labels_and_train_extra(tmp_path: Path) -> None:
    add(tmp_path, "train", "aachen_000000_000019", labels="gtCoarse", wrap=("", "gtCoarse"))
    add(tmp_path, "train_extra", "troisdorf_000000_000073", labels="", wrap=("leftImg8bit_trainextra", ""))
    extra = ("leftImg8bit_trainextra", "gtCoarse")
    add(tmp_path, "train_extra", "troisdorf_000000_000103", labels="gtCoarse", wrap=extra)
    coarse = open_cityscapes(tmp_path, labels="coarse")
    assert coarse.items[0].instances is not None
    assert coarse.items[0].instances.name.endswith("_gtCoarse_instanceIds.png")
    dataset = open_cityscapes(tmp_path, "train_extra", labels="coarse")
    assert [item.name for item in dataset.items] == ["troisdorf_000000_000103"]
    assert "troisdorf_000000_000073" in dataset.notes[0]
    assert "damaged as published" in dataset.notes[0]
    assert dataset.problems == ()
    assert names(tmp_path, "train_extra", labels="none") == ["troisdorf_000000_000073", "troisdorf_000000_000103"]


def test_test_split_has_labels_only_where_published(tmp_path: Path) -> None:
    add(tmp_path, "test", "berlin_000000_000019", labels="")
    dataset = open_cityscapes(tmp_path, "test")
    assert [item.label for item in dataset.items] == [None]
    add(tmp_path, "test", "berlin_000001_000019")
    assert [item.name for item in open_cityscapes(tmp_path, "test").items if item.label] == ["berlin_000001_000019"]


def test_neighbours_of_the_snippet(tmp_path: Path) -> None:
    frames = (-20, -19, -2, -1, 0, 1, 10, 11)
    add(tmp_path, "train", "hanover_000000_006922", frames=frames)
    add(tmp_path, "val", "lindau_000000_000019")
    dataset = open_cityscapes(tmp_path, "trainval")
    item, other = dataset.items
    found = [offset for offset in range(-25, 16) if dataset.neighbour(item, offset) is not None]
    assert found == [-19, -2, -1, 0, 1, 10]
    source = dataset.neighbour(item, -2)
    assert source is not None
    assert (source.read() == 98).all()
    assert dataset.neighbour(item, 0) is item.image
    assert dataset.neighbour(other, 1) is None
    assert (item.clip, other.clip) == ("hanover_000000_006903", "lindau_000000_000000")
    assert pickle.loads(pickle.dumps(dataset)).neighbour(item, 1) is not None


def test_cv_folds_are_those_of_the_released_code() -> None:
    assert cv_cities(0) == (frozenset(TRAIN_CITIES), frozenset(VAL_CITIES))
    assert cv_cities(1)[1] == {"darmstadt", "dusseldorf", "erfurt"}
    assert cv_cities(2)[1] == {"monchengladbach", "strasbourg", "stuttgart"}
    counts = {
        **{"aachen": 174, "bochum": 96, "bremen": 316, "cologne": 154, "darmstadt": 85, "dusseldorf": 221},
        **{"erfurt": 109, "hamburg": 248, "hanover": 196, "jena": 119, "krefeld": 99, "monchengladbach": 94},
        **{"strasbourg": 365, "stuttgart": 196, "tubingen": 144, "ulm": 95, "weimar": 142, "zurich": 122},
        **{"frankfurt": 267, "lindau": 59, "munster": 174},
    }
    sizes = [[sum(counts[city] for city in part) for part in cv_cities(cv)] for cv in range(4)]
    assert sizes == [[2975, 500], [3060, 415], [2820, 655], [3475, 500]]


def test_cv_splits_draw_from_both_folders(tmp_path: Path) -> None:
    for city in ("aachen", "darmstadt", "stuttgart"):
        add(tmp_path, "train", f"{city}_000000_000019")
    add(tmp_path, "val", "munster_000000_000019")
    cities = {
        (cv, split): [name.split("_")[0] for name in names(tmp_path, split, cv=cv)]
        for cv in range(4)
        for split in ("train", "val")
    }
    assert cities == {
        (0, "train"): ["aachen", "darmstadt", "stuttgart"],
        (0, "val"): ["munster"],
        (1, "train"): ["aachen", "munster", "stuttgart"],
        (1, "val"): ["darmstadt"],
        (2, "train"): ["aachen", "darmstadt", "munster"],
        (2, "val"): ["stuttgart"],
        (3, "train"): ["aachen", "darmstadt", "munster", "stuttgart"],
        (3, "val"): ["munster"],
    }


def test_fold_without_its_cities(tmp_path: Path) -> None:
    add(tmp_path, "train", "aachen_000000_000019")
    add(tmp_path, "val", "munster_000000_000019")
    with pytest.raises(UserError, match="no image of Cityscapes val with cv 1"):
        open_cityscapes(tmp_path, "val", cv=1)
