"""Which pair of a synthesized dataset belongs to which ground truth: the labelled frame's neighbours, by stem."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from seglift.base.errors import UserError
from seglift.video.stems import frame_stem
from seglift.workflows.outputs.manifest import MANIFEST_NAME, ManifestPair, read_manifest
from seglift.workflows.score.files import list_labels


def is_synthesized(folder: Path) -> bool:
    """Whether ``folder`` is an OUT of ``seglift synthesize``."""
    return (folder / MANIFEST_NAME).is_file()


def pair_synthesized(folder: Path, truth: Path) -> tuple[list[tuple[Path, Path, int]], tuple[str, ...]]:
    """Matches pairs and ground truth by the stem of the frame; one ground truth may belong to several pairs.

    Where frames of several clips have one stem (``a/0001.png``, ``b/0001.png``), the ground truth's folders must end in
    the name of the clip.

    Args:
        folder: an OUT of ``seglift synthesize``.
        truth: folder or tree of ground-truth PNGs.

    Returns:
        Label of the pair, ground truth and distance in frames for each pair that has ground truth, in the order of the
        manifest; and the ground truth of no pair.

    Raises:
        UserError: the manifest cannot be read, there is no ground truth, or a pair has two.
    """
    pairs = read_manifest(folder)
    if not pairs:
        raise UserError(f"{folder / MANIFEST_NAME} names no pair, so there is nothing to score; run synthesize again")
    tree = list_labels(truth, f"give ground-truth PNGs named after {pairs[0].target_frame}")
    by_stem: defaultdict[str, list[int]] = defaultdict(list)
    for position, stem in enumerate(tree.stems):
        by_stem[stem].append(position)
    clips: defaultdict[str, set[str | None]] = defaultdict(set)
    for pair in pairs:
        clips[frame_stem(pair.target_frame)].add(pair.clip)
    places, found, used = tree.places, [], set()
    for pair in pairs:
        stem = frame_stem(pair.target_frame)
        candidates = by_stem.get(stem, [])
        if len(candidates) > 1 or len(clips[stem]) > 1:
            candidates = [position for position in candidates if _lies_in(places[position], pair, stem)]
        if len(candidates) > 1:
            first, second = (tree.names[position] for position in candidates[:2])
            raise UserError(
                f"{first} and {second} in {truth} both belong to {pair.target_frame} of {pair.clip}; keep one of them"
            )
        for position in candidates:
            used.add(position)
            found.append((pair.label, tree.root / tree.names[position], abs(pair.k)))
    return found, tuple(name for position, name in enumerate(tree.names) if position not in used)


def _lies_in(place: str, pair: ManifestPair, stem: str) -> bool:
    """Whether the folders above a label end in the pair's clip."""
    return pair.clip is not None and f"/{place}".endswith(f"/{pair.clip}/{stem}")
