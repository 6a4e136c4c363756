"""What can be asked of ``seglift synthesize``: one frozen record, checked and resolved before any work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seglift.base.devices import resolve_device
from seglift.base.errors import UserError
from seglift.datasets.files import check_choice
from seglift.workflows.label.config import (
    CUTS,
    DIRECTIONS,
    METHODS,
    NO_CHECKPOINT,
    OUT_OF_VIEW,
    PAPER_TAU,
    RESAMPLES,
    SETTINGS,
)

PAIRS = ("label", "joint")
CARRYING = ("motion", "inpaint", "refine")
"""Methods that walk from frame to frame; the others look at each frame alone."""
FILLING = ("inpaint", "refine")
"""Methods that walk and ask a model, too."""

_DISTANCE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True)
class SynthesizeConfig:
    """Options of ``seglift synthesize``; the field's metadata is its help on the command line."""

    dataset: str = field(metadata={"help": "its name, such as cityscapes, camvid or folder"})
    root: Path = field(metadata={"help": "folder of the dataset"})
    out: Path = field(metadata={"help": "folder that the new dataset is written to"})
    method: str = field(metadata={"help": f"{', '.join(METHODS)}"})
    distances: tuple[int, ...] = field(metadata={"help": "frames to go each way, such as 5, 2,4,6,8 or 1-5"})
    split: str = field(default="train", metadata={"help": "split of the dataset"})
    options: Mapping[str, object] = field(default_factory=dict)
    motion: str = field(default="dis", metadata={"help": "as in label: dis, raft, sdcnet:CKPT"})
    model: str = field(default="none", metadata={"help": "segmentation model: CKPT or hf:ID or folder"})
    refiner: str = field(
        default="auto", metadata={"help": "trained network for --method refine: CKPT, auto (without one), none"}
    )
    pairs: str = field(
        default="label",
        metadata={"help": "label: real pictures with carried labels; joint: pictures are carried too (motion only)"},
    )
    direction: str = field(default="both", metadata={"help": ", ".join(DIRECTIONS)})
    resample: str = field(default="auto", metadata={"help": "once (product) or recursive (paper)"})
    out_of_view: str = field(default="replicate", metadata={"help": "replicate or void"})
    tau: str = field(
        default="auto", metadata={"help": "RGB L2 distance (0..255) that inpaint and refine trust, or auto"}
    )
    threshold: str = field(
        default="auto",
        metadata={"help": "probability up to which semantic labels are left void: a number, none, or auto"},
    )
    settings: str = field(default="product", metadata={"help": "product: our best; paper: the published equations"})
    scene_cuts: str = field(
        default="auto", metadata={"help": "auto: nothing is carried across a scene cut; none: do not look for cuts"}
    )
    confidence: bool = field(default=True, metadata={"help": "leave out confidence maps (half as much motion)"})
    skip_corrupt: bool = field(default=False, metadata={"help": "leave out what cannot be read, and list it"})
    workers: int | None = field(default=None, metadata={"help": "threads that work side by side (default: by cores)"})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:N, mps"})
    seed: int = field(default=0, metadata={"help": "seed of every random choice"})
    overwrite: bool = field(default=False, metadata={"help": "start anew in an OUT of other options"})
    dry_run: bool = field(
        default=False, metadata={"help": "check everything, say what would be made and how long it takes"}
    )

    def __post_init__(self) -> None:
        """Refuses values that can be judged alone with a UserError."""
        check_choice(self.method, METHODS, "--method")
        check_choice(self.pairs, PAIRS, "--pairs")
        check_choice(self.direction, DIRECTIONS, "--direction")
        check_choice(self.resample, ("auto", *RESAMPLES), "--resample")
        check_choice(self.out_of_view, OUT_OF_VIEW, "--out-of-view")
        check_choice(self.settings, SETTINGS, "--settings")
        check_choice(self.scene_cuts, CUTS, "--cuts")
        if self.tau != "auto":
            _number("--tau", self.tau, None, "a number above 0 or auto")
        if self.threshold not in ("auto", "none"):
            _number("--threshold", self.threshold, 1.0, "a number between 0 and 1, none or auto")
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers is {self.workers}, expected 1 or more; leave it out for one by core")
        if not 0 <= self.seed < 2**63:
            raise UserError(f"--seed is {self.seed}, expected 0 to 2**63 - 1")

    def resolved(self) -> SynthesizeConfig:
        """The same with every ``auto`` decided that needs no data.

        Raises:
            UserError: options that contradict each other, or a part that is not there.
        """
        from seglift.propagation.semantic_only import PAPER_THRESHOLD  # loads torch, which --help does without

        self._check_method()
        paper = self.settings == "paper"
        tau = str(PAPER_TAU) if paper and self.tau == "auto" else self.tau
        if not paper and self.resample == "recursive" and self.method in FILLING:
            raise UserError(f"--resample recursive with --method {self.method} is the paper's; add --settings paper")
        if paper and self.resample == "once" and self.method == "refine":
            raise UserError("the paper's --method refine goes on from refined labels; leave --resample out")
        resample = ("recursive" if paper else "once") if self.resample == "auto" else self.resample
        threshold = self.threshold
        if threshold == "auto":
            threshold = str(PAPER_THRESHOLD) if paper and self.method == "semantic" else "none"
        device = resolve_device(self.device)
        return replace(self, tau=tau, resample=resample, threshold=threshold, device=device)

    def _check_method(self) -> None:
        from seglift.workflows.input_identity import MODEL_WORDS  # loads torch, too

        if self.method == "motion" and self.model != "none":
            raise UserError(f"--method motion uses no model, but --model is '{self.model}'; use --method inpaint")
        if self.method != "motion" and self.model in MODEL_WORDS:
            raise UserError(
                f"--method {self.method} needs a segmentation model, but --model is {self.model}; give a checkpoint or "
                "hf:ID (a data set is not labelled by a model that is trained on the way: seglift train makes one)"
            )
        if self.pairs == "joint" and self.method != "motion":
            raise UserError(
                f"--pairs joint carries picture and label by the same motion, but --method {self.method} asks a model "
                "about the real frame; use --pairs label, or --method motion"
            )
        if self.threshold not in ("auto", "none") and self.method != "semantic":
            raise UserError(f"--threshold is for --method semantic, but --method is {self.method}; leave it out")
        if self.tau != "auto" and self.method not in FILLING:
            raise UserError(f"--tau is for --method inpaint or refine, but --method is {self.method}; leave it out")
        self._check_refiner()

    def _check_refiner(self) -> None:
        trained = self.refiner not in NO_CHECKPOINT
        if trained and self.method != "refine":
            raise UserError(f"--refiner {self.refiner} is of no use to --method {self.method}; use --method refine")
        if trained and not Path(self.refiner).exists():
            raise UserError(f"--refiner {self.refiner} does not exist; expected a folder or file of seglift train")
        if self.method != "refine" or trained:
            return
        if self.refiner == "none":
            raise UserError("--method refine contradicts --refiner none; use --method inpaint, or leave --refiner out")
        if self.settings == "paper":
            raise UserError(
                "the paper's --method refine needs a trained network, but --refiner is auto; give the one that seglift"
                " train made with kind: refiner, or leave --settings out"
            )

    @property
    def carries(self) -> bool:
        """Whether labels walk from frame to frame."""
        return self.method in CARRYING

    @property
    def needs_evidence(self) -> bool:
        """Whether motion is estimated both ways and compared: for confidence, and for the product's votes."""
        return self.carries and (self.confidence or (self.method in FILLING and self.settings == "product"))

    @property
    def offsets(self) -> tuple[int, ...]:
        """The signed distances in rising order."""
        backward = [-distance for distance in self.distances if self.direction in ("both", "backward")]
        forward = [distance for distance in self.distances if self.direction in ("both", "forward")]
        return tuple(sorted(backward + forward))

    def label_options(self) -> dict[str, Any]:
        """The options that can change a result (motion and model are identified by content), JSON-serialisable."""
        names = (
            *("dataset", "split", "method", "pairs", "direction", "resample", "out_of_view", "tau", "threshold"),
            *("settings", "scene_cuts", "confidence", "device", "seed"),
        )
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        options = {name: str(value) for name, value in sorted(self.options.items())}
        return {**values, "distances": list(self.distances), "options": options}


def parse_distances(text: str) -> tuple[int, ...]:
    """``"2,4,6,8"``, ``"5"`` (only 5) or ``"1-5"`` (1, 2, 3, 4 and 5) to rising distances.

    Raises:
        UserError: something else, a distance of 0, a falling range, or one distance twice.
    """
    found: list[int] = []
    for part in text.split(","):
        match = _DISTANCE.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] is not None else first
        if not 1 <= first <= last:
            raise UserError(
                f"--distances is '{text}', expected whole numbers 1 to 9999 and rising ranges with commas, such as "
                f"2,4,6,8 or 1-5; correct '{part}'"
            )
        found += range(first, last + 1)
    twice = [distance for distance, count in sorted(Counter(found).items()) if count > 1]
    if twice:
        raise UserError(f"--distances is '{text}', which names {twice[0]} twice; name each distance once")
    return tuple(sorted(found))


def _number(option: str, text: str, below: float | None, expected: str) -> None:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < (float("inf") if below is None else below):
        raise UserError(f"{option} is '{text}', expected {expected}")
