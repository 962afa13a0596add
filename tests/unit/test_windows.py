"""What holds on Windows and on devices without 64-bit floats, by stand-ins for the parts of the system that differ.

Nothing here runs on Windows itself; `.github/workflows/windows.yml` would.
"""

from __future__ import annotations

import importlib.util
import ntpath
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher import part_names, whole_files
from lib_finisher.batch import names
from lib_finisher.batch.names import Taken, fitting_stem
from lib_finisher.presets import lock
from lib_finisher.presets.files import file_name
from lib_finisher.whole_files import write_whole
from tests.conftest import PORTRAIT, ROOT


class System:
    """`os` as a module sees it, with what another system has instead."""

    def __init__(self, missing: tuple[str, ...] = (), **instead: Any) -> None:
        self._missing = missing
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        if name in self._missing:
            raise AttributeError(name)
        return getattr(os, name)


def windows(**instead: Any) -> System:
    return System(("pathconf", "fork", "getuid"), name="nt", **instead)


def used_by_another_program(refusals: int) -> tuple[Callable[..., Any], list[int]]:
    """`Path.replace` as Windows has it while another program reads the file, and how often it was asked."""
    asked: list[int] = []
    real = Path.replace

    def replace(self: Path, target: Any) -> Path:
        asked.append(1)
        if len(asked) <= refusals:
            raise PermissionError(13, "The process cannot access the file because it is being used", str(target))
        return real(self, target)

    return replace, asked


@pytest.mark.parametrize(("refusals", "written"), [(0, True), (3, True), (10_000, False)])
def test_a_file_that_another_program_reads_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int, written: bool
) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"old")
    replace, asked = used_by_another_program(refusals)
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(whole_files, "os", windows())
    monkeypatch.setattr(whole_files, "time", types.SimpleNamespace(sleep=lambda seconds: None, time=lambda: 0.0))
    if written:
        write_whole(file, b"new", synced=True)
        assert len(asked) == refusals + 1
    else:
        with pytest.raises(PermissionError):
            write_whole(file, b"new", synced=True)
    assert file.read_bytes() == (b"new" if written else b"old")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_elsewhere_a_refusal_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, asked = used_by_another_program(10_000)
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "a.json", b"new")
    assert asked == [1]


@pytest.mark.parametrize("there", [False, True])
def test_without_hard_links_a_file_that_is_there_stays_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def link(*files: Any) -> None:
        raise OSError(1, "Incorrect function")

    monkeypatch.setattr(whole_files, "os", windows(link=link))
    file = tmp_path / "a.png"
    if there:
        file.write_bytes(b"another's")
        with pytest.raises(FileExistsError):
            write_whole(file, b"new", anew=True)
    else:
        write_whole(file, b"new", anew=True)
    assert file.read_bytes() == (b"another's" if there else b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_no_process_is_asked_whether_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows `os.kill(process, 0)` ends it."""

    def kill(process: int, number: int) -> None:
        raise AssertionError("this would have ended a process")

    monkeypatch.setattr(part_names, "os", windows(kill=kill))
    name = part_names.new_part_beside(Path("a")).name
    assert not part_names.left_behind(name, part_names.time.time())
    assert part_names.left_behind(name, 0.0)


@pytest.mark.parametrize("length", [20, 150, 190])
def test_a_name_fits_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(names, "os", windows())
    folder = Path("/" + "f" * (length - 1))
    cut = fitting_stem("x" * 250, folder)
    longest = folder / f"{cut}.without-upscale-99999.jpeg.json"
    assert len(str(longest)) <= 259
    assert len(cut) == max(16, 259 - length - 1 - 32), "and no more is cut than needs to be"
    assert fitting_stem("short", folder) == "short"


def test_names_that_differ_in_case_alone_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folded = types.SimpleNamespace(normcase=ntpath.normcase, realpath=os.path.realpath)
    for system, one in ((windows(path=folded), True), (System(), False)):
        monkeypatch.setattr(names, "os", system)
        taken = Taken([tmp_path / "Portrait.PNG"])
        assert (tmp_path / "portrait.png" in taken) is one
        assert tmp_path / "other.png" not in taken


NAMES = ("con", "CON", "nul.png", "Aux", "com1", "LPT9.txt", "a<b>", "a:b", "a/b\\c", "what?", "tail.", "tail ", '"')


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_of_any_name_has_a_file_that_windows_can_have(name: str) -> None:
    file = file_name(name)
    assert not set(file) & set('<>:"/\\|?*')
    assert file == file.strip(" .")
    # What is reserved is reserved with any ending.
    reserved = {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10))}
    assert file.split(".")[0].rstrip(" ").lower() not in reserved


def test_presets_are_written_by_one_program_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[int, int] = {}

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0, "it locks where the file stands"
        inode = os.fstat(descriptor).st_ino
        if mode == 0:
            assert held.pop(inode) == descriptor
        elif inode in held:
            raise PermissionError(13, "Permission denied")
        else:
            held[inode] = descriptor

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking))
    found = importlib.util.spec_from_file_location("lock_on_windows", str(lock.__file__))
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    monkeypatch.setattr(sys, "platform", "win32")
    found.loader.exec_module(module)
    monkeypatch.undo()
    with module.locked(tmp_path):
        assert held
        with pytest.raises(module.PresetError, match="another program is writing"), module.locked(tmp_path, wait=0.0):
            pass
    assert not held
    with module.locked(tmp_path, wait=0.0):
        assert held


def test_a_system_without_sighup_finishes_pictures(tmp_path: Path) -> None:
    code = (
        "import signal, os; del signal.SIGHUP; del os.pathconf\n"
        "from lib_finisher.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"
    )
    Image.open(PORTRAIT).resize((64, 64)).save(tmp_path / "a.png")
    call = ["finish", str(tmp_path / "a.png"), "--out", str(tmp_path / "o"), "--no-cache", "--set=detail.enabled=false"]
    done = subprocess.run(
        [sys.executable, "-c", code, *call, "--upscale-to", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "a.png").is_file()


def test_a_device_without_64_bit_floats_gets_none() -> None:
    """MPS and DirectML: noise is drawn on the processor and comes as 32 bits, whatever a source gives."""
    torch = pytest.importorskip("torch", reason="torch is not here; `make setup` installs it")
    from torch.utils._python_dispatch import TorchDispatchMode

    from lib_finisher.hosts.webui.noise import FieldBrownian, FieldNoise

    class Only32(TorchDispatchMode):
        def __torch_dispatch__(self, act: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = act(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.device.type == "meta":
                assert result.dtype not in (torch.float64, torch.int64), str(act)
            return result

    class Source:
        def draw(self, index: int, channels: int, height: int, width: int, scale: int) -> np.ndarray:
            return np.random.default_rng(index).standard_normal((channels, height, width))

    latent = torch.zeros(2, 4, 8, 8, device="meta")
    with Only32():
        noise = FieldNoise([Source(), Source()], latent, 8)
        assert noise.next().device.type == "meta"
        FieldBrownian(noise, 0.1, 10.0)(torch.tensor(5.0), torch.tensor(2.0))
