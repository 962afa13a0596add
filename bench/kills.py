"""Kills in the saving phase: the real command line is ended (SIGKILL) at chosen points of writing its results.

A point is an opening for writing, a flush, a naming or a removal below the folder of results; at an opening for writing
also in the middle of the writing. After each kill no file is half; after the run that follows there is nothing
but the results, each once, with the bytes that an undisturbed run without a store gives.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

RECIPE = (
    "--set=refine.steps=2", "--set=detail.enabled=false", "--set=upscale.steps=2", "--set=grade.enabled=true",
    "--set=grade.contrast=0.2", "--set=grade.grain=0.2", "--upscale-to", "1.5",
)  # fmt: skip


def main() -> int:
    """Exit status 0 when nothing was lost, half, left behind or there twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        wrong, told = killed_runs(Path(temporary), options.kills, options.pictures, options.seed)
    print(f"{options.kills} kills in the saving phase: {told}; {len(wrong)} faults")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


def killed_runs(folder: Path, kills: int, pictures: int, seed: int = 0) -> tuple[list[str], str]:
    """What was wrong after each of so many kills, spread over all points of the saving; and what was killed where."""
    sources, right = folder / "in", folder / "undisturbed"
    _draw(sources, pictures)
    if _finish(sources, right, "--no-cache"):
        return ["the undisturbed run failed"], ""
    wanted = {file.name: file.read_bytes() for file in right.glob("*.png")}
    points = _points(sources, folder / "counted")
    chance, wrong, half, left = random.Random(seed), [], 0, 0
    for number in range(kills):
        # Every point in turn, from the first to the last.
        point = 1 + round(number * (points - 1) / max(1, kills - 1))
        in_the_middle = chance.random() < 0.3
        out, store = folder / f"out-{number}", folder / f"store-{number}"
        status = _finish(sources, out, "--cache", str(store), kill=(point, in_the_middle))
        half += status == -signal.SIGXFSZ
        if status not in (-signal.SIGKILL, -signal.SIGXFSZ):
            wrong.append(f"kill {number} at {point}: not killed, status {status}")
        left += len(_parts(folder))
        wrong += [f"kill {number} at {point}: {file.name} is half" for file in out.glob("*.png") if not _whole(file)]
        wrong += [f"kill {number} at {point}: {text}" for text in _after_the_next(sources, out, store, wanted)]
        shutil.rmtree(out)
        shutil.rmtree(store)
    return wrong, f"{points} points of saving {pictures} pictures, {half} in the middle of a file, {left} parts left"


def _after_the_next(sources: Path, out: Path, store: Path, wanted: dict[str, bytes]) -> list[str]:
    wrong = []
    if _finish(sources, out, "--cache", str(store)):
        wrong.append("the run after it failed")
    found = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    wrong += [f"{name} is missing" for name in wanted.keys() - found.keys()]
    wrong += [f"{name} should not be there" for name in found.keys() - wanted.keys()]
    wrong += [f"{name} has other bytes" for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    reports = {file.name for file in (out / ".finisher").iterdir()}
    wrong += [f"{name} in the reports" for name in reports ^ {f"{name}.json" for name in wanted}]
    return wrong + [f"{file.name} was left behind" for file in (*_parts(out), *_parts(store))]


def _parts(folder: Path) -> list[Path]:
    return [file for file in folder.rglob(".*") if file.suffix == ".part"]


def _draw(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    portrait = Image.open(HERE / "examples" / "astronaut.png").convert("RGB")
    for number in range(count):
        left = 9 * number
        portrait.crop((120 + left, 30, 312 + left, 222)).resize((64, 64)).save(folder / f"{number}.png")


def _whole(file: Path) -> bool:
    try:
        with Image.open(file) as image:
            image.load()
    except OSError:
        return False
    return True


def _points(sources: Path, out: Path) -> int:
    """How many points there are in the saving of a run."""
    file = out.with_suffix(".count")
    _finish(sources, out, "--cache", str(out.with_suffix(".store")), kill=(0, False), told=str(file))
    return int(file.read_text())


def _finish(sources: Path, out: Path, *more: str, kill: tuple[int, bool] | None = None, told: str = "") -> int:
    """The status of the command line on those pictures, minus the signal that has ended it."""
    command = [sys.executable, "-m", "lib_finisher"]
    if kill is not None:
        command = [sys.executable, str(HERE / "bench" / "killed.py"), str(kill[0]), str(int(kill[1]))]
        command += [f"{out}{os.sep}", told]
    command += ["finish", str(sources), "--out", str(out), *more, *RECIPE]
    return subprocess.run(command, cwd=HERE, capture_output=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
