"""``seglift suggest OUT`` and ``seglift suggest --images FOLDER --model M --space S``."""

from __future__ import annotations

import argparse
from pathlib import Path

from seglift.cli.dataset_options import add_dataset_options, read_dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument(
        "outs", nargs="*", type=Path, metavar="OUT", help="folders that `label` wrote: frames of their clips"
    )
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="or: a folder or tree of images, or a video")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="labels of some of the images")
    parser.add_argument(
        "--labelled",
        type=Path,
        metavar="FILE",
        help="a list of the images that count as labelled, one a line, or none (default: those with a label)",
    )
    parser.add_argument("--space", metavar="NAME|FILE", help="label space of the images: a name or a YAML/JSON file")
    parser.add_argument("--dataset", metavar="NAME", help="or: a dataset, such as cityscapes, bdd100k or folder")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the dataset")
    parser.add_argument("--split", metavar="S", help="of the dataset (default: train)")
    add_dataset_options(parser)
    parser.add_argument("--model", metavar="M", help="says which classes images show: as `predict` takes it")
    parser.add_argument(
        "--predictions", type=Path, metavar="DIR", help="in place of --model: what `predict` wrote of the images"
    )
    parser.add_argument(
        "--sampling",
        choices=("balanced", "uniform"),
        help="of images: as many with each class as with any other, or at random (default: balanced)",
    )
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--count", type=int, metavar="N", help="how many (default: at most 8)")
    much.add_argument("--hours", type=float, metavar="H", help="as many as a person labels in H hours")
    parser.add_argument(
        "--minutes-per-label",
        default="fine",
        metavar="M",
        help="what one label takes: minutes, or fine (90), fine_bdd100k (75), coarse (7) (default: fine)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what is suggested to FILE")
    parser.add_argument("--list", type=Path, metavar="FILE", help="write the names of the files alone, one a line")
    parser.add_argument(
        "--order",
        type=Path,
        metavar="FILE",
        help="write the names of the labelled images, then of those to label next, one a line; --labelled reads it",
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of images (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Prints what to label next and the hours."""
    from seglift.base.files import write_bytes, write_json
    from seglift.workflows.suggest.budget import Budget, parse_minutes
    from seglift.workflows.suggest.clips import suggest_frames
    from seglift.workflows.suggest.images import ImageOptions, suggest_images
    from seglift.workflows.suggest.pool import PoolPlace
    from seglift.workflows.suggest.suggestions import format_suggestions

    budget = Budget(arguments.count, arguments.hours, parse_minutes(arguments.minutes_per_label))
    if arguments.outs:
        _refuse_options_of_images(arguments)
        found = suggest_frames(arguments.outs, budget)
    else:
        place = PoolPlace(
            images=arguments.images,
            labels=arguments.labels,
            space=arguments.space,
            dataset=arguments.dataset,
            root=arguments.root,
            split=arguments.split,
            options=read_dataset_options(arguments.option),
            labelled=arguments.labelled,
        )
        options = ImageOptions(
            arguments.sampling or "balanced",
            arguments.model,
            arguments.predictions,
            arguments.device,
            arguments.seed,
        )
        found = suggest_images(place, options, budget)
    if arguments.json is not None:
        write_json(arguments.json, found.as_json())
    if arguments.list is not None:
        write_bytes(arguments.list, "".join(f"{item.file}\n" for item in found.items).encode())
    if arguments.order is not None:
        write_bytes(arguments.order, "".join(f"{name}\n" for name in found.in_order).encode())
    print(format_suggestions(found))
    return 0


def _refuse_options_of_images(arguments: argparse.Namespace) -> None:
    from seglift.base.errors import UserError

    names = (
        *("images", "dataset", "root", "split", "labels", "labelled", "space", "model", "predictions", "sampling"),
        *("option", "order"),
    )
    given = [name for name in names if getattr(arguments, name)]
    if given:
        raise UserError(
            f"--{given[0]} is for images, but {arguments.outs[0]} is given, too, a clip that seglift label wrote;"
            " give one of them"
        )
