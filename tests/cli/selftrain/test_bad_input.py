"""What a user of ``seglift selftrain`` can do wrong: status 2 and one line."""

from __future__ import annotations

import shutil

import pytest
import yaml

from seglift.cli.main import main


@pytest.fixture
def error(selftrain, tmp_path, capsys):
    """Runs and gives the one line of the error."""

    def error(recipe, *more, out=None):
        status = selftrain(recipe, out or tmp_path / "out", *more)
        lines = capsys.readouterr().err.splitlines()
        assert status == 2 and lines[-1].startswith("seglift: error: "), lines
        assert "Traceback" not in "".join(lines)
        return lines[-1]

    return error


TOWN = {"dataset": "folder", "name": "town"}
PAIR = [{"dataset": "folder", "name": "town", "options": {"every": 3, "first": 1}}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rounds": -1}, "rounds is -1"),
        ({"round": 2}, "unknown name round; did you mean rounds?"),
        ({"teacher": None}, "teacher is null"),
        ({"labelled": []}, "labelled is empty"),
        ({"unlabelled": []}, "unlabelled is empty"),
        ({"seeds": [1, 1]}, "each once"),
        ({"share": 0}, "share is 0"),
        ({"mix": 1.0}, "mix is 1.0"),
        ({"fine_tune": {"steps": 0}}, "fine_tune.steps is 0"),
        ({"fine_tune": {"stepz": 1}}, "unknown name fine_tune.stepz"),
        ({"test": None}, "neither val nor test"),
        ({"labelled": [{**TOWN, "share": 1.5}]}, "share of town is 1.5"),
        ({"unlabelled": [{**TOWN, "frames": "x"}]}, "one of dataset and frames"),
        ({"unlabelled": [{"frames": "x", "before": 2}]}, "frames have no options, before"),
        ({"unlabelled": [TOWN, TOWN]}, "two sources are called town"),
        ({"unlabelled": PAIR, "labelled_frames": False, "labelled": [TOWN]}, "no frame beside those"),
        ({"void_classes": ["egg vehicle"]}, "void_classes has 'egg vehicle'"),
        ({"void_classes": ["disc"]}, "expected void classes of town (ego vehicle, void)"),
        ({"labelling": {"scales": []}}, "scales is ()"),
        ({"teacher": "nowhere.yaml"}, "nowhere.yaml"),
        ({"teacher": "auto"}, "teacher is 'auto'"),
        ({"teacher": "nowhere"}, "neither a recipe (.yaml) nor a file or folder of weights"),
        ({"student": "runs/x"}, "student is 'runs/x'"),
        ({"student": []}, "student lists recipes"),
        ({"student": {"kind": "video_prediction"}}, "expected one of segmentation, panoptic"),
        ({"student": {"space": "cityscapes"}}, "that of the labelled data"),
        ({"student": {"stepz": 3}}, "student: unknown name stepz"),
        ({"student": {"network": {"architecture": "unet"}}}, "no network is called 'unet'"),
        ({"snapshots": -1}, "snapshots is -1"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(write, error, change, said, tmp_path):
    assert said in error(write(**change))
    assert not (tmp_path / "out").exists()


def test_what_training_would_refuse_comes_up_before_anything_is_written(write, training, error, tmp_path):
    assert "crops of 480x640" in error(write(student={**training, "crop": [480, 640]}))
    assert "no weights file at" in error(write(student={**training, "start": "nowhere"}))
    assert not (tmp_path / "out").exists()


def test_teachers_and_students_of_two_kinds(write, training, panoptic, error):
    assert "the teacher is of kind segmentation, the students of panoptic" in error(write(student=panoptic))
    assert "expected one; make them equal" in error(write(student=[training, panoptic]))
    two = [training, {**training, "network": {"architecture": "compact_unet"}}]
    assert "the students are different networks" in error(write(student=two, start_from_previous=True))
    assert "teacher and students are different" in error(write(student=two[1], start_from_teacher=True))


def test_weights_without_instance_heads_label_classes_alone(
    write, training, panoptic, error, selftrain, town, tmp_path
):
    recipe, teacher = tmp_path / "teacher.yaml", tmp_path / "teacher"
    recipe.write_text(yaml.safe_dump({**training, "train": [TOWN]}))
    words = ["train", recipe, "--root", f"town={town}", "--out", teacher, "--device", "cpu"]
    assert main([str(word) for word in words]) == 0
    assert "has no instance heads" in error(write(teacher=str(teacher), student=panoptic))
    out = tmp_path / "rounds"
    assert selftrain(write(teacher=str(teacher), rounds=1, fine_tune=None), out) == 0
    assert (out / "seed_0" / "round_0" / "teacher" / "scores.json").is_file()
    assert not (out / "seed_0" / "round_0" / "teacher" / "best.safetensors").exists()
    assert "where it could be overwritten" in error(write(teacher=str(teacher)), "--overwrite", out=teacher)


def test_data_without_labels_video_or_instances(write, panoptic, error, town, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(town, bare)
    shutil.rmtree(bare / "labels")
    root = f"bare={bare}"
    source = {"dataset": "folder", "name": "bare"}
    assert "has no labelled image" in error(write(labelled=[source]), "--root", root)
    assert "does not say where" in error(write(labelled=[source]))
    shutil.copytree(town / "labels", bare / "labels")
    shutil.rmtree(bare / "instances")
    kind = {"teacher": panoptic, "student": panoptic}
    assert "has instances that can be read" in error(write(labelled=[source], **kind), "--root", root)
    for split in ("images", "labels"):  # stills
        for path in sorted((bare / split / "train").rglob("*.png")):
            path.rename(bare / split / "train" / f"{path.parent.name}_{path.name}")
    around = [{**source, "before": 1}]
    assert "has a frame before or after it" in error(write(unlabelled=around), "--root", root)


def test_out_of_something_else(write, error, town, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    assert "other files than those of seglift selftrain" in error(write(), out=foreign)
    assert "is the data at" in error(write(), out=town)
    assert "holds the data at" in error(write(), out=town.parent)
    assert "lies in the data at" in error(write(), out=town / "rounds")
    assert (foreign / "notes.txt").read_text() == "mine"


def test_an_unreadable_frame_is_named_or_left_out(write, selftrain, town, tmp_path, capsys):
    own, out = tmp_path / "own", tmp_path / "out"
    shutil.copytree(town, own)
    path = own / "images" / "train" / "clip1" / "02.png"
    path.write_bytes(path.read_bytes()[:60])
    recipe = write(rounds=1, fine_tune=None)
    words = ["selftrain", str(recipe), "--root", f"town={own}", "--out", str(out), "--device", "cpu"]
    assert main(words) == 2
    assert "clip1/02.png" in capsys.readouterr().err
    assert main([*words, "--skip-corrupt"]) == 0
    assert "unreadable frames left out: 1" in capsys.readouterr().err
    pseudo = out / "seed_0" / "round_1" / "pseudo"
    assert "clip1/02.png" in (pseudo / "skipped.txt").read_text()
    assert len((pseudo / "manifest.jsonl").read_text().splitlines()) == 11


def test_where_no_frame_can_be_read_one_is_named(write, town, tmp_path, capsys):
    drives = shutil.copytree(town, tmp_path / "drives")
    for path in (drives / "images" / "train").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    recipe = write(rounds=1, fine_tune=None, unlabelled=[{"dataset": "folder", "name": "drives"}])
    words = ["selftrain", str(recipe), "--root", f"town={town}", "--root", f"drives={drives}", "--skip-corrupt"]
    assert main([*words, "--out", str(tmp_path / "out"), "--device", "cpu"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "none of the 12 unlabelled frames can be read" in last and "clip0/00.png" in last


def test_an_unreadable_label_leaves_out_the_frames_of_its_clip(write, selftrain, town, tmp_path, capsys):
    own, out = tmp_path / "own", tmp_path / "out"
    shutil.copytree(town, own)
    (own / "labels" / "train" / "clip1" / "01.png").write_bytes(b"x")
    recipe = write(rounds=1, fine_tune=None)
    words = ["selftrain", str(recipe), "--root", f"town={own}", "--out", str(out), "--device", "cpu"]
    assert main(words) == 2
    assert "clip1/01.png is no image" in capsys.readouterr().err
    assert main([*words, "--skip-corrupt"]) == 0
    pseudo = out / "seed_0" / "round_1" / "pseudo"
    assert len((pseudo / "skipped.txt").read_text().splitlines()) == 3
    assert len((pseudo / "manifest.jsonl").read_text().splitlines()) == 9


def test_one_name_for_two_places(write, town, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(town, elsewhere)
    path = write(
        labelled=[{**TOWN, "root": str(town)}],
        unlabelled=[{**TOWN, "root": str(town)}],
        test={**TOWN, "split": "val", "root": str(elsewhere)},
    )
    assert main(["selftrain", str(path), "--out", str(tmp_path / "out")]) == 2
    assert f"sources called town lie at {town} and at {elsewhere}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_recipes_of_other_commands(write, training, error, tmp_path, capsys, monkeypatch):
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump({**training, "train": [TOWN]}))
    assert "use seglift train" in error(path)
    assert main(["train", str(write(kind="naive_student")), "--out", str(tmp_path / "out")]) == 2
    assert "kind is naive_student" in capsys.readouterr().err
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "selftrain runs in one process" in error(write())
    monkeypatch.undo()
    assert "--stages -1" in error(write(), "--stages", "-1")
