"""``seglift label``: a few labelled frames in, every frame labelled out."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seglift.base.progress import ProgressBar, say
from seglift.base.threads import threads_per_call, worker_count
from seglift.labels.reading import read_label
from seglift.motion.estimator import MotionEstimator
from seglift.motion.named import get_estimator
from seglift.propagation.estimate import estimate_miou
from seglift.propagation.fuse import Fused
from seglift.propagation.gap_confidence import trust_carried
from seglift.propagation.objects import Codes, overlaps_by_flow
from seglift.propagation.provenance import EARLIER, HUMAN, LATER, NONE
from seglift.propagation.spill import Spill
from seglift.propagation.state import Origin, estimate_flow
from seglift.propagation.traverse import BothSides, Gap, Walker
from seglift.report.contents import MethodResult
from seglift.workflows.label.carried_objects import ObjectCarrier
from seglift.workflows.label.clip_method import check_refiner, make_method
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.frame_cache import FrameCache
from seglift.workflows.label.instance_maps import InstanceMaps, InstanceSummary, forget_instances
from seglift.workflows.label.keyframe_evidence import FOLDER, KeyframeEvidence, compare_keyframes
from seglift.workflows.label.method import Method
from seglift.workflows.label.output import GAP_PREFIX, FrameResult, LabelOutput
from seglift.workflows.label.plan import LabelPlan, make_plan
from seglift.workflows.label.report import summarise, write_page, write_tables, write_timing
from seglift.workflows.label.scenes import SCENES_NAME, find_scenes
from seglift.workflows.outputs.frame_writer import FrameWriter
from seglift.workflows.outputs.lock import only_writer
from seglift.workflows.outputs.stage_timing import Timing
from seglift.workflows.score.run import Scores

KEYFRAMES_CACHED = 3


@dataclass(frozen=True)
class LabelResult:
    """What a run of :func:`run_label` left.

    Attributes:
        plan: what was carried out.
        output: where it lies.
        result: numbers of every frame, for a report.
        scores: against ``--ground-truth``, None without.
    """

    plan: LabelPlan
    output: LabelOutput
    result: MethodResult
    scores: Scores | None


def run_label(config: LabelConfig) -> LabelResult:
    """Labels a clip and writes everything that DESIGN's output contract names.

    Args:
        config: options as given; see :class:`LabelConfig`.

    Raises:
        UserError: something the user can fix. What is finished stays, and the same command goes on from there.
    """
    started = time.monotonic()
    plan = make_plan(config)
    check_refiner(plan)
    estimator = get_estimator(plan.config.motion, plan.config.device)
    output = LabelOutput(plan.config.out)
    output.check(plan.identity(), plan.config.overwrite)  # a folder of other files gets no lock
    with only_writer(output.folder, output.work):
        return _carry_out(plan, estimator, started)


def _carry_out(plan: LabelPlan, estimator: MotionEstimator, started: float) -> LabelResult:
    output = LabelOutput.open(plan.config.out, plan.identity(), plan.config.overwrite)
    timing = Timing()
    with threads_per_call(1), torch.inference_mode():
        run = _Run(plan, output, estimator, timing)
        run.label_everything()
        instances = run.number_objects()
        plan = run.plan
    output.compact_journal(run.entries[stem] for stem in plan.clip.frames.stems)
    with timing.stage("report"):
        write_tables(plan, output, run.entries, run.about_model, instances)
        result, scores = summarise(plan, output, run.entries)
        verdict = run.about_model.get("refiner", {}).get("reason", "")
        write_page(output.folder / "report.html", plan, [(output, result)], verdict)
    timing.seconds["total"] = time.monotonic() - started
    write_timing(output, timing.seconds, run.labelled)
    if told := plan.scenes.sentence():
        say(told)
    for line in plan.warnings:
        say(f"warning: {line}")
    return LabelResult(plan, output, result, scores)


class _Run:
    """State of one run: what is done, what is cached, who writes."""

    def __init__(self, plan: LabelPlan, output: LabelOutput, estimator: MotionEstimator, timing: Timing) -> None:
        self.plan, self.output, self.estimator, self.timing = plan, output, estimator, timing
        self.device = torch.device(plan.config.device)
        self.frames = FrameCache(plan, self.device)
        self.evidence = KeyframeEvidence(output.work / FOLDER)
        self._origins: OrderedDict[int, Origin] = OrderedDict()
        self.entries: dict[str, dict[str, Any]] = {}
        self.about_model: dict[str, Any] = {}
        self.labelled = 0
        self.objects = ObjectCarrier(plan, self.device) if plan.objects else None

    def label_everything(self) -> None:
        """Brings every frame's files up to date."""
        stems = self.plan.clip.frames.stems
        with self.timing.stage("model"):
            method = make_method(self.plan, self.output.work, self.estimator)
        if self.plan.config.scene_cuts == "auto":
            with self.timing.stage("scenes"):
                scenes = find_scenes(self.plan.clip.frames, self.output.work / SCENES_NAME)
                self.plan = replace(self.plan, scenes=scenes)
        plan = self.plan
        self.about_model = method.about_model
        keys = {index: plan.keyframe_key(index) for index in plan.label_fingerprints}
        for gap in plan.gaps:
            keys |= plan.frame_keys(gap, method.fingerprint)
        journal = self.output.journal()
        done = {i for i, key in keys.items() if journal.get(stems[i], {}).get("key") == key}
        unfinished = [gap for gap in plan.gaps if not done.issuperset(range(gap.start, gap.stop))]
        self.output.remove_strangers(stems, [_gap_folder(gap, keys) for gap in unfinished])
        self.evidence.remove_strangers(_gap_folder(gap, keys) for gap in plan.gaps)
        self.entries = {stems[i]: journal[stems[i]] for i in done}
        self.labelled = len(stems) - len(done)
        if done:
            say(f"{len(done)} of {len(stems)} frames are up to date, {self.labelled} are to be made")
        with (
            ProgressBar(len(stems), "labelling", "frames", len(done)) as bar,
            FrameWriter(self.output, self.entries, bar, self.timing) as writer,
        ):
            for keyframe in sorted(set(plan.label_fingerprints) - done):
                self._copy_keyframe(keyframe, keys[keyframe], writer)
            for gap in unfinished:
                self._label_gap(gap, frozenset(done), keys, method, writer)
        pairs = (self.evidence.find(_gap_folder(gap, keys)) for gap in plan.gaps)
        self.plan = replace(plan, pairs=tuple(pair for pair in pairs if pair is not None))

    def _copy_keyframe(self, index: int, key: str, writer: FrameWriter[FrameResult]) -> None:
        path = self.plan.keyframe_at[index].label
        data = path.read_bytes()
        labels = self.plan.space.decode(read_label(path, self.plan.space))
        result = FrameResult(
            labels, np.full_like(labels, 255), np.full_like(labels, HUMAN), 1.0, data if is_id_png(data) else None
        )
        entry = self._entry(index, None, key)
        if self.objects is not None:
            result = replace(result, objects=self.objects.drawn(index))
            entry["overlaps"] = []
        writer.submit(self.plan.clip.frames.stems[index], result, entry)

    def _label_gap(
        self, gap: Gap, done: frozenset[int], keys: dict[int, str], method: Method, writer: FrameWriter[FrameResult]
    ) -> None:
        config = self.plan.config
        name = _gap_folder(gap, keys)
        spill = Spill(self.output.work / name)

        def arrived(gap: Gap, onto_right: Tensor, onto_left: Tensor, grid: int) -> None:
            traces = onto_right, onto_left
            self.evidence.keep(name, compare_keyframes(gap, traces, grid, self.origin, self.frames, self.plan.space))

        walker = Walker(
            self.frames,
            self.origin,
            self.estimator,
            method.propagator,
            workers=worker_count(),
            forward=config.direction in ("both", "forward") and method.carries,
            backward=config.direction in ("both", "backward") and method.carries,
            max_distance=config.max_distance,
            length=len(self.plan.clip.frames),
            cuts=frozenset(self.plan.scenes.cuts),
            repeats=self.plan.scenes.repeated,
            arrived=arrived,
        )
        stems, pair = self.plan.clip.frames.stems, None
        for sides in walker.walk(gap, spill, done):
            pair = pair or self.evidence.find(name)
            offset = pair.offset if pair is not None and config.settings == "product" else 0.0
            with self.timing.stage("fuse"):
                result = self._as_keyframe(sides) or self._result(trust_carried(method.fuse(sides), sides, offset))
            entry = self._entry(sides.index, sides, keys[sides.index], gap)
            if self.objects is not None:
                with self.timing.stage("instances"):
                    codes, overlaps = self.objects.carried(sides, gap, result.labels, result.provenance)
                result = replace(result, objects=codes)
                entry["overlaps"] = overlaps
            writer.submit(stems[sides.index], result, entry)
        writer.flush()
        spill.clear()

    def number_objects(self) -> InstanceSummary | None:
        """Brings the instance maps up to date, once every frame is; None where the keyframes have no instances."""
        if self.objects is None:
            forget_instances(self.output)
            return None
        with self.timing.stage("instances"):
            summary = InstanceMaps(self.plan, self.output, self.entries, self._overlaps_across).write()
        if summary.reused:
            say(
                f"warning: the clip has more objects of a class than there are numbers, {summary.reused} of them share "
                "one with an object that was gone before"
            )
        return summary

    def _overlaps_across(self, index: int, here: Codes, there: Codes) -> list[list[int]]:
        """Overlaps of the objects of frame ``index``, carried to the next one, with those there."""
        flow = estimate_flow(self.estimator, self.frames(index), self.frames(index + 1))
        return overlaps_by_flow(flow, here, there)

    def _as_keyframe(self, sides: BothSides) -> FrameResult | None:
        """What a human drew, where the frame repeats a keyframe that labels are carried from."""
        twin = self.plan.scenes.twin(sides.index, self.plan.label_fingerprints)
        if twin is None or (sides.earlier if twin < sides.index else sides.later) is None:
            return None
        labels = self.plan.space.decode(read_label(self.plan.keyframe_at[twin].label, self.plan.space))
        side = EARLIER if twin < sides.index else LATER
        return FrameResult(labels, np.full_like(labels, 255), np.full_like(labels, side), 1.0)

    def _result(self, fused: Fused) -> FrameResult:
        confidence = (fused.confidence[0] * 255.0).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        index, provenance = fused.labels[0].cpu().numpy(), fused.provenance[0].cpu().numpy()
        estimate = None
        if (provenance != NONE).any():
            estimate = estimate_miou(self.plan.space.to_train(index), fused.confidence[0].cpu().numpy())
        return FrameResult(self.plan.space.decode(index), confidence, provenance, estimate)

    def _entry(self, index: int, sides: BothSides | None, key: str, gap: Gap | None = None) -> dict[str, Any]:
        first = self.plan.clip.first
        around = [index, index] if gap is None else [gap.left, gap.right]
        return {
            "key": key,
            "index": index + first,
            "keyframes": [side + first if side is not None else None for side in around],
            "distance": 0 if gap is None else gap.distance(index),
        }

    def origin(self, index: int) -> Origin:
        """A keyframe's labels and image; the last few are kept."""
        known = self._origins.get(index)
        if known is None:
            path = self.plan.keyframe_at[index].label
            labels = torch.from_numpy(read_label(path, self.plan.space))[None].to(self.device)
            known = self._origins[index] = Origin(labels, self.frames(index))
            if len(self._origins) > KEYFRAMES_CACHED:
                self._origins.popitem(last=False)
        return known


def _gap_folder(gap: Gap, keys: Mapping[int, str]) -> str:
    """Name of the folder that a gap spills to; another one as soon as anything in the gap has changed."""
    return f"{GAP_PREFIX}{keys[gap.stop - 1 if gap.right is None else gap.start][:16]}"


def is_id_png(data: bytes) -> bool:
    """Whether a file is an 8-bit single-channel PNG, which is copied byte for byte."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:26] == b"\x08\x00"
