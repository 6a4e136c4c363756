"""What ``seglift synthesize --dry-run`` says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.dataset import ImageFile
from seglift.labels.writing import encode_png
from seglift.workflows.outputs.estimates import describe_bytes, describe_duration
from seglift.workflows.synthesize.config import SynthesizeConfig
from seglift.workflows.synthesize.output import SynthesizeOutput
from seglift.workflows.synthesize.plan import PlannedSource
from seglift.workflows.synthesize.result import Neighbour, Remarks
from seglift.workflows.synthesize.run import find_done, summarise
from seglift.workflows.synthesize.setup import Tools, prepare
from seglift.workflows.synthesize.source import make_neighbours

TRIED = 5
"""Labelled frames that are tried, where the first ones cannot be read."""


def describe(config: SynthesizeConfig) -> str:
    """What would be made, about how long it takes and how much disk it needs; writes nothing.

    Args:
        config: options as given.

    Raises:
        UserError: what a run would refuse before it works, or the first labelled frame cannot be worked on.
    """
    plan, tools = prepare(config)
    config, workers = plan.config, config.workers or worker_count()
    done = {} if config.overwrite else find_done(plan, SynthesizeOutput(config, plan.identity()), workers)
    todo = [source for source in plan.sources if source.item.name not in done]
    about = f"method {config.method}, pairs {config.pairs}, resample {config.resample}"
    parts = [f"motion {config.motion}" if config.carries else "", f"model {config.model}" if tools.model else ""]
    parts.append(f"refiner {config.refiner}" if tools.refiner else "")
    with threads_per_call(1), torch.inference_mode():
        seconds, size, height, width = _try_one(tools, plan.sources)
    units, pairs = sum(_units(source, config) for source in todo), sum(len(source.targets) for source in todo)
    at_once = workers if config.device == "cpu" else 1
    lines = [
        f"{config.dataset} {config.split}: {counted(len(plan.dataset), 'image')}, {plan.unlabelled} of them without"
        " label",
        summarise(plan),
        f"frames of {width}x{height}; {', '.join(filter(None, [about, *parts]))}, on {config.device}",
        f"about {describe_duration(units * seconds / at_once)} ({seconds:.2f} s for each of {counted(units, 'step')}, "
        f"{at_once} at once)",
        f"about {describe_bytes(size * pairs)} of disk space in {config.out}",
    ]
    if done:
        lines.insert(2, f"{len(done)} of {len(plan.sources)} labelled frames are up to date in {config.out}")
    return "\n".join(lines)


def _try_one(tools: Tools, sources: Sequence[PlannedSource]) -> tuple[float, int, int, int]:
    """Seconds of a step and bytes of a pair, from the first labelled frame that can be worked on; height and width.

    Raises:
        UserError: a frame cannot be read, or ``--skip-corrupt`` leaves out every one that was tried.
    """
    for source in sources[:TRIED]:
        tried = _try(tools, source)
        if tried is not None:
            return (*tried, *source.frames.size)
    tried_names = ", ".join(source.item.name for source in sources[:TRIED])
    raise UserError(f"nothing can be made from {tried_names}, whose frames or neighbours cannot be used; correct them")


def _units(source: PlannedSource, config: SynthesizeConfig) -> int:
    return source.steps if config.carries else len(source.targets)


def _try(tools: Tools, source: PlannedSource) -> tuple[float, int] | None:
    """Seconds of a step and bytes of a pair, of the nearest neighbour made in memory; None where that was left out."""
    nearest = min(source.targets, key=abs)
    one = replace(source, targets={nearest: source.targets[nearest]})
    size, seconds = 0, 0.0
    for _ in range(2):  # the first also warms up
        begin = time.monotonic()
        size = sum(_bytes(neighbour, one) for neighbour in make_neighbours(tools, one, Remarks()))
        seconds = time.monotonic() - begin
    return (seconds / _units(one, tools.config), size) if size else None


def _bytes(neighbour: Neighbour, source: PlannedSource) -> int:
    real = source.frames.sources[source.targets[neighbour.offset]]
    arrays = [neighbour.labels, neighbour.instances, neighbour.confidence, neighbour.image]
    count = sum(len(encode_png(array)) for array in arrays if array is not None)
    if neighbour.image is not None:
        return count
    return count + (real.path.stat().st_size if isinstance(real, ImageFile) else len(encode_png(real.read())))
