"""Time of ``seglift score`` as users run it, against cityscapesScripts' commands on the same files.

    python benchmarks/score_command_speed.py [--images 20] [--repeats 3]

Generated 2048x1024 streets as in ``panoptic_speed``. One ``seglift score`` gives what three of their commands give
(pixel-level, with the instance-level IoU; panoptic; instance-level) and boundary F, which they lack. Each starts Python
anew and may use all cores; the files that only one side asks for (COCO panoptic PNGs, masks) are made before.
Medians of wall and of CPU seconds, the commands taking turns; on a busy machine the CPU's are those to trust.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from panoptic_speed import Files

# numpy 2 has no in1d, and the truth's instances would be kept beside the package for the next call.
THEIRS = """
import importlib, sys
import numpy as np
np.in1d = np.isin
module = importlib.import_module("cityscapesscripts.evaluation.eval" + sys.argv.pop(1) + "SemanticLabeling")
if hasattr(module, "args"):
    module.args.gtInstancesFile = ""
    module.writeDict2JSON = lambda *values: None
module.main()
"""


def write_labels(files: Files) -> None:
    """The labels of the instance files, beside them, and those predicted in a folder of their own, too."""
    labels = files.folder / "labels"
    labels.mkdir()
    for path in map(Path, files.truth + files.found):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        label = path.with_name(path.name.replace("instanceIds", "labelIds"))
        cv2.imwrite(str(label), np.where(values >= 1000, values // 1000, values).astype(np.uint8))
        if str(path) in files.found:
            shutil.copy(label, labels)


def list_commands(folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Each command with what it wants to find in the environment."""
    ours = [sys.executable, "-m", "seglift", "score", str(folder / "found"), str(folder / "gtFine")]
    commands: dict[str, tuple[list[str], dict[str, str]]] = {"ours": ([*ours, "--space", "cityscapes"], {})}
    results = {"PixelLevel": "labels", "Panoptic": "found", "InstanceLevel": "results"}
    for name, predictions in results.items():
        places = {"CITYSCAPES_DATASET": str(folder), "CITYSCAPES_RESULTS": str(folder / predictions)}
        commands[name] = ([sys.executable, "-c", THEIRS, name], places)
    return commands


def read_clocks() -> tuple[float, float]:
    """Wall seconds, and CPU seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def main() -> int:
    """Prints the seconds of each command and how many times as long theirs take in all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    seconds: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            files = Files(Path(folder), options.images)
            write_labels(files)
        for _ in range(options.repeats):
            for name, (command, places) in list_commands(files.folder).items():
                begin = read_clocks()
                done = subprocess.run(
                    command, env={**os.environ, **places}, cwd=folder, capture_output=True, text=True, check=False
                )
                seconds.setdefault(name, []).append((read_clocks()[0] - begin[0], read_clocks()[1] - begin[1]))
                if done.returncode:
                    print(f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
                    return 1
    for clock, which in enumerate(("wall", "CPU")):
        medians = {name: statistics.median(pair[clock] for pair in pairs) for name, pairs in seconds.items()}
        listed = ", ".join(f"{name} {value:.1f} s" for name, value in medians.items())
        times = (sum(medians.values()) - medians["ours"]) / medians["ours"]
        print(f"{which}, {options.images} images: {listed}; theirs in all {times:.1f} times ours")
    return 0


if __name__ == "__main__":
    sys.exit(main())
