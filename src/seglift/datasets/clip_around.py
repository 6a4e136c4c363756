"""A clip around one image of a dataset: the image with its neighbours, and its label as the keyframe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.datasets.dataset import Dataset, Item, LabelFile, Source
from seglift.labels.space import Array8
from seglift.video.clip import Clip, Keyframe
from seglift.video.stems import frame_stem

KEYFRAME_INSTANCES = "cityscapes"
"""The encoding of instance files that keyframes have."""


class SourceFrames:
    """Frames that are read from sources (see :class:`seglift.video.frames.Frames`); holds places, never pixels.

    Args:
        sources: one for each frame, in order.
        stems: their names, all different.
        reference: index of the frame whose size all must have.

    Raises:
        ValueError: no frames, not one stem for each, or two stems that agree.
    """

    rate: None = None

    def __init__(self, sources: Sequence[Source], stems: Sequence[str], reference: int = 0) -> None:
        if not sources or len(sources) != len(stems):
            raise ValueError(f"expected a stem for each of one or more frames, got {len(sources)} and {len(stems)}")
        if len({frame_stem(stem) for stem in stems}) != len(stems):
            raise ValueError(f"stems of frames must differ, got {', '.join(stems)}")
        if not 0 <= reference < len(sources):
            raise ValueError(f"reference {reference} is none of {len(sources)} frames")
        self.sources, self.reference = tuple(sources), reference
        self.stems: Sequence[str] = list(stems)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of the reference frame; reads it once.

        Raises:
            UserError: it cannot be read.
        """
        height, width = self.sources[self.reference].read().shape[:2]
        return height, width

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Array8:
        """Frame ``index``: RGB ``uint8 [H, W, 3]``.

        Raises:
            UserError: it cannot be read or its size is not that of the reference; names the file.
        """
        source = self.sources[self._at(index)]
        image = source.read()
        if index == self.reference:
            self.size = (image.shape[0], image.shape[1])  # spares reading it for the size alone
        if image.shape[:2] != self.size:
            height, width = self.size
            raise UserError(
                f"{source} is {image.shape[1]}x{image.shape[0]}, the frame {self.sources[self.reference]} that it "
                f"belongs to is {width}x{height}; all frames of a clip must have one size: resize or remove it"
            )
        return image

    def fingerprint(self) -> str:
        """64 hexadecimal digits over all frames' :meth:`frame_fingerprint`, in order."""
        return fingerprint_values([self.frame_fingerprint(index) for index in range(len(self))])

    def frame_fingerprint(self, index: int) -> str:
        """64 hexadecimal digits over stem and content of one frame."""
        return fingerprint_values(self.stems[self._at(index)], self.sources[index].fingerprint())

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self.sources):
            raise IndexError(f"frame {index} of {len(self.sources)}")
        return index


def clip_around(dataset: Dataset, item: Item, before: int, after: int) -> Clip:
    """The clip of ``item`` and its neighbours.

    Frames reach from ``-before`` to ``after`` as far as neighbours exist without a gap. Frame stems are those of the
    files; where these do not differ or there are none, the item's name with the offset. Nothing is read yet.

    Args:
        dataset: the one that holds ``item``.
        item: becomes the only keyframe; a clip of an item without label has none.
        before: most frames before it, at least 0.
        after: most frames after it, at least 0.

    Raises:
        UserError: the label is not one file as it stands (mapped to other classes, resized, or inside an archive).
        ValueError: ``before`` or ``after`` is negative.
    """
    if before < 0 or after < 0:
        raise ValueError(f"before and after must be 0 or more, got {before} and {after}")
    frames = frames_of(item, reach(dataset, item, before, after))
    if item.label is None:
        return Clip(frames, (), 0)
    instances = item.instances if dataset.instance_encoding == KEYFRAME_INSTANCES else None
    return Clip(frames, (Keyframe(frames.reference, _label_path(item), instances),), 0)


def reach(dataset: Dataset, item: Item, before: int, after: int) -> dict[int, Source]:
    """The item (at 0) and its neighbours by offset in rising order, as far as they exist without a gap.

    Args:
        dataset: the one that holds ``item``.
        item: the frame in the middle.
        before: most frames before it, at least 0.
        after: most frames after it, at least 0.
    """
    found: dict[int, Source] = {0: item.image}
    for direction, most in ((-1, before), (1, after)):
        for distance in range(1, most + 1):
            source = dataset.neighbour(item, direction * distance)
            if source is None:
                break
            found[direction * distance] = source
    return dict(sorted(found.items()))


def frames_of(item: Item, sources: Mapping[int, Source]) -> SourceFrames:
    """The item and some of its neighbours as frames; the item is their reference.

    Stems are those of the files; where these do not differ or there are none, the item's name with the offset.

    Args:
        item: the frame at offset 0.
        sources: by offset in rising order, 0 among them.
    """
    return SourceFrames(list(sources.values()), _stems(item, sources), list(sources).index(0))


def _stems(item: Item, sources: Mapping[int, Source]) -> list[str]:
    paths = [path for path in (getattr(source, "path", None) for source in sources.values()) if isinstance(path, Path)]
    stems = [path.stem for path in paths]
    if len({frame_stem(stem) for stem in stems}) == len(sources):
        return stems
    return [item.name if offset == 0 else f"{item.name}_{offset:+03d}" for offset in sources]


def _label_path(item: Item) -> Path:
    if not isinstance(item.label, LabelFile):
        raise UserError(
            f"the label of {item.name} is changed while it is read ({item.label}), a label file as it stands is "
            "expected; open the dataset without options that map or resize labels"
        )
    return item.label.path
