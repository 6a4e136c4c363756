"""The report of coarse-to-fine rounds: what the page shows, from the files that the stages left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from seglift.base.counts import counted
from seglift.labels.reading import read_label
from seglift.report.rounds_page import RoundsSummary, Snapshot, write_rounds_page
from seglift.workflows.coarse_to_fine.coarse_labels import RECORD
from seglift.workflows.coarse_to_fine.data import CoarseData
from seglift.workflows.coarse_to_fine.plan import CoarsePlan
from seglift.workflows.coarse_to_fine.recipe import COMMAND
from seglift.workflows.coarse_to_fine.results import Shares, collect_shares
from seglift.workflows.coarse_to_fine.rounds import coarse_frames, filled_folder, simulated_folder
from seglift.workflows.coarse_to_fine.words import describe_drawn, describe_mixing, describe_network
from seglift.workflows.outputs.manifest import MANIFEST_NAME
from seglift.workflows.rounds.dataset_output import LABELS, SPLIT
from seglift.workflows.rounds.results import SHOWN, ModelScores, table_of
from seglift.workflows.score.single_numbers import SINGLE_NUMBERS

REPORT = "report.html"
ABOUT_SCORES = (
    "In percent; the network of round 0 learned from the coarse labels as they were drawn, those of later rounds from"
    " what the network before them filled where all views agreed. A fine-tuned one went on with the fine labels alone."
)
ABOUT_LABELS = "Every round fills the coarse label anew; void stays where a network is not sure."
FIRST = "round 0"
"""What tables call the first network."""


def write_report(plan: CoarsePlan, data: CoarseData, rows: Sequence[ModelScores], out: Path) -> None:
    """Writes ``report.html``; the labels shown are of the first seed.

    Args:
        plan: of the rounds.
        data: of the first seed.
        rows: the scores so far.
        out: OUT of the rounds.

    Raises:
        UserError: an image or label cannot be read, or the page cannot be written.
    """
    recipe, space = plan.recipe, plan.sources.space
    scored = [row for row in rows if row.scores]
    shares = collect_shares(plan, out)
    curves = {SINGLE_NUMBERS[name].title: [_mean(list(row.values(name).values())) for row in scored] for name in SHOWN}
    curves |= {
        "labelled pixels": [_share(shares, row, "labelled") for row in scored],
        "filled pixels that are right": [_share(shares, row, "right") for row in scored],
    }
    summary = RoundsSummary(
        COMMAND,
        f"Coarse to fine: {plan.where.rpartition('/')[2]}",
        (
            f"{counted(data.num_coarse, 'coarse label')}",
            f"{counted(sum(len(drawn.items) for drawn in data.fine), 'fine label')}",
            f"{counted(sum(len(drawn.items) for drawn in data.synthetic), 'synthetic image')}",
            f"{counted(recipe.rounds, 'round')}, {counted(len(recipe.seeds), 'seed')}",
            f"space {space.name}, {counted(space.num_train, 'class', 'classes')}",
        ),
        space,
        [row.model.title for row in scored],
        table_of(rows, FIRST),
        curves,
        {name: [_class_mean(row, name) for row in scored] for name in space.train_names},
        _settings(plan, data),
        ABOUT_SCORES,
        ABOUT_LABELS,
    )
    write_rounds_page(out / REPORT, summary, _snapshots(plan, data, out))


def _settings(plan: CoarsePlan, data: CoarseData) -> dict[str, str]:
    recipe, tune = plan.recipe, plan.recipe.fine_tune
    views = ", ".join(f"{scale:g}" for scale in recipe.labelling.scales)
    return {
        **{drawn.opened.name.replace("_", " ", 1): describe_drawn(drawn) for drawn in data.every},
        "network": describe_network(plan),
        "mixing and boundaries": describe_mixing(recipe, data),
        "filled where": f"all views (scales {views}{', mirrored' if recipe.labelling.flip else ''}) agree, above"
        f" {recipe.labelling.confidence:g}",
        "fine-tuning": "none"
        if tune is None
        else f"{counted(tune.steps, 'step')} at {tune.learning_rate_factor:g} x the rate",
    }


def _snapshots(plan: CoarsePlan, data: CoarseData, out: Path) -> Iterator[Snapshot]:
    """Images that have filled labels of every round so far, evenly spread: coarse label, filled ones, fine one."""
    recipe, seed, space = plan.recipe, plan.recipe.seeds[0], plan.sources.space
    if any(
        drawn.opened.simulate and not (simulated_folder(drawn.opened, out) / RECORD).is_file() for drawn in data.coarse
    ):
        return
    folders = {number: filled_folder(out, seed, number) for number in range(1, recipe.rounds)}
    made = {number: folder for number, folder in folders.items() if (folder / MANIFEST_NAME).is_file()}
    frames = coarse_frames(data, out)
    paths = {
        frame.name: {n: folder / LABELS / SPLIT / f"{frame.name}.png" for n, folder in made.items()} for frame in frames
    }
    whole = [frame for frame in frames if made and all(path.is_file() for path in paths[frame.name].values())]
    chosen = np.linspace(0, len(whole) - 1, min(recipe.snapshots, len(whole))).round().astype(int)
    for frame in (whole[index] for index in sorted(set(chosen.tolist()))):
        labels = [("coarse", frame.label.read())]
        labels += [(f"filled for round {n}", read_label(path, space)) for n, path in paths[frame.name].items()]
        if frame.truth is not None:
            labels.append(("fine, used to judge alone", frame.truth.read()))
        yield Snapshot(frame.name, frame.image.read(), labels)


def _share(shares: Shares, row: ModelScores, name: str) -> float | None:
    """Mean over seeds of a share in the labels that a network was trained on."""
    if row.model.round == 0 and name == "labelled":
        return _mean([values["drawn"] for values in shares.get(1, {}).values()])
    return _mean([values[name] for values in shares.get(row.model.round, {}).values()])


def _class_mean(row: ModelScores, name: str) -> float | None:
    """Mean IoU of a class over the seeds that have it."""
    return _mean([scores["iou"].get(name) for scores in row.scores.values()])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
