"""``seglift train``: a recipe, its data, a training that resumes, curves and scores."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from seglift import __version__
from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values, read_json, write_bytes, write_json
from seglift.base.locks import file_lock
from seglift.base.progress import ProgressBar, say
from seglift.datasets.catalogue import open_dataset
from seglift.datasets.class_index import build_class_index
from seglift.datasets.dataset import Dataset
from seglift.inference.checkpoint import WEIGHTS_NAME
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import load_model
from seglift.labels.space import Array8, LabelSpace
from seglift.labels.space_file import get_space
from seglift.metrics.boundary import BoundaryF
from seglift.models.zoo import build
from seglift.report.curves import training_curves
from seglift.training.dataset_samples import DatasetSamples, in_space
from seglift.training.epoch_plan import EpochPlan, PlannedSource
from seglift.training.fit import fit
from seglift.training.image_draws import PlannedDraws
from seglift.training.image_scores import confusion_over
from seglift.training.log import EVENTS_FOLDER, METRICS_NAME, read_metrics
from seglift.training.processes import is_first_process
from seglift.training.run_files import LAST_NAME, SNAPSHOT_NAME, FitResult
from seglift.training.segmentation import SegmentationTask
from seglift.training.segmentation_validation import Validation
from seglift.training.start_weights import start_weights
from seglift.workflows.output_lock import only_writer
from seglift.workflows.recipe import DataSource, TrainRecipe, parse_recipe, plain_values, with_overrides
from seglift.workflows.score import Scores

RECIPE, RUN, SCORES, CURVES, SKIPPED = "recipe.yaml", "run.json", "scores.json", "curves.png", "skipped.txt"
INDEX = "class_index"
VALIDATIONS = 10


@dataclass(frozen=True)
class TrainOptions:
    """What the command line adds to a recipe.

    Attributes:
        roots: folder of each source by its name; under the empty name, of the only one.
        overrides: values put at dotted names of the recipe.
        device: as torch names it, or ``auto``.
        skip_corrupt: leave out and count images that cannot be read.
        overwrite: train anew where the folder holds another training.
        cache: folder for class indices that several trainings share; None keeps them with the training.
    """

    roots: Mapping[str, Path] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    skip_corrupt: bool = False
    overwrite: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class TrainResult:
    """What a training left: the best weights, and their scores where there was something to score on."""

    weights: Path
    fit: FitResult
    scores: Scores | None


@dataclass(frozen=True)
class TrainingData:
    """The opened data of a recipe, in one label space."""

    space: LabelSpace
    train: tuple[Dataset, ...]
    val: Dataset | None
    test: Dataset | None


def run_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> TrainResult | None:
    """Trains what a recipe says and scores the result; goes on where an earlier call was interrupted.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: receives ``best.safetensors``, ``last.safetensors``, ``recipe.yaml`` (with every default spelt out),
            ``run.json``, ``metrics.csv``, ``tensorboard/``, ``curves.png`` and ``scores.json``.
        options: see there.

    Returns:
        None in all but the first process under ``torchrun``.

    Raises:
        UserError: the recipe or its data are wrong, ``out`` holds another training, or the training fails.
    """
    recipe = parse_recipe(with_overrides(values, options.overrides), TrainRecipe, where)
    device = resolve_device(options.device)
    data = open_data(recipe, options.roots)
    if not is_first_process():
        _train(recipe, data, out, options)
        return None
    with only_writer(out, out):
        if options.overwrite:
            _clear(out)
        _describe_run(recipe, data, out)
        done = _train(recipe, data, out, options)
        _draw_curves(out)
        _say_skipped(out)
        scores = _score(recipe, data, done.weights, device)
        if scores is not None:
            write_json(out / SCORES, scores.as_json())
    return TrainResult(done.weights, done, scores)


def open_data(recipe: TrainRecipe, roots: Mapping[str, Path]) -> TrainingData:
    """Opens every source of a recipe; says what the data sets left out.

    Raises:
        UserError: a folder is missing or is not of its data set, or classes do not fit together.
    """
    sources = [*recipe.train, *(source for source in (recipe.val, recipe.test) if source is not None)]
    names = {source.called for source in sources}
    unknown = sorted(set(roots) - names - {""})
    if unknown or ("" in roots and len(names) > 1):
        given = f"--root {unknown[0]}=..." if unknown else "--root without a name"
        raise UserError(f"{given}, expected folders for {', '.join(sorted(names))}; write --root NAME=DIR")
    opened = [_open(source, roots) for source in sources]
    space = opened[0].space if recipe.space is None else get_space(recipe.space)
    mapped = [in_space(dataset, space) for dataset in opened]
    for dataset in mapped:
        for note in dataset.notes:
            say(f"{dataset.name} {dataset.split}: {note}")
    train, rest = mapped[: len(recipe.train)], mapped[len(recipe.train) :]
    val = None if recipe.val is None else rest.pop(0)
    return TrainingData(space, tuple(train), val, rest.pop(0) if rest else None)


def describe_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_training` would do, after checking recipe, data and network; nothing is written."""
    recipe = parse_recipe(with_overrides(values, options.overrides), TrainRecipe, where)
    data = open_data(recipe, options.roots)
    network = build(recipe.network.resolved(data.space.num_train), seed=recipe.fit.seed)
    size = recipe.epoch_size or sum(map(_num_labelled, data.train))
    per_epoch = math.ceil(size / recipe.batch)
    steps = recipe.fit.resolved(per_epoch).steps
    lines = [
        f"train: {_num_labelled(dataset)} labelled images of {dataset.name} {dataset.split} at {dataset.root}"
        for dataset in data.train
    ]
    for what, dataset in (("validate on", data.val), ("score on", data.test)):
        if dataset is not None:
            lines.append(f"{what}: {_num_labelled(dataset)} labelled images of {dataset.name} {dataset.split}")
    count = sum(parameter.numel() for parameter in network.parameters())
    lines += [
        f"network: {recipe.network.architecture}, {count / 1e6:.2f} M parameters, {data.space.num_train} classes of"
        f" {data.space.name}",
        f"loss: {recipe.loss.name}; {steps} steps of {recipe.batch} crops of {recipe.crop[0]}x{recipe.crop[1]}"
        f" ({steps / per_epoch:.1f} epochs of {size}), on {resolve_device(options.device)}",
        f"writes to {out}; nothing was written now",
    ]
    return "\n".join(lines)


def _num_labelled(dataset: Dataset) -> int:
    return sum(item.label is not None for item in dataset.items)


def _open(source: DataSource, roots: Mapping[str, Path]) -> Dataset:
    root = roots.get(source.called, roots.get("", None if source.root is None else Path(source.root)))
    if root is None:
        raise UserError(f"the recipe does not say where {source.called} lies; add --root {source.called}=DIR")
    return open_dataset(source.dataset, root, source.split, source.options)


def _train(recipe: TrainRecipe, data: TrainingData, out: Path, options: TrainOptions) -> FitResult:
    samples = DatasetSamples(data.train, out / SKIPPED if options.skip_corrupt else None)
    plan = _plan(recipe, data, options.cache or out / INDEX, options.skip_corrupt)
    config = recipe.network.resolved(data.space.num_train)
    network = build(config, seed=recipe.fit.seed)
    start = None
    if recipe.start is not None:
        start = start_weights(recipe.start, network, config, data.space.train_names, recipe.new_head)
    validation = None
    if data.val is not None:
        validation = Validation(DatasetSamples([data.val]), recipe.evaluation)
    task = SegmentationTask(
        samples,
        data.space,
        recipe,
        start=start,
        content=samples.fingerprint(),
        draws=PlannedDraws(plan, samples),
        validation=validation,
    )
    steps = recipe.fit.resolved(task.steps_per_epoch).steps
    every = recipe.fit.validate_every or max(1, math.ceil(steps / VALIDATIONS))
    return fit(task, replace(recipe.fit, validate_every=every), out, options.device)


def _plan(recipe: TrainRecipe, data: TrainingData, cache: Path, skip_corrupt: bool) -> EpochPlan:
    planned = []
    for source, dataset in zip(recipe.train, data.train, strict=True):
        # Of several processes one reads the labels, and the others find what it kept.
        with file_lock(cache / "lock", wait=True):
            index = build_class_index(dataset, recipe.tile, cache, skip_corrupt, quiet=not is_first_process())
        planned.append(
            PlannedSource(
                f"{source.called} {source.split}",
                index,
                quota=source.quota,
                centroid_classes=_train_ids(source, data.space),
                until_epoch=source.until_epoch,
                joins=_joined(source, recipe),
            )
        )
    return EpochPlan(planned, recipe.epoch_size, recipe.balanced, recipe.fit.seed, quiet=not is_first_process())


def _joined(source: DataSource, recipe: TrainRecipe) -> str | None:
    if source.joins is None:
        return None
    for other in recipe.train:
        if other.called == source.joins and other is not source:
            return f"{other.called} {other.split}"
    raise UserError(f"{source.called} joins {source.joins}, which is no other source of the recipe; correct it")


def _train_ids(source: DataSource, space: LabelSpace) -> tuple[int, ...] | None:
    if source.centroid_classes is None:
        return None
    unknown = [name for name in source.centroid_classes if name not in space.train_names]
    if unknown:
        raise UserError(
            f"centroid_classes of {source.called} has {unknown[0]!r}, expected classes of {space.name}:"
            f" {', '.join(space.train_names)}"
        )
    return tuple(space.train_names.index(name) for name in source.centroid_classes)


def _clear(out: Path) -> None:
    """Removes what a training wrote, and nothing else."""
    for name in (WEIGHTS_NAME, LAST_NAME, SNAPSHOT_NAME, METRICS_NAME, RECIPE, RUN, SCORES, CURVES, SKIPPED):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / EVENTS_FOLDER, ignore_errors=True)


def _describe_run(recipe: TrainRecipe, data: TrainingData, out: Path) -> None:
    """Says beside the weights what they come from; refuses the folder of another training before touching it."""
    settings = {name: value for name, value in asdict(recipe).items() if name != "fit"} | {"fit": recipe.fit.shaping()}
    meaning = fingerprint_values(_without_roots(settings), [item.name for part in data.train for item in part.items])
    record = out / RUN
    begun = any((out / name).exists() for name in (WEIGHTS_NAME, LAST_NAME, SNAPSHOT_NAME))
    if begun and record.is_file() and read_json(record).get("meaning") != meaning:
        raise UserError(f"{out} holds another training (see {RECIPE} there); choose another --out, or --overwrite")
    write_bytes(out / RECIPE, yaml.safe_dump(plain_values(recipe), sort_keys=False).encode())
    versions = {"seglift": __version__, "torch": torch.__version__}
    write_json(record, {"meaning": meaning, "seed": recipe.fit.seed, "versions": versions, "data": _about(data)})


def _without_roots(settings: Any) -> Any:
    """Plain values without where the data lie, which may move."""
    if isinstance(settings, Mapping):
        return {name: _without_roots(value) for name, value in settings.items() if name != "root"}
    if isinstance(settings, list | tuple):
        return [_without_roots(value) for value in settings]
    return settings


def _about(data: TrainingData) -> dict[str, Any]:
    parts = [("train", part) for part in data.train]
    parts += [(what, part) for what, part in (("val", data.val), ("test", data.test)) if part is not None]
    return {
        "space": data.space.name,
        "classes": list(data.space.train_names),
        "sources": [
            {"use": what, "dataset": part.name, "split": part.split, "root": str(part.root), "images": len(part)}
            for what, part in parts
        ],
    }


def _draw_curves(out: Path) -> None:
    rows = read_metrics(out / METRICS_NAME)
    if rows:
        names = [name for name in rows[0] if name not in {"step", "epoch", "seconds"}]
        columns = {name: [float(row[name]) if row[name] else None for row in rows] for name in names}
        write_bytes(out / CURVES, training_curves([int(row["step"]) for row in rows], columns))


def _say_skipped(out: Path) -> None:
    if (out / SKIPPED).is_file():
        names = set((out / SKIPPED).read_text(encoding="utf-8").split("\n")) - {""}
        say(f"{len(names)} images could not be read and were left out; {out / SKIPPED} lists them")


def _score(recipe: TrainRecipe, data: TrainingData, weights: Path, device: str) -> Scores | None:
    """The best weights' scores on the test data, else on the validation data."""
    dataset = data.test or data.val
    if dataset is None:
        return None
    model = Predictor(load_model(weights, data.space, device), recipe.evaluation)
    samples, boundary = DatasetSamples([dataset]), BoundaryF.empty(data.space.num_train)
    with ProgressBar(len(samples), f"scoring on {dataset.name} {dataset.split}", "images") as bar:

        def each(prediction: Array8, truth: Array8) -> None:
            boundary.update(prediction, truth)
            bar.advance()

        confusion = confusion_over(model, samples, range(len(samples)), device, each)
    return Scores(data.space, confusion, boundary, frames=len(samples))
