"""Results never replace what a run reads, and one that cannot be saved does not cost the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.batch import finish as batch
from lib_finisher.batch import saving as results
from lib_finisher.batch.report import FileReport
from lib_finisher.cli import main
from lib_finisher.imaging import saving
from tests.conftest import PORTRAIT, ROOT

ONLY_GRADE = ["--set=detail.enabled=false", "--set=upscale.enabled=false", "--set=grade.enabled=true"]
# A name in Latin-1, as Python has it where names are UTF-8.
LATIN = os.fsdecode(b"caf\xe9")


@pytest.fixture()
def picture(tmp_path: Path) -> Callable[..., Path]:
    small = Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((64, 64))

    def save(name: str, turn: int = 0) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        small.rotate(turn).save(tmp_path / name)
        return tmp_path / name

    return save


def finish(*arguments: str | Path) -> int:
    return main(["finish", *map(str, arguments), "--no-cache", *ONLY_GRADE])


def report_of(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_bytes().decode("utf-8"))["pictures"]  # type: ignore[no-any-return]


def encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets an entry for every picture that is encoded as PNG from now on."""
    counted: list[int] = []
    encode = saving._png8

    def counting(*arguments: Any) -> bytes:
        counted.append(1)
        return encode(*arguments)

    monkeypatch.setattr(saving, "_png8", counting)
    return counted


@pytest.mark.parametrize("mode", ["restrict", "repair"])
def test_a_mask_is_never_replaced(tmp_path: Path, picture: Callable[..., Path], mode: str) -> None:
    source, mask = picture("m/portrait.jpg"), tmp_path / "m" / "portrait.png"
    Image.new("L", (64, 64), 0).save(mask)
    before = mask.read_bytes()
    call = [source, "--mask", mask, "--out", tmp_path / "m", "--overwrite", f"--set=base.mask={mode}"]
    assert finish(*call) == 0
    assert mask.read_bytes() == before
    assert {file.name for file in (tmp_path / "m").glob("[!.]*")} == {"portrait.jpg", "portrait.png", "portrait-2.png"}
    assert finish(*call) == 0
    assert len(list((tmp_path / "m").glob("[!.]*"))) == 3, "the result itself is replaced, as was asked"


def test_a_reference_picture_is_never_replaced(tmp_path: Path, picture: Callable[..., Path]) -> None:
    source, reference, other = picture("in/a.jpg"), picture("r/a.png", 90), picture("r/a-2.png", 180)
    before = reference.read_bytes()
    matched = ["--references", reference.parent, "--set=grade.match_reference=A.PNG", "--set=grade.colour_match=1"]
    assert finish(source, *matched, "--out", reference.parent, "--overwrite") == 0
    assert reference.read_bytes() == before
    assert other.read_bytes() != picture("b.png", 180).read_bytes(), "one that is not in use is a file like any other"
    assert len(list(reference.parent.glob("[!.]*"))) == 2


def test_an_input_under_another_name_is_never_replaced(tmp_path: Path, picture: Callable[..., Path]) -> None:
    """A file of two names stands for a file system on which Portrait.png and portrait.png are one."""
    source = picture("in/portrait.png")
    (tmp_path / "o").mkdir()
    os.link(source, tmp_path / "o" / "portrait.png")
    assert finish(source, "--out", tmp_path / "o", "--overwrite") == 0
    assert source.samefile(tmp_path / "o" / "portrait.png")
    assert (tmp_path / "o" / "portrait-2.png").is_file()


def test_a_picture_after_a_stage_replaces_no_input(
    tmp_path: Path, picture: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    source, other = picture("a.png"), picture("o/stages/a/7-grade.png", 90)
    before = other.read_bytes()
    assert finish(source, other, "--out", tmp_path / "o", "--save-stages") == 0
    assert other.read_bytes() == before
    assert "the picture after grade was not saved: this run reads" in capfd.readouterr().out


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_text_without_utf_8_costs_nothing(tmp_path: Path, picture: Callable[..., Path], depth: str) -> None:
    sources, report = [picture("a.png"), picture("b.png")], tmp_path / "r.json"
    lone = '{"grade": {"lut": "half \\ud800 a pair", "lut_strength": 0}}'
    (tmp_path / "recipe.json").write_text(lone, encoding="ascii")
    for more in (
        [f"--set=grade.lut={LATIN}.cube", "--set=grade.lut_strength=0"],
        ["--recipe", tmp_path / "recipe.json"],
    ):
        out = tmp_path / str(more[0])[2:5]
        assert finish(*sources, "--out", out, "--depth", depth, "--report", report, *more) == 0
        assert [item["status"] for item in report_of(report)] == ["finished", "finished"]
        told = json.loads(Image.open(out / "b.png").info["finisher"])
        assert told["recipe"]["grade"]["lut"] in (f"{LATIN}.cube", "half \ud800 a pair")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_picture_with_a_name_of_another_time(
    tmp_path: Path, picture: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    source = picture("a.png").rename(tmp_path / f"{LATIN}.png")
    assert finish(source, "--out", tmp_path / "o", "--report", tmp_path / "r.json", "--json") == 0
    (told,) = report_of(tmp_path / "r.json")
    assert told["output"] == str(tmp_path / "o" / f"{LATIN}.png")
    assert json.loads(capfd.readouterr().out)["pictures"] == [told]
    assert (tmp_path / "o" / f"{LATIN}.png").is_file()


def test_links_in_a_circle_are_one_bad_picture(tmp_path: Path, picture: Callable[..., Path]) -> None:
    good, loop, report = picture("a.png"), tmp_path / "loop.png", tmp_path / "r.json"
    loop.symlink_to("loop.png")
    out = tmp_path / "o"
    out.mkdir()
    (out / "a.png").symlink_to("a.png")
    assert finish(loop, good, "--out", out, "--report", report) == 1
    told = report_of(report)
    assert [item["status"] for item in told] == ["failed", "finished"]
    assert "loop.png: cannot be read" in told[0]["error"]
    assert told[1]["output"] == str(out / "a-2.png")
    assert finish(good, "--out", out, "--mask", loop) == 2


def test_a_picture_that_cannot_be_saved_fails_alone(
    tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, report = [picture(f"{name}.png") for name in "abc"], tmp_path / "r.json"

    def failing(whole: Callable[..., Any]) -> Callable[..., Any]:
        def save(path: Path, *arguments: Any, **more: Any) -> Any:
            if path.name in ("b.png", "7-grade.png"):
                raise MemoryError
            return whole(path, *arguments, **more)

        return save

    for name in ("write_picture", "save_picture"):
        monkeypatch.setattr(results, name, failing(getattr(results, name)))
    assert finish(*sources, "--out", tmp_path / "o", "--report", report, "--save-stages") == 1
    told = report_of(report)
    assert [item["status"] for item in told] == ["finished", "failed", "finished"]
    assert "could not be saved (MemoryError" in told[1]["error"]
    assert "the picture after grade could not be saved (MemoryError" in told[2]["notes"][-1]
    assert {file.name for file in (tmp_path / "o").glob("*.png")} == {"a.png", "c.png"}


def test_the_report_is_written_though_the_run_ends_early(
    tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, report = [picture("a.png"), picture("b.png")], tmp_path / "r.json"
    whole = batch.finish_files

    def ending(*arguments: Any, **more: Any) -> Iterator[FileReport]:
        yield next(whole(*arguments, **more))
        raise RuntimeError("the engine is gone")

    monkeypatch.setattr("lib_finisher.cli.finish.finish_files", ending)
    with pytest.raises(RuntimeError, match="the engine is gone"):
        finish(*sources, "--out", tmp_path / "o", "--report", report)
    told = report_of(report)
    assert [item["status"] for item in told] == ["finished", "failed"]
    assert "ended early (RuntimeError: the engine is gone)" in told[1]["error"]


@pytest.mark.parametrize("table", [True, False])
def test_the_report_is_written_though_nobody_reads_the_table(
    tmp_path: Path, picture: Callable[..., Path], table: bool
) -> None:
    call = [
        sys.executable, "-m", "lib_finisher", "finish", str(picture("a.png")), "--out", str(tmp_path / "o"),
        "--no-cache", "--report", str(tmp_path / "r.json"), *ONLY_GRADE, *([] if table else ["--json"]),
    ]  # fmt: skip
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
    # The table only says what goes on; what was asked for in JSON could not be given.
    assert process.returncode == (0 if table else 130)
    (told,) = report_of(tmp_path / "r.json")
    assert told["status"] == "finished"


def test_each_picture_is_encoded_once(
    tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [picture(f"{number}/image.png", number) for number in range(6)]
    counted = encodings(monkeypatch)
    for times in range(1, 4):
        assert finish(*sources, "--out", tmp_path / "o", "--again") == 0
        assert len(counted) == len(list((tmp_path / "o").glob("[!.]*"))) == 6 * times
    first = np.asarray(Image.open(tmp_path / "o" / "image.png"))
    assert np.array_equal(first, np.asarray(Image.open(tmp_path / "o" / "image-7.png")))
    (tmp_path / "o" / "lost.png").symlink_to("nowhere.png")
    counted.clear()
    assert finish(picture("lost.png"), "--out", tmp_path / "o") == 0
    assert (len(counted), (tmp_path / "o" / "lost-2.png").is_file()) == (1, True)


def test_a_name_that_is_lost_in_a_race_is_passed_over(
    tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, save, out = picture("a.png"), results.write_picture, tmp_path / "o"

    def slow(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == "a.png":
            path.write_bytes(b"another run's")
        return save(path, *arguments, **more)

    monkeypatch.setattr(results, "write_picture", slow)
    assert finish(source, "--out", out) == 0
    assert (out / "a.png").read_bytes() == b"another run's"
    assert (out / "a-2.png").is_file()
