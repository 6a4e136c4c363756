"""Samples at their size for training, kept while they fit in memory: decoding a frame costs more than a view of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from seglift.training.images.sample import Sample, shrink

CACHE_BYTES = 512 * 2**20


class SampleCache:
    """The samples used last, shrunk.

    Args:
        samples: labelled images; must give the same sample each time they are asked.
        short_side: largest short side, pixels, or None for every size.
        limit: bytes that may be kept; a sample beyond it is fetched each time.
        processes: loading processes that each have a copy of this cache; they share the limit.
    """

    def __init__(
        self, samples: Sequence[Sample], short_side: int | None, limit: int = CACHE_BYTES, processes: int = 1
    ) -> None:
        self.samples, self.short_side, self.limit = samples, short_side, limit // processes
        self._kept: OrderedDict[int, Sample] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, number: int) -> Sample:
        """Sample ``number`` at its size for training; not to be written to."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        sample = shrink(self.samples[number], self.short_side)
        size = _bytes_of(sample)
        if size <= self.limit:
            self._kept[number] = sample
            self._bytes += size
            while self._bytes > self.limit:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= _bytes_of(dropped)
        return sample


def _bytes_of(sample: Sample) -> int:
    maps = (sample.weight, sample.instances)
    return sample.image.nbytes + sample.label.nbytes + sum(0 if values is None else values.nbytes for values in maps)
