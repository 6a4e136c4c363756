"""``seglift score PRED GT --space S``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument(
        "pred",
        type=Path,
        metavar="PRED",
        help="an OUT of `label`, `predict` or `synthesize`, or a folder or tree of PNGs",
    )
    parser.add_argument(
        "truth",
        type=Path,
        metavar="GT",
        help="folder or tree of ground-truth PNGs; *_instanceIds.png beside them, or instances/ beside their labels/, "
        "add the instance-level IoU, and with PRED's panoptic quality, instance AP and, of one clip, id switches",
    )
    parser.add_argument("--space", required=True, metavar="NAME|FILE", help="label space: a name or a YAML/JSON file")
    parser.add_argument(
        "--keyframes", type=Path, metavar="DIR", help="leave these out; adds scores by distance to them"
    )
    parser.add_argument("--between", action="store_true", help="only frames strictly between first and last keyframe")
    parser.add_argument("--allow-missing", action="store_true", help="leave out ground truth without prediction")
    parser.add_argument(
        "--with-ignore",
        action="store_true",
        help="also score void as a class of its own, all kinds of it together (elsewhere void of GT is left out; void "
        "predicted where GT has a class is wrong in both)",
    )
    parser.add_argument(
        "--frames",
        type=Path,
        metavar="FRAMES",
        help="PRED's video file or folder of images; adds temporal consistency: each prediction against the one of the "
        "frame before, carried by motion, where that can be seen (needs no ground truth)",
    )
    parser.add_argument(
        "--motion", metavar="M", help="motion of temporal consistency: dis, raft, sdcnet:CKPT (default: dis)"
    )
    parser.add_argument(
        "--boundary-tolerance",
        type=float,
        default=0.005,
        metavar="T",
        help="of boundary F, share of the image diagonal (default: 0.005, 12 pixels at 2048x1024)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores (fractions 0..1) to FILE")


def run(arguments: argparse.Namespace) -> int:
    """Scores and prints the table."""
    from seglift.base.files import write_json
    from seglift.workflows.score.run import format_scores, score_folders

    scores = score_folders(
        arguments.pred,
        arguments.truth,
        arguments.space,
        keyframes=arguments.keyframes,
        between=arguments.between,
        allow_missing=arguments.allow_missing,
        tolerance=arguments.boundary_tolerance,
        with_ignore=arguments.with_ignore,
        frames=arguments.frames,
        motion=arguments.motion,
    )
    if arguments.json is not None:
        write_json(arguments.json, scores.as_json())
    print(format_scores(scores))
    return 0
