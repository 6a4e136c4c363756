"""``seglift train`` on coarse real and on synthetic labels (Das et al. 2023): as segmentation, the two kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seglift.base.counts import counted
from seglift.base.errors import UserError
from seglift.models.zoo import build
from seglift.training.coarse_to_fine import CoarseToFineTask
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.loop.fit import fit
from seglift.training.loop.processes import is_first_process
from seglift.training.loop.run_files import FitResult
from seglift.training.segmentation_validation import Validation
from seglift.workflows.train.data import TrainingData, num_labelled
from seglift.workflows.train.images import describe_images, open_images
from seglift.workflows.train.in_folder import train_in_folder
from seglift.workflows.train.recipe import CoarseToFineTrainRecipe
from seglift.workflows.train.score import score_training
from seglift.workflows.train.segmentation import TrainResult, check_network
from seglift.workflows.train.setup import TrainOptions, TrainSetup, set_up


def run_coarse_to_fine_training(
    values: Mapping[str, Any], where: str, out: Path, options: TrainOptions
) -> TrainResult | None:
    """Trains what a recipe says and scores the result; goes on where an earlier call was interrupted.

    Args:
        values: the recipe, as plain values.
        where: its file, for messages.
        out: receives what :func:`~seglift.workflows.train.segmentation.run_training` writes.
        options: see there.

    Returns:
        None in all but the first process under ``torchrun``.

    Raises:
        UserError: the recipe or its data are wrong, ``out`` is no folder of this training, or the training fails.
    """
    setup = _set_up(values, where, options)
    if not is_first_process():
        _train(setup, out)
        return None
    done, scores = train_in_folder(
        setup.data.record(setup.recipe),
        out,
        options.overwrite,
        setup.steps,
        lambda: _train(setup, out),
        lambda weights: score_training(setup, weights, setup.skip_list(out)),
    )
    return TrainResult(done.weights, done, scores)


def describe_coarse_to_fine_training(values: Mapping[str, Any], where: str, out: Path, options: TrainOptions) -> str:
    """What :func:`run_coarse_to_fine_training` would do, after the checks it begins with; reads no label, writes none.

    Raises:
        UserError: as :func:`run_coarse_to_fine_training` before it trains.
    """
    setup = _set_up(values, where, options)
    recipe = setup.recipe
    terms = [recipe.loss.name]
    if recipe.boundary_weight:
        terms.append(f"{recipe.boundary_weight:g} x boundary loss of synthetic views")
    if recipe.mix.probability:
        terms.append(f"{recipe.mix.probability:.0%} of real views mixed with synthetic ones")
    if recipe.match_colors:
        terms.append(f"{recipe.match_colors:.0%} of synthetic views in the colours of a real one")
    return describe_images(setup, out, ", ".join(terms))


def _set_up(values: Mapping[str, Any], where: str, options: TrainOptions) -> TrainSetup[CoarseToFineTrainRecipe]:
    return set_up(values, where, options, CoarseToFineTrainRecipe, build, _check)


def _check(recipe: CoarseToFineTrainRecipe, data: TrainingData) -> None:
    """Refuses what segmentation does, and data that are not of both kinds."""
    check_network(recipe, data)
    names = [source.called for source in recipe.train]
    unknown = next((name for name in recipe.synthetic if name not in names), None)
    if unknown is not None:
        raise UserError(f"synthetic names {unknown}, expected sources of train ({', '.join(names)}); correct it")
    chosen = _synthetic_sources(recipe)
    if not 0 < len(chosen) < len(names):
        raise UserError(
            f"{len(chosen)} of {len(names)} sources of train are synthetic, expected some and some real ones; name the"
            " synthetic ones in synthetic: [NAME], or use kind: segmentation"
        )
    count = sum(num_labelled(data.train[number]) for number in chosen)
    if count < recipe.batch:
        raise UserError(
            f"there {'is' if count == 1 else 'are'} {counted(count, 'synthetic image')}, expected at least a batch of"
            f" {recipe.batch}; give more, or make batch smaller"
        )


def _synthetic_sources(recipe: CoarseToFineTrainRecipe) -> list[int]:
    return [number for number, source in enumerate(recipe.train) if source.called in recipe.synthetic]


def _synthetic_samples(recipe: CoarseToFineTrainRecipe, data: TrainingData, samples: DatasetSamples) -> list[int]:
    """Numbers of the samples that are synthetic."""
    return [
        samples.number_of(number, position)
        for number in _synthetic_sources(recipe)
        for position, item in enumerate(data.train[number].items)
        if item.label is not None
    ]


def _train(setup: TrainSetup[CoarseToFineTrainRecipe], out: Path) -> FitResult:
    recipe, data, images = setup.recipe, setup.data, open_images(setup, out)
    validation = None if images.val is None else Validation(images.val, recipe.evaluation)
    synthetic, content = _synthetic_samples(recipe, data, images.train), images.train.fingerprint()
    pool = DatasetSamples(data.mix_from, setup.skip_list(out)) if data.mix_from else None
    task = CoarseToFineTask(
        images.train,
        data.space,
        recipe,
        synthetic,
        setup.start,
        content,
        images.draws,
        validation,
        pool,
        None if pool is None else pool.fingerprint(),
    )
    return fit(task, recipe.fit, out, setup.options.device)
