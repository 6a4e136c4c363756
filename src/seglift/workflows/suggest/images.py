"""Which images to label next: those whose classes, as far as a model can tell, the labelled ones lack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seglift.base.ahead import work_ahead
from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar
from seglift.datasets.balanced_choice import balanced_choice, predicted_presence, uniform_choice
from seglift.datasets.dataset import LabelFile, Source
from seglift.inference.semantic_model import load_model
from seglift.labels.space import Array8, LabelSpace
from seglift.workflows.predict.config import PredictConfig
from seglift.workflows.predict.frame import make_predictor, predict_frame, require_model
from seglift.workflows.suggest.budget import Budget
from seglift.workflows.suggest.pool import Pool, PoolPlace, find_predictions, open_pool
from seglift.workflows.suggest.suggestions import Suggestion, Suggestions

BALANCED, UNIFORM = "balanced", "uniform"
READERS = 2
NAMED = 3
"""Classes that a line names, those that the fewest images show first."""


@dataclass(frozen=True)
class ImageOptions:
    """How images are chosen.

    Attributes:
        sampling: ``balanced`` or ``uniform``.
        model: anything ``load_model`` takes; says which classes unlabelled images show.
        predictions: what ``seglift predict`` made of them, in place of ``model``.
        device: for the model.
        seed: of the choice.
    """

    sampling: str = BALANCED
    model: str | None = None
    predictions: Path | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses options that contradict each other with a UserError."""
        if self.model is not None and self.predictions is not None:
            raise UserError("--model and --predictions both say what images show; give one of them")
        if not self.has_classes and self.sampling == BALANCED:
            raise UserError(
                "a balanced choice needs to know which classes the images show; give --model or --predictions, or"
                " --sampling uniform"
            )

    @property
    def has_classes(self) -> bool:
        """Whether something says which classes unlabelled images show."""
        return self.model is not None or self.predictions is not None


def suggest_images(place: PoolPlace, options: ImageOptions, budget: Budget) -> Suggestions:
    """Unlabelled images to label next; asking for more only appends.

    Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation" (WACV 2023), section 3.3.

    Args:
        place: images and their labels.
        options: how they are chosen.
        budget: how many.

    Raises:
        UserError: something cannot be opened or read, no label space is known, or the budget is beyond the images.
    """
    if options.model is not None:
        require_model(options.model)
    pool = open_pool(place)
    labelled = pool.labelled
    available = len(pool.items) - len(labelled)
    if not available:
        raise UserError(
            "every image has a label, none is left to suggest; give others, or say with --labelled FILE (or none) which"
            " of them count as labelled"
        )
    count = budget.labels(available, "unlabelled images")
    total = len(labelled) + count
    presence = _presence(pool, options) if options.has_classes else None
    if presence is not None and options.sampling == BALANCED:
        (chosen,) = balanced_choice(presence, labelled, [total], options.seed)
    else:
        (chosen,) = uniform_choice(len(pool.items), labelled, [total], options.seed)
    added = chosen[len(labelled) :].tolist()
    order = "classes as even as they go" if options.sampling == BALANCED else "at random"
    about = {"sampling": options.sampling, "seed": options.seed, "labelled": len(labelled)}
    what = "unlabelled images"
    known = tuple(pool.items[number].name for number in labelled)
    if pool.space is None or presence is None:
        items = tuple(_suggestion(pool, number, "at random", {}) for number in added)
        return Suggestions(items, budget.minutes, available, what, order, about, before=known)
    items = tuple(_with_classes(pool, pool.space, presence, labelled, added))
    before, after = presence[labelled].sum(0), presence[chosen].sum(0)
    balance = {
        name: (int(before[train_id]), int(after[train_id])) for train_id, name in enumerate(pool.space.train_names)
    }
    note = _note_unseen(pool.space, presence, labelled)
    return Suggestions(items, budget.minutes, available, what, order, about, balance, note, known)


def _note_unseen(space: LabelSpace, presence: NDArray[np.bool_], labelled: Sequence[int]) -> str:
    """What to say of classes that labels show and no unlabelled image is predicted to show."""
    others = np.delete(presence, labelled, axis=0)
    unseen = presence[labelled].any(0) & ~others.any(0)
    names = [space.train_names[train_id] for train_id in np.flatnonzero(unseen).tolist()]
    if not names:
        return ""
    return (
        f"labelled images show {', '.join(names)}, but the model finds none in the unlabelled ones, so these were not"
        " looked for; a better model may find them"
    )


def _with_classes(
    pool: Pool, space: LabelSpace, presence: NDArray[np.bool_], labelled: Sequence[int], added: Sequence[int]
) -> Iterator[Suggestion]:
    """The added images, each with the classes that it is taken to show, those of the fewest images before it first."""
    counts = presence[list(labelled)].sum(0)
    for number in added:
        shown = sorted(np.flatnonzero(presence[number]).tolist(), key=lambda train_id: (counts[train_id], train_id))
        rare = [f"{space.train_names[train_id]} ({counts[train_id]})" for train_id in shown[:NAMED]]
        classes = {space.train_names[train_id]: int(counts[train_id]) for train_id in shown}
        yield _suggestion(pool, number, ", ".join(rare) or "no class", {"classes_in_images_before": classes})
        counts = counts + presence[number]


def _suggestion(pool: Pool, number: int, why: str, about: dict[str, object]) -> Suggestion:
    item = pool.items[number]
    return Suggestion(str(item.image), why, {"stem": item.name, **about})


def _presence(pool: Pool, options: ImageOptions) -> NDArray[np.bool_]:
    """Classes that images show, bool [N, C]: labelled ones by their labels, others by the model or its predictions."""
    if pool.space is None:
        raise UserError("which label space is meant is not said; give --space NAME or FILE")
    space, labelled = pool.space, pool.labelled
    others = [number for number, item in enumerate(pool.items) if item.label is None]
    pixels = np.zeros((len(pool.items), space.num_train), np.int64)
    areas = np.zeros(len(pool.items), np.int64)
    labels = [label for number in labelled if (label := pool.items[number].label) is not None]
    parts = [(labelled, _read_all(labels, "reading labels"))]
    if options.predictions is not None:
        files = find_predictions(pool, options.predictions)
        found = [LabelFile(files[number], space) for number in others]
        parts.append((others, _read_all(found, "reading predictions")))
    elif options.model is not None:
        parts.append((others, _predict_all(pool, space, others, options.model, options.device)))
    for numbers, indices in parts:
        for number, index in zip(numbers, indices, strict=True):
            counts = np.bincount(space.to_train(index).ravel(), minlength=256)
            pixels[number], areas[number] = counts[: space.num_train], index.size
    return predicted_presence(pixels, areas)


def _read_all(sources: Iterable[Source], title: str) -> Iterator[Array8]:
    """Space indices of label files."""
    listed = list(sources)
    if not listed:
        return
    with ProgressBar(len(listed), title, "labels") as bar:
        for index in work_ahead(lambda source: source.read(), listed, READERS):
            yield index
            bar.advance()


def _predict_all(pool: Pool, space: LabelSpace, numbers: Sequence[int], model: str, device: str) -> Iterator[Array8]:
    """Space indices of what ``seglift predict`` would write of images."""
    nowhere = Path()
    config = PredictConfig(nowhere, model, space.name, nowhere, device=resolve_device(device))
    predictor = make_predictor(load_model(model, space, config.device), config)
    sources = [pool.items[number].image for number in numbers]
    with ProgressBar(len(sources), "predicting", "images") as bar, torch.inference_mode():
        images = work_ahead(lambda source: source.read(), sources, READERS)
        for source, image in zip(sources, images, strict=True):
            found = predict_frame(predictor, space, image, config, str(source))
            yield space.encode(found.labels, str(source))
            bar.advance()
