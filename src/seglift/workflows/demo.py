"""``seglift demo``: a procedural street video, labelled by every method from a few keyframes, scored and reported."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seglift import __version__
from seglift.base.errors import UserError
from seglift.base.files import TEMPORARY_SUFFIX, read_json, remove_leftovers, write_bytes, write_json
from seglift.base.progress import ProgressBar, say
from seglift.datasets.streets import StreetConfig, render_street
from seglift.labels.writing import encode_png, write_png
from seglift.workflows.label.auto_model import FOLDER as MODEL_FOLDER
from seglift.workflows.label.config import LabelConfig
from seglift.workflows.label.output import WORK_FOLDER
from seglift.workflows.label.report import write_page
from seglift.workflows.label.run import LabelResult, run_label
from seglift.workflows.score.run import Scores, percent, render_table

RECORD = "demo.json"
REPORT = "report.html"
CLIP = "clip"
METHODS = ("refine", "inpaint", "semantic", "motion")
"""In the order they run: the first trains the segmentation model that the others use; the page opens on the first."""

FRAMES_LEAST = 5
SPACING_MOST = 20
FIRST_STREET = 4
"""The street of seed 0, chosen for what can be seen in it: cyclists, pedestrians, signs and cars that pass."""


@dataclass(frozen=True)
class DemoConfig:
    """Options of ``seglift demo``.

    Attributes:
        out: folder that everything is written to.
        frames: length of the video, at least FRAMES_LEAST.
        seed: of street and training; another seed, another street.
        model_steps: training steps of the segmentation model.
        overwrite: replace a demo of other options.
        height, width: of the video, pixels.

    Raises:
        UserError: a value is out of range.
    """

    out: Path = Path("seglift-demo")
    frames: int = 41
    seed: int = 0
    model_steps: int = 800
    overwrite: bool = False
    height: int = 256
    width: int = 512

    def __post_init__(self) -> None:
        if self.frames < FRAMES_LEAST:
            raise UserError(f"--frames is {self.frames}, expected {FRAMES_LEAST} or more; ask for a longer video")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"--seed is {self.seed}, expected 0 to 2**32 - 1; choose another")
        if self.model_steps < 1:
            raise UserError(f"--model-steps is {self.model_steps}, expected 1 or more; raise it")
        self.street()  # refuses sizes and lengths before anything is written

    def street(self) -> StreetConfig:
        """What the video shows: a drive straight on, without the camera car's own bonnet."""
        return StreetConfig(self.frames, self.height, self.width, FIRST_STREET + self.seed, ego="forward", hood=False)

    def keyframes(self) -> range:
        """Indices of the labelled frames: every 20th, in shorter videos closer, so that there are at least three."""
        return range(0, self.frames, min(SPACING_MOST, (self.frames - 1) // 2))

    def record(self) -> dict[str, Any]:
        """What a demo must share with an earlier one in its folder to continue it."""
        return {"seglift": __version__, "model_steps": self.model_steps, "street": asdict(self.street())}


@dataclass(frozen=True)
class DemoResult:
    """What a demo left.

    Attributes:
        scores: of every method against the exact ground truth, keyframes left out.
        report: the page that compares the methods.
    """

    scores: dict[str, Scores]
    report: Path


def run_demo(config: DemoConfig) -> DemoResult:
    """Makes the video, labels it by every method, scores all, writes the report.

    ``config.out`` receives ``clip/frames``, ``clip/ground_truth`` and ``clip/keyframes`` (PNGs; Cityscapes ids),
    an output folder of ``label`` for each of ``METHODS``, ``report.html``, and ``demo.json``, which says how it was
    made. The same call again goes on where an earlier one stopped.

    Args:
        config: options.

    Raises:
        UserError: the folder holds other files or another demo, or cannot be written.
    """
    _take_folder(config)
    write_clip(config)
    labelled: dict[str, LabelResult] = {}
    for number, method in enumerate(METHODS, 1):
        say(f"method {number} of {len(METHODS)}: {method}")
        labelled[method] = run_label(label_config(config, method))
    report = config.out / REPORT
    first = labelled[METHODS[0]]
    write_page(report, first.plan, [(done.output, done.result) for done in labelled.values()])
    return DemoResult({method: _scores(done) for method, done in labelled.items()}, report)


def label_config(config: DemoConfig, method: str) -> LabelConfig:
    """How the demo's video is labelled by ``method``, one of ``METHODS``; all methods share one trained model."""
    trained = config.out / METHODS[0] / WORK_FOLDER / MODEL_FOLDER
    clip = config.out / CLIP
    shares = method in ("inpaint", "semantic")
    return LabelConfig(
        frames=clip / "frames",
        labels=clip / "keyframes",
        out=config.out / method,
        space="cityscapes",
        method=method,
        model=str(trained) if shares else "auto",
        ground_truth=clip / "ground_truth",
        model_steps=None if shares else config.model_steps,
        seed=config.seed,
    )


def write_clip(config: DemoConfig) -> None:
    """Renders the frames that are not there yet, with the labels of all frames and those of the keyframes.

    Raises:
        UserError: a file cannot be written.
    """
    clip = config.out / CLIP
    folders = [clip / name for name in ("frames", "ground_truth", "keyframes")]
    for folder in folders:
        remove_leftovers(folder)
    keyframes = config.keyframes()

    def paths(index: int) -> list[Path]:
        return [folder / f"{index:06d}.png" for folder in (folders if index in keyframes else folders[:2])]

    missing = [i for i in range(config.frames) if not all(path.is_file() for path in paths(i))]
    if not missing:
        return
    with ProgressBar(config.frames, "rendering the street", "frames", config.frames - len(missing)) as bar:
        for frame in render_street(config.street(), missing):
            image, *labels = paths(frame.index)
            write_png(image, frame.image)
            data = encode_png(frame.labels)
            for path in labels:
                write_bytes(path, data)
            bar.advance()


def format_demo(result: DemoResult) -> str:
    """The score table for a person: mIoU in percent, distances to the nearest keyframe down, methods across."""
    methods = list(reversed(METHODS))
    distances = sorted(result.scores[methods[0]].by_distance)
    rows = [(str(k), *(percent(result.scores[method].by_distance[k].miou()) for method in methods)) for k in distances]
    rows.append(("all", *(percent(result.scores[method].confusion.miou()) for method in methods)))
    title = "mIoU in percent, keyframes left out"
    return render_table(title, ("frames to nearest keyframe", *methods), rows)


def _scores(done: LabelResult) -> Scores:
    if done.scores is None:
        raise ValueError("the demo labels against ground truth, but there are no scores")
    return done.scores


def _take_folder(config: DemoConfig) -> None:
    """Refuses a folder of other content; with ``overwrite`` removes a demo of ours from it, and nothing else."""
    out, record = config.out, config.record()
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file, expected a folder for the demo; choose another place")
    if out.is_dir() and any(not path.name.endswith(TEMPORARY_SUFFIX) for path in out.iterdir()):
        if not (out / RECORD).is_file():
            raise UserError(f"--out {out} holds other files and no demo, expected an empty folder; choose another one")
        if config.overwrite:
            _clear(out)
        elif read_json(out / RECORD) != record:
            raise UserError(
                f"--out {out} holds a demo made with other options, expected the same options or an empty folder; "
                "add --overwrite to replace it, or choose another folder"
            )
    write_json(out / RECORD, record)
    remove_leftovers(out)


def _clear(out: Path) -> None:
    for name in (CLIP, *METHODS):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / REPORT).unlink(missing_ok=True)
