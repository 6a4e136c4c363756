"""``python -m seglift`` is ``seglift``."""

from __future__ import annotations

import sys

from seglift.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
