"""Error and speed of motion estimators against true flow (Middlebury pairs, Baker et al. 2011).

    SEGLIFT_DATA=DIR python benchmarks/flow_error.py [--motion dis:medium dis:fine raft:WEIGHTS.pth] [--repeats 3]

Each folder of $SEGLIFT_DATA/flow holds frame10.png, frame11.png and flow10.flo: the flow on frame 10 that points into
frame 11, which is our backward flow with frame 10 as target and frame 11 as source. Columns: mean and median end-point
error in pixels, share of pixels further than 3 pixels off, and milliseconds per flow (median of ``--repeats``, after
one call to warm up). Pixels whose flow is unknown are left out; the last line of an estimator is the mean over scenes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seglift.base.errors import UserError
from seglift.labels.reading import read_image
from seglift.motion.estimator import MotionEstimator
from seglift.motion.named import get_estimator

TAG = 202021.25
UNKNOWN = 1e9
BAD_PIXELS = 3.0
MOTIONS = ("none", "dis:ultrafast", "dis:fast", "dis:medium", "dis:fine")


def read_flow(path: Path) -> npt.NDArray[np.float32]:
    """Reads a Middlebury ``.flo`` file: float32 ``[H, W, 2]``, dx and dy in pixels.

    Raises:
        UserError: the file is not of this format.
    """
    data = np.fromfile(path, "<f4")
    width, height = (int(value) for value in data[1:3].view("<i4")) if data.size > 3 else (0, 0)
    if data.size < 3 or data[0] != TAG or data.size != 3 + 2 * width * height:
        raise UserError(f"{path} is not a whole Middlebury flow file; download it again")
    return data[3:].reshape(height, width, 2)


def read_frame(path: Path) -> Tensor:
    """RGB uint8 ``[1, 3, H, W]``."""
    return torch.from_numpy(read_image(path)).permute(2, 0, 1)[None]


def no_motion(source: Tensor, target: Tensor, previous: Tensor | None = None) -> Tensor:
    """The estimator to beat."""
    return torch.zeros(1, 2, *target.shape[-2:])


def end_point_errors(flow: Tensor, truth: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Distance in pixels between ``[1, 2, H, W]`` and the true ``[H, W, 2]``, for the known pixels only."""
    known = np.abs(truth).max(2) < UNKNOWN
    difference = flow[0].permute(1, 2, 0).cpu().numpy()[known].astype(np.float64) - truth[known]
    errors: npt.NDArray[np.float64] = np.hypot(difference[:, 0], difference[:, 1])
    return errors


def measure(estimator: MotionEstimator, scene: Path, repeats: int) -> tuple[float, float, float, float]:
    """Mean and median error (pixels), share of bad pixels (percent), milliseconds per flow."""
    target, source = read_frame(scene / "frame10.png"), read_frame(scene / "frame11.png")
    flow, seconds = estimator(source, target), []
    for _ in range(repeats):
        start = time.perf_counter()
        flow = estimator(source, target).cpu()
        seconds.append(time.perf_counter() - start)
    errors = end_point_errors(flow, read_flow(scene / "flow10.flo"))
    bad = 100.0 * float((errors > BAD_PIXELS).mean())
    return float(errors.mean()), float(np.median(errors)), bad, 1000.0 * statistics.median(seconds)


def processor() -> str:
    """The processor's name where the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Parses the options, measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of scenes (default: $SEGLIFT_DATA/flow)")
    parser.add_argument("--motion", nargs="+", default=MOTIONS, help="names as of seglift label --motion, or none")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls of each estimator on each scene")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of OpenCV and torch")
    parser.add_argument("--device", default="cpu", help="where networks run")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("SEGLIFT_DATA", ".")) / "flow"
    scenes = sorted(path.parent for path in data.glob("*/flow10.flo"))
    if not scenes:
        raise UserError(f"no */flow10.flo below {data}; set SEGLIFT_DATA or give --data")
    cv2.setNumThreads(options.threads)
    torch.set_num_threads(options.threads)
    print(f"{processor()}, {options.threads} threads, networks on {options.device}")
    print(f"OpenCV {cv2.__version__}, torch {torch.__version__}, Python {platform.python_version()}\n")
    print("| motion | scene | mean error, px | median error, px | further than 3 px, % | ms |")
    print("|---|---|---|---|---|---|")
    for name in options.motion:
        estimator: MotionEstimator = no_motion if name == "none" else get_estimator(name, options.device)
        rows = {scene.name: measure(estimator, scene, max(1, options.repeats)) for scene in scenes}
        rows["mean"] = tuple(statistics.fmean(column) for column in zip(*rows.values(), strict=True))  # type: ignore[assignment]
        for scene, (mean, median, bad, milliseconds) in rows.items():
            print(f"| {name} | {scene} | {mean:.3f} | {median:.3f} | {bad:.1f} | {milliseconds:.1f} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
