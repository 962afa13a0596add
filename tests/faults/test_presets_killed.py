"""Two processes save presets into one folder and are killed at any moment: no preset is lost, no file is half."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.lock import locked
from lib_finisher.presets.preset import Preset, read_preset
from lib_finisher.presets.store import NEW, PresetStore
from tests.conftest import ROOT

KILLS = 100
PRESETS = 6


def work(folder: Path, seed: int) -> None:
    """Change, rename, delete and bring back presets that others change too, as fast as it goes, for ever."""
    store, chance = PresetStore(folder), random.Random(seed)
    saved = os.open(folder.parent / f"saved-{seed}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        number = chance.randrange(PRESETS)
        name = f"preset {number}"
        try:
            seen = store.get(name)
            if chance.random() < 0.8:
                changed = {"refine": {"prompt": "x" * chance.randrange(20000)}}
                store.save(replace(seen, recipe=changed, notes=str(int(seen.notes) + 1)), seen.revision)
                os.write(saved, str(number).encode())
            elif chance.random() < 0.5:
                store.rename(name, chance.choice([name, name.upper()]), seen.revision)
            else:
                store.restore(store.delete(name, seen.revision).file)
        except PresetError:
            continue


def started(folder: Path, seed: int) -> subprocess.Popen[bytes]:
    program = "import sys; from pathlib import Path; from tests.faults.test_presets_killed import work; "
    program += "print('begun', flush=True); work(Path(sys.argv[1]), int(sys.argv[2]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(folder), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are made of forked processes here")
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    store = PresetStore(folder)
    for number in range(PRESETS):
        store.save(Preset(f"preset {number}", notes="0"), NEW)
    chance, kill, told = random.Random(7), 0, ""
    # On a busy machine few get as far as to save anything before they are killed.
    while kill < KILLS or (len(told) <= KILLS // 4 and kill < 10 * KILLS):
        children = [_forked(folder, kill * 2 + which) for which in range(2)]
        time.sleep(chance.uniform(0.0, 0.1))
        os.kill(children[0], signal.SIGKILL)
        time.sleep(chance.uniform(0.0, 0.02))
        os.kill(children[1], signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
        _check(folder)
        kill += 1
        told = "".join(file.read_text() for file in tmp_path.glob("saved-*"))
    with locked(folder, wait=1.0):
        pass  # no lock outlives its process
    assert len(told) > KILLS // 4, "the processes did next to nothing"
    for number in range(PRESETS):
        # Each save counts on from what it has seen, so a save that was lost or overwritten would be missing here; one
        # that was killed after it had written and before it could tell is one more.
        count, known = int(PresetStore(folder).get(f"preset {number}").notes), told.count(str(number))
        assert known <= count <= known + 2 * kill


def test_whole_programs_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    store = PresetStore(folder)
    for number in range(PRESETS):
        store.save(Preset(f"preset {number}", notes="0"), NEW)
    chance = random.Random(8)
    for pair in range(2):
        children = [started(folder, pair * 2 + which) for which in range(2)]
        for child in children:
            assert child.stdout is not None and child.stdout.readline().strip() == b"begun"
        time.sleep(chance.uniform(0.05, 0.4))
        for child in children:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        _check(folder)
    assert any(item.notes != "0" for item in PresetStore(folder).load().presets)


def _forked(folder: Path, seed: int) -> int:
    """A copy of this process that works on the folder until it is killed: quicker to make than a new program."""
    child = os.fork()
    if child == 0:
        try:
            work(folder, seed)
        finally:
            os._exit(1)
    return child


def _check(folder: Path) -> None:
    for file in folder.glob("*.json"):
        read_preset(json.loads(file.read_bytes()))
    for file in (folder / "backups").glob("*.json"):
        read_preset(json.loads(file.read_bytes()))
    found = PresetStore(folder).load()
    assert found.problems == () and found.set_aside == ()
    there = {item.key for item in found.presets}
    # A process that was killed between a delete and its undo leaves the preset among the backups.
    deleted = {item.name.lower() for item in PresetStore(folder).backups()}
    for number in range(PRESETS):
        name = f"preset {number}"
        assert name in there or name in deleted, name
        if name not in there:
            newest = next(item for item in PresetStore(folder).backups(name))
            PresetStore(folder).restore(newest.file)
