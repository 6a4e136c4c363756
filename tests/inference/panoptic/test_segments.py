"""The whole post-processing, against plain loops over pixels and against small pictures by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seglift.inference.panoptic.segments import decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.instances import decode_cityscapes, encode_cityscapes
from seglift.models.panoptic_output import PanopticOutput

CITYSCAPES = BUILTIN_SPACES["cityscapes"]
ROAD, BUILDING, SKY, PERSON, CAR = 0, 2, 10, 11, 13
IDS = [next(entry.id for entry in CITYSCAPES.classes if entry.train_id == train_id) for train_id in range(19)]
ANY_SIZE = PanopticSettings(stuff_area=0)


def output(classes, centres=(), offset=None, sure=4.0) -> PanopticOutput:
    """Of one image: logits ``sure`` for the train ids [H, W] and 0 else, heat at (row, column, heat), offsets."""
    classes = torch.as_tensor(classes)
    semantic = torch.nn.functional.one_hot(classes.long(), 19).permute(2, 0, 1)[None].float() * sure
    heat = torch.zeros(1, 1, *classes.shape)
    for row, column, value in centres:
        heat[0, 0, row, column] = value
    return PanopticOutput(semantic, heat, torch.zeros(1, 2, *classes.shape) if offset is None else offset)


def plain(found: PanopticOutput, settings: PanopticSettings):
    """Raw ids, numbers and scores of one image, one pixel after the other."""
    logits, heat, offset = found.semantic[0].double().numpy(), found.centre[0, 0].numpy(), found.offset[0].numpy()
    (height, width), radius = heat.shape, settings.window // 2
    classes = logits.argmax(0)
    peaks = []
    for y in range(height):
        for x in range(width):
            around = heat[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            if heat[y, x] > settings.threshold and heat[y, x] == around.max():
                peaks.append((-heat[y, x], y, x))
    peaks = sorted(peaks)[: settings.most]
    members = [[] for _ in peaks]
    raw, number, scores = np.zeros((height, width), int), np.zeros((height, width), int), {}
    areas = Counter(classes.ravel().tolist())
    for y in range(height):
        for x in range(width):
            if classes[y, x] >= PERSON and peaks:
                to = y + float(offset[0, y, x]), x + float(offset[1, y, x])
                distances = [(to[0] - row) ** 2 + (to[1] - column) ** 2 for _, row, column in peaks]
                members[distances.index(min(distances))].append((y, x))
            elif classes[y, x] < PERSON and areas[classes[y, x]] >= settings.stuff_limit(height, width):
                raw[y, x] = IDS[classes[y, x]]
    counts = Counter()
    for (cold, _, _), pixels in zip(peaks, members, strict=True):
        if pixels:
            votes = Counter(classes[pixel] for pixel in pixels)
            winner = min(train_id for train_id in votes if votes[train_id] == max(votes.values()))
            counts[winner] += 1
            sure = [np.exp(logits[winner, y, x]) / np.exp(logits[:, y, x]).sum() for y, x in pixels]
            scores[IDS[winner], counts[winner]] = -float(cold) * np.mean(sure)
            for pixel in pixels:
                raw[pixel], number[pixel] = IDS[winner], counts[winner]
    return raw, number, scores


def same(found, expected):
    raw, number, scores = expected
    assert found.raw.dtype == np.uint8 and found.number.dtype == np.uint16
    np.testing.assert_array_equal(found.raw, raw)
    np.testing.assert_array_equal(found.number, number)
    assert found.scores == pytest.approx(scores, rel=1e-5)


@st.composite
def wild(draw):
    """What a network might say of small images: any classes, centres anywhere, offsets in any direction."""
    size = draw(st.tuples(st.integers(1, 18), st.integers(1, 18)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    shown = draw(st.sampled_from([[ROAD], [CAR], [PERSON, CAR], [ROAD, SKY], [ROAD, BUILDING, SKY, PERSON, CAR, 18]]))
    spread, centres = draw(st.sampled_from([0, 5, 40])), draw(st.integers(0, 30))
    found = output(rng.choice(shown, size))
    found.semantic.copy_(torch.from_numpy(found.semantic.numpy() + rng.normal(0, 1, found.semantic.shape)))
    where = rng.integers(0, (*size, 4), (centres, 3))  # rows, columns and one of four temperatures
    found.centre[0, 0, where[:, 0], where[:, 1]] = torch.from_numpy(where[:, 2] / 4).float()
    found.offset.copy_(torch.from_numpy(rng.integers(-2 * spread, 2 * spread + 1, (1, 2, *size)) / 2))
    window, most = draw(st.sampled_from([1, 3, 7])), draw(st.sampled_from([1, 5, 200]))
    return found, PanopticSettings(window=window, most=most, stuff_area=draw(st.sampled_from([0, 4096, 400_000])))


@given(wild())
def test_equal_to_plain_loops(case) -> None:
    found, settings = case
    (decoded,) = decode_panoptic(found, CITYSCAPES, settings)
    same(decoded, plain(found, settings))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@given(wild())
def test_a_gpu_gives_the_same(case) -> None:
    found, settings = case
    (decoded,) = decode_panoptic(
        PanopticOutput(found.semantic.cuda(), found.centre.cuda(), found.offset.cuda()), CITYSCAPES, settings
    )
    same(decoded, plain(found, settings))


def test_two_cars_and_a_road() -> None:
    classes = np.array([[ROAD, CAR, CAR, CAR, CAR, CAR]])
    offset = torch.zeros(1, 2, 1, 6)
    offset[0, 1, 0, 1:3], offset[0, 1, 0, 3:] = torch.tensor([0.4, -0.6]), torch.tensor([1.0, 0.0, -1.0])
    found = output(classes, [(0, 1, 0.5), (0, 4, 0.8)], offset)
    (decoded,) = decode_panoptic(found, CITYSCAPES, PanopticSettings(stuff_area=0, window=3))
    assert decoded.raw.tolist() == [[7, 26, 26, 26, 26, 26]]
    assert decoded.number.tolist() == [[0, 2, 2, 1, 1, 1]]
    probability = float(torch.tensor([4.0] + 18 * [0.0]).softmax(0)[0])
    assert decoded.scores == pytest.approx({(26, 1): 0.8 * probability, (26, 2): 0.5 * probability})


def test_the_majority_names_the_class() -> None:
    """Of three pixels one is a rider; numbers run within each class; of equals the lower class."""
    classes = np.array([[CAR, CAR, 12, ROAD, PERSON, 18, ROAD, CAR]])
    offset = torch.zeros(1, 2, 1, 8)
    offset[0, 1] = torch.tensor([1.0, 0, -1, 0, 0, -1, 0, 0])
    found = output(classes, [(0, 1, 0.9), (0, 4, 0.8), (0, 7, 0.7)], offset)
    (decoded,) = decode_panoptic(found, CITYSCAPES, PanopticSettings(stuff_area=0, window=3))
    assert decoded.raw.tolist() == [[26, 26, 26, 7, 24, 24, 7, 26]]
    assert decoded.number.tolist() == [[1, 1, 1, 0, 1, 1, 0, 2]]


def test_without_centres_things_are_void() -> None:
    (decoded,) = decode_panoptic(output([[ROAD, CAR, CAR]], [(0, 1, 0.1)]), CITYSCAPES, ANY_SIZE)
    assert decoded.raw.tolist() == [[7, 0, 0]]
    assert not decoded.number.any() and decoded.scores == {}


def test_without_things_centres_mean_nothing() -> None:
    (decoded,) = decode_panoptic(output([[ROAD, SKY, SKY]], [(0, 1, 0.9)]), CITYSCAPES, ANY_SIZE)
    assert decoded.raw.tolist() == [[7, 23, 23]]
    assert not decoded.number.any() and decoded.scores == {}


@pytest.mark.parametrize(("pixels", "kept"), [(255, False), (256, True)])
def test_the_limit_for_stuff_at_a_quarter_of_the_size(pixels: int, kept: bool) -> None:
    """4096 pixels at 1024 x 2048 are 256 at 256 x 512; things have no limit."""
    classes = np.full(256 * 512, ROAD)
    classes[:pixels], classes[-1] = SKY, CAR
    (decoded,) = decode_panoptic(output(classes.reshape(256, 512), [(255, 511, 0.5)]), CITYSCAPES)
    assert (decoded.raw.ravel()[:pixels] == (23 if kept else 0)).all()
    assert decoded.raw[255, 511] == 26 and decoded.raw[255, 510] == 7


def test_nothing_but_void() -> None:
    (decoded,) = decode_panoptic(output(np.arange(11)[None]), CITYSCAPES, PanopticSettings(stuff_area=1e9))
    assert not decoded.raw.any() and not decoded.number.any()


def test_more_instances_than_files_can_number() -> None:
    """1800 cars of one pixel: the 1000 hottest centres stay, and what is written can be read."""
    classes = np.full((60, 60), CAR)
    found = output(classes)
    found.centre[0, 0, ::2] = torch.rand(30, 60, generator=torch.Generator().manual_seed(0)) / 2 + 0.5
    (decoded,) = decode_panoptic(found, CITYSCAPES, PanopticSettings(window=1, most=1000))
    assert len(decoded.scores) == decoded.number.max() == 1000
    raw, number = decode_cityscapes(encode_cityscapes(decoded.raw, decoded.number, "cars"), CITYSCAPES, "cars")
    np.testing.assert_array_equal(raw, decoded.raw)
    np.testing.assert_array_equal(number, decoded.number)


def test_images_of_a_batch_are_apart() -> None:
    one, other = output([[CAR, CAR, ROAD]], [(0, 0, 0.5)]), output([[SKY, CAR, PERSON]], [(0, 1, 0.5), (0, 2, 0.2)])
    pairs = zip((one.semantic, one.centre, one.offset), (other.semantic, other.centre, other.offset), strict=True)
    both = decode_panoptic(PanopticOutput(*map(torch.cat, pairs)), CITYSCAPES, ANY_SIZE)
    for found, alone in zip(both, (one, other), strict=True):
        same(found, plain(alone, ANY_SIZE))


def test_a_space_without_void() -> None:
    """What would be void is the background."""
    space = BUILTIN_SPACES["binary"]
    found = PanopticOutput(
        torch.tensor([[[[0.0, 1.0]], [[1.0, 0.0]]]]), torch.zeros(1, 1, 1, 2), torch.zeros(1, 2, 1, 2)
    )
    (decoded,) = decode_panoptic(found, space, PanopticSettings(stuff_area=1e9))
    assert set(decoded.raw.ravel().tolist()) == {0}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["semantic", "centre", "offset"])
def test_what_is_no_number_is_refused(part: str, value: float) -> None:
    found = output([[ROAD, CAR]], [(0, 1, 0.5)])
    getattr(found, part)[0, 0, 0, 1] = value
    with pytest.raises(ValueError, match="no finite numbers"):
        decode_panoptic(found, CITYSCAPES)


def test_classes_without_any_chance_are_no_error() -> None:
    """Models mapped from another space give classes that they do not know next to no probability."""
    found = output([[ROAD, CAR]], [(0, 1, 0.5)])
    found.semantic[:, 5] = -torch.inf
    (decoded,) = decode_panoptic(found, CITYSCAPES, ANY_SIZE)
    assert decoded.raw.tolist() == [[7, 26]]


def test_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="19 semantic channels expected for cityscapes, got 3"):
        decode_panoptic(
            PanopticOutput(torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)), CITYSCAPES
        )
