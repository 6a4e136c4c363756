"""``seglift synthesize DATASET --root DIR --method M --distances K,K --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

from seglift.cli.dataset_options import add_dataset_options, read_dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options; their help and defaults are those of ``SynthesizeConfig``."""
    from seglift.workflows.synthesize.config import SynthesizeConfig

    fields = SynthesizeConfig.__dataclass_fields__

    def about(name: str) -> str:
        default = fields[name].default
        shown = f" (default: {default})" if isinstance(default, str) else ""
        return f"{fields[name].metadata['help']}{shown}".replace("%", "%%")

    parser.add_argument("dataset", metavar="DATASET", help=about("dataset"))
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help=about("root"))
    parser.add_argument("--method", required=True, metavar="M", help=about("method"))
    parser.add_argument("--distances", required=True, metavar="K,K", help=about("distances"))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=about("out"))
    parser.add_argument("--split", default="train", metavar="S", help=about("split"))
    add_dataset_options(parser)
    texts = ("motion", "model", "refiner", "pairs", "direction", "resample", "out_of_view", "tau", "threshold")
    for name in (*texts, "settings"):
        parser.add_argument(f"--{name.replace('_', '-')}", default=fields[name].default, metavar="X", help=about(name))
    parser.add_argument(
        "--cuts", dest="scene_cuts", default=fields["scene_cuts"].default, metavar="X", help=about("scene_cuts")
    )
    parser.add_argument("--no-confidence", dest="confidence", action="store_false", help=about("confidence"))
    parser.add_argument("--skip-corrupt", action="store_true", help=about("skip_corrupt"))
    parser.add_argument("--workers", type=int, metavar="N", help=about("workers"))
    parser.add_argument("--device", default="auto", metavar="D", help=about("device"))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=about("seed"))
    parser.add_argument("--overwrite", action="store_true", help=about("overwrite"))
    parser.add_argument("--dry-run", action="store_true", help=about("dry_run"))


def run(arguments: argparse.Namespace) -> int:
    """Makes the dataset; prints where it lies."""
    from seglift.base.counts import counted
    from seglift.workflows.synthesize.config import SynthesizeConfig, parse_distances
    from seglift.workflows.synthesize.dry_run import describe
    from seglift.workflows.synthesize.run import run_synthesize

    values = {name: getattr(arguments, name) for name in SynthesizeConfig.__dataclass_fields__ if name != "options"}
    values["distances"] = parse_distances(arguments.distances)
    config = SynthesizeConfig(**values, options=read_dataset_options(arguments.option))
    if config.dry_run:
        print(describe(config))
        return 0
    done = run_synthesize(config)
    reads = f"seglift train reads it as dataset: folder, split: {config.split}"
    print(f"{counted(done.pairs, 'pair')}: {config.out} ({reads})")
    return 0
