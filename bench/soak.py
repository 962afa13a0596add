"""The long runs: hundreds of pictures with kills and interruptions, nothing lost, nothing half written.

Starts the real command line on a folder again and again, kills it (SIGKILL) or interrupts it (SIGINT) at a random
moment, and at last lets it run to its end. Every result must then be what an undisturbed run gives.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent.parent
RECIPE = ["--set", "refine.steps=6", "--set", "detail.steps=6", "--set", "upscale.steps=6", "--upscale-to", "1.5"]


def main() -> int:
    """Exit status 0 when every picture is whole and right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = _pictures(folder / "in", options.pictures)
        for number in range(options.stops):
            _stopped_run(folder, chance, number)
        status = _run(folder, folder / "out", folder / "cache").wait()
        if status:
            print(f"the last run ended with status {status}")
            return 1
        if _run(folder, folder / "undisturbed", None).wait():
            print("the undisturbed run failed")
            return 1
        return _compared(folder, sources)


def _pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    portrait = Image.open(HERE / "examples" / "astronaut.png").convert("RGB")
    files = []
    for number in range(count):
        left, top = 7 * number % 200, 5 * number % 90
        file = folder / f"{number:04d}.png"
        portrait.crop((left, top, left + 224, top + 224)).resize((128, 128)).save(file)
        files.append(file)
    return files


def _run(folder: Path, out: Path, cache: Path | None) -> subprocess.Popen[bytes]:
    kept = ["--cache", str(cache)] if cache is not None else ["--no-cache"]
    command = [sys.executable, "-m", "lib_finisher", "finish", str(folder / "in"), "--out", str(out), "--overwrite"]
    return subprocess.Popen([*command, *kept, *RECIPE], cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _stopped_run(folder: Path, chance: random.Random, number: int) -> None:
    process = _run(folder, folder / "out", folder / "cache")
    time.sleep(chance.uniform(0.3, 6.0))
    process.send_signal(signal.SIGKILL if number % 2 else signal.SIGINT)
    process.wait()
    broken = [file for file in (folder / "out").glob("*.png") if not _whole(file)]
    if broken:
        raise SystemExit(f"half a picture was left after stop {number}: {broken}")


def _whole(file: Path) -> bool:
    try:
        with Image.open(file) as image:
            image.load()
    except OSError:
        return False
    return True


def _compared(folder: Path, sources: list[Path]) -> int:
    wrong = []
    for source in sources:
        results = [np.asarray(Image.open(folder / name / source.name)) for name in ("out", "undisturbed")]
        if not np.array_equal(results[0], results[1]):
            wrong.append(source.name)
    print(f"{len(sources)} pictures, {len(wrong)} differ from the undisturbed run {' '.join(wrong)}".rstrip())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
