"""NYU-Depth V2's files written as a plain folder of PNGs, neighbours included."""

from __future__ import annotations

from pathlib import Path

from seglift.base.files import write_json
from seglift.base.progress import ProgressBar
from seglift.datasets.dataset import Item, Source, no_neighbours
from seglift.datasets.nyuv2 import CLASS_MAP, check_numbers, find_beside, item_name, neighbour_key, raw_neighbours
from seglift.datasets.nyuv2_mat import MatImage, MatLabel, read_class_map, read_frame_names, read_split
from seglift.datasets.nyuv2_raw import REACH
from seglift.labels.builtin import BUILTIN_SPACES
from seglift.labels.writing import write_png

OFFSETS = tuple(offset for offset in range(-REACH, REACH + 1) if offset != 0)


def export_nyuv2(mat: Path, splits: Path, raw: Path | None, out: Path, quiet: bool = False) -> None:
    """Writes the exported layout that ``open_nyuv2`` reads without h5py.

    ``out`` receives ``images/%04d.png``, ``labels40/%04d.png`` (ids 0..40), ``splits.json`` and, with ``raw``, the
    neighbours of the training pictures as ``neighbors/%04d_%+03d.png`` at -10..+10 half seconds, as far as they exist
    (see :class:`seglift.datasets.nyuv2_raw.RawNeighbours`). Files that are there are not written again, so an
    interrupted export goes on; ``splits.json`` comes last.

    Args:
        mat: ``nyu_depth_v2_labeled.mat``, with ``classMapping40.mat`` in the same folder.
        splits: ``splits.mat``.
        raw: folder of the raw recordings, or None for no neighbours.
        out: folder to write.
        quiet: no progress bar.

    Raises:
        UserError: a file cannot be read or written, h5py is missing.
    """
    numbers, frames = read_split(splits), read_frame_names(mat)
    check_numbers(numbers, len(frames), splits)
    class_map, space = read_class_map(find_beside(mat, CLASS_MAP)), BUILTIN_SPACES["nyuv2"]
    near = no_neighbours if raw is None else raw_neighbours(frames, numbers["test"], raw)
    train = frozenset(numbers["train"])
    everything = sorted(number for part in numbers.values() for number in part)
    with ProgressBar(len(everything), "exporting NYU-Depth V2", "images", quiet=quiet) as bar:
        for number in everything:
            name = item_name(number)
            image = MatImage(mat, number - 1)
            _write(out / "images" / f"{name}.png", image)
            # Index and id are the same numbers in this space.
            _write(out / "labels40" / f"{name}.png", MatLabel(mat, number - 1, class_map, space))
            for offset in OFFSETS if number in train else ():
                neighbour = near(Item(name, image, None), offset)
                if neighbour is not None:
                    _write(out / "neighbors" / f"{neighbour_key(name, offset)}.png", neighbour)
            bar.advance()
    write_json(out / "splits.json", {split: sorted(part) for split, part in numbers.items()})


def _write(path: Path, source: Source) -> None:
    if not path.is_file():
        write_png(path, source.read())
