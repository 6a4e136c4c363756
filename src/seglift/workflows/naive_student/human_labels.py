"""The human labels that are used where these are not all: a dataset of their own, which trainings read."""

from __future__ import annotations

from pathlib import Path

from seglift.datasets.dataset import Dataset, Item
from seglift.labels.instances import INSTANCE_READERS, Array16, encode_cityscapes
from seglift.workflows.naive_student.data import HumanLabels
from seglift.workflows.naive_student.dataset_output import DatasetOutput, LabelledFrame, manifest_line


def write_human_labels(folder: Path, labels: HumanLabels) -> None:
    """Writes the chosen images with their labels, instances and confidence maps.

    Args:
        folder: of the dataset; the caller is its only writer. What it holds of an earlier choice goes.
        labels: what is chosen.

    Raises:
        UserError: a file cannot be read or written.
    """
    dataset = labels.dataset
    output = DatasetOutput(folder, {"human": labels.fingerprint()}, dataset.space)
    output.check(overwrite=True)
    output.start({}, not output.continues())
    lines = []
    for item in labels.items:
        if item.label is None:
            raise ValueError(f"{item.name} has no label")
        raw = dataset.space.decode(item.label.read())
        instances = _instances(dataset, item) if dataset.has_instances(item) else None
        result = LabelledFrame(item.image, raw, instances, item.confidence)
        entry = output.write_frame(item.name, result, {"key": item.name})
        lines.append(manifest_line(entry, labels.source.called, item.name, 0, item.clip))
    output.finish(lines, (), {"frames": len(lines)})


def _instances(dataset: Dataset, item: Item) -> Array16:
    """Instances of an item, in Cityscapes' encoding."""
    path, space = item.instances or Path(), dataset.instance_space or dataset.space
    raw, number = INSTANCE_READERS[str(dataset.instance_encoding)](path, space)
    return encode_cityscapes(raw, number, str(path))
