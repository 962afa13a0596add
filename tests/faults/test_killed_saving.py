"""What a run leaves that is killed while it saves; the long form is `bench/kills.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.kills import killed_runs
from lib_finisher.part_names import left_behind, new_part_beside
from lib_finisher.whole_files import sweep, write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL, and tells of no process")
LONG_AGO = time.time() - 48 * 3600


def test_kills_in_the_saving_phase_lose_nothing(tmp_path: Path) -> None:
    wrong, told = killed_runs(tmp_path, kills=4, pictures=2)
    assert wrong == [], told
    assert not told.endswith(" 0 parts left"), "no kill came in the middle of anything"


def part_of_a_dead_process(folder: Path) -> Path:
    program = "import sys; from pathlib import Path; from lib_finisher.part_names import new_part_beside; "
    program += "part = new_part_beside(Path(sys.argv[1]) / 'a.png'); part.write_bytes(b'half'); print(part)"
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def test_only_what_ended_programs_left_is_swept(tmp_path: Path) -> None:
    dead, own = part_of_a_dead_process(tmp_path), new_part_beside(tmp_path / "b.png")
    assert dead.exists()
    elsewhere = tmp_path / dead.name.replace(dead.name.split("-")[1], "0" * 12)
    users = [".movie.mkv.part", "a.png.part", ".part", ".finisher-notes.part", "0123456789abcdef" * 2 + ".part"]
    old = tmp_path / f".{'0123456789abcdef' * 2}.part"
    for file in (own, elsewhere, old, *(tmp_path / name for name in users)):
        file.write_bytes(b"")
    for file in (own, old, *(tmp_path / name for name in users)):
        os.utime(file, (LONG_AGO, LONG_AGO))
    (tmp_path / f".{'1' * 32}.part").mkdir()
    (tmp_path / f".{'2' * 32}.part").symlink_to("a.png.part")
    sweep(tmp_path)
    left = {file.name for file in tmp_path.iterdir()}
    assert not {dead.name, old.name} & left
    assert {own.name, elsewhere.name, *users, f".{'1' * 32}.part", f".{'2' * 32}.part"} == left
    os.utime(elsewhere, (LONG_AGO, LONG_AGO))
    sweep(tmp_path)
    assert elsewhere.name not in {file.name for file in tmp_path.iterdir()}, "nobody can ask another machine"
    sweep(tmp_path / "not there")


def test_what_another_program_is_writing_stays(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from lib_finisher.whole_files import whole; file = sys.argv[1]\n"
    program += "with whole(Path(file)) as part: part.write_bytes(b'a'); print(part, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path / "a")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writing:
        assert writing.stdout is not None and writing.stdin is not None
        part = Path(writing.stdout.readline().strip())
        os.utime(part, (LONG_AGO, LONG_AGO))
        sweep(tmp_path)
        assert part.exists()
        writing.stdin.close()
    assert (tmp_path / "a").read_bytes() == b"a" and not part.exists()


@pytest.mark.parametrize("name", ["", ".part", ".finisher-" + "0" * 12 + "-99999999999-" + "0" * 32 + ".part"])
def test_names_that_are_not_ours(name: str) -> None:
    assert not left_behind(name, 0.0)


def test_no_part_is_left_by_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "a", b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
