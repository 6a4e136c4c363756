from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from seglift.metrics.image_quality import ImageQuality, psnr
from seglift.motion.dis import DisFlow
from seglift.training.loop.task import Part
from seglift.training.video_prediction_validation import HeldOut, last_flow, stand_still
from seglift.training.videos.triplets import Clip, Triplets
from seglift.video.frames import open_frames

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def triplets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    generator = np.random.default_rng(0)
    for n in range(12):
        Image.fromarray(generator.integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(folder / f"{n}.png")
    return Triplets([Clip("noise", partial(open_frames, folder))])


def make(triplets, **changes):
    options = {"frames": 4, "crop": None, "margin": 8, "num_frames": 3, "input_flow": "dis:fine", **changes}
    return HeldOut(triplets, **options)


def test_frames_are_spread_evenly_and_capped(triplets):
    assert make(triplets).numbers == [1, 3, 6, 8]
    assert make(triplets, frames=1).numbers == [5]
    assert make(triplets, frames=99).numbers == list(range(10))


def test_copying_scores_the_frame_before(triplets):
    held_out = make(triplets)
    found = held_out.quality({"copy": stand_still}, CPU, Part())["copy"]
    scores = []
    for number in held_out.numbers:
        _, middle, last = (torch.from_numpy(frame / 255).permute(2, 0, 1)[None] for frame in triplets[number])
        scores.append(psnr(middle, last).item())
    assert found.psnr() == pytest.approx(np.mean(scores), rel=1e-5)
    assert found.frames == 4


def test_the_centre_alone_is_scored_where_a_crop_is_given(triplets):
    held_out = make(triplets, frames=1, crop=(20, 30))
    found = held_out.quality({"copy": stand_still}, CPU, Part())["copy"]
    _, middle, last = (torch.from_numpy(frame / 255).permute(2, 0, 1)[None] for frame in triplets[5])
    inside = [image[..., 10:30, 10:40] for image in (middle, last)]
    assert found.psnr() == pytest.approx(psnr(*inside).item(), rel=1e-5)


def test_a_centre_larger_than_the_frame_is_the_frame(triplets):
    whole, larger = (
        make(triplets, crop=crop).quality({"x": stand_still}, CPU, Part())["x"] for crop in (None, (99, 99))
    )
    assert larger.sums == pytest.approx(whole.sums)


def test_shares_of_processes_add_up(triplets):
    held_out = make(triplets)
    whole = held_out.quality({"x": last_flow}, CPU, Part())["x"]
    parts = [held_out.quality({"x": last_flow}, CPU, Part(n, 3))["x"] for n in range(3)]
    total = sum(parts, ImageQuality.empty())
    assert total.sums == pytest.approx(whole.sums)


def test_flows_are_estimated_once(triplets, monkeypatch):
    held_out, calls = make(triplets), []
    estimate = DisFlow.__call__

    def counted(self, *images):
        calls.append(1)
        return estimate(self, *images)

    monkeypatch.setattr(DisFlow, "__call__", counted)
    first = held_out.quality({"x": last_flow}, CPU, Part())["x"].sums
    assert len(calls) == 8
    assert (held_out.quality({"x": last_flow}, CPU, Part())["x"].sums == first).all()
    assert len(calls) == 8
