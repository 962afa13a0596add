"""Whether a finished photograph is better than what it replaces: Lanczos, and the upscaler model alone.

Photographs are halved, finished back to their size and held against themselves: SSIM, how much of the truth's fine
texture is there and how much of what is there is the truth's, and LPIPS, over the picture and in the skin of two
persons. Run by itself it prints this section alone; `--enlarging` prints what the enlargement makes of worse drafts.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.lpips import Lpips
from bench.measures import Likeness, likeness
from bench.photographs import HELD_OUT, TUNED_ON, halved, photographs
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.skin import Face, skin_of_faces
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import SCHEMA, VERSION, read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Tools, Work
from lib_finisher.stages.upscale_model import enlarge
from lib_finisher.stages.upscaler_choices import LANCZOS
from tools.fetch_weights import FOLDER

ALL_ON = ("refine", "detail", "upscale", "texture", "grade")
WITH_SKIN = ("astronaut", "grace_hopper")
MODEL_ALONE, DEFAULT, EVERYTHING = "model alone", "default recipe", "every stage on"
# How much of the model's picture was used before there was anything to hold it to the draft.
_BLEND = 0.8

Way = Callable[[Pixels], Pixels]


class Figures(NamedTuple):
    """What one way makes of one photograph, or of its skin."""

    photograph: str
    way: str
    ssim: float
    kept: float
    true: float
    lpips: float


def ways() -> dict[str, Way]:
    """Every way of making a draft twice as large, from nothing to the whole chain."""
    host, detectors = EmbeddedHost(FOLDER), Detectors()
    tools = Tools(host, detectors.detect, Meter(Control()))
    family = host.model().family

    def plain(draft: Pixels) -> Pixels:
        return np.clip(resize(draft, size_of(draft).scaled(2)), 0, 1)

    def model(draft: Pixels) -> Pixels:
        notes: list[str] = []
        made = enlarge(draft, size_of(draft).scaled(2), "auto", _BLEND, tools, notes)
        if made.how == LANCZOS:
            raise SystemExit(f"There is no upscaler model to measure; `make setup` fetches one. {' '.join(notes)}")
        return made.pixels

    def finished(recipe: dict[str, Any]) -> Way:
        settings = read_recipe({VERSION: SCHEMA, **recipe}, family)
        return lambda draft: _run(Pipeline(host, detectors.detect, settings), draft)

    everything = {
        name: {"enabled": True} for name in NAMES if name in ("refine", "detail", "upscale", "texture", "grade")
    }
    return {LANCZOS: plain, MODEL_ALONE: model, DEFAULT: finished({}), EVERYTHING: finished(everything)}


def _run(pipeline: Pipeline, draft: Pixels) -> Pixels:
    done = pipeline.run([Work(draft)])[0]
    if done.error:
        raise SystemExit(done.error)
    return done.pixels


def figures(names: tuple[str, ...] = TUNED_ON + HELD_OUT) -> Iterator[Figures]:
    """Each photograph by each way; after it, where it has a person, the same in the skin."""
    by, lpips = ways(), Lpips()
    for name, truth in photographs(names).items():
        draft = halved(truth)
        skin = skin_of(truth) if name in WITH_SKIN else None
        for way, make in by.items():
            made = in_whole_steps(make(draft))
            yield _figures(name, way, truth, made, lpips)
            if skin is not None:
                yield _figures(f"{name}, skin", way, truth, made, lpips, skin)


def _figures(name: str, way: str, truth: Pixels, made: Pixels, lpips: Lpips, where: Mask | None = None) -> Figures:
    return Figures(name, way, *likeness(truth, made, where), lpips(truth, made, where))


def in_whole_steps(pixels: npt.NDArray[Any]) -> Pixels:
    """As it comes back from a file of 8 bits."""
    return to_uint8(pixels).astype(np.float32) / np.float32(255)


def skin_of(truth: Pixels) -> Mask:
    """Where the skin of the persons in a photograph is."""
    faces = [Face(item.box, item.landmarks) for item in Detectors().detect("face_yunet", truth, 0.5)]
    return skin_of_faces(truth, faces)


def worse(rows: list[Figures], way: str = DEFAULT) -> list[str]:
    """Where a way falls behind the upscaler model alone, in words; empty where nowhere."""
    found = []
    by = {(row.photograph, row.way): row for row in rows}
    for name in dict.fromkeys(row.photograph for row in rows):
        model, made = by[name, MODEL_ALONE], by[name, way]
        if made.ssim < model.ssim:
            found.append(f"{name}: SSIM {made.ssim:.3f} is below the model's {model.ssim:.3f}")
        if made.true < model.true:
            found.append(f"{name}: fine texture true {made.true:.3f} is below the model's {model.true:.3f}")
        if made.kept < 0.93 * model.kept:
            found.append(f"{name}: fine texture kept {made.kept:.3f} is below 0.93 of the model's {model.kept:.3f}")
        if made.lpips > model.lpips:
            found.append(f"{name}: LPIPS {made.lpips:.3f} is above the model's {model.lpips:.3f}")
    return found


def _jpeg(draft: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(to_uint8(draft)).save(file, "JPEG", quality=85)
    with Image.open(file) as picture:
        return np.asarray(picture, dtype=np.float32) / np.float32(255)


def _blurred(draft: Pixels, deviation: float) -> Pixels:
    return in_whole_steps(cv2.GaussianBlur(draft, (0, 0), deviation))


def _noisy(draft: Pixels) -> Pixels:
    noise = np.random.default_rng(1).normal(0, 4 / 255, draft.shape)
    return in_whole_steps(np.clip(draft + noise, 0, 1).astype(np.float32))


DRAFTS: dict[str, Way] = {
    "as halved": lambda draft: draft,
    "soft (0.6 px)": lambda draft: _blurred(draft, 0.6),
    "very soft (1 px)": lambda draft: _blurred(draft, 1.0),
    "JPEG of quality 85": _jpeg,
    "noise of 4 levels": _noisy,
}


def enlarging(names: tuple[str, ...] = TUNED_ON) -> dict[str, dict[str, tuple[float, ...]]]:
    """Means over photographs, by kind of draft and fidelity: what the step that all model families share does."""
    tools = Tools(EmbeddedHost(FOLDER), Detectors().detect, Meter(Control()))
    truths = photographs(names)
    result: dict[str, dict[str, tuple[float, ...]]] = {}
    for kind, spoil in DRAFTS.items():
        sums: dict[str, list[Likeness]] = {}
        for truth in truths.values():
            draft = spoil(halved(truth))
            size = size_of(truth)
            sums.setdefault(LANCZOS, []).append(likeness(truth, np.clip(resize(draft, size), 0, 1)))
            for blend, fidelity in ((_BLEND, 0.0), (0.9, 0.5), (0.9, 0.75)):
                made = enlarge(draft, size, "auto", blend, tools, [], fidelity).pixels
                key = f"blend {blend:g}, fidelity {fidelity:g}"
                sums.setdefault(key, []).append(likeness(truth, made))
        result[kind] = {key: tuple(np.mean(rows, axis=0).round(4).tolist()) for key, rows in sums.items()}
    return result


def told(rows: list[Figures]) -> list[str]:
    """The table for people."""
    lines = [f"{'':<22}{'':<16}{'SSIM':>7}{'kept':>7}{'true':>7}{'LPIPS':>8}"]
    for row in rows:
        lines.append(
            f"{row.photograph:<22}{row.way:<16}{row.ssim:>7.3f}{row.kept:>7.3f}{row.true:>7.3f}{row.lpips:>8.4f}"
        )
    behind = worse(rows)
    return [*lines, "", *(behind or ["the default recipe is behind the upscaler model alone nowhere"])]


def _line(row: Figures) -> str:
    return f"{row.photograph:<22}{row.way:<16}{row.ssim:>7.3f}{row.kept:>7.3f}{row.true:>7.3f}{row.lpips:>8.4f}"


def main() -> int:
    """Measure and print; exit status 1 where the default recipe falls behind the upscaler model alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="photographs; all by default")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--enlarging", action="store_true", help="the enlargement alone, on worse drafts too")
    options = parser.parse_args()
    names = tuple(options.names) or TUNED_ON + HELD_OUT
    if options.enlarging:
        print(json.dumps(enlarging(names), indent=2))
        return 0
    rows = []
    for row in figures(names):
        rows.append(row)
        sys.stderr.write(f"{_line(row)}\n")
    print(json.dumps([row._asdict() for row in rows], indent=2) if options.json else "\n".join(told(rows)))
    return 1 if worse(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
