"""No entry of the cache is believed that is not as it was stored: it is set aside, and its result is made again."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_finisher.batch.records import Record, Records, records_in
from lib_finisher.checked_json import kept_in, write_checked
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Progress, StageStarted
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import assign, read_recipe
from lib_finisher.stages.stage import Work
from lib_finisher.store.results import ResultStore

RECIPE = read_recipe(
    assign(
        {},
        [
            "detail.enabled=true", "detail.steps=4", "extend.enabled=true", "extend.left=16", "extend.steps=3",
            "upscale.enabled=true", "upscale.factor=1.5", "upscale.tile=96", "upscale.method=tiled", "upscale.steps=4",
            "upscale.denoising_strength=0.2",
        ],
    )
)  # fmt: skip


KEY, OTHER = "ab" * 20, "cd" * 20
STAGES = ("detail", "extend", "upscale")


def run(host: EmbeddedHost, picture: np.ndarray, folder: Path, **more: Any) -> Finished:
    return Pipeline(host, Detectors().detect, RECIPE, store=ResultStore(folder), **more).run([Work(picture)])[0]


def statuses(done: Finished) -> list[str]:
    return [report.status for report in done.reports if report.stage in STAGES]


@pytest.fixture(scope="module")
def face(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[40:232, 130:322])


@pytest.fixture(scope="module")
def stored(host: EmbeddedHost, face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A cache in which two stages are finished and the upscale is half done, and what the whole run makes."""
    folder = tmp_path_factory.mktemp("cache")
    control, running, seen = Control(), [""], [0]

    def press(event: Any) -> None:
        if isinstance(event, StageStarted):
            running.append(event.stage)
        elif isinstance(event, Progress) and running[-1] == "upscale":
            seen[0] += 1
            if seen[0] == 2:
                control.interrupt()

    stopped = run(host, face, folder, listener=press, control=control)
    assert stopped.interrupted_in == "upscale"
    assert len(list(folder.rglob("*.npy"))) >= 5, "detail, extend with its mask, and finished patches"
    whole = Pipeline(host, Detectors().detect, RECIPE).run([Work(face)])[0]
    return folder, whole.pixels


def flip(at: float) -> Callable[[Path, Path], None]:
    def damage(file: Path, _: Path) -> None:
        data = bytearray(file.read_bytes())
        data[min(int(at * len(data)), len(data) - 1)] ^= 4
        file.write_bytes(data)

    return damage


def cut(share: float) -> Callable[[Path, Path], None]:
    def damage(file: Path, _: Path) -> None:
        data = file.read_bytes()
        file.write_bytes(data[: int(share * len(data))])

    return damage


def longer(file: Path, _: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0" * 64)


def swap(file: Path, other: Path) -> None:
    """The contents of another entry's file of the same kind."""
    file.write_bytes(other.read_bytes())


def a_folder(file: Path, _: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "something").write_bytes(b"in it")


def a_pipe(file: Path, _: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def text(content: bytes) -> Callable[[Path, Path], None]:
    return lambda file, _: file.write_bytes(content) and None


def array(change: Callable[[np.ndarray], Any]) -> Callable[[Path, Path], None]:
    """What numpy reads without complaint, of other values, type or shape."""

    def damage(file: Path, _: Path) -> None:
        saved = io.BytesIO()
        np.save(saved, change(np.load(file)), allow_pickle=True)
        file.write_bytes(saved.getvalue())

    return damage


def archive(file: Path, _: Path) -> None:
    saved = io.BytesIO()
    np.savez(saved, array=np.load(file))
    file.write_bytes(saved.getvalue())


ANY = {
    "first bit": flip(0), "bit in the middle": flip(0.5), "last bit": flip(1), "empty": cut(0), "half": cut(0.5),
    "all but its end": cut(0.999), "longer": longer, "swapped": swap, "a folder": a_folder, "a pipe": a_pipe,
}  # fmt: skip
ENDLESS = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807,), }"
ARRAYS = {
    "other values": array(lambda pixels: pixels[::-1]),
    "floats": array(lambda pixels: pixels.astype(np.float64) * np.nan),
    "integers": array(lambda pixels: (pixels * 0).astype(np.int8)),
    "a flat array": array(np.ravel),
    "half its height": array(lambda pixels: pixels[: len(pixels) // 2]),
    "objects": array(lambda pixels: pixels.astype(object)),
    "an archive": archive,
    "a header of 8 EiB": text(b"\x93NUMPY\x01\x00\x76\x00" + ENDLESS.ljust(117) + b"\n"),
}  # fmt: skip
NOTES = {
    "null": text(b"null"), "a list": text(b"[]"), "no text": text(b"\xff\xfe\0\0"), "deep": text(b"[" * 10**5),
    "other words": text(b'{"note": {"reason": "planted"}, "array": "", "checksum": ""}'),
    "without a checksum": text(b'{"reason": "found 1 face", "notes": []}'),
}  # fmt: skip
KINDS = [
    *((name, damage, suffix) for suffix in (".npy", ".json") for name, damage in ANY.items()),
    *((name, damage, ".npy") for name, damage in ARRAYS.items()),
    *((name, damage, ".json") for name, damage in NOTES.items()),
]


def cases(*names: str) -> Any:
    chosen = [kind for kind in KINDS if not names or kind[0] in names]
    ids = [f"{name} {suffix}" for name, _, suffix in chosen]
    return pytest.mark.parametrize(("damage", "suffix"), [kind[1:] for kind in chosen], ids=ids)


@cases()
def test_what_is_damaged_is_set_aside(tmp_path: Path, damage: Any, suffix: str) -> None:
    store = ResultStore(tmp_path)
    pixels = np.linspace(0, 1, 96, dtype=np.float32).reshape(4, 8, 3)
    assert store.put(KEY, pixels, {"reason": "of one"})
    assert store.put(OTHER, pixels / 2, {"reason": "of the other"})
    files = [tmp_path / key[:2] / f"{key}{suffix}" for key in (KEY, OTHER)]
    damage(*files)
    assert store.get(KEY) is None
    assert not files[0].exists()
    kept = store.get(OTHER)
    assert kept is not None
    assert kept[1] == {"reason": "of the other"}
    assert store.put(KEY, pixels, {})
    again = store.get(KEY)
    assert again is not None
    assert np.array_equal(again[0], pixels)


@cases("bit in the middle", "swapped", "a folder", "other values")
def test_whatever_is_damaged_is_made_again(
    host: EmbeddedHost, face: np.ndarray, stored: tuple[Path, np.ndarray], tmp_path: Path, damage: Any, suffix: str
) -> None:
    before, right = stored
    folder = tmp_path / "cache"
    shutil.copytree(before, folder)
    files = sorted(folder.rglob(f"*{suffix}"))
    contents = [file.read_bytes() for file in files]
    for number, file in enumerate(files):
        other = tmp_path / "other"
        other.write_bytes(contents[(number + 1) % len(files)])
        damage(file, other)
    done = run(host, face, folder)
    assert done.error == ""
    assert statuses(done) == ["ran"] * 3
    assert np.array_equal(done.pixels, right)
    again = run(host, face, folder)
    assert [report.status for report in again.reports if report.stage in ("detail", "extend", "upscale")] == [
        "reused"
    ] * 3
    assert np.array_equal(again.pixels, right)


def test_an_entry_under_the_name_of_another_is_not_it(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.put(KEY, np.zeros(4), {"reason": "of one"})
    store.put(OTHER, np.ones(4), {"reason": "of the other"})
    for suffix in (".npy", ".json"):
        shutil.copy(tmp_path / KEY[:2] / f"{KEY}{suffix}", tmp_path / OTHER[:2] / f"{OTHER}{suffix}")
    assert store.get(OTHER) is None
    there = store.get(KEY)
    assert there is not None
    assert there[1] == {"reason": "of one"}


@pytest.mark.parametrize("damage", [*ANY.values(), *NOTES.values()], ids=[*ANY, *NOTES])
def test_small_files_are_not_believed_either(tmp_path: Path, damage: Any) -> None:
    file, other = tmp_path / "rates.json", tmp_path / "other.json"
    write_checked(file, {"embedded / default": 2.5})
    write_checked(other, {"embedded / default": 99.0})
    assert kept_in(file) == {"embedded / default": 2.5}
    damage(file, other)
    assert kept_in(file) == {}
    write_checked(file, {"embedded / default": 3.5})
    assert kept_in(file) == {"embedded / default": 3.5}


def test_a_damaged_report_of_a_result_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a result")
    made = Record("a.png", "aa", "work", "a.png", "finished", (), "2026-11-28T10:00:00Z", "0", {})
    Records(True).add(tmp_path, made)
    assert [record.output for record in records_in(tmp_path)] == ["a.png"]
    report = next((tmp_path / ".finisher").glob("*.json"))
    report.write_bytes(report.read_bytes().replace(b'"work"', b'"walk"', 1))
    assert list(records_in(tmp_path)) == []
