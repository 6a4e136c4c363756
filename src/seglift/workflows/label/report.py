"""What ``seglift label`` writes when every frame is done: frames.jsonl, run.json, timing.json, report.html."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglift import __version__
from seglift.base.counts import counted
from seglift.base.files import write_bytes, write_json
from seglift.labels.instance_files import read_instances
from seglift.labels.reading import read_gray, read_label
from seglift.labels.space import LabelSpace
from seglift.metrics.boundary import BoundaryF
from seglift.metrics.confusion import Confusion
from seglift.propagation.provenance import PROVENANCE_NAMES
from seglift.report.contents import (
    DistanceScore,
    FrameRecord,
    MethodLayers,
    MethodResult,
    ReportFrame,
    ReportScores,
    ReportSummary,
)
from seglift.report.page import write_report
from seglift.video.clip import pair_ground_truth
from seglift.workflows.input_identity import fingerprint_motion
from seglift.workflows.label.instance_maps import InstanceSummary
from seglift.workflows.label.output import INSTANCES, LabelOutput
from seglift.workflows.label.plan import LabelPlan
from seglift.workflows.outputs.machine import library_versions, peak_memory
from seglift.workflows.score.run import Scores, add_frame

GENERIC_NAMES = ("images", "frames", "image_2", "rgb", "JPEGImages")
"""Folders whose name says nothing: the report is called after the folder above."""
NUMBER_BITS = 16
"""Of an object's number within its class."""
FRAME_FIELDS = ("index", "stem", "keyframes", "distance", "mean_confidence", "estimated_miou", "provenance")


def write_tables(
    plan: LabelPlan,
    output: LabelOutput,
    entries: Mapping[str, Mapping[str, Any]],
    model: Mapping[str, Any],
    instances: InstanceSummary | None = None,
) -> None:
    """Writes ``frames.jsonl`` and ``run.json``; equal runs give equal bytes.

    Args:
        plan: what was run.
        output: where.
        entries: the journal's entry of every frame by stem.
        model: what is to be said of the segmentation model.
        instances: what was written of instances, None without any.
    """
    lines = []
    for stem in plan.clip.frames.stems:
        entry = dict(entries[stem])
        entry["provenance"] = {name: entry["provenance"][name] for name in PROVENANCE_NAMES}
        lines.append(json.dumps({name: entry[name] for name in FRAME_FIELDS if name in entry}, allow_nan=False) + "\n")
    write_bytes(output.folder / "frames.jsonl", "".join(lines).encode())
    write_json(output.folder / "run.json", describe_run(plan, model, instances))


def describe_run(plan: LabelPlan, model: Mapping[str, Any], instances: InstanceSummary | None = None) -> dict[str, Any]:
    """The content of ``run.json``: resolved options, versions, seed, fingerprints of the inputs."""
    stems = plan.clip.frames.stems
    about = {}
    if instances is not None:
        keyframes = {stems[index]: objects.fingerprint for index, objects in sorted(plan.objects.items())}
        about["instances"] = {**asdict(instances), "keyframes": keyframes}
    return {
        "options": plan.config.label_options() | {"space": plan.space.name},
        "seed": plan.config.seed,
        "versions": {"seglift": __version__, "python": platform.python_version(), **library_versions()},
        "frames": {"count": len(stems), "size": list(plan.clip.frames.size), "sha256": plan.clip.frames.fingerprint()},
        "keyframes": {stems[index]: digest for index, digest in sorted(plan.label_fingerprints.items())},
        "model": dict(model),
        "scenes": _describe_scenes(plan),
        "keyframe_pairs": [pair.describe(stems, plan.clip.first) for pair in plan.pairs],
        "warnings": plan.warnings,
        "motion": {"spec": plan.config.motion, "sha256": fingerprint_motion(plan.config.motion)},
        **about,
    }


def _describe_scenes(plan: LabelPlan) -> dict[str, Any] | None:
    """Cuts (first frames of scenes) and repeated frames, indices as in ``frames.jsonl``; None where nobody looked."""
    if plan.config.scene_cuts == "none":
        return None
    stems, first = plan.clip.frames.stems, plan.clip.first
    return {
        name: [{"index": index + first, "stem": stems[index]} for index in indices]
        for name, indices in (("cuts", plan.scenes.cuts), ("repeats", plan.scenes.repeats))
    }


def write_timing(output: LabelOutput, seconds: Mapping[str, float], labelled: int) -> None:
    """Writes ``timing.json``: seconds per stage (stages overlap), frames/s of this run, peak memory of the process
    (null where unknown).

    Args:
        output: where.
        seconds: by stage, ``total`` among them.
        labelled: frames that this run labelled (earlier runs' not counted).
    """
    write_json(
        output.folder / "timing.json",
        {
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "frames_labelled": labelled,
            "frames_per_second": round(labelled / max(seconds["total"], 1e-9), 3),
            "peak_memory_bytes": peak_memory(),
        },
    )


def score_output(
    plan: LabelPlan, output: LabelOutput, entries: Mapping[str, Mapping[str, Any]]
) -> tuple[Scores, dict[int, float]] | None:
    """Scores the output against ``--ground-truth``; keyframes are left out.

    Args:
        plan: what was run.
        output: where it lies.
        entries: the journal's entry of every frame by stem.

    Returns:
        The scores, pooled and by distance, and each scored frame's own mIoU by index (over the classes that it shows,
        see :meth:`.Confusion.present_miou`); None without ground truth.
    """
    folder = plan.config.ground_truth
    if folder is None:
        return None
    space = plan.space
    scores = Scores(space, Confusion.empty(space.num_train), BoundaryF.empty(space.num_train))
    distances = {index: gap.distance(index) for gap in plan.gaps for index in range(gap.start, gap.stop)}
    own = {}
    for index, truth in sorted(pair_ground_truth(plan.clip, folder).items()):
        if index in distances:
            path = output.folder / "labels" / f"{plan.clip.frames.stems[index]}.png"
            estimate = entries[plan.clip.frames.stems[index]].get("estimated_miou")
            own[index] = add_frame(scores, path, truth, distances[index] or 0, estimate).present_miou()
    return (scores, own) if scores.frames else None


def summarise(
    plan: LabelPlan, output: LabelOutput, entries: Mapping[str, Mapping[str, Any]]
) -> tuple[MethodResult, Scores | None]:
    """One method's result for the report, and its scores where ground truth was given."""
    scored = score_output(plan, output, entries)
    stems = plan.clip.frames.stems
    miou = scored[1] if scored else {}
    records = [FrameRecord.from_json(entries[stem], miou.get(index)) for index, stem in enumerate(stems)]
    pixels = np.zeros(plan.space.num_indices, np.int64)
    for stem in stems:
        for raw, count in entries[stem]["pixels"].items():
            pixels[plan.space.ids.index(int(raw))] += count
    result = MethodResult(plan.config.method, records, pixels.tolist(), _report_scores(scored[0]) if scored else None)
    return result, scored[0] if scored else None


def _report_scores(scores: Scores) -> ReportScores:
    confusion = scores.confusion
    return ReportScores(
        confusion.miou(),
        confusion.pixel_accuracy(),
        [float(value) for value in confusion.iou()],
        confusion.mean_accuracy(),
        scores.boundary.mean() if scores.boundary is not None else None,
        [DistanceScore(k, c.miou(), c.pixel_accuracy()) for k, c in sorted(scores.by_distance.items())],
        f"{counted(scores.frames, 'frame')}, keyframes left out",
        scores.confidence.calibration.auroc() if scores.confidence is not None else None,
        scores.confidence.calibration.calibration_error() if scores.confidence is not None else None,
        scores.estimate.mean_absolute_error(),
    )


def report_summary(plan: LabelPlan, methods: list[MethodResult], verdict: str = "") -> ReportSummary:
    """The page's contents but the pictures; ``verdict`` is what is to be said of a refiner."""
    config = plan.config
    path = config.frames.resolve()
    return ReportSummary(
        path.parent.name if path.name in GENERIC_NAMES else path.stem,
        plan.space,
        list(plan.clip.frames.stems),
        sorted(plan.label_fingerprints),
        methods,
        plan.clip.frames.size,
        {"motion": config.motion, "model": config.model, "direction": config.direction, "settings": config.settings},
        plan.scenes.cuts,
        ". ".join(told for told in (verdict, plan.remark) if told),
        plan.clip.first,
    )


def write_page(path: Path, plan: LabelPlan, methods: list[tuple[LabelOutput, MethodResult]], verdict: str = "") -> None:
    """Writes the HTML report of one or several methods on the same clip.

    Args:
        path: of the page.
        plan: of any of the runs; they share clip, keyframes and ground truth.
        methods: output and result of each method.
        verdict: what is to be said of a refiner, empty for nothing.
    """
    folder = plan.config.ground_truth
    truths = pair_ground_truth(plan.clip, folder) if folder is not None else {}

    def fetch(index: int) -> ReportFrame:
        truth = read_label(truths[index], plan.space) if index in truths else None
        return ReportFrame(plan.clip.frames[index], [_read_layers(plan, output, index) for output, _ in methods], truth)

    write_report(path, report_summary(plan, [result for _, result in methods], verdict), fetch)


def _read_layers(plan: LabelPlan, output: LabelOutput, index: int) -> MethodLayers:
    name = f"{plan.clip.frames.stems[index]}.png"
    return MethodLayers(
        read_label(output.folder / "labels" / name, plan.space),
        read_gray(output.folder / "confidence" / name),
        read_gray(output.folder / "provenance" / name),
        _read_objects(output.folder / INSTANCES / name, plan.space),
    )


def _read_objects(path: Path, space: LabelSpace) -> NDArray[np.int32] | None:
    """int32 [H, W], one value for each object of the clip, 0 for none; None where the clip has no instances."""
    if not path.is_file():
        return None
    raw, number = read_instances(path, space)
    return np.where(number > 0, raw.astype(np.int32) << NUMBER_BITS | number, 0).astype(np.int32)
