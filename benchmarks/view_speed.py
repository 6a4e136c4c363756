"""Augmented views per second on one core, by what the augmentation does.

    python benchmarks/view_speed.py [--repeats 5]

Pictures are generated (smooth noise); the time is that of the process, the best of the repeats.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
import torch

from seglift.training.images.augmentation import AugmentationConfig, random_view
from seglift.training.images.sample import Sample

CASES = [((360, 480), (256, 320)), ((1024, 2048), (800, 800))]
CONFIGS = {
    "scale, crop, flip": AugmentationConfig(jitter=0, blur=None),
    "and colours": AugmentationConfig(blur=None),
    "and blur (all of Zhu et al.)": AugmentationConfig(),
}


def make_sample(height: int, width: int) -> Sample:
    """Smooth noise with 19 classes."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (height // 16, width // 16, 3)).astype(np.uint8)
    classes = generator.integers(0, 19, (height // 16, width // 16)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return Sample(image, cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST))


def main() -> None:
    """Measures every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for full, crop in CASES:
        sample = make_sample(*full)
        views = 4_000_000 // (crop[0] * crop[1])
        for name, config in CONFIGS.items():
            seconds = []
            for _ in range(options.repeats):
                generator = np.random.default_rng(1)
                begin = time.process_time()
                for _ in range(views):
                    random_view(sample, crop, config, generator)
                seconds.append((time.process_time() - begin) / views)
            print(f"{full[0]}x{full[1]} -> {crop[0]}x{crop[1]}, {name}: {1 / min(seconds):.0f} views/s")


if __name__ == "__main__":
    main()
