"""The images that are drawn where these are not all of their source: a dataset of their own, which trainings read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import say
from seglift.datasets.dataset import Item
from seglift.labels.space import LabelSpace
from seglift.labels.space_file import space_to_data
from seglift.training.images.dataset_samples import with_advice
from seglift.workflows.coarse_to_fine.data import fingerprint_items
from seglift.workflows.coarse_to_fine.recipe import COMMAND, METHOD
from seglift.workflows.rounds.dataset_output import SKIPPED_NAME, DatasetOutput, LabelledFrame, manifest_line


def drawn_key(items: Sequence[Item], space: LabelSpace) -> str:
    """Identifies what :func:`write_drawn_labels` makes of images and the space of their labels."""
    return fingerprint_values(space_to_data(space), fingerprint_items(items))


def write_drawn_labels(
    folder: Path, items: Sequence[Item], space: LabelSpace, called: str, skip_corrupt: bool = False
) -> None:
    """Writes images with their labels and confidence maps, as stills.

    Args:
        folder: of the dataset; the caller is its only writer. What it holds of an earlier choice goes.
        items: what is drawn, labels in ``space``.
        space: of the labels that are written.
        called: what the recipe calls the source.
        skip_corrupt: leave out, and list, images whose label cannot be read.

    Raises:
        UserError: a file cannot be read or written, or not one label can be read.
    """
    output = DatasetOutput(folder, {"drawn": drawn_key(items, space)}, space, COMMAND)
    output.check(overwrite=True)
    output.start({}, not output.continues())
    lines, skipped = [], []
    for item in items:
        if item.label is None:
            raise ValueError(f"{item.name} has no label")
        try:
            labels = space.decode(item.label.read())
        except UserError as error:
            if not skip_corrupt:
                raise with_advice(error) from error
            skipped.append(str(error))
            continue
        result = LabelledFrame(item.image, labels, confidence=item.confidence)
        entry = output.write_frame(item.name, result, {"key": item.name})
        lines.append(manifest_line(entry, called, METHOD, item.name, 0, item.clip))
    if not lines:
        raise UserError(f"none of the {len(skipped)} labels of {called} can be read: {skipped[0]}")
    if skipped:
        say(f"unreadable labels left out: {len(skipped)}, listed in {folder / SKIPPED_NAME}")
    output.finish(lines, skipped, {"frames": len(lines)})
