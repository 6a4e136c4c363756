from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.datasets.coarsen import coarsen, labelled_share
from seglift.datasets.dataset import Dataset, ImageFile, Item, LabelFile
from seglift.datasets.derived import Resized
from seglift.datasets.folder import open_folder
from seglift.datasets.streets.config import StreetConfig
from seglift.datasets.streets.writing import write_streets
from seglift.workflows.coarse_to_fine import coarse_labels
from seglift.workflows.coarse_to_fine.coarse_labels import CoarseConfig, check_reachable, write_coarse_labels


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two clips of three frames."""
    root = tmp_path_factory.mktemp("town")
    write_streets(root, 2, StreetConfig(width=192, height=112, frames=3, seed=5), val=0, quiet=True)
    return open_folder(root)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Strengths of the labels that the writer makes."""
    made: list[float] = []

    def counting(label: np.ndarray, space: object, strength: float) -> np.ndarray:
        made.append(strength)
        return coarsen(label, space, strength)  # type: ignore[arg-type]

    monkeypatch.setattr(coarse_labels, "coarsen", counting)
    return made


CONFIG = CoarseConfig(target=0.7)


def test_a_dataset_with_coarse_labels(town: Dataset, tmp_path: Path) -> None:
    record = write_coarse_labels(tmp_path, town, CONFIG, quiet=True)
    found = open_folder(tmp_path)
    assert found.space.classes == town.space.classes
    assert [(item.name, item.clip) for item in found.items] == [(item.name, item.clip) for item in town.items]
    shares = []
    for item, original in zip(found.items, town.items, strict=True):
        assert isinstance(item.image, ImageFile) and isinstance(original.image, ImageFile)
        assert item.image.path.samefile(original.image.path)
        assert item.label is not None and original.label is not None
        coarse, fine = item.label.read(), original.label.read()
        np.testing.assert_array_equal(coarse, coarsen(fine, town.space, record.strength))
        shares.append(labelled_share(coarse, town.space))
    assert record.images == 6 and record.share == pytest.approx(np.mean(shares))
    assert record.share == record.sample_share == pytest.approx(0.7, abs=5e-3)
    told = json.loads((tmp_path / "coarse.json").read_text())
    assert told["target"] == 0.7 and told["strength"] == record.strength and told["source"] == record.source


def test_nothing_is_made_twice(town: Dataset, tmp_path: Path, counted: list[float]) -> None:
    first = write_coarse_labels(tmp_path, town, CONFIG, quiet=True)
    assert len(counted) == 6
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert write_coarse_labels(tmp_path, town, CONFIG, quiet=True) == first
    assert len(counted) == 6
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_file_that_is_gone_is_made_again(town: Dataset, tmp_path: Path, counted: list[float], kind: str) -> None:
    write_coarse_labels(tmp_path, town, CONFIG, quiet=True)
    gone = next(path for path in sorted((tmp_path / kind).rglob("*")) if path.is_file())
    content = gone.read_bytes()
    gone.unlink()
    counted.clear()
    write_coarse_labels(tmp_path, town, CONFIG, quiet=True)
    assert len(counted) == 1 and gone.read_bytes() == content


def test_an_interrupted_call_goes_on(
    town: Dataset, tmp_path: Path, counted: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_coarse_labels(tmp_path / "whole", town, CONFIG, quiet=True)
    write, left = coarse_labels.write_png, [2]

    def failing(path: Path, array: np.ndarray) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise UserError("the disk is full")
        write(path, array)

    counted.clear()
    with monkeypatch.context() as patch:
        patch.setattr(coarse_labels, "write_png", failing)
        with pytest.raises(UserError, match="full"):
            write_coarse_labels(tmp_path / "cut", town, CONFIG, quiet=True)
        patch.setattr(coarse_labels, "write_png", write)
        patch.setattr(coarse_labels, "calibrate", None)  # the strength is known already
        counted.clear()
        assert write_coarse_labels(tmp_path / "cut", town, CONFIG, quiet=True) == whole
    assert len(counted) == 4
    for path in (tmp_path / "whole").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_another_target_or_source_takes_its_place(town: Dataset, tmp_path: Path) -> None:
    first = write_coarse_labels(tmp_path, town, CONFIG, quiet=True)
    second = write_coarse_labels(tmp_path, town, CoarseConfig(target=0.75), quiet=True)
    assert second.strength < first.strength
    third = write_coarse_labels(tmp_path, replace(town, items=town.items[:2]), CoarseConfig(target=0.75), quiet=True)
    assert third.source != second.source and third.images == 2
    assert [item.name for item in open_folder(tmp_path).items] == [item.name for item in town.items[:2]]


def test_the_sample_follows_the_seed(town: Dataset, tmp_path: Path) -> None:
    records = [
        write_coarse_labels(tmp_path / str(n), town, CoarseConfig(0.7, sample=2, seed=seed), quiet=True)
        for n, seed in enumerate((0, 0, 1))
    ]
    assert records[0] == records[1] and records[0].sample_images == 2
    assert records[0].strength != records[2].strength


def test_stills_and_pictures_that_are_no_files(town: Dataset, tmp_path: Path) -> None:
    item = town.items[0]
    assert item.label is not None
    items = (
        Item("lone", Resized(item.image, 96), Resized(item.label, 96)),
        replace(item, name="elsewhere_1", clip="here"),
        replace(item, name="unlabelled", label=None),
    )
    write_coarse_labels(tmp_path, replace(town, items=items), CONFIG, quiet=True)
    found = open_folder(tmp_path)
    assert [(one.name, one.clip) for one in found.items] == [("elsewhere_1", None), ("lone", None)]
    np.testing.assert_array_equal(found.items[1].image.read(), items[0].image.read())


def test_what_is_refused(town: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no labelled image in split train"):
        write_coarse_labels(tmp_path / "a", replace(town, items=()), CONFIG)
    with pytest.raises(UserError, match=r"can be coarsened to"):
        write_coarse_labels(tmp_path / "b", town, CoarseConfig(target=0.01))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="holds other files"):
        write_coarse_labels(tmp_path / "c", town, CONFIG)
    for arguments in ({"target": 1.0}, {"target": 63.0}, {"sample": 0}):
        with pytest.raises(UserError, match=next(iter(arguments))):
            CoarseConfig(**arguments)  # type: ignore[arg-type]


def broken(town: Dataset, tmp_path: Path, *numbers: int) -> Dataset:
    """The town with some labels that cannot be read."""
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    label = LabelFile(path, town.space)
    items = [replace(item, label=label) if n in numbers else item for n, item in enumerate(town.items)]
    return replace(town, items=tuple(items))


def test_unreadable_labels_are_named_or_left_out(town: Dataset, tmp_path: Path) -> None:
    part = broken(town, tmp_path, 1)
    with pytest.raises(UserError, match=r"broken\.png.*--skip-corrupt leaves such images out"):
        write_coarse_labels(tmp_path / "a", part, CONFIG, quiet=True)
    record = write_coarse_labels(tmp_path / "a", part, CONFIG, quiet=True, skip_corrupt=True)
    assert record.images == record.sample_images == 5 and len(open_folder(tmp_path / "a").items) == 5
    assert "broken.png" in (tmp_path / "a" / "skipped.txt").read_text()
    with pytest.raises(UserError, match="no labels to coarsen"):
        write_coarse_labels(tmp_path / "b", broken(town, tmp_path, *range(6)), CONFIG, quiet=True, skip_corrupt=True)
    write_coarse_labels(tmp_path / "a", town, CONFIG, quiet=True)
    assert not (tmp_path / "a" / "skipped.txt").exists()


def test_what_is_out_of_reach_is_known_beforehand(
    town: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_reachable(town, CONFIG)
    for target in (0.05, 0.99):
        with pytest.raises(UserError, match="can be coarsened to") as known:
            check_reachable(town, CoarseConfig(target=target))
        with pytest.raises(UserError) as found:
            write_coarse_labels(tmp_path / str(target), town, CoarseConfig(target=target), quiet=True)
        assert str(known.value) == str(found.value)
    with pytest.raises(UserError, match=r"broken\.png"):
        check_reachable(broken(town, tmp_path, 2), CONFIG)
    check_reachable(broken(town, tmp_path, 2), CONFIG, skip_corrupt=True)
    monkeypatch.setattr(coarse_labels, "check_reach", None)  # few labels are enough
    check_reachable(town, CONFIG)


def test_what_is_done_is_said(town: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_coarse_labels(tmp_path, town, CONFIG)
    said = capsys.readouterr().err
    assert "finding how much 6 labels must shrink" in said and "coarse labels: 6/6 labels" in said
