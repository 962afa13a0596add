"""What presets cost: telling a checkpoint's variants, reading a folder, resolving, saving.

python -m bench.presets
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lib_finisher.family_detection import detect_header
from lib_finisher.presets.builtin import PRESETS
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.preset import Preset
from lib_finisher.presets.resolve import Choice
from lib_finisher.presets.store import NEW, PresetStore
from lib_finisher.variants import variants_of

_HEADERS = Path(__file__).resolve().parents[1] / "tests" / "facts" / "families"
_MODEL = Checkpoint("ponyMix_lightning.safetensors", family="sdxl", variants=("pony", "lightning", "few-step"))
_MANY = 200


def main() -> None:
    fixtures = [json.loads(file.read_text("utf-8")) for file in sorted(_HEADERS.glob("*.json"))]
    times = sorted(_seconds(partial(_seen, item["header"], item["file_name"])) for item in fixtures)
    middle, longest = _ms(times[len(times) // 2]), _ms(times[-1])
    print(f"family and variants of {len(times)} published headers: median {middle}, longest {longest}")
    with tempfile.TemporaryDirectory() as place:
        store = PresetStore(Path(place))
        presets = [Preset(f"preset {number}", PRESETS[1].recipe) for number in range(_MANY)]
        saving = [_once(partial(store.save, preset, NEW)) for preset in presets]
        middle, longest = _ms(statistics.median(saving)), _ms(max(saving))
        print(f"saving a preset among up to {_MANY}: median {middle}, longest {longest}")
        print(f"reading a folder of {_MANY} the first time: {_ms(_once(PresetStore(Path(place)).load))}")
        library = Library(Path(place))
        library.entries()
        print(f"reading it again: {_ms(_seconds(library.entries))}")
        resolving = _seconds(partial(library.resolve, _MODEL, None, Choice(("Portrait",))))
        print(f"resolving with two presets among {_MANY + len(PRESETS)}: {_ms(resolving)}")


def _seen(header: dict[str, object], name: str) -> None:
    variants_of(detect_header(header, name), header, name)


def _seconds(run: Callable[[], object]) -> float:
    """The median of five."""
    return statistics.median(_once(run) for _ in range(5))


def _once(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
