"""``seglift synthesize``: the neighbours of every labelled frame of a dataset, labelled, as a dataset to train on."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seglift import __version__
from seglift.base.ahead import work_ahead
from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import write_json
from seglift.base.progress import ProgressBar, say
from seglift.base.threads import threads_per_call, worker_count
from seglift.workflows.outputs.folder import TIMING_NAME
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.machine import library_versions, peak_memory
from seglift.workflows.outputs.stage_timing import Timing
from seglift.workflows.synthesize.config import SynthesizeConfig
from seglift.workflows.synthesize.output import SKIPPED_NAME, SynthesizeOutput, source_key
from seglift.workflows.synthesize.plan import PlannedSource, SynthesizePlan
from seglift.workflows.synthesize.result import Remarks
from seglift.workflows.synthesize.setup import Tools, prepare
from seglift.workflows.synthesize.source import make_neighbours

Entries = dict[str, dict[str, Any]]
"""Entries of the journal by source."""


@dataclass(frozen=True)
class SynthesizeResult:
    """What a run of :func:`run_synthesize` left.

    Attributes:
        plan: what was carried out.
        output: where it lies.
        pairs: number of pairs there.
        made: those of them that this run made.
    """

    plan: SynthesizePlan
    output: SynthesizeOutput
    pairs: int
    made: int


def run_synthesize(config: SynthesizeConfig) -> SynthesizeResult:
    """Labels the neighbours of every labelled frame and writes them as a dataset.

    Args:
        config: options as given.

    Raises:
        UserError: something the user can fix. What is finished stays, and the same command goes on from there.
    """
    timing = Timing()
    with timing.stage("total"):
        with timing.stage("prepare"):
            plan, tools = prepare(config)
        output = SynthesizeOutput(plan.config, plan.identity())
        for note in (*plan.dataset.problems, *plan.dataset.notes):
            say(f"{plan.dataset.name} {plan.dataset.split}: {note}")
        with only_writer(output.folder, output.work), threads_per_call(1):
            about = _describe(plan)
            output.start(about, plan.dataset.space)
            entries, made = _make_all(plan, tools, output, timing)
            ordered = [entries[source.item.name] for source in plan.sources]
            output.finish(ordered, {**about, "sources": {entry["source"]: entry["key"] for entry in ordered}})
    _tell(plan, ordered)
    pairs = sum(len(entry["pairs"]) for entry in ordered)
    _write_timing(output, timing, made)
    return SynthesizeResult(plan, output, pairs, made)


def _make_all(plan: SynthesizePlan, tools: Tools, output: SynthesizeOutput, timing: Timing) -> tuple[Entries, int]:
    """The journal's entry of every source, and how many pairs were made for it now."""
    workers = plan.config.workers or worker_count()
    with timing.stage("look for what is done"):
        done = find_done(plan, output, workers)
    todo = [source for source in plan.sources if source.item.name not in done]
    output.keep_only(done)
    if done:
        say(f"{len(done)} of {len(plan.sources)} labelled frames are up to date, {len(todo)} are to be done")
    entries, made = dict(done), 0
    ready = plan.num_pairs - sum(len(source.targets) for source in todo)
    with timing.stage("make"), ProgressBar(plan.num_pairs, "synthesizing", "frames", ready) as bar:

        def make(source: PlannedSource) -> dict[str, Any]:
            remarks = Remarks()
            with torch.inference_mode():
                try:
                    neighbours = make_neighbours(tools, source, remarks)
                    return output.write_source(source, neighbours, remarks, _key(plan, source))
                except torch.OutOfMemoryError as error:
                    raise UserError(
                        f"{source.item.name} does not fit into the memory of {plan.config.device}; give fewer --workers"
                    ) from error

        for source, entry in zip(todo, work_ahead(make, todo, workers), strict=True):
            entries[entry["source"]] = entry
            made += len(entry["pairs"])
            bar.advance(len(source.targets))
    return entries, made


def find_done(plan: SynthesizePlan, output: SynthesizeOutput, workers: int) -> Entries:
    """Entries of the sources that need not be made again."""
    listed = output.listed()
    known = [source for source in plan.sources if source.item.name in listed]
    found: Iterator[bool] = work_ahead(
        lambda source: output.is_done(listed[source.item.name], _key(plan, source)), known, workers
    )
    return {source.item.name: listed[source.item.name] for source, done in zip(known, found, strict=True) if done}


def _key(plan: SynthesizePlan, source: PlannedSource) -> str:
    try:
        return source_key(source)
    except UserError as error:
        if not plan.config.skip_corrupt:
            raise
        return str(error)  # a file that cannot even be opened; who mends it gets another key


def _describe(plan: SynthesizePlan) -> dict[str, Any]:
    config = plan.config
    return {
        "options": config.label_options() | {name: getattr(config, name) for name in ("motion", "model", "refiner")},
        "space": plan.dataset.space.name,
        "versions": {"seglift": __version__, "python": platform.python_version(), **library_versions()},
        "planned": {"pairs": plan.num_pairs, "by_distance": {str(k): n for k, n in plan.by_distance.items()}},
        "absent": plan.absent,
    }


def summarise(plan: SynthesizePlan) -> str:
    """One line: how many pairs of how many frames, and what cannot be made by reason."""
    by_distance = ", ".join(f"{count} at {distance}" for distance, count in plan.by_distance.items())
    line = f"{counted(plan.num_pairs, 'pair')} from {counted(len(plan.sources), 'labelled frame')} ({by_distance})"
    reasons = [f"{count} because {reason}" for reason, count in plan.absent.items()]
    return line + (f"; neighbours left out: {', '.join(reasons)}" if reasons else "")


def _tell(plan: SynthesizePlan, entries: Sequence[Mapping[str, Any]]) -> None:
    say(summarise(plan))
    counts: Counter[str] = Counter()
    for entry in entries:
        counts["duplicates"] += entry["duplicates"]
        counts["skipped"] += len(entry["skipped"])
        counts["behind cuts"] += entry["behind_cuts"]
        counts["pairs"] += len(entry["pairs"])
    if counts["duplicates"]:
        copies = counted(counts["duplicates"], "neighbour")
        say(f"exact copies of the frame beside them: {copies} (the video repeats frames)")
    if counts["behind cuts"]:
        behind = counted(counts["behind cuts"], "neighbour lies behind one and is", "neighbours lie behind one and are")
        say(f"scene cuts: {behind} left out (--cuts none takes them)")
    if counts["skipped"]:
        lost = plan.num_pairs - counts["pairs"] - counts["behind cuts"]
        fewer = f"that makes {counted(lost, 'pair')} fewer"
        say(f"unreadable files left out: {counts['skipped']}, listed in {SKIPPED_NAME}; {fewer}")


def _write_timing(output: SynthesizeOutput, timing: Timing, made: int) -> None:
    write_json(
        output.folder / TIMING_NAME,
        {
            "seconds": {name: round(value, 3) for name, value in timing.seconds.items()},
            "pairs_made": made,
            "frames_per_second": round(made / max(timing.seconds["total"], 1e-9), 3),
            "peak_memory_bytes": peak_memory(),
        },
    )
