"""The folder that `seglift streets` writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.cli.main import main
from seglift.datasets.streets import StreetConfig, render_street, write_streets
from seglift.datasets.streets.writing import clip_config
from seglift.labels.space_file import get_space

pytest.importorskip("embreex")

CONFIG = StreetConfig(frames=2, height=48, width=96, seed=4)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("streets") / "data"
    write_streets(out, 2, CONFIG, val=1, motion=True, quiet=True)
    return out


def test_layout_and_content(written: Path) -> None:
    for folder, suffix in (("images", ".png"), ("labels", ".png"), ("instances", ".png"), ("motion", ".npz")):
        names = [str(path.relative_to(written / folder)) for path in sorted((written / folder).rglob(f"*{suffix}"))]
        places = ("train/daylight_0000", "val/daylight_0001")
        assert names == [f"{place}/{stem}{suffix}" for place in places for stem in ("000000", "000001")]
    frame = next(iter(render_street(clip_config(CONFIG, 1))))
    place = "val/daylight_0001/000000"
    image = cv2.imread(str(written / "images" / f"{place}.png"), cv2.IMREAD_COLOR)
    labels = cv2.imread(str(written / "labels" / f"{place}.png"), cv2.IMREAD_UNCHANGED)
    instances = cv2.imread(str(written / "instances" / f"{place}.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(image[..., ::-1], frame.image)
    assert labels.dtype == np.uint8 and np.array_equal(labels, frame.labels)
    assert instances.dtype == np.uint16 and np.array_equal(instances, frame.instances)
    with np.load(written / "motion" / f"{place}.npz") as motion:
        assert np.array_equal(motion["flow_to_next"], frame.flow_to_next)
        assert np.array_equal(motion["hidden_in_previous"], frame.hidden_in_previous)


def test_the_space_is_cityscapes_and_knows_every_id(written: Path) -> None:
    space = get_space(str(written / "space.yaml"))
    assert space.ids == get_space("cityscapes").ids
    assert space.train_names == get_space("cityscapes").train_names
    for path in (written / "labels").rglob("*.png"):
        space.encode(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), str(path))


def test_an_interrupted_run_goes_on_to_the_same_bytes(written: Path, tmp_path: Path) -> None:
    whole = tree(written)
    out = tmp_path / "data"
    for name, content in whole.items():
        if not name.endswith(("val/daylight_0001/000001.png", "motion/val/daylight_0001/000000.npz")):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(content)
    write_streets(out, 2, CONFIG, val=1, motion=True, quiet=True)
    assert tree(out) == whole


def test_folders_with_other_content_are_refused(tmp_path: Path, written: Path) -> None:
    with pytest.raises(UserError, match="--overwrite"):
        write_streets(written, 1, CONFIG, val=0, quiet=True)
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        write_streets(tmp_path, 1, CONFIG, overwrite=True, quiet=True)
    with pytest.raises(UserError, match="is a file"):
        write_streets(tmp_path / "holiday.txt", 1, CONFIG, quiet=True)
    with pytest.raises(UserError, match="expected"):
        write_streets(tmp_path / "new", 1, CONFIG, val=2, quiet=True)
    assert (tmp_path / "holiday.txt").read_text() == "mine"


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    small = ["--clips", "1", "--val", "0", "--frames", "1", "--height", "32", "--width", "64"]
    assert main(["streets", str(out), *small]) == 0
    assert main(["streets", str(out), *small, "--seed", "3"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("seglift: error: ") and "--overwrite" in error
    assert main(["streets", str(out), *small, "--seed", "3", "--overwrite", "--style", "game"]) == 0
    assert [path.name for path in (out / "images" / "train").iterdir()] == ["game_0000"]
