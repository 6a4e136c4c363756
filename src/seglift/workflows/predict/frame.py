"""The results of one picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.inference.panoptic.model import SEEN_WHOLE, PanopticModel, PanopticPredictor
from seglift.inference.panoptic.segments import decode_panoptic
from seglift.inference.predict import Predictor, image_to_tensor
from seglift.inference.semantic_model import HUB_PREFIX, SemanticModel
from seglift.inference.settings import InferenceSettings
from seglift.labels.instances import encode_cityscapes
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace
from seglift.workflows.input_identity import MODEL_WORDS
from seglift.workflows.predict.config import PredictConfig
from seglift.workflows.predict.output import PredictedFrame

Output = TypeVar("Output")


def require_model(spec: str) -> None:
    """Refuses, with a UserError, a ``--model`` that names no weights or weights that are not there."""
    if spec in MODEL_WORDS:
        raise UserError(f"--model is '{spec}', expected a checkpoint or hf:ID; train one with seglift train")
    if not spec.startswith(HUB_PREFIX) and not os.path.exists(spec):  # noqa: PTH110 - never raises
        raise UserError(f"--model {spec} is neither a file nor a folder; give a checkpoint or hf:ID")


def make_predictor(model: SemanticModel, config: PredictConfig) -> Predictor:
    """``model`` looking at images as ``config`` says; a :class:`PanopticPredictor` where it tells instances apart.

    That one sees images of up to ``SEEN_WHOLE`` pixels whole unless the settings have a limit of their own.
    """
    settings = config.settings
    if isinstance(model, PanopticModel):
        if settings.max_pixels == InferenceSettings.max_pixels:
            settings = replace(settings, max_pixels=SEEN_WHOLE)
        return PanopticPredictor(model, settings)
    return Predictor(model, settings)


def predict_frame(
    predictor: Predictor, space: LabelSpace, image: Array8, config: PredictConfig, where: str
) -> PredictedFrame:
    """The results of one picture, with instances where the predictor tells them apart.

    Args:
        predictor: model and settings.
        space: whose raw ids are given.
        image: uint8 [H, W, 3] RGB.
        config: says what is asked for, and the device.
        where: the picture's name, for errors.

    Raises:
        UserError: the picture does not fit into memory, the model gives no numbers, or instances of classes that files
            cannot hold.
    """
    if isinstance(predictor, PanopticPredictor):
        return _predict_panoptic(predictor, space, image, config, where)
    logits = _look(predictor.logits, image, config, where)
    best, train_ids = logits.max(1)
    _require_numbers(where, best)
    index = space.from_train(train_ids[0].to(torch.uint8).cpu().numpy())
    confidence = _probability(logits, best) if config.confidence else None
    return PredictedFrame(space.decode(index), confidence, space.colorize(index) if config.color else None)


def _predict_panoptic(
    predictor: PanopticPredictor, space: LabelSpace, image: Array8, config: PredictConfig, where: str
) -> PredictedFrame:
    output = _look(predictor.panoptic, image, config, where)
    _require_numbers(where, output.semantic, output.centre, output.offset)
    (found,) = decode_panoptic(output, space, config.panoptic)
    index = space.encode(found.raw, where)
    confidence = None
    if config.confidence:
        train_ids = torch.from_numpy(space.to_train(index)).to(output.semantic.device)[None, None].long()
        known = train_ids != IGNORE_TRAIN_ID
        own = output.semantic.gather(1, train_ids * known)
        confidence = _probability(output.semantic, own.masked_fill_(~known, -torch.inf)[:, 0])
    return PredictedFrame(
        found.raw,
        confidence,
        space.colorize(index) if config.color else None,
        encode_cityscapes(found.raw, found.number, where),
    )


def _look(call: Callable[[Tensor], Output], image: Array8, config: PredictConfig, where: str) -> Output:
    """What ``call`` says of the picture."""
    try:
        return call(image_to_tensor(image, config.device))
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{where}: {image.shape[1]}x{image.shape[0]} does not fit into the memory of {config.device}; "
            "give a smaller --tile, or smaller --scales"
        ) from error


def _require_numbers(where: str, *maps: Tensor) -> None:
    if not all(bool(values.isfinite().all()) for values in maps):
        raise UserError(
            f"{where}: the model gives NaN or infinite values, expected numbers; its weights are broken, train it again"
        )


def _probability(logits: Tensor, own: Tensor) -> Array8:
    """Probability of the class with the logits ``own`` [1, H, W], uint8 [H, W], 0..255 = 0..1."""
    probability = (own - logits.logsumexp(1)).exp_()
    values: Array8 = (probability[0] * 255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
    return np.ascontiguousarray(values)
