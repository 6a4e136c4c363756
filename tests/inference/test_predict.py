from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.base.errors import UserError
from seglift.inference.predict import Predictor, image_to_tensor, shrunk_size
from seglift.inference.semantic_model import SemanticModel
from seglift.inference.settings import InferenceSettings


class Colors:
    """One class for each colour channel; remembers the sizes it was shown."""

    space_classes = ("red", "green", "blue")

    def __init__(self, short_side: int | None = None) -> None:
        self.short_side = short_side
        self.seen: list[tuple[int, ...]] = []

    def logits(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape[-2:]))
        return images * 10

    def features(self, images: Tensor) -> Tensor:
        return self.logits(images)


def picture(height: int = 48, width: int = 80) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0], image[:, width // 2 :, 2] = 255, 255
    return image


def predict_logits(model: SemanticModel, image: NDArray[np.uint8], settings: InferenceSettings | None = None) -> Tensor:
    return Predictor(model, settings or InferenceSettings()).logits(image_to_tensor(image))[0]


def test_plain_settings_pass_the_image_as_it_is() -> None:
    model = Colors()
    logits = predict_logits(model, picture())
    assert model.seen == [(48, 80)]
    assert torch.equal(logits, torch.from_numpy(picture()).permute(2, 0, 1) / 255 * 10)


def test_the_models_working_size_is_used_and_the_result_full_size() -> None:
    model = Colors(short_side=24)
    logits = predict_logits(model, picture())
    assert model.seen == [(24, 40)]
    assert logits.shape == (3, 48, 80)
    assert logits.argmax(0)[:, [0, 38, 41, 79]].unique(dim=0).tolist() == [[0, 0, 2, 2]]
    predict_logits(model, picture(), InferenceSettings(short_side="image"))
    predict_logits(model, picture(), InferenceSettings(short_side=16))
    predict_logits(model, picture(), InferenceSettings(short_side=400))
    assert model.seen[1:] == [(48, 80), (16, 27), (48, 80)]


def test_images_beyond_the_bound_are_seen_in_tiles() -> None:
    model = Colors()
    settings = InferenceSettings(max_pixels=1000)
    logits = predict_logits(model, picture(), settings)
    assert len(model.seen) > 1
    assert all(height * width <= 1000 for height, width in model.seen)
    assert torch.allclose(logits, predict_logits(Colors(), picture()), atol=1e-5)
    model.seen.clear()
    predict_logits(model, picture(), replace(settings, scales=(0.5,), flip=True))
    assert model.seen == [(24, 40)] * 2


def test_a_predictor_is_a_semantic_model() -> None:
    predictor = Predictor(Colors(short_side=24), InferenceSettings(flip=True))
    assert isinstance(predictor, SemanticModel)
    images = image_to_tensor(picture())
    assert predictor.logits(images).shape == (1, 3, 48, 80)
    assert predictor.features(images).shape == (1, 3, 24, 40)
    # Around it, default settings change nothing more.
    assert torch.equal(predict_logits(predictor, picture()), predictor.logits(images)[0])


def test_sizes_and_settings() -> None:
    assert shrunk_size(1024, 2048, 512) == (512, 1024)
    assert shrunk_size(100, 50, 512) == (100, 50)
    assert shrunk_size(100, 50, None) == (100, 50)
    with pytest.raises(ValueError, match="uint8"):
        image_to_tensor(np.zeros((3, 4, 3), np.float32))
    wrong: list[dict[str, object]] = [{"short_side": 3}, {"scales": ()}, {"overlap": 1.0}, {"average": "median"}]
    for values in wrong:
        with pytest.raises(UserError, match=next(iter(values))):
            InferenceSettings(**values)  # type: ignore[arg-type]
