"""From centre heatmap, offsets and semantic logits to segments (Cheng et al., "Panoptic-DeepLab", CVPR 2020, 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglift.inference.panoptic.centres import find_centres
from seglift.inference.panoptic.classes import look_up, most_likely, void_small_stuff
from seglift.inference.panoptic.grouping import join_centres
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.panoptic.voting import mean_probability, vote
from seglift.labels.space import Array8, LabelSpace
from seglift.models.panoptic_output import PanopticOutput

DEFAULT = PanopticSettings()


@dataclass(frozen=True, eq=False)
class PanopticSegmentation:
    """The segments of one image, as ``labels.instances`` writes them and ``metrics`` score them.

    Attributes:
        raw: uint8 [H, W], raw ids of the space; its ``ignore`` where nothing is known.
        number: uint16 [H, W], instance numbers: 1, 2, ... within each class in the order of the centres' heat, at most
            1000; 0 where there is no instance.
        scores: of each instance by raw id and number: the mean probability of its class on it, times the heat of its
            centre (Panoptic-DeepLab, section 3.2; 0..1 where heat is).
    """

    raw: Array8
    number: NDArray[np.uint16]
    scores: dict[tuple[int, int], float]


def decode_panoptic(
    output: PanopticOutput, space: LabelSpace, settings: PanopticSettings = DEFAULT
) -> list[PanopticSegmentation]:
    """The segments of each image of a batch.

    Each pixel of a thing class joins the centre nearest to where its offset leads; the pixels of a centre are an
    instance of the class that most of them have (of equals, the lowest train id). Without any centre, things become
    void, as do stuff classes below the limit of ``settings``.

    Args:
        output: semantic logits [B, C, H, W] over the train ids of ``space``, heatmaps and offsets, on any device.
        space: the label space.
        settings: thresholds and limits.

    Raises:
        ValueError: another number of classes, or values that are no numbers.
    """
    if output.semantic.shape[1] != space.num_train:
        raise ValueError(
            f"{space.num_train} semantic channels expected for {space.name}, got {output.semantic.shape[1]}"
        )
    parts = zip(output.semantic, output.centre[:, 0], output.offset, strict=True)
    return [_decode(logits.contiguous(), heatmap, offset, space, settings) for logits, heatmap, offset in parts]


@torch.no_grad()
def _decode(
    logits: Tensor, heatmap: Tensor, offset: Tensor, space: LabelSpace, settings: PanopticSettings
) -> PanopticSegmentation:
    """Of one image: logits [C, H, W], heatmap [H, W], offset [2, H, W]."""
    classes = most_likely(logits)
    if not bool(heatmap.isfinite().all()):
        raise ValueError("the centre heatmap has values that are no finite numbers; check the network")
    is_thing = torch.zeros(space.num_train, dtype=torch.bool, device=logits.device)
    is_thing[list(space.thing_train_ids)] = True
    result = void_small_stuff(classes, is_thing, settings.stuff_limit(*heatmap.shape))
    things = look_up(is_thing, classes).view(-1).nonzero()[:, 0]
    number = torch.zeros_like(classes, dtype=torch.int32)
    centres = find_centres(heatmap, settings)
    if not len(things) or not len(centres.heat):
        return _as_files(result, number, {}, space)
    member = join_centres(offset, things, centres.positions)
    voted, numbers = vote(classes.view(-1).index_select(0, things), member, len(centres.heat), space.num_train)
    result.view(-1)[things] = voted.to(torch.uint8).index_select(0, member)
    number.view(-1)[things] = numbers.int().index_select(0, member)
    scores = centres.heat * mean_probability(logits, things, voted, member)
    found = [row for row in zip(voted.tolist(), numbers.tolist(), scores.tolist(), strict=True) if row[1]]
    return _as_files(result, number, {(train_id, n): score for train_id, n, score in found}, space)


def _as_files(
    classes: Tensor, number: Tensor, scores: dict[tuple[int, int], float], space: LabelSpace
) -> PanopticSegmentation:
    """Train ids uint8 [H, W], instance numbers [H, W] and scores by train id and number, with raw ids instead."""
    raw = space.decode(space.from_train(classes.cpu().numpy()))
    every = np.arange(space.num_train, dtype=np.uint8)
    ids = space.decode(space.from_train(every[None]))[0].tolist()
    by_raw = {(ids[train_id], n): score for (train_id, n), score in scores.items()}
    return PanopticSegmentation(raw, number.cpu().numpy().astype(np.uint16), by_raw)
