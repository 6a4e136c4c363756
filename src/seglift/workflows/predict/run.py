"""``seglift predict``: every frame of a video, or every image of a tree, segmented by a model."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from seglift import __version__
from seglift.base.ahead import work_ahead
from seglift.base.devices import resolve_device
from seglift.base.files import fingerprint_values, write_json
from seglift.base.progress import ProgressBar, say
from seglift.datasets.dataset import Source
from seglift.inference.panoptic.model import PanopticPredictor
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import load_model
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import get_space
from seglift.workflows.input_identity import model_identity, space_identity
from seglift.workflows.outputs.folder import TIMING_NAME
from seglift.workflows.outputs.frame_writer import FrameWriter
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.machine import peak_memory
from seglift.workflows.outputs.stage_timing import Timing
from seglift.workflows.predict.config import PredictConfig
from seglift.workflows.predict.frame import make_predictor, predict_frame, require_model
from seglift.workflows.predict.frames import list_pictures
from seglift.workflows.predict.instance_ids import check_instance_ids
from seglift.workflows.predict.output import COLOR, CONFIDENCE, INSTANCES, LABELS, PredictOutput

READERS = 2


@dataclass(frozen=True)
class PredictResult:
    """What a run of :func:`run_predict` left.

    Attributes:
        output: where it lies.
        frames: number of pictures.
        predicted: those of them that this run made.
    """

    output: PredictOutput
    frames: int
    predicted: int


def run_predict(config: PredictConfig) -> PredictResult:
    """Predicts all pictures and writes raw ids of the space to ``OUT/labels/NAME.png``.

    A panoptic model's instances go to ``OUT/instances/NAME.png``, in Cityscapes' encoding; the labels are those of its
    segments.

    Args:
        config: options as given.

    Raises:
        UserError: something the user can fix. What is finished stays, and the same command goes on from there.
    """
    started = time.monotonic()
    require_model(config.model)
    config = replace(config, device=resolve_device(config.device))
    space = get_space(config.space)
    pictures = list_pictures(config.frames, config.out)
    output = PredictOutput(config.out, _identity(config, space))
    output.check(config.overwrite)
    timing = Timing()
    with timing.stage("model"):
        predictor = make_predictor(load_model(config.model, space, config.device), config)
    instances = isinstance(predictor, PanopticPredictor)
    if instances:
        check_instance_ids(space)
    products = (LABELS, *[CONFIDENCE] * config.confidence, *[COLOR] * config.color, *[INSTANCES] * instances)
    with only_writer(output.folder, output.work), torch.inference_mode():
        about = {"model": config.model, "space": space.name, "versions": _versions()}
        output.start(about, config.overwrite, products)
        fingerprints = {name: picture.fingerprint() for name, picture in pictures.items()}
        done = output.done()
        todo = {name: pictures[name] for name in pictures if done.get(name) != fingerprints[name]}
        _predict_all(config, space, predictor, output, todo, fingerprints, timing)
        output.write_run({**about, "frames": len(pictures), "pictures": fingerprint_values(fingerprints)})
    timing.seconds["total"] = time.monotonic() - started
    _write_timing(output, timing, len(todo))
    return PredictResult(output, len(pictures), len(todo))


def _predict_all(
    config: PredictConfig,
    space: LabelSpace,
    predictor: Predictor,
    output: PredictOutput,
    todo: dict[str, Source],
    fingerprints: dict[str, str],
    timing: Timing,
) -> None:
    total = len(fingerprints)
    if len(todo) < total:
        say(f"{total - len(todo)} of {total} frames are up to date, {len(todo)} are to be made")
    with (
        ProgressBar(total, "predicting", "frames", total - len(todo)) as bar,
        FrameWriter(output, {}, bar, timing) as writer,
    ):
        images = work_ahead(lambda source: source.read(), todo.values(), READERS)
        for name, source in todo.items():
            with timing.stage("wait for reading"):
                image = next(images)
            with timing.stage("predict"):
                result = predict_frame(predictor, space, image, config, str(source))
            writer.submit(name, result, {"picture": fingerprints[name]})


def _identity(config: PredictConfig, space: LabelSpace) -> dict[str, Any]:
    name, classes = space_identity(config.space, space)
    return {**config.label_options(), "space": name, "classes": classes, "model": model_identity(config.model)}


def _versions() -> dict[str, str]:
    return {"seglift": __version__, "torch": str(torch.__version__)}


def _write_timing(output: PredictOutput, timing: Timing, predicted: int) -> None:
    write_json(
        output.folder / TIMING_NAME,
        {
            "seconds": {name: round(value, 3) for name, value in timing.seconds.items()},
            "frames_predicted": predicted,
            "frames_per_second": round(predicted / max(timing.seconds["total"], 1e-9), 3),
            "peak_memory_bytes": peak_memory(),
        },
    )
