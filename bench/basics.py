"""What everything else stands on: our own work for a tile, conversions, saving, commands without pictures, memory.

All in CPU time (`time.process_time`, or that of a child process), each beside something of the same run that cannot be
done faster: a copy of the same floats, OpenCV's own conversion, bare imports. Memory is in 8-bit canvases.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.arrays import from_uint8, to_uint8, to_uint16
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.png_bytes import png8
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Request
from lib_finisher.stages.diffusion import sampling_of
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.frame import Look, tiles
from lib_finisher.stages.stage import Base

HERE = Path(__file__).resolve().parent.parent
SIDES = (2048, 4096, 8192)
COMMANDS = (("--help",), ("recipe",), ("presets", "list"), ("detectors",))
_BARE = "import numpy, cv2, PIL.Image"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", type=int, default=2048, metavar="SIDE", help="of texture and grade at that side")
    options = parser.parse_args()
    result = figures(options.memory)
    print(json.dumps(result, indent=2) if options.json else "\n".join(told(result)))
    return 0


def figures(side: int = 2048) -> dict[str, Any]:
    """All of them; see the module."""
    return {"tiles": tile_costs(), "conversions": conversions(), "commands": commands(), "memory": [memory(side)]}


def tile_costs(sides: tuple[int, ...] = SIDES) -> dict[str, dict[str, float]]:
    """CPU milliseconds of our own work for each 1024 tile (cut, lock, blend) and of a copy of its floats, by canvas
    side: the engine does nothing."""

    class Idle(EmbeddedHost):
        """Returns every crop as it came."""

        def redraw(self, batch: Any, watch: Any) -> list[Any]:
            return [element.pixels for element in batch.elements]

    class Onward:
        """Lets everything run."""

        def check(self) -> None:
            """Never stops."""

        def begin(self, labels: object) -> None:
            """Says nothing."""

        def advance(self, megapixel_steps: float) -> None:
            """Counts nothing."""

    costs, host = {}, Idle()
    for side in sides:
        picture = np.full((side, side, 3), 0.5, dtype=np.float32)
        patches = tiles(Size(side, side), 1024, 128, Look(0.3), host.capabilities)
        request = Request(
            picture, tuple(patches), sampling_of(Diffusion(), Base()), NoiseField(0), ColourLock("tile"), together=True
        )
        tile = np.ascontiguousarray(picture[:1024, :1024])
        copy = min(_cpu(tile.copy) for _ in range(5))
        whole = min(_cpu(picture.copy) for _ in range(3))
        drawn = min(
            _cpu(lambda: redraw([request], host, AreaBudget(host.capabilities), Onward()))  # noqa: B023
            for _ in range(3)
        )
        own = drawn - whole
        costs[str(side)] = {"own_ms": round(own / len(patches) * 1e3, 1), "copy_ms": round(copy * 1e3, 2)}
    return costs


def conversions(side: int = 2048) -> list[dict[str, Any]]:
    """CPU milliseconds of what is done to every pixel of every picture, beside what OpenCV or Pillow has for it."""
    levels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    photograph = load_picture(HERE / "examples" / "astronaut.png").pixels
    pixels = np.ascontiguousarray(cv2.resize(photograph, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 1))
    finished = dithered(pixels)

    def by_pillow() -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(finished).save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()

    rows: list[tuple[str, Callable[[], Any], str, Callable[[], Any]]] = [
        ("8 bits to floats", lambda: from_uint8(levels), "OpenCV's table", lambda: cv2.LUT(levels, _TABLE)),
        ("floats to 8 bits", lambda: to_uint8(pixels), "OpenCV", lambda: cv2.convertScaleAbs(pixels, alpha=255.0)),
        (
            "floats to 16 bits", lambda: to_uint16(pixels), "OpenCV",
            lambda: cv2.addWeighted(pixels, 65535.0, pixels, 0.0, 0.0, dtype=cv2.CV_16U),
        ),
        ("an 8-bit PNG", lambda: png8(finished), "Pillow, level 3", by_pillow),
    ]  # fmt: skip
    return [
        {"what": what, "ms": round(_best(ours) * 1e3, 1), "beside": beside, "beside_ms": round(_best(theirs) * 1e3, 1)}
        for what, ours, beside, theirs in rows
    ]


_TABLE = np.arange(256, dtype=np.float32) / np.float32(255)


def commands() -> dict[str, float]:
    """CPU seconds of commands that work on no picture, and of bare imports of numpy, OpenCV and Pillow."""
    found = {_BARE: min(_child_cpu([sys.executable, "-c", _BARE]) for _ in range(3))}
    for words in COMMANDS:
        found[" ".join(words)] = min(_child_cpu([sys.executable, "-m", "lib_finisher", *words]) for _ in range(3))
    return {name: round(seconds, 3) for name, seconds in found.items()}


_TEXTURE_AND_GRADE = """
import json, resource, sys
from pathlib import Path
import cv2, numpy as np
sys.path.insert(0, sys.argv[1])
from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import Source
from lib_finisher.batch.saving import Saving
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Base
settings = {"texture": {"strength": 0.6}, "grade": {"contrast": 0.2, "shadows": 0.2, "grain": 0.3, "sharpening": 0.3}}
data = {stage.name: {"enabled": stage.name in settings, **settings.get(stage.name, {})} for stage in STAGES}
host, recipe = EmbeddedHost(), read_recipe({"version": 2, **data})
def peak():
    try:
        # That of getrusage begins with what the starting process had.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
pipeline = Pipeline(host, lambda *_: [], recipe)
source, out = Source(Path(sys.argv[2])), Saving(Path(sys.argv[3]) / "o")
errors = [report.error for report in finish_files([source], pipeline, host, recipe, Base(), out, None, Control())]
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([errors, before, peak(), usage.ru_utime + usage.ru_stime]))
"""


def memory(side: int, root: Path = HERE) -> dict[str, float]:
    """Peak memory over what is there at the beginning and CPU seconds of texture and grade, from a file to a file, in a
    process of its own; `root` is where Finisher lies."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "draft.png"
        with Image.open(HERE / "examples" / "astronaut.png") as portrait:
            large = portrait.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        large.save(file, compress_level=1)
        del large
        call = [sys.executable, "-c", _TEXTURE_AND_GRADE, str(root), str(file), temporary]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
    errors, before, peak, seconds = json.loads(done.stdout)
    if errors != [""]:
        raise SystemExit(f"texture and grade failed: {errors}")
    grown = (peak - before) * 1024
    return {
        "side": side, "mib": round(grown / 2**20), "canvases": round(grown / (3 * side * side), 1),
        "cpu_seconds": round(seconds, 1),
    }  # fmt: skip


def told(result: dict[str, Any]) -> list[str]:
    """The figures in lines."""
    lines = ["CPU time of our own work for each 1024 tile, by canvas side:"]
    for side, cost in result["tiles"].items():
        own, copy = cost["own_ms"], cost["copy_ms"]
        lines.append(f"  {side}: {own} ms, as {own / copy:.0f} copies of a tile's floats ({copy} ms)")
    lines += ["", "CPU time for 2048 × 2048 pixels:"]
    for row in result["conversions"]:
        lines.append(f"  {row['what']}: {row['ms']} ms; {row['beside']}: {row['beside_ms']} ms")
    lines += ["", "CPU time of commands that work on no picture:"]
    lines += [f"  {name}: {seconds} s" for name, seconds in result["commands"].items()]
    lines += ["", "peak memory of texture and grade, from file to file:"]
    for row in result["memory"]:
        lines.append(
            f"  {row['side']} × {row['side']}: {row['mib']} MiB, {row['canvases']} times the 8-bit canvas, "
            f"{row['cpu_seconds']} s of CPU time"
        )
    return lines


def _cpu(act: Callable[[], Any]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def _best(act: Callable[[], Any]) -> float:
    return min(_cpu(act) for _ in range(5))


def _child_cpu(call: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(call, check=True, capture_output=True, cwd=HERE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
