"""What ``seglift coarse2fine`` will do, checked before it does anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglift.base.counts import counted
from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.workflows.coarse_to_fine.coarse_labels import CoarseConfig, check_reachable
from seglift.workflows.coarse_to_fine.data import CoarseData, Drawn, Sources, check_coarse_labels, open_sources
from seglift.workflows.coarse_to_fine.filled_labels import Filling
from seglift.workflows.coarse_to_fine.recipe import CoarseToFineRounds
from seglift.workflows.coarse_to_fine.trainings import lying_part, round_training
from seglift.workflows.recipes.recipe import plain_values
from seglift.workflows.rounds.kinds import SEGMENTATION
from seglift.workflows.rounds.networks import Network
from seglift.workflows.rounds.trainings import (
    Values,
    count_network,
    network_name,
    parsed_training,
    shaping,
    source_values,
)
from seglift.workflows.train.folder import without_roots
from seglift.workflows.train.kinds import describe_recipe
from seglift.workflows.train.setup import TrainOptions

IDENTITY = (
    *("coarse", "fine", "synthetic", "val", "test", "fine_from_start", "fine_tune", "mix", "boundary"),
    *("boundary_weight", "match_colors", "synthetic_share", "labelling", "weigh_by_confidence", "start_from_previous"),
)
"""Names of a recipe that shape results; seeds and rounds may be added later."""


@dataclass(frozen=True)
class CoarsePlan:
    """Checked inputs.

    Attributes:
        recipe: of the rounds.
        where: its file, for messages.
        sources: opened data.
        filling: how labels are filled.
        options: of the command line.
        network: what is trained.
    """

    recipe: CoarseToFineRounds
    where: str
    sources: Sources
    filling: Filling
    options: TrainOptions
    network: Network

    @property
    def held_out(self) -> dict[str, Values]:
        """``val`` and ``test`` of the trainings, as far as there are."""
        given = {"val": self.recipe.val, "test": self.recipe.test}
        found = {use: source for use, source in given.items() if source is not None}
        return {use: source_values(source, self.sources.roots[source.called]) for use, source in found.items()}

    def identity(self) -> dict[str, Any]:
        """What a call must share with an earlier one to continue it, JSON-serialisable."""
        values = without_roots(plain_values(self.recipe))
        model = _dotted({"model": shaping(self.recipe.values, "model")})
        identity = {**model, **{name: values[name] for name in IDENTITY}}
        found: dict[str, Any] = json.loads(json.dumps(identity))
        return found


def make_plan(recipe: CoarseToFineRounds, where: str, options: TrainOptions) -> tuple[CoarsePlan, CoarseData]:
    """Opens the data and checks the network; reads no label, writes nothing.

    Args:
        recipe: of the rounds.
        where: its file, for messages.
        options: roots, device and corrupt images.

    Returns:
        The plan, and the data of the first seed.

    Raises:
        UserError: something is wrong with the recipe or its data.
    """
    device = resolve_device(options.device)
    kind = recipe.values.get("kind", SEGMENTATION)
    if kind != SEGMENTATION:
        raise UserError(
            f"{where}: model is of kind {kind}, expected segmentation; the rounds add synthetic images, mix and"
            " boundary themselves"
        )
    parsed = parsed_training(recipe.values, f"{where}: model")
    sources = open_sources(recipe, options.roots)
    data = sources.draw(recipe.seeds[0])
    count = sum(len(drawn.items) for drawn in data.synthetic)
    if data.synthetic and count < parsed.batch:
        free = any(source.share is None and source.count is None for source in recipe.synthetic)
        why = ", as many as coarse labels where there are enough" if free else ""
        raise UserError(
            f"{where}: {counted(count, 'synthetic image is', 'synthetic images are')} used{why}, expected at least a"
            f" batch of {parsed.batch}; raise the count of synthetic, give more images, or make model.batch smaller"
        )
    network = Network(network_name(parsed), count_network(parsed, sources.space.num_train))
    filling = Filling(recipe.labelling, sources.space, device, options.skip_corrupt)
    return CoarsePlan(recipe, where, sources, filling, options, network), data


def check_inputs(plan: CoarsePlan, data: CoarseData, out: Path) -> list[str]:
    """Checks coarse labels and everything that ``seglift train`` checks beforehand, on the data as they lie.

    Args:
        plan: of the rounds.
        data: of the first seed.
        out: folder of the rounds; nothing is written there.

    Returns:
        Warnings.

    Raises:
        UserError: coarse labels without classes, or crops, loss, weights to start from or labels do not fit.
    """
    recipe = plan.recipe
    warnings = check_labels(plan, data)
    own = plan.options
    options = TrainOptions(device=own.device, skip_corrupt=own.skip_corrupt, quiet=own.quiet)
    for sources, more in _trainings(plan, data):
        parts = [lying_part(drawn) for drawn in sources]
        values = round_training(recipe, parts, plan.held_out, recipe.seeds[0], **more)
        describe_recipe(values, f"{plan.where}: model", out / ".not-written", options)
    overlaps = data.overlaps()
    twice = (
        f"warning: {counted(overlaps, 'image is', 'images are')} used with both the coarse and the fine label; lower"
        " share or count to keep them apart"
    )
    return [*warnings, *([twice] if overlaps else [])]


def check_labels(plan: CoarsePlan, data: CoarseData) -> list[str]:
    """Looks at a few coarse labels: whether they have classes, and can be made as coarse as they are to be.

    Args:
        plan: of the rounds.
        data: of the first seed.

    Returns:
        Warnings.

    Raises:
        UserError: they have no class, or a share is out of their reach.
    """
    skip_corrupt = plan.options.skip_corrupt
    found = check_coarse_labels(data, plan.sources.space, skip_corrupt)
    for opened in (drawn.opened for drawn in data.coarse if drawn.opened.simulate is not None):
        try:
            check_reachable(opened.given, CoarseConfig(target=opened.simulate or 0), skip_corrupt)
        except UserError as error:
            raise UserError(f"simulate of {opened.source.called}: {error}") from error
    return [found] if found else []


def _trainings(plan: CoarsePlan, data: CoarseData) -> Iterator[tuple[Sequence[Drawn], Values]]:
    """What the first training learns from, then what a fine-tuning does, with values that stand above the recipe's."""
    recipe = plan.recipe
    yield (*data.coarse, *(data.fine if recipe.fine_from_start else ()), *data.synthetic), {}
    # Labels whose classes are mapped are in the space of the network once the rounds have written them, not before.
    if recipe.fine_tune is not None and all(drawn.opened.dataset is drawn.opened.given for drawn in data.fine):
        yield data.fine, {"start": None, "new_head": False}


def _dotted(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested values by dotted name, so that a message can tell the one that differs."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping) and value
        found |= _dotted(value, f"{above}{key}.") if nested else {f"{above}{key}": value}
    return found
