from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from seglift.metrics.image_quality import ImageQuality, interpolation_error, psnr, ssim


def pair(height=24, width=31, noise=0.1, seed=0):
    """A smooth image and a noisy one like it, float32 [1, 3, H, W]."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([0.5 + 0.4 * np.sin(x / 5 + phase) * np.cos(y / 7) for phase in (0, 1, 2)])
    other = np.clip(image + noise * generator.normal(size=image.shape), 0, 1)
    return tuple(torch.from_numpy(values.astype(np.float32))[None] for values in (image, other))


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("size", [(11, 11), (11, 40), (48, 33)])
def test_scores_are_those_of_scikit_image(size, noise):
    truth, made = pair(*size, noise)
    planes = [image[0].double().numpy() for image in (truth, made)]
    expected = structural_similarity(
        *planes, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, channel_axis=0
    )
    assert ssim(made, truth).item() == pytest.approx(expected, abs=2e-5)
    assert psnr(made, truth).item() == pytest.approx(peak_signal_noise_ratio(*planes, data_range=1.0), abs=1e-4)


def test_equal_images_score_the_most():
    truth, _ = pair()
    assert psnr(truth, truth).item() == pytest.approx(100.0)
    assert ssim(truth, truth).item() == pytest.approx(1.0)
    assert interpolation_error(truth, truth).item() == 0


def test_interpolation_error_is_the_root_mean_square_in_0_255():
    black = torch.zeros(1, 3, 12, 12)
    made = black.clone()
    made[..., :6] = 10 / 255
    assert interpolation_error(made, black).item() == pytest.approx(10 / math.sqrt(2))


def test_images_of_a_batch_are_scored_one_by_one():
    first, second = pair(seed=1), pair(noise=0.3, seed=2)
    both = [torch.cat(parts) for parts in zip(first, second, strict=True)]
    for score in (psnr, ssim, interpolation_error):
        assert score(*both).tolist() == pytest.approx([score(*first).item(), score(*second).item()], rel=1e-6)


def test_sums_merge():
    pairs = [pair(noise=noise, seed=n) for n, noise in enumerate((0.05, 0.1, 0.2))]
    whole, parts = ImageQuality.empty(), [ImageQuality.empty() for _ in range(2)]
    for n, (truth, made) in enumerate(pairs):
        whole.update(made, truth)
        parts[n % 2].update(made, truth)
    merged = parts[0] + parts[1]
    assert merged.sums == pytest.approx(whole.sums)
    assert whole.frames == 3
    assert whole.psnr() == pytest.approx(np.mean([psnr(made, truth).item() for truth, made in pairs]))
    assert whole.ssim() == pytest.approx(np.mean([ssim(made, truth).item() for truth, made in pairs]))
    error = np.mean([interpolation_error(made, truth).item() for truth, made in pairs])
    assert whole.interpolation_error() == pytest.approx(error)


def test_nothing_scored_is_no_number():
    assert math.isnan(ImageQuality.empty().psnr())
    assert ImageQuality.empty().frames == 0


def test_what_cannot_be_compared_is_refused():
    truth, made = pair()
    with pytest.raises(ValueError, match="one size"):
        psnr(made[..., 1:], truth)
    with pytest.raises(ValueError, match="11x11"):
        ssim(made[..., :10], truth[..., :10])
    with pytest.raises(ValueError, match=r"\[4\]"):
        ImageQuality(np.zeros(3))
