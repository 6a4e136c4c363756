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


def blocks(height: int = 96, width: int = 160) -> np.ndarray:
    """Plain squares of red, green and blue, 16 pixels wide."""
    colors = np.random.default_rng(0).integers(0, 3, (height // 16, width // 16))
    return (np.eye(3, dtype=np.uint8)[colors] * 255).repeat(16, 0).repeat(16, 1)


def test_every_way_of_looking_is_the_identity_for_an_equivariant_model() -> None:
    """A model that sees one pixel at a time moves and mirrors with its input: flip and tiles change nothing, scales
    nothing but the blended edges."""
    image = blocks()
    plain = predict_logits(Colors(), image)
    once = predict_logits(Colors(), image, InferenceSettings(flip=True, tile=40, overlap=1 / 3))
    assert torch.allclose(once, plain, atol=1e-5)
    for average in ("logits", "probabilities"):
        settings = InferenceSettings(
            scales=(0.5, 1.0, 2.0), flip=True, tile=64, overlap=1 / 3, growing_tiles=True, average=average
        )
        found = predict_logits(Colors(), image, settings).argmax(0).view(6, 16, 10, 16)[:, 2:-2, :, 2:-2]
        assert torch.equal(found, plain.argmax(0).view(6, 16, 10, 16)[:, 2:-2, :, 2:-2])
    flat = np.full((50, 70, 3), (10, 20, 30), np.uint8)
    settings = InferenceSettings(scales=(0.5, 1.0, 1.5, 2.0), flip=True, tile=24, overlap=1 / 3)
    assert torch.allclose(predict_logits(Colors(), flat, settings), predict_logits(Colors(), flat), atol=1e-5)


def test_tiles_grow_with_the_scales_above_one() -> None:
    model = Colors()
    settings = InferenceSettings(scales=(0.5, 1.0, 2.0), tile=48, overlap=1 / 3)
    predict_logits(model, blocks(), replace(settings, growing_tiles=True))
    assert sorted(set(model.seen)) == [(48, 48), (96, 96)]
    counts = [model.seen.count((48, 48)), model.seen.count((96, 96))]
    assert counts == [1 * 2 + 3 * 5, 3 * 5]  # 48x80 and 96x160 at stride 32, 192x320 at stride 64
    model.seen.clear()
    predict_logits(model, blocks(), settings)
    assert set(model.seen) == {(48, 48)}


def test_one_size_for_all_and_results_back_by_nearest_neighbour() -> None:
    model = Colors()
    image = picture(30, 100)
    settings = InferenceSettings(size=(60, 80))
    logits = predict_logits(model, image, settings)
    assert model.seen == [(60, 80)]
    seen = predict_logits(Colors(), image, settings)
    inside = Predictor(model, settings)._at_working_size(image_to_tensor(image))[0]
    rows = np.floor((np.arange(30) + 0.5) * 60 / 30).astype(int)
    columns = np.floor((np.arange(100) + 0.5) * 80 / 100).astype(int)
    assert torch.equal(seen, inside[:, rows][:, :, columns])
    assert logits.argmax(0)[0].tolist() == [0] * 50 + [2] * 50
    with pytest.raises(UserError, match="size"):
        InferenceSettings(size=(8, 100))


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
