"""Time of the relaxed loss against plain cross-entropy, forward and backward (DESIGN, budgets: at most 2x).

    [SEGLIFT_DATA=DIR] python benchmarks/loss_speed.py [--size 512] [--batch 2] [--classes 19] [--repeats 15]

Both losses start from the same logits and uint8 labels and end with the gradient of the logits; plain is
``torch.nn.functional.cross_entropy(logits, target.long(), ignore_index=255)``, relaxed is everything that training
calls: sets of neighbours, loss, mean. They run in turn, each pair gives one ratio, the median counts. Labels: drawn
shapes like a street (bands, boxes, poles) and, with $SEGLIFT_DATA, two labels of camvid/train brought to the size.
Threads wait asleep (OMP_WAIT_POLICY=PASSIVE unless set): spinning ones make both losses erratic on a busy machine, the
one with more steps above all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seglift.losses.criterion import make_term
from seglift.losses.neighbours import neighbour_sets


def drawn_labels(batch: int, classes: int, size: int) -> Tensor:
    """Bands, boxes and poles of random classes, a few void; uint8 [B, size, size]."""
    generator = np.random.default_rng(0)
    labels = np.zeros((batch, size, size), np.uint8)
    for label in labels:
        for band in range(4):
            label[band * size // 4 :] = generator.integers(classes)
        for _ in range(60):
            x, y = (int(value) for value in generator.integers(size, size=2))
            width = int(generator.choice((size // 100 + 1, size // 16, size // 8)))
            height = int(generator.choice((size // 16, size // 8, size // 4)))
            value = 255 if generator.random() < 0.05 else int(generator.integers(classes))
            cv2.rectangle(label, (x, y), (x + width, y + height), value, -1)
            cv2.circle(label, (y, x), width, int(generator.integers(classes)), -1)
    return torch.from_numpy(labels)


def real_labels(batch: int, size: int) -> Tensor:
    """Labels of camvid/train (camvid11: 11 is void), nearest neighbour to uint8 [B, size, size]."""
    paths = sorted((Path(os.environ["SEGLIFT_DATA"]) / "camvid" / "train" / "labels").glob("*.png"))
    labels = []
    for path in paths[:: max(1, len(paths) // batch)][:batch]:
        label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        label = cv2.resize(label, (size, size), interpolation=cv2.INTER_NEAREST)
        labels.append(np.where(label > 10, 255, label).astype(np.uint8))
    return torch.from_numpy(np.stack(labels))


def seconds(loss: Callable[[Tensor], Tensor], logits: Tensor) -> float:
    """Wall seconds of one forward and backward pass."""
    logits.grad = None
    begin = time.perf_counter()
    loss(logits).backward()  # type: ignore[no-untyped-call]
    if logits.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def compare(name: str, target: Tensor, classes: int, repeats: int, device: str) -> None:
    """Prints one row for each setting of the relaxed loss."""
    target = target.to(device)
    logits = torch.randn(len(target), classes, *target.shape[1:], generator=torch.Generator().manual_seed(1))
    logits = logits.to(device).requires_grad_()

    def plain(z: Tensor) -> Tensor:
        return F.cross_entropy(z, target.long(), ignore_index=255)

    for radius in (0, 1, 3):
        term = make_term("relaxed", {"radius": radius})
        share = len(neighbour_sets(target, classes, radius).boundary) / target.numel()
        seconds(plain, logits), seconds(lambda z, term=term: term(z, target), logits)  # type: ignore[misc]
        pairs = [
            (seconds(lambda z, term=term: term(z, target), logits), seconds(plain, logits))  # type: ignore[misc]
            for _ in range(repeats)
        ]
        ratios = sorted(relaxed / reference for relaxed, reference in pairs)
        middle = [1000 * statistics.median(column) for column in zip(*pairs, strict=True)]
        quartiles = f"{ratios[len(ratios) // 4]:.2f}..{ratios[-1 - len(ratios) // 4]:.2f}"
        cells = (name, radius, f"{100 * share:.1f}", f"{statistics.median(ratios):.2f}", quartiles)
        print("|", " | ".join(map(str, (*cells, *map(round, middle)))), "|", flush=True)


def main() -> None:
    """Parses the options and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{options.batch}x{options.classes}x{options.size}x{options.size}, {options.threads} threads, {options.device}"
    )
    print("| labels | radius | boundary pixels, % | relaxed / plain, median | quartiles | relaxed, ms | plain, ms |")
    print("|---|---|---|---|---|---|---|")
    drawn = drawn_labels(options.batch, options.classes, options.size)
    compare("drawn", drawn, options.classes, options.repeats, options.device)
    if os.environ.get("SEGLIFT_DATA"):
        real = real_labels(options.batch, options.size)
        compare("CamVid", real, options.classes, options.repeats, options.device)


if __name__ == "__main__":
    main()
