"""``seglift train`` with ``kind: video_prediction`` as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seglift.base.weights import load_weights
from seglift.cli.main import main

STEPS = {"a": (4, 0), "b": (-3, 2), "c": (5, -2)}


def frames_of(step, count=6, seed=0, size=(72, 96)):
    """A texture that moves ``step`` pixels (x, y) from frame to frame."""
    height, width = size
    noise = np.random.default_rng(seed).integers(0, 256, (height + 80, width + 80, 3)).astype(np.uint8)
    large = np.clip((cv2.GaussianBlur(noise, (0, 0), 2.0).astype(np.float32) - 128) * 4 + 128, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(large[40 - n * step[1] :, 40 - n * step[0] :][:height, :width]) for n in range(count)]


def write_folder(folder, frames):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:03d}.png")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three clips as davis has them, labels beside the images."""
    root = tmp_path_factory.mktemp("clips")
    for number, (name, step) in enumerate(STEPS.items()):
        write_folder(root / name / "images", frames_of(step, seed=number))
        write_folder(root / name / "labels", [np.zeros((72, 96, 3), np.uint8)])
    return root


def values(**changes):
    return {
        "kind": "video_prediction",
        "train": [{"frames": "video", "without": ["c"]}],
        "val": [{"frames": "video", "clips": ["c"]}],
        "network": {"width_mult": 0.125, "start_from_flow": True},
        "crop": [64, 64],
        "margin": 16,
        "batch": 2,
        "fit": {"steps": 6, "learning_rate": 1e-3, "checkpoint_every": 2, "validate_every": 3, "tensorboard": False},
        **changes,
    }


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values()))
    return path


@pytest.fixture
def run(recipe):
    """``seglift train`` on a CPU; gives the exit status."""

    def run(root, out, *more, sets=()):
        words = [word for value in sets for word in ("--set", value)]
        return main(
            ["train", str(recipe), "--root", f"video={root}", "--out", str(out), "--device", "cpu", *words, *more]
        )

    return run


def error_line(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seglift: error:")]
    assert len(lines) == 1
    return lines[0]


def test_a_training_beats_copying_and_leaves_a_motion_that_label_takes(run, clips, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(clips, out) == 0
    said = capsys.readouterr()
    scores = json.loads((out / "scores.json").read_text())
    assert scores["frames"] == 4
    assert set(scores) == {"psnr", "ssim", "interpolation_error", "frames", "copy", "input_flow"}
    assert scores["psnr"] > scores["copy"]["psnr"] + 5
    assert scores["ssim"] > scores["copy"]["ssim"]
    assert scores["interpolation_error"] < scores["copy"]["interpolation_error"]
    for shown in ("copy of the frame before", "warped by the input flow", f"{scores['psnr']:.2f}", "weights:"):
        assert shown in said.out
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert [row["step"] for row in rows if row["psnr"]] == ["3", "6"]
    assert "(psnr " in said.err
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    written = yaml.safe_load((out / "recipe.yaml").read_text())
    assert written["loss"]["grad_scale"] == 255.0
    assert written["fit"]["schedule"] == "multistep"
    about = json.loads((out / "run.json").read_text())["data"]
    assert about["clips"] == {"train": {"video:a": 6, "video:b": 6}, "val": {"video:c": 6}}
    _, metadata = load_weights(out / "best.safetensors")
    assert metadata["kind"] == "motion"
    assert metadata["input_flow"] == "dis:fine"
    assert len(metadata["network"]["arguments"]["flow_std"]) == 2

    labels, labelled = tmp_path / "labels", tmp_path / "labelled"
    labels.mkdir()
    Image.fromarray(np.zeros((72, 96), np.uint8)).save(labels / "000.png")
    words = ["label", str(clips / "a" / "images"), "--labels", str(labels), "--space", "binary", "--method", "motion"]
    assert main([*words, "--motion", f"sdcnet:{out}", "--out", str(labelled), "--device", "cpu"]) == 0
    assert len(list((labelled / "labels").iterdir())) == 6


def test_prediction_compares_with_the_last_flow_continued(run, clips, tmp_path):
    sets = ["network.variant=prediction", "mask=visible", "val_crop=[40, 48]", "flip=0.5", "jitter=0.1"]
    assert run(clips, tmp_path / "out", sets=sets) == 0
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["input_flow"]["psnr"] > scores["copy"]["psnr"] + 5


def test_without_val_the_last_weights_are_kept_and_nothing_is_scored(run, clips, tmp_path, capsys):
    assert run(clips, tmp_path / "out", sets=["val=[]", "fit.steps=2"]) == 0
    assert not (tmp_path / "out" / "scores.json").exists()
    assert "PSNR" not in capsys.readouterr().out


def test_the_same_command_again_repeats_nothing(run, clips, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(clips, out) == 0
    before = (out / "best.safetensors").stat().st_mtime_ns
    scores = (out / "scores.json").read_bytes()
    capsys.readouterr()
    assert run(clips, out, sets=["fit.log_every=3"]) == 0
    assert "already trained; nothing is repeated" in capsys.readouterr().err
    assert (out / "best.safetensors").stat().st_mtime_ns == before
    assert (out / "scores.json").read_bytes() == scores


def test_another_recipe_or_other_video_on_the_same_folder_is_refused(run, clips, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(clips, out) == 0
    kept = (out / "best.safetensors").read_bytes()
    capsys.readouterr()
    assert run(clips, out, sets=["mask=visible"]) == 2
    assert "holds another training: mask all -> visible;" in error_line(capsys)
    assert run(clips, out, "--dry-run", sets=["train.0.stride=2"]) == 2
    assert "holds another training: train.0.stride 1 -> 2;" in error_line(capsys)
    assert run(clips, clips / "a") == 2
    assert "no training's folder" in error_line(capsys)
    assert run(clips, clips) == 2
    assert "is a folder of the data" in error_line(capsys)
    assert (out / "best.safetensors").read_bytes() == kept
    assert run(clips, out, "--overwrite", sets=["mask=visible", "fit.steps=2"]) == 0
    assert load_weights(out / "best.safetensors")[1]["training"]["steps"] == 2


def test_a_killed_training_ends_with_the_same_bytes(recipe, clips, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = ["train", str(recipe), "--root", str(clips), "--device", "cpu", "--set", "fit.steps=40"]
    alone = [sys.executable, "-m", "seglift", *words]
    process = subprocess.Popen([*alone, "--out", str(cut)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (cut / "checkpoint.safetensors").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "last.safetensors").exists(), "the training ended before it could be killed"
    done = {}
    for out in (cut, whole):
        done[out] = subprocess.run([*alone, "--out", str(out)], check=True, capture_output=True, text=True).stderr
    assert re.search(r"continues after step \d+ of 40", done[cut])
    for name in ("best.safetensors", "last.safetensors", "scores.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_dry_run_says_what_would_be_done_and_writes_nothing(run, clips, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(clips, out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "train: 8 triplets of 2 clips" in said
    assert "4 of 4 triplets of 1 clip" in said
    assert "SDC-Net for reconstruction" in said
    assert "6 steps of 2 crops of 64x64 (1.5 epochs of 8), on cpu" in said
    assert not out.exists()


def test_short_clips_are_left_out_and_named_and_large_crops_shrink(run, clips, tmp_path, capsys):
    root = tmp_path / "more"
    write_folder(root / "long", frames_of((2, 1)))
    write_folder(root / "short", frames_of((2, 1), count=2))
    assert run(root, tmp_path / "out", "--dry-run", sets=["train=[{frames: video}]", "val=[]", "crop=[448, 448]"]) == 0
    said = capsys.readouterr()
    assert "train: 1 of 2 clips have less than three frames in a row, left out: video:short" in said.err
    assert "crops of 448x448 are larger than the frames; they become 64x64" in said.err
    assert "train: 4 triplets of 1 clip" in said.out


def test_clips_of_several_sizes_train_together(run, tmp_path):
    root = tmp_path / "mixed"
    write_folder(root / "a", frames_of((2, 1)))
    write_folder(root / "c", frames_of((2, 1), size=(40, 50)))
    assert run(root, tmp_path / "out", sets=["train=[{frames: video}]", "fit.steps=2"]) == 0


def test_a_video_file_and_a_folder_of_frames_are_sources(run, clips, tmp_path):
    with av.open(str(tmp_path / "drive.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        for frame in frames_of((3, 0)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    train = "train=[{frames: video}, {frames: drive, stride: 2}]"
    more = ["--root", f"drive={tmp_path / 'drive.mp4'}"]
    sets = [train, "val=[]", "fit.steps=2", "fit.workers=1"]
    assert run(clips / "a" / "images", tmp_path / "out", *more, sets=sets) == 0
    about = json.loads((tmp_path / "out" / "run.json").read_text())["data"]
    assert about["clips"]["train"] == {"video:images": 6, "drive:drive": 6}
    assert about["triplets"]["train"] == 4 + 2


def test_a_dataset_gives_the_clips_of_its_images(run, tmp_path):
    root = tmp_path / "town"
    for name, step in STEPS.items():
        write_folder(root / "images" / "train" / name, frames_of(step))
    (root / "space.yaml").write_text(yaml.safe_dump({"name": "s", "ignore": 9, "classes": CLASSES}))
    sets = ["train=[{dataset: folder, name: video, without: [c]}]", "val=[]", "fit.steps=2"]
    assert run(root, tmp_path / "out", sets=sets) == 0
    about = json.loads((tmp_path / "out" / "run.json").read_text())["data"]
    assert about["clips"]["train"] == {"video:a": 6, "video:b": 6}


CLASSES = [
    {"id": 0, "name": "ground", "color": [0, 0, 1], "train_id": 0, "category": "flat"},
    {"id": 9, "name": "void", "color": [0, 0, 0], "train_id": 255, "category": "void"},
]

REFUSED = [
    (["kind=panopticum"], "kind is panopticum, expected one of segmentation, panoptic, video_prediction, refiner"),
    (["kind=[1]"], "expected one of segmentation, panoptic, video_prediction, refiner"),
    (["fit.stepz=3"], "did you mean fit.steps"),
    (["network.variant=sideways"], "expected one of reconstruction, prediction"),
    (["network.width_mult=9"], "width_mult"),
    (["network.flow_std=[1.0, 2.0]"], "both or neither"),
    (["mask=half"], "expected one of all, visible"),
    (["input_flow=guess"], "input_flow"),
    (["input_flow=dis:guess"], "ultrafast"),
    (["input_flow=raft:nowhere.pth"], "nowhere.pth"),
    (["train=[]"], "no video to train on"),
    (["train=[{}]"], "train[0] is empty, expected names with values"),
    (["train=[{split: val}]"], "one of dataset and frames"),
    (["train=[{frames: video, dataset: folder}]"], "one of dataset and frames"),
    (["train=[{frames: video, options: {x: 1}}]"], "only a dataset has"),
    (["train=[{frames: video, stride: 0}]"], "stride of video is 0"),
    (["train=[{frames: video, stride: 3}]"], "none of the 3 clips of a source of train has three frames in a row"),
    (["train=[{frames: video, clips: [zebra]}]"], "no clip of video fits 'zebra', it has a, b, c"),
    (["train=[{frames: video, without: ['*']}]"], "none of the 0 clips of a source of train"),
    (["train=[{frames: elsewhere}]"], 'where "elsewhere" lies; add --root elsewhere=DIR'),
    (["train=[{dataset: zebra, name: video}]"], "no dataset is called 'zebra'"),
    (["loss={perceptual: 0.06, vgg: nowhere.pth}"], "need VGG-16's weights, there are none at nowhere.pth"),
    (["loss={color: -1}"], "color"),
    (["fit.milestones=[0.5, 2]"], "milestones"),
    (["fit.precision=16-mixed"], "needs CUDA"),
    (["start=nowhere.safetensors", "network.start_from_flow=false"], "nowhere.safetensors"),
    (["start=x"], "drop one"),
    (["val_frames=0"], "val_frames"),
    (["val_crop=[8, 8]"], "val_crop"),
]


@pytest.mark.parametrize(("sets", "said"), REFUSED, ids=[sets[0] for sets, _ in REFUSED])
def test_dry_run_refuses_what_a_run_refuses_before_it_touches_anything(run, clips, tmp_path, capsys, sets, said):
    out = tmp_path / "out"
    out.mkdir()
    (out / "best.safetensors").write_bytes(b"precious")
    sets = [*sets] if any(value.startswith("train=[{frames: elsewhere") for value in sets) else [*sets, "val=[]"]
    if "val_frames=0" in sets or any(value.startswith("val_crop") for value in sets):
        sets.remove("val=[]")
    for more in ("--dry-run", "--overwrite"):
        assert run(clips, out, more, sets=sets) == 2
        assert said in error_line(capsys)
    assert (out / "best.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_root_without_video_is_refused(run, tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / name, tmp_path / "out") == 2
    assert name in error_line(capsys)


def test_a_clip_of_two_sizes_is_refused_with_the_frame(run, clips, tmp_path, capsys):
    root = tmp_path / "uneven"
    write_folder(root / "a", [*frames_of((2, 0), count=3), *frames_of((2, 0), count=1, size=(72, 98))])
    assert run(root, tmp_path / "out", sets=["train=[{frames: video}]", "val=[]"]) == 2
    assert "003.png is 98x72, the first frame 000.png is 96x72" in error_line(capsys)


def test_a_damaged_frame_is_named_and_finished_steps_stay(run, tmp_path, capsys):
    root = tmp_path / "damaged"
    write_folder(root / "a", frames_of((2, 0)))
    (root / "a" / "004.png").write_bytes((root / "a" / "004.png").read_bytes()[:80])
    sets = ["train=[{frames: video}]", "val=[]", "network.flow_mean=[0, 0]", "network.flow_std=[4, 4]"]
    assert run(root, tmp_path / "out", sets=sets) == 2
    assert "004.png" in error_line(capsys)


def test_an_exploding_loss_stops_with_its_step(run, clips, tmp_path, capsys):
    sets = ["fit.optimizer=sgd", "fit.learning_rate=1.0e+30", "fit.warmup_steps=30", "fit.warmup_from=1.0e-40"]
    assert run(clips, tmp_path / "out", sets=[*sets, "fit.checkpoint_every=1", "fit.steps=40"]) == 2
    assert "step" in error_line(capsys)
    state, _ = load_weights(tmp_path / "out" / "checkpoint.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in state.values() if tensor.is_floating_point())


def test_weights_of_the_other_variant_are_no_start(run, clips, tmp_path, capsys):
    first = tmp_path / "first"
    assert run(clips, first, sets=["fit.steps=1", "val=[]"]) == 0
    capsys.readouterr()
    start = [f"start={first}", "network.start_from_flow=false"]
    assert run(clips, tmp_path / "out", sets=[*start, "network.variant=prediction"]) == 2
    assert "is of the variant reconstruction, the recipe trains prediction" in error_line(capsys)
    assert run(clips, tmp_path / "out", sets=[*start, "fit.steps=1", "val=[]"]) == 0


def test_options_of_segmentation_are_refused(run, clips, tmp_path, capsys):
    assert run(clips, tmp_path / "out", "--skip-corrupt") == 2
    assert "--skip-corrupt" in error_line(capsys)


def test_a_study_of_it_is_refused(clips, tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump({"recipe": values(), "policies": {"a": {}}}))
    assert main(["study", str(study), "--root", str(clips), "--out", str(tmp_path / "out")]) == 2
    assert "a study compares recipes of kind segmentation" in error_line(capsys)


def test_it_trains_without_the_library_that_reads_video_files(recipe, clips, tmp_path):
    code = "import sys; sys.modules['av'] = None; from seglift.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["train", str(recipe), "--root", str(clips), "--out", str(tmp_path / "out"), "--device", "cpu"]
    ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_two_processes_share_the_batch_and_the_validation(recipe, clips, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", port, "-m", "seglift"]
    words = ["train", recipe, "--root", clips, "--out", tmp_path / "two", "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *map(str, [*launch, *words])],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("weights:") == 1
    assert main([*map(str, words[:-3]), str(tmp_path / "one"), "--device", "cpu"]) == 0
    one, two = (load_weights(tmp_path / name / "last.safetensors")[0] for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)
    scores = [json.loads((tmp_path / name / "scores.json").read_text()) for name in ("one", "two")]
    assert scores[0]["psnr"] == pytest.approx(scores[1]["psnr"], abs=0.02)
    assert scores[0]["copy"] == pytest.approx(scores[1]["copy"])


def test_a_recipe_without_kind_that_names_frames(clips, tmp_path, capsys):
    recipe = tmp_path / "kindless.yaml"
    recipe.write_text("train:\n  - {frames: video}\n")
    assert main(["train", str(recipe), "--root", str(clips), "--out", str(tmp_path / "out")]) == 2
    assert "has no kind, but frames to train on; add kind: video_prediction" in capsys.readouterr().err


def test_a_training_that_does_not_beat_its_flow_says_so(run, clips, tmp_path, capsys):
    values = ["fit.steps=1", "fit.learning_rate=1e-9", "network.start_from_flow=true"]
    assert run(clips, tmp_path / "out", sets=values) == 0
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    said = "no better than those warped by the input flow" in capsys.readouterr().err
    assert said == (scores["psnr"] <= scores["input_flow"]["psnr"])
