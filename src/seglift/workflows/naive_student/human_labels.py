"""The human labels that are used where these are not all: a dataset of their own, which trainings read."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.progress import say
from seglift.datasets.dataset import Dataset, Item
from seglift.labels.instances import INSTANCE_READERS, Array16, encode_cityscapes
from seglift.training.images.dataset_samples import with_advice
from seglift.workflows.naive_student.data import HumanLabels
from seglift.workflows.naive_student.recipe import COMMAND, METHOD
from seglift.workflows.rounds.dataset_output import SKIPPED_NAME, DatasetOutput, LabelledFrame, manifest_line


def write_human_labels(folder: Path, labels: HumanLabels, instances: bool = True, skip_corrupt: bool = False) -> None:
    """Writes the chosen images with their labels, instances and confidence maps.

    Args:
        folder: of the dataset; the caller is its only writer. What it holds of an earlier choice goes.
        labels: what is chosen.
        instances: whether instances are read and written, where there are any.
        skip_corrupt: leave out, and list, images whose label or instances cannot be read.

    Raises:
        UserError: a file cannot be read or written, or not one label can be read.
    """
    output = DatasetOutput(folder, {"human": labels.fingerprint()}, labels.dataset.space, COMMAND)
    output.check(overwrite=True)
    output.start({}, not output.continues())
    lines, skipped = [], []
    for item in labels.items:
        try:
            result = _labelled(labels.dataset, item, instances)
        except UserError as error:
            if not skip_corrupt:
                raise with_advice(error) from error
            skipped.append(str(error))
            continue
        entry = output.write_frame(item.name, result, {"key": item.name})
        lines.append(manifest_line(entry, labels.source.called, METHOD, item.name, 0, item.clip))
    if not lines:
        raise UserError(f"none of the {len(skipped)} labels of {labels.source.called} can be read: {skipped[0]}")
    if skipped:
        say(f"unreadable labels left out: {len(skipped)}, listed in {folder / SKIPPED_NAME}")
    output.finish(lines, skipped, {"frames": len(lines)})


def _labelled(dataset: Dataset, item: Item, with_instances: bool) -> LabelledFrame:
    if item.label is None:
        raise ValueError(f"{item.name} has no label")
    raw, instances = dataset.space.decode(item.label.read()), None
    if with_instances and dataset.has_instances(item) and item.instances is not None:
        instances = _instances(dataset, item.instances)
        if instances.shape != raw.shape:
            raise UserError(f"{item.instances} is not of the size of {item.label}; expected one size: write it anew")
    return LabelledFrame(item.image, raw, instances, item.confidence)


def _instances(dataset: Dataset, path: Path) -> Array16:
    """Instances in Cityscapes' encoding."""
    raw, number = INSTANCE_READERS[str(dataset.instance_encoding)](path, dataset.space)
    return encode_cityscapes(raw, number, str(path))
