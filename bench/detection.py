"""How many faces of a large cluttered picture are found, and how many finds are none: sliced beside plain detection.

The picture is made up: faces cut from photographs, of many sizes, tilts and brightnesses, over noise, stripes and
patches of photographs without faces. A face's size is the longer side of its box while it is upright. The astronaut is
always there, Grace Hopper, the bus and Zidane after `make setup`. `--photo` adds one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.collage import SIZES, TILTS, Face, Photo, Score, collage, photographs, score
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection, merged
from lib_finisher.detect.search import Search
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Box, Size, frame

FILES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher" / "detectors"
MODES = {"plain": Search(sliced=False), "sliced": Search(), "turned": Search(turned=True)}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096, help="pixels, at least 1024")
    parser.add_argument("--seeds", type=int, default=1, help="so many pictures, added up")
    parser.add_argument("--confidence", type=float, default=0.0, help="a score; 0 is the detector's own")
    parser.add_argument("--detector", default="face_yunet", metavar="NAME[,NAME]", help="several are merged")
    parser.add_argument("--mode", default=",".join(MODES), help=f"some of {', '.join(MODES)}; turned is sliced, too")
    parser.add_argument("--photo", action="append", default=[], metavar="FILE:LEFT,TOP,RIGHT,BOTTOM")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    photos = photographs() + [_given(text) for text in options.photo]
    names, modes = options.detector.split(","), options.mode.split(",")
    detectors, faces = Detectors(folders=(FILES,)), []
    scores: dict[str, list[Score]] = {mode: [] for mode in modes}
    seconds = dict.fromkeys(modes, 0.0)
    found_by(detectors, names, np.zeros((64, 64, 3), np.float32), 0.5, MODES["plain"])
    for seed in range(options.seeds):
        picture, there = collage(photos, Size(options.side, options.side), seed)
        faces += there
        for mode in modes:
            began = time.perf_counter()
            found = found_by(detectors, names, picture, options.confidence, MODES[mode])
            seconds[mode] += time.perf_counter() - began
            scores[mode].append(score(found, there))
    result = {mode: _summary(faces, scores[mode], seconds[mode] / options.seeds) for mode in modes}
    title = f"{options.detector}: {options.side} x {options.side} pixels, {len(photos)} faces of photographs"
    print(json.dumps(result, indent=2) if options.json else _told(title, result))
    return 0


def found_by(
    detectors: Detectors, names: Sequence[str], picture: Pixels, confidence: float, search: Search
) -> list[Detection]:
    """What several detectors find, each thing once."""
    found = [item for name in names for item in detectors.detect(name, picture, confidence, search)]
    return merged(found, middles=True, overlap=search.overlap) if len(names) > 1 else found


def _given(text: str) -> Photo:
    file, _, sides = text.rpartition(":")
    pixels = load_picture(Path(file)).pixels
    left, top, right, bottom = (int(part) for part in sides.split(","))
    box = Box(left, top, right, bottom)
    if box.intersection(frame(Size(pixels.shape[1], pixels.shape[0]))) != box:
        raise SystemExit(f"The face {box} is not inside {file}.")
    return Photo(pixels, box)


def _summary(faces: Sequence[Face], scores: Sequence[Score], seconds: float) -> dict[str, Any]:
    found = [hit for one in scores for hit in one.found]
    hits, twice, false = sum(found), sum(one.twice for one in scores), sum(one.false for one in scores)
    bands = {
        f"{low}-{high - 1}": {tilt: _recall(faces, found, low, high, (tilt,)) for tilt in TILTS} for low, high in SIZES
    }
    return {
        "upright_40_and_more": _recall(faces, found, 40, 9999, ("upright",)),
        "to_40_degrees_40_and_more": _recall(faces, found, 40, 9999, ("upright", "to 25", "to 40")),
        "recall": bands,
        "faces": len(faces),
        "precision": round(hits / max(1, hits + twice + false), 3),
        "false": false,
        "twice": twice,
        "seconds": round(seconds, 2),
    }


def _recall(faces: Sequence[Face], found: Sequence[bool], low: int, high: int, tilts: Sequence[str]) -> str:
    """ "Found of so many (share)" for the faces of a size and tilt."""
    those = [hit for face, hit in zip(faces, found) if low <= face.size < high and face.tilt in tilts]
    return f"{sum(those)}/{len(those)}" + (f" ({sum(those) / len(those):.2f})" if those else "")


def _told(title: str, result: dict[str, Any]) -> str:
    lines = [title]
    for name, one in result.items():
        lines += [
            "",
            f"{name}: {one['seconds']} s a picture, {one['faces']} faces, precision {one['precision']}, "
            f"{one['false']} false, {one['twice']} twice",
            f"  40 px and more: upright {one['upright_40_and_more']}, to 40 degrees {one['to_40_degrees_40_and_more']}",
            "  size".ljust(12) + "".join(tilt.ljust(16) for tilt in TILTS),
        ]
        lines += [
            "  " + band.ljust(10) + "".join(row[tilt].ljust(16) for tilt in TILTS)
            for band, row in one["recall"].items()
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
