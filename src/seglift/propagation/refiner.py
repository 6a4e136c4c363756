"""A trained denoiser at work: carried labels and two images in, refined labels out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.base.weights import BEST_NAME, load_weights
from seglift.inference.class_features import ClassFeatures
from seglift.inference.semantic_model import SemanticModel, feature_channels
from seglift.labels.space import LabelSpace, look_up
from seglift.models.refiner import RefinerNetwork
from seglift.models.zoo import build_refiner

KIND = "refiner"
DECODER, CLASSES = "decoder", "classes"
"""What a refiner reads as features: those of the segmentation model's decoder, or its class probabilities."""


@dataclass(frozen=True)
class Refiner:
    """The denoiser Omega with the segmentation model whose features it reads (Ganeshan et al. 2021, section 3.3).

    Attributes:
        network: the trained network, in evaluation mode, without gradients.
        model: the frozen segmentation model.
        space: the label space of the labels.
        about: what the checkpoint says of itself, see :func:`refiner_metadata`.
    """

    network: RefinerNetwork
    model: SemanticModel
    space: LabelSpace
    about: dict[str, Any]

    @torch.no_grad()
    def logits(self, train: Tensor, warped: Tensor, image: Tensor) -> Tensor:
        """What the network says.

        Args:
            train: carried labels, uint8 ``[1, H, W]`` train ids, 255 = ignored.
            warped: the image they came with, carried by the last step's motion, RGB uint8 ``[1, 3, H, W]``.
            image: the frame that they lie on, RGB uint8 ``[1, 3, H, W]``.

        Returns:
            Logits float32 ``[1, C + 1, H, W]`` of the C classes and of "ignored".
        """
        target = image.to(torch.float32) / 255.0
        logits: Tensor = self.network(train, warped.to(torch.float32) / 255.0, target, self.model.features(target))
        return logits.float()

    def labels(self, carried: Tensor, warped_image: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Refined labels of one frame.

        Where the class stays, the space index stays too, so that a void of several kinds keeps its kinds. A space
        without an id to write where nothing is known keeps "ignored" to the pixels that were.

        Args:
            carried: warp-inpainted labels, uint8 ``[1, H, W]`` space index.
            warped_image: the source frame warped onto this one by the last step's motion, RGB uint8 ``[1, 3, H, W]``.
            image: this frame, RGB uint8 ``[1, 3, H, W]``.

        Returns:
            Labels uint8 ``[1, H, W]`` space index, and the probability of each class and of "ignored",
            float32 ``[1, C + 1, H, W]``.
        """
        classes = self.space.num_train
        train = torch.from_numpy(self.space.to_train(carried.cpu().numpy())).to(carried.device).clamp_(max=classes)
        logits = self.logits(train, warped_image, image)
        if self.space.ignore is None:
            logits[:, classes].masked_fill_(train != classes, -torch.inf)
        chosen = logits.argmax(1).to(torch.uint8)
        return torch.where(chosen == train, carried, self._to_index(chosen)), logits.softmax(1)

    def _to_index(self, chosen: Tensor) -> Tensor:
        """Classes 0..C (C = "ignored"), uint8, to space index."""
        table = np.full(256, self.space.unknown_index, np.uint8)
        known = np.arange(self.space.num_train, dtype=np.uint8)
        table[: len(known)] = self.space.from_train(known[None])[0]
        return torch.from_numpy(look_up(table, chosen.cpu().numpy())).to(chosen.device)


def refiner_metadata(
    network: dict[str, Any], space: LabelSpace, pairs: dict[str, Any], model: str, features: str = DECODER
) -> dict[str, Any]:
    """What a weights file must say for :func:`load_refiner`.

    Args:
        network: the ``config`` of ``zoo.build_refiner``, its ``feature_channels`` among the arguments.
        space: label space that it was trained in.
        pairs: how its training pairs were made, JSON-serialisable: motion, threshold and so on.
        model: what identifies the segmentation model whose features it read.
        features: ``decoder`` or ``classes``.
    """
    return {
        "kind": KIND,
        "network": network,
        "space": space.name,
        "classes": list(space.train_names),
        "pairs": pairs,
        "model": model,
        "features": features,
    }


def load_refiner(path: Path, space: LabelSpace, model: SemanticModel, device: str | torch.device = "cpu") -> Refiner:
    """Loads a trained refiner; weights are read, never code.

    Args:
        path: folder or file of a training of ``kind: refiner``.
        space: label space of the labels to be refined.
        model: the segmentation model that it was trained with (its settings around it, see
            ``seglift.inference.predict.Predictor``), on ``device``.
        device: where it works.

    Raises:
        UserError: no refiner there or a damaged one, one of other classes, or of another width of features than
            the model's.
    """
    file = path / BEST_NAME if path.is_dir() else path
    tensors, metadata = load_weights(file)
    if metadata.get("kind") != KIND:
        raise UserError(
            f"{file} holds a {metadata.get('kind')} model, expected a refiner; give one that seglift train made with"
            " kind: refiner"
        )
    network = _rebuilt(tensors, metadata, file)
    _check_classes(metadata.get("classes"), network, space, file)
    if metadata.get("features") == CLASSES and not isinstance(model, ClassFeatures):
        model = ClassFeatures(model)
    found = feature_channels(model, device)
    if found != network.feature_channels:
        raise UserError(
            f"{file} reads {network.feature_channels} features of a segmentation model, this model gives {found};"
            " expected the model that the refiner was trained with: give it as --model, or train a refiner with yours"
        )
    network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Refiner(network, model, space, metadata)


def _rebuilt(tensors: dict[str, Tensor], metadata: dict[str, Any], file: Path) -> RefinerNetwork:
    config = metadata.get("network")
    try:
        network = build_refiner(config if isinstance(config, dict) else {}, seed=0)
        network.load_state_dict(tensors)
    except (UserError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{file} does not fit the refiner that it describes ({error}); train again") from error
    return network


def _check_classes(classes: object, network: RefinerNetwork, space: LabelSpace, file: Path) -> None:
    names = tuple(classes) if isinstance(classes, list) else ()
    if len(names) != network.num_classes:
        raise UserError(f"{file} names {len(names)} classes for {network.num_classes}; the file is broken, train again")
    if len(names) != space.num_train:
        raise UserError(
            f"{file} refines {len(names)} classes, {space.name} has {space.num_train}; expected a refiner trained in"
            " this space: give another, or train one"
        )
    if names != space.train_names:
        number = next(n for n, (ours, its) in enumerate(zip(space.train_names, names, strict=True)) if ours != its)
        raise UserError(
            f"{file} refines other classes than those of {space.name}: class {number} is {names[number]!r}, expected"
            f" {space.train_names[number]!r}; give a refiner trained in this space, or train one"
        )
