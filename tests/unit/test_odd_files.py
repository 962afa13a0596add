"""What may lie where a picture, a table or a recipe is expected: each is named, none is waited for or run."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.api.pictures import Upload
from lib_finisher.api.problems import RequestError
from lib_finisher.assets import LUT, Assets
from lib_finisher.batch.inputs import content_hash
from lib_finisher.cli import main
from lib_finisher.imaging import files
from lib_finisher.imaging.cube import LutError, read_cube
from lib_finisher.imaging.files import PictureError, load_header, load_picture
from lib_finisher.imaging.opening import KINDS, kinds_here
from lib_finisher.plain_files import OddFile, opened_file, read_file
from tests.conftest import ROOT

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n%%EOF\n"
ONLY_GRADE = [f"--set={name}.enabled={str(name == 'grade').lower()}" for name in ("refine", "detail", "upscale", "texture", "grade")]  # noqa: E501  # fmt: skip
linux = pytest.mark.skipif(sys.platform != "linux", reason="pipes and devices as Linux has them")


def pipe(file: Path) -> None:
    os.mkfifo(file)


def device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def sparse(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(3 << 30)


def sparse_png(file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        stream.truncate(3 << 30)


def postscript(file: Path) -> None:
    file.write_bytes(EPS)


def gone(file: Path) -> None:
    file.symlink_to(file.parent / "nowhere.png")


def words(file: Path) -> None:
    file.write_text("not a picture")


# What is said of each.
ODD = {
    pipe: "it is a pipe, not a file", device: "it is a device, not a file",
    sparse: "its beginning is that of no picture",
    sparse_png: "it has 3072 MiB, more than the 2304 MiB", postscript: "of none of the formats", gone: "no such file",
    words: "of none of the formats",
}  # fmt: skip


@pytest.fixture()
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program under Ghostscript's name that leaves a mark when it is started."""
    folder, mark = tmp_path / "bin", tmp_path / "started"
    folder.mkdir()
    program = folder / "gs"
    program.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return mark


@linux
@pytest.mark.parametrize("what", ODD, ids=lambda what: what.__name__)
def test_an_odd_file_is_told_in_words(what: Any, tmp_path: Path, ghostscript: Path) -> None:
    file = tmp_path / "odd.png"
    what(file)
    for read in (load_picture, load_header):
        with pytest.raises(PictureError, match=r"odd\.png") as told:
            read(file)
        assert ODD[what] in str(told.value)
    assert not ghostscript.exists()


@linux
def test_the_good_pictures_of_a_folder_are_finished_and_the_odd_ones_named(
    tmp_path: Path, ghostscript: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for what in ODD:
        what(folder / f"{what.__name__}.png")
    (folder / "folder.png").mkdir()
    for name in ("a good one", "z good one"):
        Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(folder / f"{name}.png")
    assert main(["finish", str(folder), "--out", str(out), "--no-cache", *ONLY_GRADE]) == 1
    assert sorted(file.name for file in out.glob("*.png")) == ["a good one.png", "z good one.png"]
    end = capsys.readouterr().err
    for what, why in ODD.items():
        assert f"{what.__name__}.png" in end
        assert why in end
    assert not ghostscript.exists()


@linux
@pytest.mark.parametrize("what", [pipe, device], ids=lambda what: what.__name__)
def test_nothing_else_of_a_call_is_waited_for(what: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, odd = tmp_path / "a.png", tmp_path / "odd.json"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(picture)
    what(odd)
    call = ["finish", str(picture), "--out", str(tmp_path / "out"), "--no-cache", *ONLY_GRADE]
    for more in (["--recipe", str(odd)], ["--mask", str(odd)]):
        assert main([*call, *more]) == 2
        assert "not a file" in capsys.readouterr().err
    presets = tmp_path / "presets"
    presets.mkdir()
    what(presets / "odd.json")
    assert main(["presets", "import", str(odd), "--folder", str(presets)]) != 0
    assert "not a file" in capsys.readouterr().err
    assert content_hash(odd) == ""
    with pytest.raises(LutError, match="not a file"):
        read_cube(odd)


@linux
def test_a_pipe_that_takes_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening."""
    file = tmp_path / "a.png"
    os.mkfifo(file)
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **how: os.stat(ROOT / "README.md") if self == file else real(self, **how))  # noqa: E501  # fmt: skip
    told: list[Exception] = []

    def read() -> None:
        try:
            opened_file(file)
        except OSError as error:
            told.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(20)
    assert [type(item) for item in told] == [OddFile]


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_file(file, 5) == b"12345"
    with pytest.raises(OddFile, match="it has 5 bytes, more than the 4 bytes"):
        read_file(file, 4)
    with pytest.raises(OddFile, match="a folder"):
        read_file(tmp_path, 4)
    assert stat.S_ISREG(file.stat().st_mode)


def test_a_large_picture_is_read_and_what_is_none_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_UNSEEN", 256)
    for kind in kinds_here():
        if kind == "MPO":
            continue
        file = tmp_path / f"a.{kind.lower()}"
        noise = np.random.default_rng(1).integers(0, 255, (48, 48, 3), np.uint8)
        Image.fromarray(noise).save(file, kind)
        assert file.stat().st_size > 256
        assert load_picture(file).pixels.shape == (48, 48, 3), kind
    (tmp_path / "b.png").write_bytes(b"words " * 100)
    with pytest.raises(PictureError, match="that of no picture"):
        load_picture(tmp_path / "b.png")


def test_a_request_takes_no_other_kind(ghostscript: Path) -> None:
    import base64

    with pytest.raises(RequestError, match="not a picture of a known kind"):
        Upload(base64.b64encode(EPS).decode(), "images.1")
    assert not ghostscript.exists()
    assert set(kinds_here()) <= set(KINDS)
    assert {"PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"} <= set(kinds_here())


def test_a_table_of_any_size_has_an_identity(tmp_path: Path) -> None:
    (tmp_path / "a.cube").write_bytes(bytes(5 << 20))
    (tmp_path / "b.cube").write_bytes(bytes((5 << 20) + 1))
    known = Assets((tmp_path,))
    assert len({known.identity(LUT, name) for name in ("a", "b", "c")}) == 3


# The call's own memory may grow to what the small picture needs, not to what the large one does.
LIMITED = """
import resource, sys
from lib_finisher.cli import main
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, ((size + 500 * 1024) * 1024, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""


@linux
@pytest.mark.slow
def test_a_picture_that_memory_does_not_reach_for_fails_alone(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.new("RGB", (9000, 9000)).save(folder / "b.png", compress_level=1)
    for name in ("a", "c"):
        Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(folder / f"{name}.png")
    asked = [sys.executable, "-c", LIMITED, "finish", str(folder), "--out", str(out), "--no-cache", "--json", *ONLY_GRADE]  # noqa: E501  # fmt: skip
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})  # noqa: E501  # fmt: skip
    assert done.returncode == 1, done.stderr[-2000:]
    assert sorted(file.name for file in out.glob("*.png")) == ["a.png", "c.png"]
    (failed,) = (item for item in json.loads(done.stdout)["pictures"] if item.get("error"))
    assert failed["input"].endswith("b.png")
    assert "memory" in failed["error"]
