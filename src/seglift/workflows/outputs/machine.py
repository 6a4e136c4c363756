"""What a run ran on and held: versions of libraries, memory."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python-headless", "timm", "av")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that results may depend on, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_memory() -> int | None:
    """Most memory that this process has held so far, bytes; None where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
