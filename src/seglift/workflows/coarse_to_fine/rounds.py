"""Das et al.'s Alg. 1 as stages: coarse labels, pre-training, filled labels, training on these, and again.

"Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), Alg. 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.datasets.dataset import Dataset, Item
from seglift.datasets.folder import open_folder
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.labels.space_file import space_to_data
from seglift.training.images.in_space import in_space
from seglift.workflows.coarse_to_fine.coarse_labels import RECORD, CoarseConfig, write_coarse_labels
from seglift.workflows.coarse_to_fine.data import (
    COARSE,
    FINE,
    SYNTHETIC,
    CoarseData,
    Drawn,
    OpenedSource,
    fingerprint_items,
    simulation_key,
)
from seglift.workflows.coarse_to_fine.drawn_labels import drawn_key, write_drawn_labels
from seglift.workflows.coarse_to_fine.filled_labels import CoarseFrame, OwnLabel, find_keys, write_filled_labels
from seglift.workflows.coarse_to_fine.plan import CoarsePlan
from seglift.workflows.coarse_to_fine.recipe import CoarseToFineRounds
from seglift.workflows.coarse_to_fine.trainings import (
    FILLED,
    TrainPart,
    beside,
    filled_part,
    lying_part,
    mixes,
    round_training,
    simulated_part,
    written_part,
)
from seglift.workflows.input_identity import fingerprint_model
from seglift.workflows.outputs.manifest import MANIFEST_NAME
from seglift.workflows.rounds.dataset_output import SKIPPED_NAME
from seglift.workflows.rounds.networks import Model, round_folder, seed_folder
from seglift.workflows.rounds.stages import Stage
from seglift.workflows.rounds.trainings import GIVEN, Values, fine_tuning, shaping, training
from seglift.workflows.train.folder import INDEX, SCORES, without_roots
from seglift.workflows.train.kinds import run_recipe
from seglift.workflows.train.record import clear
from seglift.workflows.train.setup import TrainOptions

NETWORK, TUNED = "network", "fine_tuned"


def models_of(recipe: CoarseToFineRounds) -> list[Model]:
    """Every network that is scored, in the order of the rounds."""
    tuned = [] if recipe.fine_tune is None else [Model(recipe.rounds - 1, TUNED)]
    return [*(Model(number, NETWORK) for number in range(recipe.rounds)), *tuned]


def count_stages(recipe: CoarseToFineRounds, data: CoarseData) -> int:
    """Stages of all seeds together."""
    simulated = sum(drawn.opened.simulate is not None for drawn in data.coarse)
    written = sum(drawn.is_written for drawn in data.every)
    tuned = recipe.fine_tune is not None
    return simulated + len(recipe.seeds) * (written + 2 * recipe.rounds - 1 + tuned)


def simulated_folder(opened: OpenedSource, out: Path) -> Path:
    """Where the labels of a source are kept that were made coarse, for all seeds."""
    return out / COARSE / opened.source.called


def simulating_stages(plan: CoarsePlan, data: CoarseData, out: Path) -> Iterator[Stage]:
    """The stages before those of the seeds: labels made coarse, of whole sources."""
    for drawn in data.coarse:
        opened = drawn.opened
        if opened.simulate is not None:
            folder = simulated_folder(opened, out)
            title = f"{opened.source.called}: {counted(len(opened.labelled), 'label')} made coarse"
            work = partial(_simulate, folder, opened, plan.options.skip_corrupt)
            key = simulation_key(opened)
            yield Stage(folder.relative_to(out).as_posix(), title, key, (folder / RECORD,), work, _nothing)


def coarse_items(drawn: Drawn, out: Path) -> tuple[Item, ...]:
    """The drawn images of a coarse source with the labels that rounds begin with; simulated ones must be made.

    Raises:
        UserError: they cannot be read.
    """
    opened = drawn.opened
    if opened.simulate is None:
        return drawn.items
    names = {item.name for item in drawn.items}
    made = _coarse_dataset(opened, out)
    mapped = in_space(made, opened.dataset.space, True, opened.source.classes, opened.source.called)
    found = tuple(item for item in mapped.items if item.name in names)
    if not found:
        raise UserError(
            f"none of the {len(names)} labels of {opened.source.called} that are used could be made coarse; look at"
            f" {simulated_folder(opened, out) / SKIPPED_NAME}"
        )
    return found


def _coarse_dataset(opened: OpenedSource, out: Path) -> Dataset:
    """A coarse source with the labels that rounds begin with, in its own space."""
    return open_folder(simulated_folder(opened, out), opened.given.split) if opened.simulate else opened.given


def coarse_frames(data: CoarseData, out: Path) -> list[CoarseFrame]:
    """The images whose labels are filled; simulated labels must be made."""
    found = []
    for drawn in data.coarse:
        called = drawn.opened.source.called
        prefix = f"{called}_" if len(data.coarse) > 1 else ""
        truth = {} if drawn.opened.simulate is None else {item.name: item.label for item in drawn.items}
        own = _own_labels(drawn.opened, out)
        for item in coarse_items(drawn, out):
            if item.label is not None:
                fine, lying = truth.get(item.name), own.get(item.name)
                found.append(CoarseFrame(prefix + item.name, item.image, item.label, fine, called, lying))
    return found


def _own_labels(opened: OpenedSource, out: Path) -> dict[str, OwnLabel]:
    """The coarse labels of a source as they lie, by name of the image; none where they are in the rounds' space."""
    if opened.dataset is opened.given:
        return {}
    dataset = _coarse_dataset(opened, out)
    return {item.name: OwnLabel(item.label, dataset.space) for item in dataset.items if item.label is not None}


def filled_folder(out: Path, seed: int, number: int) -> Path:
    """Where the filled labels lie that round ``number`` trains on."""
    return round_folder(out, seed, number) / FILLED


def stages_of_seed(plan: CoarsePlan, data: CoarseData, seed: int, out: Path) -> Iterator[Stage]:
    """The stages of one seed; each must be done before the next is asked for.

    Args:
        plan: of the rounds.
        data: drawn with the seed.
        seed: of all random choices.
        out: OUT of the rounds.

    Raises:
        UserError: files or weights that cannot be read.
    """
    yield from _Seed(plan, data, seed, out).stages()


class _Seed:
    """The rounds of one seed."""

    def __init__(self, plan: CoarsePlan, data: CoarseData, seed: int, out: Path) -> None:
        self.plan, self.data, self.seed, self.out = plan, data, seed, out
        self.recipe = plan.recipe
        self.options = TrainOptions(
            device=plan.options.device, skip_corrupt=plan.options.skip_corrupt, cache=plan.options.cache or out / INDEX
        )

    def stages(self) -> Iterator[Stage]:
        """What is to be done, in order; each stage is asked for when those before it are done."""
        recipe = self.recipe
        parts: dict[str, list[TrainPart]] = {}
        for drawn in self._simulated():
            part = self._part(drawn)
            if drawn.is_written:
                yield self._draw(drawn)
            parts.setdefault(drawn.opened.use, []).append(part)
        fine = parts.get(FINE, [])
        beside_coarse = [*(fine if recipe.fine_from_start else []), *parts.get(SYNTHETIC, [])]
        yield self._train(0, [*parts[COARSE], *beside_coarse], None)
        for number in range(1, recipe.rounds):
            previous = Model(number - 1, NETWORK).folder(self.out, self.seed)
            yield (filled := self._fill(number, previous))
            part = filled_part(filled_folder(self.out, self.seed, number), filled.key, recipe.weigh_by_confidence)
            yield self._train(number, [part, *beside_coarse], previous)
        if recipe.fine_tune is not None:
            yield self._tune(fine)

    @cached_property
    def _pool(self) -> tuple[list[Values], str]:
        """All synthetic images as they lie, with their content, where views are mixed from more than are drawn."""
        if not (mixes(self.recipe) and self.data.mixes_beyond_drawn):
            return [], ""
        sources = [lying_part(drawn).values for drawn in self.data.synthetic]
        content = [fingerprint_items(drawn.opened.labelled) for drawn in self.data.synthetic]
        return sources, fingerprint_values(content)

    def _simulated(self) -> list[Drawn]:
        """What is drawn, coarse labels as rounds begin with them."""
        coarse = [replace(drawn, items=coarse_items(drawn, self.out)) for drawn in self.data.coarse]
        return [*coarse, *self.data.fine, *self.data.synthetic]

    def _subset(self, opened: OpenedSource) -> Path:
        return seed_folder(self.out, self.seed) / opened.use / opened.source.called

    def _part(self, drawn: Drawn) -> TrainPart:
        if drawn.is_written:
            part = written_part(drawn, self._subset(drawn.opened))
        elif drawn.opened.simulate is not None:
            part = simulated_part(drawn, simulated_folder(drawn.opened, self.out))
        else:
            part = lying_part(drawn)
        return part._replace(key=fingerprint_items(drawn.items))

    def _name(self, folder: Path) -> str:
        return folder.relative_to(self.out).as_posix()

    def _draw(self, drawn: Drawn) -> Stage:
        opened, folder = drawn.opened, self._subset(drawn.opened)
        called = opened.source.called
        title = f"{len(drawn.items)} of {len(opened.labelled)} {opened.use} labels of {called}, seed {self.seed}"
        space = self.plan.sources.space
        work = partial(write_drawn_labels, folder, drawn.items, space, called, self.options.skip_corrupt)
        return Stage(
            self._name(folder), title, drawn_key(drawn.items, space), (folder / MANIFEST_NAME,), work, _nothing
        )

    def _fill(self, number: int, network: Path) -> Stage:
        folder, filling = filled_folder(self.out, self.seed, number), self.plan.filling
        frames = find_keys(coarse_frames(self.data, self.out), self.options.skip_corrupt)
        identity = {
            "network": fingerprint_model(str(network)),
            "labelling": fingerprint_values(asdict(filling.settings)),
            "device": filling.device,
            "space": fingerprint_values(space_to_data(filling.space)),
        }
        title = f"{counted(len(frames.frames), 'coarse label')} filled, round {number}, seed {self.seed}"
        work = partial(write_filled_labels, folder, identity, network, frames, filling)
        key = fingerprint_values(identity, frames.keys)
        return Stage(self._name(folder), title, key, (folder / MANIFEST_NAME,), work, _nothing)

    def _train(self, number: int, parts: Sequence[TrainPart], previous: Path | None) -> Stage:
        start: Values = {}
        if self.recipe.start_from_previous and previous is not None:
            start = {"start": str((previous / WEIGHTS_NAME).resolve()), "new_head": False}
        pool = self._pool[0]
        values = round_training(self.recipe, parts, self.plan.held_out, self.seed, pool, **start)
        return self._training(Model(number, NETWORK), values, parts, previous if start else None)

    def _tune(self, fine: Sequence[TrainPart]) -> Stage:
        model, how = models_of(self.recipe)[-1], self.recipe.fine_tune
        if how is None:
            raise ValueError("the recipe has no fine-tuning")
        last = Model(model.round, NETWORK).folder(self.out, self.seed)
        values = training(self.recipe.values, [part.values for part in fine], self.plan.held_out, self.seed)
        return self._training(model, fine_tuning(values, how, (last / WEIGHTS_NAME).resolve()), fine, last)

    def _training(self, model: Model, values: Values, parts: Sequence[TrainPart], start: Path | None) -> Stage:
        """A training, from the weights in ``start`` where it begins with those of another one of the rounds."""
        folder = model.folder(self.out, self.seed)
        title = f"{model.name.replace('_', '-')} of round {model.round}, seed {self.seed}"
        begins = values.get("start") if start is None else fingerprint_model(str(start))
        synthetic = any(part.synthetic for part in parts)
        plain = {
            name: value
            for name, value in values.items()
            if name not in {"kind", "synthetic", "mix_from", *beside(self.recipe)}
        }
        own = shaping(plain, title) | {"start": None}
        data = [without_roots(values.get(name)) for name in GIVEN]
        inputs = [part.key for part in parts]
        pool = {"mix_from": self._pool[1]} if self._pool[1] else {}
        more = {**beside(self.recipe), **pool} if synthetic else None
        key = fingerprint_values(own, more, data, self.seed, begins, inputs)
        products = (folder / WEIGHTS_NAME, folder / SCORES)
        return Stage(
            self._name(folder), title, key, products, partial(self._run, values, folder), partial(clear, folder)
        )

    def _run(self, values: Values, folder: Path) -> None:
        where = f"{self.plan.where} ({self._name(folder)})"
        if run_recipe(values, where, folder, self.options) is None:
            raise UserError("rounds run in one process")


def _simulate(folder: Path, opened: OpenedSource, skip_corrupt: bool) -> None:
    write_coarse_labels(folder, opened.given, CoarseConfig(target=opened.simulate or 0), skip_corrupt=skip_corrupt)


def _nothing() -> None:
    """There is nothing to clear: the work itself tells other inputs."""
