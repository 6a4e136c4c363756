"""The scores of a panoptic training's best weights."""

from __future__ import annotations

from pathlib import Path

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar
from seglift.inference.panoptic.model import PanopticPredictor, require_panoptic
from seglift.inference.semantic_model import load_model
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.training.panoptic_validation import PanopticSums, look_panoptic
from seglift.workflows.score.panoptic import PanopticScores
from seglift.workflows.score.run import Scores
from seglift.workflows.train.recipe import PanopticTrainRecipe
from seglift.workflows.train.setup import TrainSetup


def score_panoptic_training(
    setup: TrainSetup[PanopticTrainRecipe], weights: Path, skipped: Path | None
) -> Scores | None:
    """The scores on the test data, else on the validation data; None where the recipe has neither.

    IoU and boundary F are of the most likely classes, as published; panoptic quality and AP of the segments.

    Args:
        setup: of the training.
        weights: file of the weights.
        skipped: lists images that cannot be read, which are left out; None: they are an error.

    Raises:
        UserError: an image cannot be read, or not one of them can.
    """
    dataset, recipe, space = setup.held_out, setup.recipe, setup.data.space
    if dataset is None:
        return None
    model = PanopticPredictor(
        require_panoptic(load_model(weights, space, setup.device), str(weights)), recipe.evaluation
    )
    samples, scores = DatasetSamples([dataset], skipped, instances=True), Scores.empty(space)
    sums, with_instances = PanopticSums.empty(space), 0
    with ProgressBar(len(samples), f"scoring on {dataset.name} {dataset.split}", "images") as bar:
        for sample in work_ahead(samples.find, range(len(samples)), workers=1):
            if sample is not None:
                classes, found = look_panoptic(model, sample.image, space, recipe.segments, setup.device)
                sums.update(classes, found, sample)
                if scores.boundary is not None:
                    scores.boundary.update(classes, sample.label)
                scores.frames += 1
                with_instances += sample.instances is not None
            bar.advance()
    if not scores.frames:
        raise UserError(f"none of the {len(samples)} images of {dataset.name} {dataset.split} can be read; mend them")
    scores.confusion = sums.confusion
    scores.panoptic = PanopticScores(sums.quality, sums.precision, with_instances, ranked=True)
    return scores
