from __future__ import annotations

import csv
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from seglift.base.errors import UserError
from seglift.losses.video_prediction import VideoLossConfig
from seglift.models.vgg_features import FILE_NAME, VggFeatures
from seglift.motion.named import get_estimator
from seglift.motion.sdcnet import read_motion_checkpoint
from seglift.training.loop.fit import fit
from seglift.training.loop.fit_config import FitConfig
from seglift.training.loop.task import Part
from seglift.training.starts.start_motion import start_motion
from seglift.training.video_prediction import MotionNetworkConfig, VideoPredictionRecipe, VideoPredictionTask
from seglift.training.video_prediction_validation import HeldOut
from seglift.training.videos.triplets import Clip, Triplets
from seglift.video.frames import open_frames

CPU = torch.device("cpu")
FIT = FitConfig(
    steps=40,
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    schedule="constant",
    tensorboard=False,
    log_every=5,
)
RECIPE = VideoPredictionRecipe(
    network=MotionNetworkConfig(width_mult=0.125), fit=FIT, crop=(64, 64), margin=16, batch=4
)


def write_clip(folder: Path, step: tuple[int, int], frames: int = 5, seed: int = 0, size: tuple[int, int] = (72, 96)):
    """Frames of a texture that moves ``step`` pixels (x, y) from one to the next."""
    folder.mkdir(parents=True)
    height, width = size
    noise = np.random.default_rng(seed).integers(0, 256, (height + 80, width + 80, 3)).astype(np.uint8)
    large = np.clip((cv2.GaussianBlur(noise, (0, 0), 2.0).astype(np.float32) - 128) * 4 + 128, 0, 255).astype(np.uint8)
    for n in range(frames):
        y, x = 40 - n * step[1], 40 - n * step[0]
        Image.fromarray(large[y : y + height, x : x + width]).save(folder / f"{n:03d}.png")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for number, step in enumerate(((4, 0), (-3, 2), (5, -2))):
        write_clip(root / str(number), step, seed=number)
    return root


def opened(root, *names):
    return Triplets([Clip(name, partial(open_frames, root / name)) for name in names])


@pytest.fixture(scope="module")
def task(clips):
    return VideoPredictionTask(opened(clips, "0", "1"), RECIPE)


def held_out(clips, variant="reconstruction", **more):
    options = {"frames": 3, "crop": None, "margin": 16, "num_frames": 3, "input_flow": "dis:fine", **more}
    return HeldOut(opened(clips, "2"), **options)


@pytest.mark.parametrize("variant", ["reconstruction", "prediction"])
@pytest.mark.parametrize("mask", ["all", "visible"])
def test_a_few_steps_beat_copying(clips, tmp_path, variant, mask):
    network = MotionNetworkConfig(variant, 0.125, start_from_flow=variant == "prediction")
    recipe = replace(RECIPE, network=network, mask=mask, fit=replace(FIT, steps=60, learning_rate=2e-3))
    checked = held_out(clips, num_frames=3 if variant == "reconstruction" else 2)
    task = VideoPredictionTask(opened(clips, "0", "1", "2"), recipe, held_out=checked)
    result = fit(task, recipe.fit, tmp_path, quiet=True)
    copied = checked.compare(task.network, CPU)["copy"]
    assert result.scores["psnr"] > copied.psnr() + 3
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert max(float(row["psnr"]) for row in rows if row["psnr"]) == pytest.approx(result.scores["psnr"], abs=1e-6)


def test_the_weights_are_a_motion_estimator(clips, tmp_path):
    recipe = replace(
        RECIPE, network=MotionNetworkConfig(width_mult=0.125, start_from_flow=True), fit=replace(FIT, steps=2)
    )
    task = VideoPredictionTask(opened(clips, "0"), recipe)
    fit(task, recipe.fit, tmp_path, quiet=True)
    _, config, input_flow = read_motion_checkpoint(tmp_path)
    assert input_flow == "dis:fine"
    assert config == task.network_values
    frames = [torch.from_numpy(frame).permute(2, 0, 1)[None] for frame in opened(clips, "0")[0]]
    motion = get_estimator(f"sdcnet:{tmp_path}")(frames[1], frames[2], frames[0])
    assert motion[0, :, 10:-10, 10:-10].mean((1, 2)).tolist() == pytest.approx([-4, 0], abs=0.5)


def test_a_network_that_begins_from_flow_begins_where_the_flow_is(clips):
    recipe = replace(RECIPE, network=MotionNetworkConfig(width_mult=0.125, start_from_flow=True))
    task = VideoPredictionTask(opened(clips, "0"), recipe)
    found = held_out(clips).compare(task.network.eval(), CPU)
    assert found["model"].sums == pytest.approx(found["input_flow"].sums, rel=1e-4)
    assert found["input_flow"].psnr() > found["copy"].psnr() + 5


def test_the_last_known_flow_goes_on_for_prediction(clips):
    """Constant motion: warping by the flow before is as good as by the flow onto the frame, inside."""
    task = VideoPredictionTask(opened(clips, "0"), replace(RECIPE, network=MotionNetworkConfig("prediction", 0.125)))
    found = held_out(clips, num_frames=2, crop=(40, 48)).compare(task.network.eval(), CPU)
    assert found["input_flow"].psnr() > found["copy"].psnr() + 8


def test_flow_statistics_are_those_of_the_training_data(clips):
    values = VideoPredictionTask(opened(clips, "0"), replace(RECIPE, reversal=0.0)).network_values["arguments"]
    assert values["flow_mean"] == pytest.approx([-4, 0], abs=0.3)
    both = VideoPredictionTask(opened(clips, "0"), RECIPE).network_values["arguments"]
    assert both["flow_std"][0] == pytest.approx(4, abs=0.5)
    given = MotionNetworkConfig(width_mult=0.125, flow_mean=(1.0, 2.0), flow_std=(3.0, 4.0))
    task = VideoPredictionTask(opened(clips, "0"), replace(RECIPE, network=given))
    assert task.network_values["arguments"]["flow_mean"] == [1.0, 2.0]
    assert task.network.flow_std.flatten().tolist() == [3.0, 4.0]


def test_batches_depend_on_seed_and_step_alone(clips, task):
    again = VideoPredictionTask(opened(clips, "0", "1"), RECIPE)
    task.batch(0, 1, Part())
    first, second, other = task.batch(0, 7, Part()), again.batch(0, 7, Part()), task.batch(0, 8, Part())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["images"], other["images"])
    assert {name: tuple(tensor.shape) for name, tensor in first.items()} == {
        "images": (4, 3, 3, 64, 64),
        "source": (4, 3, 96, 96),
        "flows": (4, 2, 2, 64, 64),
        "mask": (4, 1, 64, 64),
    }


def test_parts_are_together_the_batch(task):
    whole, parts = task.batch(3, 2, Part()), [task.batch(3, 2, Part(n, 3)) for n in range(3)]
    assert all(torch.equal(torch.cat([part[name] for part in parts]), whole[name]) for name in whole)


def test_every_epoch_shows_every_triplet_once(clips, monkeypatch):
    task = VideoPredictionTask(opened(clips, "0", "1"), replace(RECIPE, batch=3))
    shown = []
    monkeypatch.setattr(task, "_cut", lambda number, *more: shown.append(number))
    for position in range(12):
        task._view(5, position)
    assert sorted(shown[:6]) == sorted(shown[6:]) == list(range(6))
    assert shown[:6] != shown[6:]
    assert task.steps_per_epoch == 2


def test_time_runs_backward_in_half_of_the_views(clips):
    """Flow of the first clip points to the left, reversed to the right."""
    task = VideoPredictionTask(opened(clips, "0"), RECIPE)
    directions = [task._view(0, n).flows[0, 0].mean().item() for n in range(40)]
    assert 10 <= sum(direction > 0 for direction in directions) <= 30
    forward = VideoPredictionTask(opened(clips, "0"), replace(RECIPE, reversal=0.0))
    assert all(forward._view(0, n).flows[0, 0].mean() < 0 for n in range(10))


def test_a_resumed_training_ends_with_the_same_weights(clips, tmp_path, monkeypatch):
    recipe = replace(RECIPE, fit=replace(FIT, steps=8, checkpoint_every=2, validate_every=4))

    def make():
        return VideoPredictionTask(opened(clips, "0", "1"), recipe, held_out=held_out(clips))

    fit(make(), recipe.fit, tmp_path / "whole", quiet=True)
    batch = VideoPredictionTask.batch

    def interrupted(self, seed, step, part):
        if step == 5:
            raise KeyboardInterrupt
        return batch(self, seed, step, part)

    with monkeypatch.context() as patched:
        patched.setattr(VideoPredictionTask, "batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(make(), recipe.fit, tmp_path / "cut", quiet=True)
    fit(make(), recipe.fit, tmp_path / "cut", quiet=True)
    for name in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_loading_in_other_processes_changes_nothing(clips, tmp_path):
    for workers in (0, 2):
        config = replace(FIT, steps=3, workers=workers)
        fit(
            VideoPredictionTask(opened(clips, "0"), replace(RECIPE, fit=config)),
            config,
            tmp_path / str(workers),
            quiet=True,
        )
    assert (tmp_path / "0/last.safetensors").read_bytes() == (tmp_path / "2/last.safetensors").read_bytes()


def test_the_task_travels_to_another_process(task):
    sent = pickle.loads(pickle.dumps(task))
    assert torch.equal(sent.batch(0, 3, Part())["flows"], task.batch(0, 3, Part())["flows"])


def test_the_fingerprint_follows_data_recipe_and_start(clips, tmp_path, task):
    weights = replace(RECIPE, fit=replace(FIT, steps=1))
    fit(VideoPredictionTask(opened(clips, "0"), weights), weights.fit, tmp_path, quiet=True)
    start = start_motion(str(tmp_path), "reconstruction", 0.125)
    data = opened(clips, "0", "1")
    prints = [
        task.fingerprint(),
        VideoPredictionTask(opened(clips, "0"), RECIPE).fingerprint(),
        VideoPredictionTask(data, replace(RECIPE, mask="visible")).fingerprint(),
        VideoPredictionTask(data, replace(RECIPE, loss=VideoLossConfig(color=1.0))).fingerprint(),
        VideoPredictionTask(data, RECIPE, crop=(48, 64)).fingerprint(),
        VideoPredictionTask(data, RECIPE, start=start).fingerprint(),
        VideoPredictionTask(data, RECIPE, held_out=held_out(clips)).fingerprint(),
        VideoPredictionTask(data, RECIPE, held_out=held_out(clips, crop=(32, 32))).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert VideoPredictionTask(data, replace(RECIPE, fit=replace(FIT, workers=3))).fingerprint() == prints[0]


def test_the_fingerprint_follows_the_weights_of_the_input_flow(clips, tmp_path):
    given, file = MotionNetworkConfig(width_mult=0.125, flow_mean=(0.0, 0.0), flow_std=(3.0, 3.0)), tmp_path / "r.pth"
    task = VideoPredictionTask(opened(clips, "0"), replace(RECIPE, network=given, input_flow=f"raft:{file}"))
    prints = []
    for content in (b"one", b"two", b"one"):
        file.write_bytes(content)
        prints.append(task.fingerprint())
    assert prints[0] == prints[2] != prints[1]


def test_a_start_brings_its_weights_and_flow_statistics(clips, tmp_path):
    config = replace(RECIPE, fit=replace(FIT, steps=2), reversal=0.0)
    first = VideoPredictionTask(opened(clips, "0"), config)
    fit(first, config.fit, tmp_path, quiet=True)
    start = start_motion(str(tmp_path), "reconstruction", 0.125)
    task = VideoPredictionTask(opened(clips, "1"), RECIPE, start=start)
    trained = first.network.state_dict()
    assert all(torch.equal(tensor, trained[name]) for name, tensor in task.network.state_dict().items())
    assert task.network_values["arguments"]["flow_mean"] == pytest.approx(
        first.network_values["arguments"]["flow_mean"], abs=1e-6
    )
    given = MotionNetworkConfig(width_mult=0.125, flow_mean=(9.0, 9.0), flow_std=(2.0, 2.0))
    other = VideoPredictionTask(opened(clips, "1"), replace(RECIPE, network=given), start=start)
    assert other.network.flow_mean.flatten().tolist() == [9.0, 9.0]
    assert torch.equal(other.network.final_flow.weight, first.network.final_flow.weight)


def test_a_diverging_loss_is_the_users_error(clips, tmp_path):
    recipe = replace(RECIPE, fit=replace(FIT, optimizer="sgd", learning_rate=1e30, steps=10))
    with pytest.raises(UserError, match=r"loss is .* at step"):
        fit(VideoPredictionTask(opened(clips, "0"), recipe), recipe.fit, tmp_path, quiet=True)


def test_perceptual_and_style_take_vgg_from_a_file(clips, tmp_path):
    torch.save(VggFeatures().state_dict(), tmp_path / FILE_NAME)
    loss = VideoLossConfig(
        color=0.2, gradient=0, smoothness=0, perceptual=0.06, style=36, vgg=str(tmp_path / FILE_NAME)
    )
    recipe = replace(RECIPE, loss=loss, fit=replace(FIT, steps=2), batch=2)
    task = VideoPredictionTask(opened(clips, "0"), recipe)
    batch = task.batch(0, 0, Part())
    counts = task.counts(batch)
    whole = task.loss(task.network, batch, counts, 0.0)
    plain = VideoPredictionTask(opened(clips, "0"), replace(recipe, loss=replace(loss, perceptual=0, style=0)))
    assert whole > plain.loss(task.network, batch, counts, 0.0)
    halves = [task.loss(task.network, {k: v[n : n + 1] for k, v in batch.items()}, counts, 0.0) for n in (0, 1)]
    assert sum(halves).item() == pytest.approx(whole.item(), rel=1e-4)
    fit(task, recipe.fit, tmp_path / "out", quiet=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"crop": (8, 64)}, "crop"),
        ({"margin": -1}, "margin"),
        ({"batch": 0}, "batch"),
        ({"mask": "half"}, "all, visible"),
        ({"reversal": 1.5}, "reversal"),
        ({"jitter": 1.0}, "jitter"),
        ({"input_flow": "sdcnet:x"}, "dis, raft"),
    ],
    ids=str,
)
def test_impossible_recipes_are_the_users_error(changes, said):
    with pytest.raises(UserError, match=said):
        VideoPredictionRecipe(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": "sideways"}, "reconstruction"),
        ({"width_mult": 0.0}, "width_mult"),
        ({"flow_mean": (0.0, 0.0)}, "both or neither"),
        ({"flow_mean": (0.0, 0.0), "flow_std": (1.0, 0.0)}, "above 0"),
    ],
    ids=str,
)
def test_impossible_networks_are_the_users_error(changes, said):
    with pytest.raises(UserError, match=said):
        MotionNetworkConfig(**changes)
