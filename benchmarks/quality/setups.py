"""The ways of labelling that are compared: every combination of what was asked for that ``seglift label`` takes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from seglift.base.errors import UserError
from seglift.workflows.label.config import METHODS, LabelConfig

NO_MODEL = ("motion",)


@dataclass(frozen=True)
class Setup:
    """One way of labelling: a name for tables, and options of ``LabelConfig``."""

    name: str
    options: dict[str, object]


def add_setup_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that :func:`find_setups` combines."""
    parser.add_argument("--methods", nargs="+", default=["motion", "inpaint"], choices=METHODS)
    parser.add_argument("--motion", nargs="+", default=["dis"])
    parser.add_argument("--settings", nargs="+", default=["product"], choices=("product", "paper"))
    parser.add_argument("--resample", nargs="+", default=["auto"], choices=("auto", "once", "recursive"))
    parser.add_argument("--out-of-view", nargs="+", default=["replicate"], choices=("replicate", "void"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of a model trained on the keyframes")
    parser.add_argument("--model", default="auto", help="a checkpoint in place of one trained on the keyframes alone")
    parser.add_argument("--tune", action="store_true", help="train that checkpoint further on the keyframes")
    parser.add_argument("--model-steps", type=int, help="of that training")
    parser.add_argument("--refiner", default="auto", help="a checkpoint for --methods refine")


def find_setups(given: argparse.Namespace) -> list[Setup]:
    """The combinations, methods first; those that ``label`` refuses are left out with a line that says why."""
    trained = given.model == "auto" or given.tune
    found: list[Setup] = []
    for method, motion, settings, resample, out_of_view, seed in product(
        given.methods, given.motion, given.settings, given.resample, given.out_of_view, given.seeds
    ):
        with_model = method not in NO_MODEL
        if seed != given.seeds[0] and not (with_model and trained):
            continue
        options: dict[str, object] = {"method": method, "motion": motion, "settings": settings, "resample": resample}
        options |= {"out_of_view": out_of_view, "seed": seed}
        if with_model:
            options |= {"model": given.model, "tune": given.tune}
            if trained:
                options["model_steps"] = given.model_steps
        if method == "refine":
            options["refiner"] = given.refiner
        setup = Setup(_name(given, options), options)
        try:
            LabelConfig(Path(), Path(), Path(), "", **options).resolved()  # type: ignore[arg-type]
        except UserError as error:
            print(f"{setup.name} is left out: {error}")
            continue
        found.append(setup)
    return found


def _name(given: argparse.Namespace, options: dict[str, object]) -> str:
    """The method, and what else tells setups of one call apart."""
    told = [str(options["method"]) + (" + network" if options.get("refiner", "auto") != "auto" else "")]
    told += [str(options[name]) for name in ("settings", "resample", "out_of_view") if len(getattr(given, name)) > 1]
    if len(given.motion) > 1:
        told.append(str(options["motion"]))
    if options["method"] not in NO_MODEL and len(given.seeds) > 1:
        told.append(f"seed {options['seed']}")
    return " ".join(told)
