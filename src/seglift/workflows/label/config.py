"""What can be asked of ``seglift label``: one frozen record, checked and resolved before any work."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from seglift.base.devices import resolve_device
from seglift.base.errors import UserError

METHODS = ("motion", "semantic", "inpaint", "refine")
DIRECTIONS = ("both", "forward", "backward")
RESAMPLES = ("once", "recursive")
OUT_OF_VIEW = ("replicate", "void")
SETTINGS = ("product", "paper")
CUTS = ("auto", "none")
PAPER_TAU = 40.0
NO_CHECKPOINT = ("auto", "none")
"""What ``--refiner`` may be where no network is to be had."""
KEYFRAMES = "keyframes"
"""``--refiner`` that is trained on the clip's own keyframes."""
AUTO_STEPS = 1200
TUNE_STEPS = 400

NO_INSTANCES = "none"
NO_EFFECT_ON_LABELS = frozenset({"frames", "labels", "instances", "out", "ground_truth", "overwrite", "dry_run"})
"""Options that may differ between runs on one OUT: paths (contents are fingerprinted) and what only reports."""


@dataclass(frozen=True)
class LabelConfig:
    """Options of ``seglift label``; the field's metadata is its help on the command line."""

    frames: Path = field(metadata={"help": "a video file or a folder of images"})
    labels: Path = field(metadata={"help": "folder of label PNGs whose stems match frame stems"})
    out: Path = field(metadata={"help": "folder that the results are written to"})
    space: str = field(metadata={"help": "label space: a name or a YAML/JSON file"})
    instances: str = field(
        default="auto",
        metadata={
            "help": "instances of the keyframes, to be carried too: a folder of PNGs (Cityscapes instanceIds, KITTI's "
            "or COCO panoptic with its JSON); auto: *_instanceIds.png beside the labels; none"
        },
    )
    method: str = field(default="auto", metadata={"help": f"{', '.join(METHODS)}; default: the best that can be had"})
    motion: str = field(
        default="dis",
        metadata={"help": "dis[:ultrafast|fast|medium|fine], raft[:small|large|FILE], sdcnet:CKPT (of seglift train)"},
    )
    model: str = field(default="auto", metadata={"help": "segmentation model: CKPT, hf:ID or folder, auto, none"})
    refiner: str = field(
        default="auto",
        metadata={
            "help": "network for --method refine: CKPT (seglift train, kind: refiner); keyframes (trained on the clip's"
            " own, used only if it helps on some that are held out); auto (without one); none"
        },
    )
    direction: str = field(default="both", metadata={"help": ", ".join(DIRECTIONS)})
    resample: str = field(default="auto", metadata={"help": "once (product) or recursive (paper)"})
    out_of_view: str = field(default="replicate", metadata={"help": "replicate or void"})
    tau: str = field(default="auto", metadata={"help": "RGB L2 distance (0..255) that inpainting trusts; inf, auto"})
    settings: str = field(default="product", metadata={"help": "product: our best; paper: the published equations"})
    max_distance: int | None = field(default=None, metadata={"help": "carry labels over at most K frames"})
    cut: tuple[int | None, int | None] | None = field(default=None, metadata={"help": "only frames A:B, half-open"})
    scene_cuts: str = field(
        default="auto", metadata={"help": "auto: look for scene cuts and repeated frames; none: the clip is one scene"}
    )
    ground_truth: Path | None = field(default=None, metadata={"help": "score and draw against these labels"})
    tune: bool = field(default=False, metadata={"help": "train the model that is given further on the keyframes"})
    model_steps: int | None = field(
        default=None,
        metadata={"help": f"training steps of --model auto (default: {AUTO_STEPS}) or --tune ({TUNE_STEPS})"},
    )
    model_minutes: float | None = field(default=None, metadata={"help": "cap on the time of that training"})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:N, mps"})
    seed: int = field(default=0, metadata={"help": "seed of every random choice"})
    overwrite: bool = field(default=False, metadata={"help": "start anew in an OUT of other options"})
    dry_run: bool = field(
        default=False, metadata={"help": "check everything, say what would be done and how long it takes"}
    )

    def __post_init__(self) -> None:
        _one_of("--method", self.method, ("auto", *METHODS))
        _one_of("--direction", self.direction, DIRECTIONS)
        _one_of("--resample", self.resample, ("auto", *RESAMPLES))
        _one_of("--out-of-view", self.out_of_view, OUT_OF_VIEW)
        _one_of("--settings", self.settings, SETTINGS)
        _one_of("--cuts", self.scene_cuts, CUTS)
        if self.tau != "auto":
            _check_tau(self.tau)
        if self.max_distance is not None and self.max_distance < 1:
            raise UserError(f"--max-distance is {self.max_distance}, expected 1 or more; leave it out for no limit")
        if self.model_steps is not None and self.model_steps < 1:
            raise UserError(f"--model-steps is {self.model_steps}, expected 1 or more; --model none trains nothing")
        if self.model_minutes is not None and self.model_minutes <= 0:
            raise UserError(f"--model-minutes is {self.model_minutes}, expected more than 0; leave it out for no cap")
        if not 0 <= self.seed < 2**63:
            raise UserError(f"--seed is {self.seed}, expected 0 to 2**63 - 1")

    def resolved(self) -> LabelConfig:
        """The same with every ``auto`` decided that needs no data: device, method, model, resampling, the paper's tau.

        Raises:
            UserError: options that contradict each other, or a part that is not there.
        """
        method = self._resolved_method()
        model = self.model
        if method == "motion":
            if model not in ("auto", "none"):
                raise UserError(f"--method motion uses no model, but --model is '{model}'; use --method inpaint")
            model = "none"
        if self.tune and (model in ("auto", "none") or model.startswith("hf:")):
            raise UserError(f"--tune needs a checkpoint to train further, but --model is '{model}'; give one")
        steps: int | None = self.model_steps or (TUNE_STEPS if self.tune else AUTO_STEPS)
        if not self.tune and model not in ("auto", "none"):
            self._check_untrained()
            steps = None
        self._check_refiner(method)
        tau = self.tau
        if tau != "auto" and method in ("motion", "semantic"):
            raise UserError(f"--tau {tau} is of no use to --method {method}; use another method, or leave --tau out")
        if self.settings == "paper" and tau == "auto":
            tau = (self._trained_tau() if method == "refine" else None) or str(PAPER_TAU)
        if self.settings == "product" and self.resample == "recursive" and method in ("inpaint", "refine"):
            raise UserError(f"--resample recursive with --method {method} is the paper's; add --settings paper")
        if self.settings == "paper" and self.resample == "once" and method == "refine":
            raise UserError("the paper's --method refine goes on from refined labels; leave --resample out")
        resample = self.resample
        if resample == "auto":
            resample = "recursive" if self.settings == "paper" else "once"
        device = resolve_device(self.device)
        if method == "semantic" and self.instances not in ("auto", NO_INSTANCES):
            raise UserError(
                f"--method semantic carries nothing from the keyframes, but --instances is {self.instances}; use "
                "another --method, or leave --instances out"
            )
        return replace(self, method=method, model=model, model_steps=steps, tau=tau, resample=resample, device=device)

    @property
    def instance_folder(self) -> Path | None:
        """Where the keyframes' instances lie, None where not in a folder of their own."""
        return None if self.instances in ("auto", NO_INSTANCES) else Path(self.instances)

    def reach(self, left: int, right: int) -> tuple[int, int]:
        """Which frames two neighbouring keyframes reach.

        Args:
            left: frame index of the earlier one.
            right: that of the later one, above ``left``.

        Returns:
            The last frame that labels of the earlier one are carried to, and the first that those of the later one are,
            the keyframes themselves where nothing is carried.
        """
        limit = right - left if self.max_distance is None else self.max_distance
        last = left + limit if self.direction in ("both", "forward") else left
        first = right - limit if self.direction in ("both", "backward") else right
        return min(last, right - 1), max(first, left + 1)

    def _trained_tau(self) -> str | None:
        from seglift.workflows.label.trained_tau import trained_tau

        return trained_tau(Path(self.refiner))

    def _check_untrained(self) -> None:
        for option, value in (("--model-steps", self.model_steps), ("--model-minutes", self.model_minutes)):
            if value is not None:
                raise UserError(
                    f"{option} is {value}, but --model {self.model} is used as it is; add --tune to train it further,"
                    f" or leave {option} out"
                )

    def _resolved_method(self) -> str:
        trained = self.refiner not in NO_CHECKPOINT
        if self.method == "auto":
            if self.model == "none":
                return "motion"
            return "refine" if trained or (self.refiner == "auto" and self.settings == "product") else "inpaint"
        if self.method != "motion" and self.model == "none":
            raise UserError(f"--method {self.method} needs a segmentation model, but --model is none; use --model auto")
        if self.method == "refine" and self.refiner == "none":
            raise UserError("--method refine contradicts --refiner none; use --method inpaint, or leave --refiner out")
        if self.method == "refine" and self.settings == "paper" and not trained:
            raise UserError(
                f"the paper's --method refine needs a trained network, but --refiner is {self.refiner}; give the one"
                " that seglift train made with kind: refiner, or leave --settings out"
            )
        return self.method

    def _check_refiner(self, method: str) -> None:
        if self.refiner in NO_CHECKPOINT:
            return
        if self.method == "auto" and self.model == "none":
            raise UserError(
                f"--refiner {self.refiner} refines what a segmentation model helps to decide, but --model is none; use"
                " --model auto"
            )
        if method != "refine":
            raise UserError(f"--refiner {self.refiner} is of no use to --method {method}; use --method refine")
        if self.refiner == KEYFRAMES:
            if self.settings == "paper":
                raise UserError(
                    "--refiner keyframes learns from the product's votes, but --settings is paper; give the network"
                    " that seglift train made with kind: refiner, or leave --settings out"
                )
            return
        if not Path(self.refiner).exists():
            raise UserError(f"--refiner {self.refiner} does not exist; expected a folder or file of seglift train")

    def label_options(self) -> dict[str, Any]:
        """The options that can change a label, JSON-serialisable."""
        values = {name: value for name, value in asdict(self).items() if name not in NO_EFFECT_ON_LABELS}
        values["cut"] = list(self.cut) if self.cut else None
        return values


def parse_cut(text: str) -> tuple[int | None, int | None]:
    """Parses ``A:B`` (half-open, either end may be empty).

    Raises:
        UserError: the text has another form.
    """
    start, separator, stop = text.partition(":")
    try:
        if not separator:
            raise ValueError
        return (int(start) if start else None, int(stop) if stop else None)
    except ValueError:
        raise UserError(f"--frames is '{text}', expected A:B with whole numbers, such as 0:100 or 50:") from None


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"{option} is '{value}', which is unknown; choose one of {', '.join(allowed)}")


def _check_tau(text: str) -> None:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise UserError(f"--tau is '{text}', expected a number from 0 on, inf or auto")
