"""One labelled frame and what is made from it: labels, pictures, instances and confidence of its neighbours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.labels.space import Array8, LabelSpace
from seglift.motion.scene_changes import SceneChange, SceneWatch, take_glimpse
from seglift.propagation.evidence import observe
from seglift.propagation.one_sided import Rider, SideWalker
from seglift.propagation.provenance import MODEL
from seglift.propagation.semantic_only import SemanticLabeller
from seglift.propagation.state import Origin, Propagated
from seglift.propagation.traverse import BothSides
from seglift.workflows.label.method import Method, model_method, motion_method
from seglift.workflows.synthesize.labels import UnreadableError, agreeing_instances, read_labels
from seglift.workflows.synthesize.plan import PlannedSource
from seglift.workflows.synthesize.result import Neighbour, Remarks
from seglift.workflows.synthesize.setup import Tools

FRAMES_KEPT = 4
"""A step looks at two frames, at up to two more for an estimator that looks further back."""


def make_neighbours(tools: Tools, source: PlannedSource, remarks: Remarks) -> Iterator[Neighbour]:
    """Makes the neighbours of one labelled frame: those before it, nearest first, then those after it.

    Args:
        tools: what all sources share.
        source: the labelled frame.
        remarks: takes up what was noticed.

    Raises:
        UserError: something cannot be read and ``skip_corrupt`` is off, or the estimator gave NaN.
    """
    skip = tools.config.skip_corrupt
    try:
        work = _SourceWork(tools, source, remarks)
    except UnreadableError as error:
        _take_up(error, skip, remarks)
        return
    sides = work.sides() if tools.config.carries else work.frames_alone()
    for side in sides:
        try:
            yield from side
        except UnreadableError as error:
            _take_up(error, skip, remarks)


def _take_up(error: UnreadableError, skip: bool, remarks: Remarks) -> None:
    if not skip:
        raise UserError(f"{error}; --skip-corrupt leaves out what cannot be used") from error
    remarks.unreadable.append(str(error))


class _SourceWork:
    """One labelled frame, read, with the method put together for it."""

    def __init__(self, tools: Tools, source: PlannedSource, remarks: Remarks) -> None:
        self.config, self.estimator, self.source, self.remarks = tools.config, tools.estimator, source, remarks
        self.device = torch.device(self.config.device)
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        image = self.frame(source.key)
        size = (int(image.shape[2]), int(image.shape[3]))
        labels, self.instances = read_labels(tools.dataset, source.item, size)
        present = tools.dataset.space.decode(np.flatnonzero(np.bincount(labels.ravel())).astype(np.uint8)[None])
        self.space = tools.dataset.space.preferring(present.ravel().tolist())
        self.origin = Origin(torch.from_numpy(labels)[None].to(self.device), image)
        self.method = _make_method(tools, self.space, size)

    def frame(self, index: int) -> Tensor:
        """RGB uint8 ``[1, 3, H, W]`` (channels last) of a frame; the last few are kept."""
        if index not in self._kept:
            try:
                array = self.source.frames[index]
            except UserError as error:
                raise UnreadableError(str(error)) from error
            self._kept[index] = torch.from_numpy(array).permute(2, 0, 1)[None].to(self.device)
            if len(self._kept) > FRAMES_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]

    def sides(self) -> Iterator[Iterator[Neighbour]]:
        """Each direction's neighbours."""
        for indices, targets in self.source.sides():
            yield self._walk(indices, targets)

    def frames_alone(self) -> Iterator[Iterator[Neighbour]]:
        """Each neighbour by itself, looked at by the model alone."""
        for offset, index in self.source.targets.items():
            yield self._look(offset, index)

    def _look(self, offset: int, index: int) -> Iterator[Neighbour]:
        self.frame(index)  # comes first, so that an unreadable one is told
        yield self._decide(offset, BothSides(index, None, None, self.frame), None, None)

    def _walk(self, indices: range, targets: dict[int, int]) -> Iterator[Neighbour]:
        if self.estimator is None:
            raise ValueError(f"method {self.config.method} walks, so it needs an estimator")
        config, recursive = self.config, self.config.resample == "recursive"
        walker = SideWalker(
            self.frame, len(self.source.frames), self.estimator, self.method.propagator, config.needs_evidence
        )
        picture = Rider(self.origin.image, recursive) if config.pairs == "joint" else None
        instances = None
        if self.instances is not None:
            # torch cannot index uint16 everywhere; nearest sampling only moves the bits.
            bits = torch.from_numpy(self.instances.view(np.int16))[None].to(self.device)
            instances = Rider(bits, recursive)
        wanted = {index: offset for offset, index in targets.items()}
        scene = SceneWatch()
        self._leaves(scene, self.source.key)
        for index, state, motion in walker.walk(self.origin, indices):
            if self._leaves(scene, index):
                self.remarks.behind_cuts += sum((target - index) * indices.step >= 0 for target in wanted)
                return
            self.remarks.duplicates += bool(torch.equal(self.frame(index), self.frame(index - indices.step)))
            for rider in (picture, instances):
                if rider is not None:
                    rider.step(motion)
            if index in wanted:
                sides = self._sides(index, wanted[index], state)
                yield self._decide(
                    wanted[index],
                    sides,
                    None if picture is None else picture.on(state),
                    None if instances is None else instances.on(state),
                )

    def _leaves(self, scene: SceneWatch, index: int) -> bool:
        """Whether the next frame of a walk, in whichever direction it goes, is of another scene than those before."""
        if self.config.scene_cuts == "none":
            return False
        image = self.frame(index)[0].permute(1, 2, 0).cpu().numpy()
        return scene.judge(take_glimpse(image)) is SceneChange.CUT

    def _sides(self, index: int, offset: int, state: Propagated) -> BothSides:
        if self.config.needs_evidence:
            state = observe(state, self.frame(index))
        earlier, later = (state, None) if offset > 0 else (None, state)
        return BothSides(index, earlier, later, self.frame)

    def _decide(self, offset: int, sides: BothSides, picture: Tensor | None, instances: Tensor | None) -> Neighbour:
        state = sides.earlier if sides.earlier is not None else sides.later
        confidence: Tensor | None = None
        if state is not None and not self.config.needs_evidence:
            labels, filled = state.labels, state.filled
        else:
            fused = self.method.fuse(sides)
            labels, filled = fused.labels, fused.provenance == MODEL
            confidence = fused.confidence if self.config.confidence else None
        raw = self.space.decode(labels[0].cpu().numpy())
        return Neighbour(
            offset,
            raw,
            None if picture is None else np.ascontiguousarray(picture[0].permute(1, 2, 0).cpu().numpy()),
            None if instances is None else agreeing_instances(instances, raw, filled),
            None if confidence is None else _as_bytes(confidence),
        )


def _make_method(tools: Tools, space: LabelSpace, size: tuple[int, int]) -> Method:
    config, model = tools.config, tools.model
    if model is None:
        return motion_method(config, space, size)
    threshold = None if config.threshold == "none" else float(config.threshold)
    refiner = None if tools.refiner is None else replace(tools.refiner, space=space)
    return model_method(config, SemanticLabeller(model, space, alone=False), threshold, tools.estimator, refiner)


def _as_bytes(confidence: Tensor) -> Array8:
    array: Array8 = (confidence[0] * 255.0).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
    return array
