"""Motion estimators by the names that the command line and recipes know."""

from __future__ import annotations

from pathlib import Path

import torch

from seglift.base.errors import UserError
from seglift.motion.estimator import MotionEstimator

MOTION_NAMES = (
    "dis",
    "dis:ultrafast",
    "dis:fast",
    "dis:medium",
    "dis:fine",
    "raft",
    "raft:small",
    "raft:large",
    "raft:FILE",
    "sdcnet:CKPT",
)
WEIGHTS_OF = {"raft": ("", "small", "large"), "sdcnet": ("",)}
"""Kinds of estimators that read weights, each with what behind its colon is no path."""

LOOKING_BACK = ("sdcnet",)
"""Kinds of estimators that look at the frame before ``source``."""


def looks_back(name: str) -> bool:
    """Whether the estimator called ``name`` looks at the frame before ``source``; made without reading weights."""
    return name.partition(":")[0] in LOOKING_BACK


def weights_path(name: str) -> Path | None:
    """Where the weights of an estimator called ``raft:FILE`` or ``sdcnet:CKPT`` lie; None for everything else."""
    kind, _, detail = name.partition(":")
    return Path(detail) if detail not in WEIGHTS_OF.get(kind, (detail,)) else None


def get_estimator(name: str, device: torch.device | str = "cpu") -> MotionEstimator:
    """Makes the estimator called ``name`` (see ``MOTION_NAMES``); networks run on ``device``.

    Raises:
        UserError: the name is unknown, or weights cannot be had.
    """
    kind, _, detail = name.partition(":")
    if kind == "dis":
        from seglift.motion.dis import PRESETS, DisFlow

        if detail and detail not in PRESETS:
            raise UserError(f"DIS preset '{detail}' is unknown; choose one of {', '.join(PRESETS)}")
        return DisFlow(detail or "auto")
    if kind == "raft":
        from seglift.motion.raft import RaftFlow

        if detail in ("", "small", "large"):
            return RaftFlow.published(detail or "small", device)
        return RaftFlow.from_file(Path(detail), device)
    if kind == "sdcnet":
        from seglift.motion.sdcnet import SdcNetFlow

        if not detail:
            raise UserError("motion 'sdcnet' lacks its checkpoint; write sdcnet:DIR (of seglift train) or sdcnet:FILE")
        return SdcNetFlow.from_file(Path(detail), get_estimator, device)
    if name and Path(name).exists():
        raise UserError(
            f"motion '{name}' is a path; write sdcnet:{name} for a motion model, raft:{name} for RAFT weights"
        )
    raise UserError(f"motion '{name}' is unknown; choose one of {', '.join(MOTION_NAMES)}")
