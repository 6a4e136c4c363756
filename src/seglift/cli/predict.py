"""``seglift predict FRAMES --model M --space S --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument(
        "frames", type=Path, metavar="FRAMES", help="a video, a folder of images, or a tree of images of any sizes"
    )
    parser.add_argument(
        "--model", required=True, metavar="M", help="a folder or file that `train` wrote, a checkpoint, hf:ID or folder"
    )
    parser.add_argument("--space", required=True, metavar="NAME|FILE", help="label space: a name or a YAML/JSON file")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="results: labels/NAME.png of the space's ids, of a panoptic model also instances/NAME.png, run.json",
    )
    parser.add_argument("--scales", default="1", metavar="S,S", help="scales to average over (default: 1)")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored image")
    parser.add_argument(
        "--average",
        choices=("logits", "probabilities"),
        default="logits",
        help="what is averaged (default: logits)",
    )
    parser.add_argument(
        "--tile", type=int, metavar="N", help="see the image in tiles of N pixels, at a scale S above 1 of N * S"
    )
    parser.add_argument(
        "--overlap", type=float, metavar="X", help="share of a tile in common with the next (default: a third)"
    )
    parser.add_argument(
        "--short-side",
        default="model",
        metavar="N",
        help="shrink larger images to this short side: pixels, image (never), or model (what it was trained for)",
    )
    parser.add_argument(
        "--size", metavar="WxH", help="resize every image to this size, whatever its own (KITTI: 1280x384)"
    )
    parser.add_argument(
        "--stuff-area",
        type=float,
        metavar="N",
        help="of a panoptic model: stuff of fewer pixels in a 2048x1024 image becomes void (default: 4096)",
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N, mps (default: auto)")
    parser.add_argument("--color", action="store_true", help="also write color/NAME.png in the classes' colours")
    parser.add_argument(
        "--confidence", action="store_true", help="also write confidence/NAME.png, 0..255 = 0..1, of the class that won"
    )
    parser.add_argument("--overwrite", action="store_true", help="start anew in an OUT of other options")


def run(arguments: argparse.Namespace) -> int:
    """Predicts; prints where the labels lie."""
    from dataclasses import replace

    from seglift.inference.panoptic.settings import PanopticSettings
    from seglift.workflows.predict.config import (
        OVERLAP,
        PAPER_SETTINGS,
        PredictConfig,
        parse_scales,
        parse_short_side,
        parse_size,
    )
    from seglift.workflows.predict.run import run_predict

    settings = replace(
        PAPER_SETTINGS,
        short_side=parse_short_side(arguments.short_side),
        size=parse_size(arguments.size),
        scales=parse_scales(arguments.scales),
        flip=arguments.flip,
        average=arguments.average,
        tile=arguments.tile,
        overlap=OVERLAP if arguments.overlap is None else arguments.overlap,
    )
    panoptic = PanopticSettings()
    if arguments.stuff_area is not None:
        panoptic = PanopticSettings(stuff_area=arguments.stuff_area)
    done = run_predict(
        PredictConfig(
            frames=arguments.frames,
            model=arguments.model,
            space=arguments.space,
            out=arguments.out,
            settings=settings,
            panoptic=panoptic,
            device=arguments.device,
            overwrite=arguments.overwrite,
            color=arguments.color,
            confidence=arguments.confidence,
        )
    )
    print(f"labels: {done.output.folder / 'labels'}")
    return 0
