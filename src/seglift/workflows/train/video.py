"""``seglift train`` with ``kind: video_prediction``: SDC-Net's motion learnt from unlabelled video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.base.weights import load_weights
from seglift.metrics.image_quality import ImageQuality
from seglift.models.sdcnet import ARCHITECTURE, FRAMES, SdcNet, build_sdcnet
from seglift.models.vgg_features import vgg_file
from seglift.motion.named import get_estimator
from seglift.training.loop.fit import fit
from seglift.training.loop.processes import is_first_process
from seglift.training.loop.run_files import FitResult
from seglift.training.starts.start_motion import MotionStart, start_motion
from seglift.training.video_prediction import VideoPredictionTask
from seglift.training.video_prediction_validation import BASELINES, HeldOut
from seglift.workflows.recipes.overrides import with_overrides
from seglift.workflows.recipes.recipe import parse_recipe
from seglift.workflows.score.run import render_table
from seglift.workflows.train.device import training_device
from seglift.workflows.train.in_folder import train_in_folder
from seglift.workflows.train.record import check_folder, check_place
from seglift.workflows.train.setup import TrainOptions
from seglift.workflows.train.video_data import VideoData, open_video_data
from seglift.workflows.train.video_recipe import VideoTrainRecipe

ROWS = {"model": "model", "copy": "copy of the frame before", "input_flow": "warped by the input flow"}


@dataclass(frozen=True)
class VideoScores:
    """How near the frames that the best weights make come to the true ones.

    Attributes:
        by_maker: of ``model``, ``copy`` and ``input_flow``.
    """

    by_maker: Mapping[str, ImageQuality]

    def as_json(self) -> dict[str, Any]:
        """``psnr`` (dB), ``ssim``, ``interpolation_error`` (0..255) and ``frames``; the same of the two baselines."""
        numbers = {
            name: {
                "psnr": quality.psnr(),
                "ssim": quality.ssim(),
                "interpolation_error": quality.interpolation_error(),
            }
            for name, quality in self.by_maker.items()
        }
        baselines = {name: numbers[name] for name in BASELINES}
        return {**numbers["model"], "frames": self.by_maker["model"].frames, **baselines}

    def table(self) -> str:
        """The same for a person."""
        rows = [
            (said, f"{of.psnr():.2f}", f"{of.ssim():.4f}", f"{of.interpolation_error():.2f}")
            for said, of in ((ROWS[name], quality) for name, quality in self.by_maker.items())
        ]
        title = f"Frames made of {counted(self.by_maker['model'].frames, 'triplet')}"
        return render_table(title, ("frame", "PSNR dB", "SSIM", "error 0..255"), rows)


@dataclass(frozen=True)
class VideoTraining:
    """A training that can begin."""

    recipe: VideoTrainRecipe
    data: VideoData
    options: TrainOptions
    device: str
    start: MotionStart | None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every triplet is shown once, the last one filled up."""
        return -(-len(self.data.train) // self.recipe.batch)

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.fit.resolved(self.steps_per_epoch).steps

    @cached_property
    def held_out(self) -> HeldOut | None:
        """What is validated and scored on."""
        recipe, val = self.recipe, self.data.val
        if val is None:
            return None
        frames = FRAMES[recipe.network.variant]
        return HeldOut(val, recipe.val_frames, recipe.val_crop, recipe.margin, frames, recipe.input_flow)


def run_video_training(
    values: Mapping[str, Any], where: str, out: Path, options: TrainOptions
) -> tuple[FitResult, VideoScores | None] | None:
    """Trains what a recipe says and scores the result; goes on where an earlier call was interrupted.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: receives the same files as a training of segmentation.
        options: see there.

    Returns:
        None in all but the first process under ``torchrun``.

    Raises:
        UserError: the recipe or its video are wrong, ``out`` is no folder of this training, or the training fails.
    """
    training = _set_up(values, where, options)
    if not is_first_process():
        _train(training, out)
        return None
    return train_in_folder(
        training.data.record(training.recipe),
        out,
        options.overwrite,
        training.steps,
        lambda: _train(training, out),
        lambda weights: _score(training, weights),
    )


def describe_video_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_video_training` would do, after the checks it begins with; nothing is written.

    Raises:
        UserError: as :func:`run_video_training` before it trains.
    """
    training = _set_up(values, where, options)
    recipe, data = training.recipe, training.data
    record = data.record(recipe)
    check_place(record, out)
    if not options.overwrite:
        check_folder(record, out)
    network = recipe.network
    with torch.device("meta"):
        built = SdcNet(network.variant, network.width_mult)
    count = sum(parameter.numel() for parameter in built.parameters())
    lines = [f"train: {counted(len(data.train), 'triplet')} of {counted(len(data.train.clips), 'clip')}"]
    if training.held_out is not None and data.val is not None:
        made, clips = len(training.held_out.numbers), len(data.val.clips)
        lines.append(
            f"validate and score on: {made} of {counted(len(data.val), 'triplet')} of {counted(clips, 'clip')}"
        )
    begins = (
        f"from {recipe.start}"
        if recipe.start
        else "that give the input flow"
        if network.start_from_flow
        else "at random"
    )
    lines += [
        f"network: SDC-Net for {network.variant}, {count / 1e6:.2f} M parameters, weights {begins}, on flow of"
        f" {recipe.input_flow}",
        f"{counted(training.steps, 'step')} of {counted(recipe.batch, 'crop')} of {data.crop[0]}x{data.crop[1]}"
        f" ({training.steps / training.steps_per_epoch:.1f} epochs of {len(data.train)}), on {training.device}",
    ]
    return "\n".join(lines)


def _set_up(values: Mapping[str, Any], where: str, options: TrainOptions) -> VideoTraining:
    """Checks recipe, video, device, flow estimator and starting weights; writes nothing."""
    recipe = parse_recipe(with_overrides(values, options.overrides), VideoTrainRecipe, where)
    if options.skip_corrupt:
        raise UserError("--skip-corrupt leaves out labelled images, a training of video prediction has none; drop it")
    device = training_device(options.device, recipe.fit.precision)
    get_estimator(recipe.input_flow)
    if recipe.loss.wants_features:
        vgg_file(recipe.loss.vgg)
    network, start = recipe.network, None
    if recipe.start is not None:
        start = start_motion(recipe.start, network.variant, network.width_mult)
    else:
        with torch.device("meta"):
            build_sdcnet({"architecture": ARCHITECTURE, "arguments": {"width_mult": network.width_mult}})
    return VideoTraining(recipe, open_video_data(recipe, options.roots), options, device, start)


def _train(training: VideoTraining, out: Path) -> FitResult:
    recipe, data = training.recipe, training.data
    task = VideoPredictionTask(data.train, recipe, data.crop, training.start, training.held_out)
    return fit(task, recipe.fit, out, training.options.device)


def _score(training: VideoTraining, weights: Path) -> VideoScores | None:
    held_out = training.held_out
    if held_out is None:
        return None
    tensors, metadata = load_weights(weights)
    network = build_sdcnet(metadata["network"])
    network.load_state_dict(tensors)
    network.eval().to(training.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    scores = VideoScores(held_out.compare(network, torch.device(training.device)))
    if scores.by_maker["model"].psnr() <= scores.by_maker["input_flow"].psnr():
        say("its frames are no better than those warped by the input flow: train longer, or use --motion dis")
    return scores
