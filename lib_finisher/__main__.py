"""`python -m lib_finisher`."""

from __future__ import annotations

import sys

from lib_finisher.cli import main

if __name__ == "__main__":
    sys.exit(main())
