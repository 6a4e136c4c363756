"""Everything a user may get wrong is told in one line; what can be left out is, when asked for."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

IMAGES = "images/train"


def test_an_unreadable_neighbour(exact, synthesize, result, root, tmp_path):
    (root / IMAGES / "a/f06.png").write_bytes(b"nothing")
    error = synthesize().error
    assert str(root / IMAGES / "a/f06.png") in error and error.endswith("--skip-corrupt leaves out what cannot be used")
    ran = synthesize("--skip-corrupt").done()
    assert result().targets() == [
        ("a_f04", -3, "f01"), ("a_f04", -1, "f03"), ("a_f04", 1, "f05"),
        *(("b_f04", k, f"f{4 + k:02d}") for k in (-3, -1, 1, 3)),
    ]  # fmt: skip
    listed = (tmp_path / "out/skipped.txt").read_text()
    assert listed.count("\n") == 1 and str(root / IMAGES / "a/f06.png") in listed
    assert "unreadable files left out: 1, listed in skipped.txt; that makes 1 pair fewer" in ran.err
    # Without the permission the same folder is refused again; mended, all is there.
    ran = synthesize()
    assert ran.status == 2 and "f06.png is no image" in ran.err
    shutil.copy(root / IMAGES / "a/f05.png", root / IMAGES / "a/f06.png")
    synthesize("--skip-corrupt").done()
    assert len(result().pairs) == 8 and not (tmp_path / "out/skipped.txt").exists()


def test_a_neighbour_of_another_size(exact, synthesize, result, root):
    Image.fromarray(np.zeros((20, 28, 3), np.uint8)).save(root / IMAGES / "b/f03.png")
    error = synthesize().error
    assert "b/f03.png is 28x20" in error and "b/f04.png that it belongs to is 56x40" in error
    synthesize("--skip-corrupt").done()
    assert [pair["k"] for pair in result().pairs] == [-3, -1, 1, 3, 1, 3]


@pytest.mark.parametrize("kind", ["images", "labels", "instances"])
def test_an_unreadable_labelled_frame(exact, synthesize, result, root, kind):
    path = root / f"{kind}/train/a/f04.png"
    path.write_bytes(b"nothing")
    assert str(path) in synthesize().error
    assert str(path) in synthesize("--dry-run").error
    assert "frames of 56x40" in synthesize("--dry-run", "--skip-corrupt").done().out
    synthesize("--skip-corrupt").done()
    assert {pair["source_frame"] for pair in result().pairs} == {"b_f04"}


def test_a_label_of_another_size_or_with_unknown_ids(exact, synthesize, root):
    label = root / "labels/train/a/f04.png"
    Image.fromarray(np.full((20, 28), 7, np.uint8)).save(label)
    assert "f04.png is 28x20" in synthesize().error
    Image.fromarray(np.full((40, 56), 99, np.uint8)).save(label)
    ran = synthesize()
    assert ran.status == 2 and "ids that label space cityscapes lacks: 99" in ran.err


def test_a_missing_frame_on_the_way(exact, synthesize, result, root, moving, tmp_path, monkeypatch):
    from seglift.datasets.folder import ClipNeighbours

    call = ClipNeighbours.__call__
    monkeypatch.setattr(
        ClipNeighbours, "__call__", lambda self, item, offset: None if offset == 2 else call(self, item, offset)
    )
    ran = synthesize().done()
    assert "2 because a frame on the way is missing" in ran.err
    assert [pair["k"] for pair in result().pairs] == [-3, -1, 1] * 2


def test_repeated_frames_are_told(exact, synthesize, root):
    shutil.copy(root / IMAGES / "a/f05.png", root / IMAGES / "a/f06.png")
    ran = synthesize().done()
    assert "exact copies of the frame beside them: 1 neighbour (" in ran.err


def test_no_neighbours(exact, synthesize, root, run, tmp_path):
    assert "choose smaller --distances" in synthesize("--distances", "50").error
    for clip in "ab":
        for path in (root / IMAGES / clip).glob("*.png"):
            if path.stem != "f04":
                path.unlink()
    error = synthesize().error
    assert "none of the 2 labelled frames of folder train" in error and "images/SPLIT/CLIP" in error
    shutil.rmtree(root / "labels")
    assert "has no label" in synthesize().error


def test_cityscapes_without_its_video(run, moving, tmp_path):
    image, ids, _ = moving.world(0)
    stem = "bonn/bonn_000000_000019"
    moving.save(tmp_path / f"city/leftImg8bit/train/{stem}_leftImg8bit.png", moving.part(image, 0))
    moving.save(tmp_path / f"city/gtFine/train/{stem}_gtFine_labelIds.png", moving.part(ids, 0))
    words = ["synthesize", "cityscapes", "--root", tmp_path / "city", "--method", "motion", "--distances", "2"]
    assert "unpack leftImg8bit_sequence beside leftImg8bit" in run(*words, "--out", tmp_path / "out").error


def test_cityscapes_with_its_video(exact, run, result, moving, tmp_path):
    image, ids, instances = moving.world(0)
    stem = "bonn/bonn_000000_0000"
    moving.save(tmp_path / f"city/leftImg8bit/train/{stem}19_leftImg8bit.png", moving.part(image, 4))
    moving.save(tmp_path / f"city/gtFine/train/{stem}19_gtFine_labelIds.png", moving.part(ids, 4))
    moving.save(tmp_path / f"city/gtFine/train/{stem}19_gtFine_instanceIds.png", moving.part(instances, 4))
    for index in range(moving.frames):
        place = tmp_path / f"city/leftImg8bit_sequence/train/{stem}{15 + index}_leftImg8bit.png"
        moving.save(place, moving.part(image, index))
        moving.save(tmp_path / f"truth/bonn/{place.stem[:-12]}_gtFine_labelIds.png", moving.part(ids, index))
    words = ["synthesize", "cityscapes", "--root", tmp_path / "city", "--method", "motion", "--distances", "2"]
    run(*words, "--out", tmp_path / "out").done()
    assert result().targets() == [
        ("bonn_000000_000019", -2, "bonn_000000_000017_leftImg8bit"),
        ("bonn_000000_000019", 2, "bonn_000000_000021_leftImg8bit"),
    ]
    assert result().pairs[0]["instances"].endswith("bonn_000000_000019/bonn_000000_000017_leftImg8bit.png")
    ran = run("score", tmp_path / "out", tmp_path / "truth", "--space", "cityscapes").done()
    assert ran.out.startswith("2 frames: mIoU")


def test_stills(run, moving, tmp_path):
    for number in range(3):
        image, ids, _ = moving.world(number)
        moving.save(tmp_path / f"bdd/seg/images/train/{number}.jpg", moving.part(image, 0))
        moving.save(tmp_path / f"bdd/seg/labels/train/{number}_train_id.png", np.zeros_like(moving.part(ids, 0)))
    words = ["synthesize", "bdd100k", "--root", tmp_path / "bdd", "--method", "motion", "--distances", "2"]
    assert "bdd100k is of stills, video is needed" in run(*words, "--out", tmp_path / "out").error


def test_nan_flow(exact, synthesize, monkeypatch):
    monkeypatch.setattr(exact.__class__, "__call__", lambda *_: np.nan * __import__("torch").ones(1, 2, 40, 56))
    for more in ((), ("--no-confidence",), ("--dry-run",)):
        assert "NaN or infinite flow" in synthesize(*more).error


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--distances", "0"), "--distances is '0'"),
        (("--distances", "1,1"), "names 1 twice"),
        (("--method", "auto"), "--method is 'auto', one of motion, semantic, inpaint, refine"),
        (("--method", "refine"), "--method refine needs a segmentation model"),
        (("--refiner", "r"), "--refiner r is of no use to --method motion"),
        (("--motion", "spark"), "motion 'spark' is unknown"),
        (("--motion", "sdcnet:nowhere"), "nowhere"),
        (("--split", "test"), "is 'test', one of train"),
        (("--option", "every"), "--option 'every' is not NAME=VALUE"),
        (("--option", "color=red"), "has no option 'color'"),
        (("--option", "first=2"), "first is 2 without every"),
        (("--workers", "0"), "--workers is 0"),
        (("--spread", "3"), "unknown option --spread"),
    ],
)
def test_bad_words(synthesize, more, message, tmp_path):
    assert message in synthesize(*more).error
    assert not (tmp_path / "out").exists()


def test_an_unknown_dataset_or_root(run, tmp_path, root):
    words = ["--method", "motion", "--distances", "2", "--out", tmp_path / "out"]
    assert "no dataset is called 'citiscapes'" in run("synthesize", "citiscapes", "--root", root, *words).error
    assert "does not exist" in run("synthesize", "folder", "--root", tmp_path / "nowhere", *words).error
    assert "required: --root, --method" in run("synthesize", "folder").error


def test_help_names_every_option(run):
    from seglift.workflows.synthesize.config import SynthesizeConfig

    text = run("synthesize", "--help").out
    for name in SynthesizeConfig.__dataclass_fields__:
        shown = {"options": "option", "confidence": "no-confidence", "dataset": "DATASET", "scene_cuts": "cuts"}.get(
            name, name
        )
        assert shown.replace("_", "-") in text


def test_a_dataset_that_was_itself_synthesized(exact, synthesize, root, tmp_path, run):
    synthesize().done()
    words = (
        "folder",
        "--root",
        tmp_path / "out",
        "--method",
        "motion",
        "--distances",
        "1",
        "--out",
        tmp_path / "again",
    )
    assert "was itself synthesized" in run("synthesize", *words).error
    assert not (tmp_path / "again").exists()
