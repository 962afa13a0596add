"""Makes the README's picture: the demo's portrait before and after, side by side, as the command line finishes it.

    .venv/bin/python tools/readme_picture.py

The portrait is examples/astronaut.png. Left: enlarged plainly (bicubic). Right: finished to twice its size by the
default recipe on the embedded engine, with the upscaler that `make demo` fetches.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from lib_finisher.cli.main import main as finisher  # noqa: E402

PORTRAIT = HERE / "examples" / "astronaut.png"
PICTURE = HERE / "docs" / "images" / "before-after.jpg"
# The face, in pixels of the portrait: left, top, right, bottom.
FACE = (116, 14, 336, 254)
FACTOR, GAP, MOST_BYTES = 2, 8, 300_000


def main() -> int:
    """Exit status 0 when the picture was made and is small enough."""
    with tempfile.TemporaryDirectory() as folder:
        status = finisher(["finish", str(PORTRAIT), "--out", folder, "--upscale-to", str(FACTOR), "--no-cache"])
        if status:
            return status
        with Image.open(Path(folder) / PORTRAIT.name) as finished:
            after = finished.convert("RGB").crop([side * FACTOR for side in FACE])
    with Image.open(PORTRAIT) as portrait:
        before = portrait.convert("RGB").crop(FACE).resize(after.size, Image.Resampling.BICUBIC)
    both = Image.new("RGB", (2 * after.width + GAP, after.height), "white")
    both.paste(before, (0, 0))
    both.paste(after, (after.width + GAP, 0))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    both.save(PICTURE, quality=92, subsampling=0, optimize=True)
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(HERE)}: {both.width} x {both.height}, {size / 1000:.0f} kB")
    return 0 if size < MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
