"""The scores of a training's best weights."""

from __future__ import annotations

from pathlib import Path

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar
from seglift.inference.predict import Predictor
from seglift.inference.semantic_model import load_model
from seglift.training.image_scores import predict_train_ids
from seglift.training.images.dataset_samples import DatasetSamples
from seglift.workflows.score.run import Scores
from seglift.workflows.train.setup import Recipe, TrainSetup


def score_training(setup: TrainSetup[Recipe], weights: Path, skipped: Path | None) -> Scores | None:
    """The scores on the test data, else on the validation data; None where the recipe has neither.

    Args:
        setup: of the training.
        weights: file of the weights.
        skipped: lists images that cannot be read, which are left out; None: they are an error.

    Raises:
        UserError: an image cannot be read, or not one of them can.
    """
    dataset = setup.held_out
    if dataset is None:
        return None
    model = Predictor(load_model(weights, setup.data.space, setup.device), setup.recipe.evaluation)
    samples, scores = DatasetSamples([dataset], skipped), Scores.empty(setup.data.space)
    with ProgressBar(len(samples), f"scoring on {dataset.name} {dataset.split}", "images") as bar:
        for sample in work_ahead(samples.find, range(len(samples)), workers=1):
            if sample is not None:
                prediction = predict_train_ids(model, sample.image, setup.device)
                scores.confusion.update(prediction, sample.label)
                if scores.boundary is not None:
                    scores.boundary.update(prediction, sample.label)
                scores.frames += 1
            bar.advance()
    if not scores.frames:
        raise UserError(f"none of the {len(samples)} images of {dataset.name} {dataset.split} can be read; mend them")
    return scores
