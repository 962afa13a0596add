"""What grading costs and how well it works: megapixels a second beside a plain copy, and casts that are taken out.

`--casts` plants the cast of 4500 K (and of 9500 K) in photographs and prints how far neutrals are from what they were.
`--json` prints one object for programs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.balance import adaptation, light_for, white_of
from lib_finisher.imaging.balance_methods import GREY_PIXELS, METHODS
from lib_finisher.imaging.colour import mixed, to_lab
from lib_finisher.imaging.cube import Cube, LutFile
from lib_finisher.imaging.curves import read_curves
from lib_finisher.imaging.dither import dithered
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.linear import from_linear, to_linear
from lib_finisher.imaging.lut import LutChain
from lib_finisher.stages.grade_settings import GradeSettings
from lib_finisher.stages.grade_strips import Extras, Grading

SIDE = 4096
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOTHING: dict[str, Any] = {"contrast": 0.0, "saturation": 0.0, "grain": 0.0}
FULL: dict[str, Any] = {
    "white_balance": 1.0, "exposure": 0.3, "black_point": 0.02, "white_point": 0.02, "highlights": -0.3, "shadows": 0.3,
    "contrast": 0.2, "local_contrast": 0.3, "saturation": 0.1, "vibrance": 0.2, "colour_match": 0.5,
    "sharpening": 0.5, "grain": 0.2,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "the defaults": {"contrast": 0.1, "saturation": 0.05, "grain": 0.1},
    "white balance": {"white_balance": 1.0},
    "exposure": {"exposure": 0.5},
    "light, colour": {"contrast": 0.2, "shadows": 0.3, "local_contrast": 0.3, "vibrance": 0.2},
    "sharpening": {"sharpening": 0.5},
    "grain": {"grain": 0.2},
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--casts", action="store_true")
    options = parser.parse_args()
    if options.casts:
        found = casts()
        print(json.dumps(found, indent=2) if options.json else "\n".join(told_of_casts(found)))
    else:
        result = speed()
        print(json.dumps(result, indent=2) if options.json else "\n".join(told(result)))
    return 0


def speed(side: int = SIDE) -> dict[str, float]:
    """Megapixels a second of parts of the grade, of all of it with a LUT and grain, and of a copy of the same array."""
    photo = load_picture(EXAMPLES / "astronaut.png").pixels
    large = cv2.resize(photo, (side, side), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(np.asarray(large, dtype=np.float32), 0.0, 1.0)
    extras = Extras(read_curves("0,0; 64,58; 192,200; 255,255"), film_like(33), photo[:, ::-1] ** np.float32(1.2))
    plain = Extras(read_curves(""))
    result = {}
    for name, settings in CASES.items():
        result[name] = _rate(lambda one=settings: _graded(picture, one, plain), side)
    result["LUT of 33"] = _rate(lambda: _graded(picture, {}, Extras(read_curves(""), film_like(33))), side)
    result["full grade"] = _rate(lambda: _graded(picture, FULL, extras), side)
    result["dithering to 8 bits"] = _rate(lambda: dithered(picture), side)
    result["memory copy"] = _rate(picture.copy, side, 3)
    return {name: round(value, 1) for name, value in result.items()}


def film_like(side: int) -> LutChain:
    """A smooth table that moves every colour a little."""
    axis = np.linspace(0.0, 1.0, side)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    table = np.stack([red**1.1, green * 0.95 + 0.05 * red, 0.03 + 0.94 * blue], axis=-1).reshape(-1, 3)
    return LutChain.of(LutFile((Cube(table.astype(np.float32), side, True),)))


def photographs() -> dict[str, Path]:
    """Photographs of this machine, by name; those of packages and caches only where they are installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher" / "photographs"
    found = {"astronaut": EXAMPLES / "astronaut.png", "grace_hopper": cache / "grace_hopper.jpg"}
    for package, folder, names in (
        ("ultralytics", "assets", ("bus.jpg", "zidane.jpg")),
        ("skimage", "data", ("coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png", "motorcycle_right.png")),
    ):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            found |= {Path(name).stem: Path(spec.origin).parent / folder / name for name in names}
    return {name: file for name, file in found.items() if file.is_file()}


def under(pixels: Pixels, kelvin: float) -> Pixels:
    """A picture of daylight (6500 K) as it would be in light of that temperature, in 8 bits (Bradford)."""
    cast = np.linalg.inv(adaptation(light_for(white_of(kelvin), white_of(6504.0)), 1.0).astype(np.float64))
    return to_uint8(from_linear(mixed(to_linear(pixels), cast.astype(np.float32)))).astype(np.float32) / np.float32(255)


def neutrals(lab: Pixels) -> npt.NDArray[np.bool_]:
    """Where an L*a*b* picture is near grey and neither black nor white."""
    return (np.hypot(lab[..., 1], lab[..., 2]) < 4.0) & (lab[..., 0] > 20.0) & (lab[..., 0] < 95.0)


def balanced(pixels: Pixels, method: str = GREY_PIXELS) -> Pixels:
    """White balance alone, in full."""
    return _graded(pixels, {"white_balance": 1.0, "balance_method": method}, Extras(read_curves("")))


def difference(one: Pixels, lab: Pixels, where: Mask | npt.NDArray[np.bool_]) -> float:
    """The mean distance in L*a*b* (dE 76) from what was there."""
    return float(np.linalg.norm(to_lab(one) - lab, axis=-1)[where].mean())


def casts() -> list[dict[str, Any]]:
    """For each photograph: dE of its neutrals under a cast, and after each method; also of what had no cast."""
    rows = []
    for name, file in photographs().items():
        photo = load_picture(file).pixels
        lab = to_lab(photo)
        grey = neutrals(lab)
        row: dict[str, Any] = {"photograph": name, "neutral": round(float(grey.mean()), 4)}
        for kelvin in (4500.0, 9500.0):
            cast = under(photo, kelvin)
            row[f"{kelvin:.0f} K"] = round(difference(cast, lab, grey), 2)
            for method in METHODS:
                row[f"{kelvin:.0f} K, {method}"] = round(difference(balanced(cast, method), lab, grey), 2)
        for method in METHODS:
            after = balanced(photo, method)
            row[f"no cast, {method}"] = round(difference(after, lab, grey), 2)
            row[f"no cast, {method}, all pixels"] = round(difference(after, lab, np.ones_like(grey)), 2)
        rows.append(row)
    return rows


def told(result: dict[str, float]) -> list[str]:
    """The rates, for people."""
    head = f"the grade at {SIDE} × {SIDE}, megapixels a second:"
    return [head, *(f"  {name:<22}{rate:>8.1f}" for name, rate in result.items())]


def told_of_casts(rows: list[dict[str, Any]]) -> list[str]:
    """The casts, for people."""
    lines = ["mean dE of the neutrals from what they were; (without correction) grey pixels / shades of grey"]
    lines.append(f"{'photograph':<18}{'neutral':>8}{'4500 K':>24}{'9500 K':>24}{'no cast':>16}{'all pixels':>16}")
    for row in rows:
        cells = [f"({row[key]:.1f}) " + _both(row, f"{key}, {{}}") for key in ("4500 K", "9500 K")]
        still = [_both(row, "no cast, {}"), _both(row, "no cast, {}, all pixels")]
        lines.append(
            f"{row['photograph']:<18}{row['neutral']:>8.1%}{cells[0]:>24}{cells[1]:>24}{still[0]:>16}{still[1]:>16}"
        )
    return lines


def _both(row: dict[str, Any], key: str) -> str:
    return " / ".join(f"{row[key.format(method)]:.2f}" for method in METHODS)


def _graded(pixels: Pixels, settings: dict[str, Any], extras: Extras) -> Pixels:
    return Grading(pixels, GradeSettings(**{**NOTHING, **settings}), extras, 1).apply()[0]


def _rate(work: Any, side: int, times: int = 1) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return side * side / 1e6 / min(seconds)


if __name__ == "__main__":
    sys.exit(main())
