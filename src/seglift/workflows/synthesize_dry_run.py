"""What ``seglift synthesize --dry-run`` says."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from seglift.base.threads import threads_per_call, worker_count
from seglift.datasets.dataset import ImageFile
from seglift.labels.writing import encode_png
from seglift.workflows.dry_run import describe_bytes, describe_duration
from seglift.workflows.synthesize import prepare, summarise
from seglift.workflows.synthesize_config import SynthesizeConfig
from seglift.workflows.synthesize_plan import PlannedSource
from seglift.workflows.synthesize_source import Neighbour, Remarks, Tools, make_neighbours


def describe(config: SynthesizeConfig) -> str:
    """What would be made, about how long it takes and how much disk it needs; writes nothing.

    Args:
        config: options as given.

    Raises:
        UserError: what a run would refuse before it works, or the first labelled frame cannot be worked on.
    """
    plan, tools = prepare(config)
    config, source = plan.config, plan.sources[0]
    about = f"method {config.method}, pairs {config.pairs}, resample {config.resample}"
    parts = [f"motion {config.motion}" if config.carries else "", f"model {config.model}" if tools.model else ""]
    with threads_per_call(1), torch.inference_mode():
        seconds, size, height, width = _try(tools, source)
    # The time of a whole side tells that of a step, whatever the share of frames that are written.
    units = sum(_units(planned, config) for planned in plan.sources)
    workers = config.workers or worker_count()
    on_gpu = config.device != "cpu"
    total = units * seconds / (1 if on_gpu else workers)
    return "\n".join(
        [
            f"{config.dataset} {config.split}: {len(plan.dataset)} images, {plan.unlabelled} of them without label",
            summarise(plan),
            f"frames of {width}x{height}; {', '.join(filter(None, [about, *parts]))}, on {config.device}",
            f"about {describe_duration(total)} ({seconds:.2f} s for each of {units} steps, {workers} at once)",
            f"about {describe_bytes(size * plan.num_pairs)} of disk space in {config.out}",
        ]
    )


def _units(source: PlannedSource, config: SynthesizeConfig) -> int:
    return source.steps if config.carries else len(source.targets)


def _try(tools: Tools, source: PlannedSource) -> tuple[float, int, int, int]:
    """Seconds of a step and bytes of a pair, from the nearest neighbour made in memory; height and width."""
    nearest = min(source.targets, key=abs)
    one = replace(source, targets={nearest: source.targets[nearest]})
    seconds: list[float] = []
    made: list[Neighbour] = []
    for _ in range(2):  # the first also warms up
        begin = time.monotonic()
        made = list(make_neighbours(tools, one, Remarks()))
        size = sum(_bytes(neighbour, one) for neighbour in made)
        seconds.append(time.monotonic() - begin)
    height, width = source.frames.size
    return seconds[-1] / _units(one, tools.config), size, height, width


def _bytes(neighbour: Neighbour, source: PlannedSource) -> int:
    real = source.frames.sources[source.targets[neighbour.offset]]
    arrays = [neighbour.labels, neighbour.instances, neighbour.confidence, neighbour.image]
    count = sum(len(encode_png(array)) for array in arrays if array is not None)
    if neighbour.image is not None:
        return count
    return count + (real.path.stat().st_size if isinstance(real, ImageFile) else len(encode_png(real.read())))
