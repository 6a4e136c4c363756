from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from seglift.labels.reading import read_image
from seglift.motion import dis
from seglift.motion.consistency import photometric_error
from seglift.motion.dis import PRESETS, DisFlow, gray
from seglift.motion.maps import identity_map, map_from_flow


@pytest.mark.parametrize("preset", [*PRESETS, "auto"])
def test_a_shift_is_found_and_points_from_target_to_source(preset: str, texture, shifted, as_batch):
    picture = texture(smooth=2.0)
    source, target = as_batch(picture), as_batch(shifted(picture, 3, -2))
    flow = DisFlow(preset)(source, target)
    assert flow.shape == (1, 2, 64, 80)
    assert flow.dtype == torch.float32
    error = torch.hypot(flow[0, 0] - 3, flow[0, 1] + 2)[8:-8, 8:-8]
    assert error.median() < 0.2
    before = photometric_error(target, source, identity_map(64, 80)).mean()
    assert photometric_error(target, source, map_from_flow(flow)).mean() < 0.3 * before


def test_no_motion(texture, as_batch):
    image = as_batch(texture())
    assert DisFlow("medium")(image, image).abs().max() < 0.05


def test_floats_and_bytes_are_one(texture, shifted, as_batch):
    source, target = as_batch(texture()), as_batch(shifted(texture(), 2, 1))
    flow = DisFlow("ultrafast")
    assert torch.equal(flow(source, target), flow(source / 255.0, target / 255.0))
    every = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).repeat(3, 1, 1)
    assert np.array_equal(gray(every), gray(every / 255.0))


def test_gray_is_luma_and_clamped():
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]], dtype=torch.uint8)
    expected = np.round(colours.numpy() @ [0.299, 0.587, 0.114])
    assert np.array_equal(gray(colours.T.reshape(3, 2, 2)).ravel(), expected)
    assert gray(torch.tensor([-0.2, 1.3]).view(1, 1, 2).repeat(3, 1, 1)).tolist() == [[0, 255]]
    assert gray(torch.tensor([100.4, 100.6]).view(1, 1, 2).repeat(3, 1, 1) / 255.0).tolist() == [[100, 101]]


@pytest.mark.parametrize("preset", [*PRESETS, "auto"])
def test_tiny_pictures(preset: str, texture, as_batch):
    flow = DisFlow(preset)
    for height, width in [(1, 1), (7, 9), (15, 16), (16, 16), (17, 3), (9, 70), (33, 17), (30, 400), (700, 16)]:
        picture = texture(height, width, smooth=1.0) if height > 1 else np.zeros((1, 1, 3), np.uint8)
        result = flow(as_batch(picture), as_batch(picture[:, ::-1]))
        assert result.shape == (1, 2, height, width)
        assert result.isfinite().all()


def test_pictures_of_a_batch_do_not_see_each_other(texture, as_batch):
    pictures = [as_batch(texture(seed=seed)) for seed in range(4)]
    flow = DisFlow("fast")
    both = flow(torch.cat(pictures[:2]), torch.cat(pictures[2:]))
    assert torch.equal(both[:1], flow(pictures[0], pictures[2]))
    assert torch.equal(both[1:], DisFlow("fast")(pictures[1], pictures[3]))


def test_several_threads_get_what_one_gets(texture, as_batch):
    pictures = [as_batch(texture(seed=seed)) for seed in range(6)]
    pairs = [(pictures[i], pictures[(i + step) % 6]) for step in (1, 2) for i in range(6)]
    flow = DisFlow("fast")
    alone = [DisFlow("fast")(*pair) for pair in pairs]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda pair: flow(*pair), pairs))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_the_number_of_opencv_threads_changes_nothing(texture, as_batch):
    source, target = as_batch(texture(96, 128)), as_batch(texture(96, 128, seed=1))
    alone = DisFlow("medium")(source, target)
    cv2.setNumThreads(3)
    try:
        assert torch.equal(DisFlow("medium")(source, target), alone)
    finally:
        cv2.setNumThreads(1)


def test_the_preset_follows_the_size_where_none_is_named(texture, as_batch, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dis, "FINE_UP_TO", 64 * 80)
    small = as_batch(texture()), as_batch(texture(seed=1))
    large = as_batch(texture(64, 81)), as_batch(texture(64, 81, seed=1))
    auto = DisFlow()
    for pair, preset, other in ((small, "fine", "medium"), (large, "medium", "fine"), (small, "fine", "medium")):
        flow = auto(*pair)
        assert torch.equal(flow, DisFlow(preset)(*pair))
        assert not torch.equal(flow, DisFlow(other)(*pair))


def test_an_unknown_preset():
    with pytest.raises(ValueError, match=r"'slow' is unknown; choose one of ultrafast, fast, medium"):
        DisFlow("slow")


@pytest.mark.parametrize("shapes", [((1, 3, 9, 9), (1, 3, 9, 8)), ((1, 1, 9, 9),) * 2, ((3, 9, 9),) * 2])
def test_pictures_of_other_shapes(shapes: tuple[tuple[int, ...], tuple[int, ...]]):
    with pytest.raises(ValueError, match=r"must both be \[B, 3, H, W\]"):
        DisFlow()(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_true_flow_of_a_real_scene(seglift_data: Path, as_batch):
    folder = seglift_data / "flow" / "RubberWhale"
    frame10, frame11 = (as_batch(read_image(folder / f"frame{number}.png")) for number in (10, 11))
    raw = np.fromfile(folder / "flow10.flo", np.float32)  # tag, width, height, then dx and dy interleaved
    width, height = raw[1:3].view(np.int32)
    truth = torch.from_numpy(raw[3:].reshape(height, width, 2)).permute(2, 0, 1)
    known = truth.abs().amax(0) < 1e9
    flow = DisFlow()(source=frame11, target=frame10)[0]  # the flow on frame 10 that samples frame 11
    error = (flow - truth).norm(dim=0)[known]
    assert error.mean() < 0.35  # no motion: 1.26; the other direction: 2.4
    assert error.median() < 0.2
