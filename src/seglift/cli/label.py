"""``seglift label FRAMES --labels DIR --space S --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options; their help and defaults are those of ``LabelConfig``."""
    from seglift.workflows.label.config import LabelConfig

    fields = LabelConfig.__dataclass_fields__

    def about(name: str) -> str:
        field = fields[name]
        default = field.default
        shown = (
            "" if not isinstance(default, str | int | float) or isinstance(default, bool) else f" (default: {default})"
        )
        return f"{field.metadata['help']}{shown}".replace("%", "%%")

    parser.add_argument("frames", type=Path, metavar="FRAMES", help=about("frames"))
    parser.add_argument("--labels", type=Path, required=True, metavar="DIR", help=about("labels"))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=about("out"))
    parser.add_argument("--space", required=True, metavar="NAME|FILE", help=about("space"))
    parser.add_argument("--instances", default="auto", metavar="DIR", help=about("instances"))
    for name in ("method", "motion", "model", "refiner", "direction", "resample", "out_of_view", "tau", "settings"):
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, default=fields[name].default, metavar="X", help=about(name))
    parser.add_argument("--max-distance", type=int, metavar="K", help=about("max_distance"))
    parser.add_argument("--frames", dest="cut", metavar="A:B", help=about("cut"))
    parser.add_argument(
        "--cuts", dest="scene_cuts", default=fields["scene_cuts"].default, metavar="X", help=about("scene_cuts")
    )
    parser.add_argument("--ground-truth", type=Path, metavar="DIR", help=about("ground_truth"))
    parser.add_argument(
        "--model-steps", type=int, default=fields["model_steps"].default, metavar="N", help=about("model_steps")
    )
    parser.add_argument("--tune", action="store_true", help=about("tune"))
    parser.add_argument("--model-minutes", type=float, metavar="M", help=about("model_minutes"))
    parser.add_argument("--device", default="auto", metavar="D", help=about("device"))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=about("seed"))
    parser.add_argument("--overwrite", action="store_true", help=about("overwrite"))
    parser.add_argument("--dry-run", action="store_true", help=about("dry_run"))


def run(arguments: argparse.Namespace) -> int:
    """Labels the clip; prints where the report lies and, with ground truth, the scores."""
    from seglift.workflows.label.config import LabelConfig, parse_cut
    from seglift.workflows.label.dry_run import describe
    from seglift.workflows.label.plan import make_plan
    from seglift.workflows.label.run import run_label

    values = {name: getattr(arguments, name) for name in LabelConfig.__dataclass_fields__}
    values["cut"] = parse_cut(arguments.cut) if arguments.cut is not None else None
    config = LabelConfig(**values)
    if config.dry_run:
        print(describe(make_plan(config)))
        return 0
    done = run_label(config)
    if done.scores is not None:
        from seglift.workflows.score.run import format_scores

        print(format_scores(done.scores))
    print(f"labels: {config.out / 'labels'}\nreport: {config.out / 'report.html'}")
    return 0
