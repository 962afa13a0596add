"""What tiled upscales sample, in how many calls and canvas passes, beside the same by Ultimate SD Upscale's rules.

Both sides redraw every pixel of the target, flat tiles too, at denoising strength 0.35. Ours is the real stage, run on
an engine that gives every crop back as it came and counts what it is handed; full-canvas passes are counted by an array
that watches what is done with it. The device is one that takes eight tiles of the native size at once. The other side
is reckoned: tiles of the target's size on a canvas rounded up to 64, each sampled at (tile + padding) rounded up to 64,
one a call; half-tile seam fixes at the tile's size, bands at their own; and five canvas passes a call (mask blur,
overlay, crop, uncrop, composite).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, Capabilities, ModelFacts, Watch
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Size, round_up
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.stages.stage import Base, StageOutput, Tools, Work
from lib_finisher.stages.upscale import Upscale
from lib_finisher.stages.upscale_settings import EXACT, TILED, UpscalePass, UpscaleSettings

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"
STRENGTH, STEPS = 0.35, 20
NO_FIX, BANDS, HALF_TILE, INTERSECTIONS = "none", "band pass", "half tile", "half tile + intersections"
_PADDING, _BAND, _BAND_PADDING, _PASSES_A_CALL = 32, 64, 16, 5


@dataclass(frozen=True)
class Case:
    """A draft, the size it is brought to, and the native side of the model."""

    draft: Size
    canvas: Size
    native: int

    @property
    def name(self) -> str:
        """Its key in the figures."""
        sides = (self.draft.width, self.draft.height, self.canvas.width, self.canvas.height)
        return "{}x{}->{}x{}@{}".format(*sides, self.native)

    @property
    def settings(self) -> UpscaleSettings:
        """One tiled pass to the size."""
        one = UpscalePass(
            target=EXACT, width=self.canvas.width, height=self.canvas.height,
            method=TILED, upscaler="Lanczos", denoising_strength=STRENGTH, skip_flat=False,
        )  # fmt: skip
        return UpscaleSettings(passes=(one,))


_SQUARE = Size(1024, 1024)
CASES = (
    Case(_SQUARE, Size(2048, 2048), 512),
    Case(_SQUARE, Size(2048, 2048), 1024),
    Case(_SQUARE, Size(4096, 4096), 512),
    Case(_SQUARE, Size(4096, 4096), 1024),
    Case(Size(832, 1216), Size(1664, 2432), 1024),
    Case(Size(1280, 720), Size(2560, 1440), 1024),
)


class Counting(EmbeddedHost):
    """Gives every crop back as it came, and counts pixels and calls; its model has the native side `native`."""

    def __init__(self, native: int) -> None:
        super().__init__()
        self.native = native
        self.pixels = 0
        self.calls = 0

    @property
    def capabilities(self) -> Capabilities:
        """Those of the embedded engine, with room for eight tiles."""
        return replace(super().capabilities, batch_pixels=8 * self.native**2)

    def model(self, checkpoint: str = "") -> ModelFacts:
        """A model of that side."""
        return ModelFacts(f"native {self.native}", "embedded", self.native)

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        """The crops."""
        self.calls += 1
        self.pixels += sum(item.pixels.shape[0] * item.pixels.shape[1] for item in batch.elements)
        return [item.pixels for item in batch.elements]


class Watched(np.ndarray):
    """An array that counts, in `passes`, what is done with as many pixels as it has itself; so do its copies."""

    passes: list[str]
    area: int

    @classmethod
    def over(cls, pixels: Array) -> Watched:
        """A watched view."""
        view = pixels.view(cls)
        view.passes, view.area = [], pixels.shape[0] * pixels.shape[1]
        return view

    def __array_finalize__(self, origin: Any) -> None:
        self.passes, self.area = getattr(origin, "passes", []), getattr(origin, "area", sys.maxsize)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        self._count(ufunc.__name__, *inputs)
        plain = [np.asarray(item) if isinstance(item, Watched) else item for item in inputs]
        into = more.pop("out", None)
        if into is not None:
            more["out"] = tuple(np.asarray(item) for item in into)
        made = getattr(ufunc, method)(*plain, **more)
        return into[0] if into is not None else self._watched(made)

    def __array_function__(self, function: Any, types: Any, inputs: Any, more: Any) -> Any:
        self._count(function.__name__, *inputs)
        plain = [np.asarray(item) if isinstance(item, Watched) else item for item in inputs]
        return self._watched(function(*plain, **more))

    def copy(self, order: Any = "C") -> Any:
        """A copy, watched as well."""
        self._count("copy", self)
        return self._watched(np.asarray(self).copy(order))

    def astype(self, *how: Any, **more: Any) -> Any:
        """Another type, watched as well."""
        self._count("astype", self)
        return self._watched(np.asarray(self).astype(*how, **more))

    def _count(self, name: str, *inputs: Any) -> None:
        arrays = (item for item in inputs if isinstance(item, np.ndarray) and item.ndim > 1)
        if any(item.shape[0] * item.shape[1] >= self.area for item in arrays):
            self.passes.append(name)

    def _watched(self, made: Any) -> Any:
        if not isinstance(made, np.ndarray):
            return made
        view = made.view(Watched)
        view.passes, view.area = self.passes, self.area
        return view


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = costs()
    print(json.dumps(result, indent=2) if options.json else "\n".join(told(result)))
    return 0


def costs() -> dict[str, Any]:
    """Every case, counted; by name."""
    return {case.name: compared(case, counted(case)) for case in CASES}


def planned(case: Case) -> dict[str, Any]:
    """What the stage says beforehand that it will sample."""
    host = Counting(case.native)
    tools = Tools(host, Detectors().detect, Meter(Control()))
    work = Work(np.zeros((case.draft.height, case.draft.width, 3), dtype=np.float32), Base(steps=STEPS))
    expected = Upscale().estimate(work, case.draft, case.settings, tools)
    steps = int(STEPS * STRENGTH) + 1
    return {
        "sampled_megapixels": round(expected.megapixel_steps / steps, 3),
        "host_calls": expected.host_calls,
        "tiles": expected.patches,
    }


def counted(case: Case) -> dict[str, Any]:
    """The stage run to its end, and what was counted."""
    host = Counting(case.native)
    meter = Meter(Control())
    draft = np.clip(resize(load_picture(PORTRAIT).pixels, case.draft), 0.0, 1.0)
    running = Upscale().run(Work(draft, Base(steps=STEPS)), case.settings, Tools(host, Detectors().detect, meter))
    request = next(running)
    watched = Watched.over(request.picture)
    outcome = redraw([replace(request, picture=watched)], host, AreaBudget(host.capabilities), meter)[0]
    checking = time.perf_counter()
    output = _returned(running, outcome)
    checking = time.perf_counter() - checking
    assert output.pixels.shape == (case.canvas.height, case.canvas.width, 3)
    return {
        "sampled_megapixels": round(host.pixels / 1e6, 3),
        "host_calls": host.calls,
        "full_canvas_passes": len(watched.passes),
        "tiles": len(request.patches),
        "tile": str(request.patches[0].canvas),
        "seam_check_ms_a_tile": round(checking * 1000 / len(request.patches), 1),
    }


def compared(case: Case, ours: dict[str, Any]) -> dict[str, Any]:
    """Our figures with the other side's, and their ratios."""
    theirs = usdu(case.canvas, case.native)
    ratios = {name: round(ours["sampled_megapixels"] / item["sampled_megapixels"], 3) for name, item in theirs.items()}
    return {**ours, "usdu": theirs, "of_usdu": ratios}


def usdu(canvas: Size, tile: int) -> dict[str, dict[str, Any]]:
    """Ultimate SD Upscale at padding 32, mask blur 8 and square tiles, by seam-fix mode."""
    size = canvas.rounded_up(64)
    columns, rows = -(-size.width // tile), -(-size.height // tile)
    redraws = [columns * rows * round_up(tile + _PADDING, 64) ** 2, columns * rows]
    width = _BAND + 2 * _BAND_PADDING
    bands = [width * ((columns - 1) * size.height + (rows - 1) * size.width), columns + rows - 2]
    half = rows * (columns - 1) + columns * (rows - 1)
    crossings = (columns - 1) * (rows - 1)
    fixes = {
        NO_FIX: [0, 0],
        BANDS: bands,
        HALF_TILE: [half * tile * tile, half],
        INTERSECTIONS: [(half + crossings) * tile * tile, half + crossings],
    }
    return {
        name: {
            "sampled_megapixels": round((redraws[0] + area) / 1e6, 3),
            "host_calls": redraws[1] + calls,
            "full_canvas_passes": _PASSES_A_CALL * (redraws[1] + calls),
        }
        for name, (area, calls) in fixes.items()
    }


def told(result: dict[str, Any]) -> list[str]:
    """The figures as lines of a table."""
    lines = [f"{'upscale':<30}{'MP':>8}{'calls':>7}{'passes':>8}{'tiles':>16}{'of USDU':>9}{'+ half tile':>13}"]
    for name, item in result.items():
        tiles = f"{item['tiles']} of {item['tile']}"
        lines.append(
            f"{name:<30}{item['sampled_megapixels']:>8}{item['host_calls']:>7}{item['full_canvas_passes']:>8}"
            f"{tiles:>16}{item['of_usdu'][NO_FIX]:>9}{item['of_usdu'][INTERSECTIONS]:>13}"
        )
        for mode, figures in item["usdu"].items():
            label = f"  USDU, {mode}"
            lines.append(
                f"{label:<30}{figures['sampled_megapixels']:>8}{figures['host_calls']:>7}"
                f"{figures['full_canvas_passes']:>8}"
            )
    return lines


def _returned(running: Any, outcome: Any) -> StageOutput:
    try:
        running.send(outcome)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("The stage asked for a second redraw; the bench has one pass and no touch-ups.")


if __name__ == "__main__":
    sys.exit(main())
