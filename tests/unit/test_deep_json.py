"""JSON that is nested beyond reason, and tables of nothing but lines: an error in words wherever either may come in."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib_finisher.api import requests
from lib_finisher.api.problems import RequestError
from lib_finisher.checked_json import Damaged, read_checked
from lib_finisher.cli import main
from lib_finisher.controls import SettingsError
from lib_finisher.imaging import cube
from lib_finisher.imaging.cube import LutError, parse_cube
from lib_finisher.imaging.side_data import PngText, SideData
from lib_finisher.infotext.own_base import own_base
from lib_finisher.json_text import MOST_LEVELS, JsonError, is_shallow, parse_json, read_json, shown
from lib_finisher.model_header import HeaderError, read_header
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.preset import parse
from lib_finisher.presets.share import from_infotext
from lib_finisher.recipe import assign, read_recipe
from lib_finisher.stages.stage import Base

# Just beyond what is read, where Python's own way ends, and far beyond; one is that of the break-in attempt.
LEVELS = [MOST_LEVELS, 300, 985, 5000, 200_000]


def lists(levels: int) -> str:
    return "[" * levels + "]" * levels


def objects(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("form", [lists, objects])
def test_deep_json_is_refused_in_words(levels: int, form: Callable[[int], str]) -> None:
    for read in (parse_json, read_json):
        with pytest.raises(JsonError, match="nested deeper than 64 levels"):
            read(form(levels + 1))
    assert parse_json(form(MOST_LEVELS)) is not None
    assert read_json(form(MOST_LEVELS))[1] == ()
    body = f'{{"images": ["x"], "recipe": {form(levels)}}}'.encode()
    with pytest.raises(RequestError, match="nested deeper than 64 levels"):
        requests.json_object(body)
    with pytest.raises(PresetError, match="nested deeper"):
        parse(form(levels + 1))
    with pytest.raises((SettingsError, PresetError), match=r"nested deeper|not an object|is not accepted"):
        from_infotext(f"a\nSteps: 1, Seed: 2, Finisher: {json.dumps(form(levels + 1))}", "x")
    generation = json.dumps(form(levels + 1))
    for infotext, side in ((form(levels + 1), SideData()), ("", SideData((PngText("prompt", form(levels + 1)),)))):
        assert own_base(infotext, side, Base(seed=3))[0].seed == 3
    assert own_base(f"a\nSteps: 1, Seed: 2, Odd: {generation}")[0].seed == 2


def data_of(levels: int) -> Any:
    data: Any = 1
    for _ in range(levels):
        data = [data]
    return data


def test_deep_data_that_others_have_read_is_refused_in_words() -> None:
    """The hosts' servers read their requests themselves."""
    for levels in (63, 300, 900, sys.getrecursionlimit() * 3):
        with pytest.raises(SettingsError) as told:
            read_recipe({"upscale": {"passes": data_of(levels)}})
        assert len(str(told.value)) < 300
    assert is_shallow(data_of(MOST_LEVELS))
    assert not is_shallow(data_of(MOST_LEVELS + 1))
    assert not is_shallow(data_of(100_000))


def test_a_value_is_shown_whatever_it_is() -> None:
    assert shown("x") == "'x'"
    assert shown(data_of(100_000)) == "this list"
    assert shown(10**5000) == "this int"
    assert len(shown("x" * 10**6)) == 60
    assert len(shown([1] * 100)) == 60


@pytest.mark.parametrize("levels", LEVELS)
def test_deep_json_on_the_command_line_is_a_usage_error(
    levels: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, file = tmp_path / "a.png", tmp_path / "deep.json"
    info = PngImagePlugin.PngInfo()
    info.add_text("finisher", objects(levels + 1))
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(picture, pnginfo=info)
    file.write_text(objects(levels + 1))
    call = ["finish", str(picture), "--out", str(tmp_path / "out"), "--no-cache", "--take-results"]
    for more in (["--recipe", str(file)], [f"--set=upscale.factor={lists(min(levels, 20_000))}"]):
        assert main([*call, *more]) == 2
        assert "Traceback" not in capsys.readouterr().err
    folder = str(tmp_path / "presets")
    for source in (file, picture):
        assert main(["presets", "save", "deep", str(source), "--folder", folder]) != 0
        assert main(["presets", "import", str(source), "--folder", folder]) != 0
        assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(Damaged):
        read_checked(file)
    with pytest.raises(SettingsError):
        read_recipe(assign({}, [f"grade.curves.x={lists(levels)}"]))


@pytest.mark.parametrize("levels", LEVELS)
def test_a_deep_header_of_a_model_is_refused_in_words(levels: int, tmp_path: Path) -> None:
    text = objects(levels + 1).encode()
    file = tmp_path / "a.safetensors"
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(HeaderError, match=r"a\.safetensors: its header is no valid JSON"):
        read_header(file)


TABLE = b"LUT_3D_SIZE 2\n" + b"0 0 0\n" * 8


@pytest.mark.parametrize("end", [*cube._LINE_ENDS, "\r\n"], ids=repr)
def test_a_table_of_nothing_but_lines_is_refused_before_they_are_made(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cube, "MOST_LINES", 100)
    assert ("a" + end + "b").splitlines() == ["a", "b"]
    assert parse_cube(b"# x\n" * 80 + TABLE, "a.cube").tables[0].size == 2
    with pytest.raises(LutError, match=r"a\.cube: \d+ lines are too many"):
        parse_cube((f"# x{end}" * 101).encode() + TABLE, "a.cube")


def test_64_mib_of_comments_are_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "a.cube"
    file.write_bytes(b"#\n" * (32 << 20))
    with pytest.raises(LutError, match="33554432 lines are too many; at most 4424450 are read"):
        cube.read_cube(file)
    file.write_bytes(b"1 " * (32 << 20))
    with pytest.raises(LutError, match="a line of 67108864 characters is too long"):
        cube.read_cube(file)


def test_every_line_end_of_python_is_counted() -> None:
    ends = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and len(f"a{chr(code)}b".splitlines()) > 1]  # noqa: E501  # fmt: skip
    assert sorted(cube._LINE_ENDS) == sorted(ends)


def test_unknown_lines_are_counted_and_only_the_first_named() -> None:
    (note,) = parse_cube(b"strange\n" * 50 + TABLE, "a.cube").notes
    assert note.endswith("line 1, 'strange'; line 2, 'strange'; line 3, 'strange' and 47 more")
