"""Which of several texts in a file is the infotext, and which of the others stay."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.metadata import of_open_image, tells_of_generation
from tests.unit.test_metadata import FAR, TEXT, block, hide

IN_EXIF = b"Exif\0\0" + block(b"UNICODE\0" + FAR.encode("utf-16-be"))


def png(file: Path, texts: dict[str, str], levels: np.ndarray | None = None, **more: Any) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    shown = np.full((24, 32, 3), 90, np.uint8) if levels is None else levels
    Image.fromarray(shown).save(file, pnginfo=info, **more)
    return file


def test_a_pngs_own_text_counts_before_its_exif(tmp_path: Path) -> None:
    assert load_picture(png(tmp_path / "a.png", {"parameters": TEXT}, exif=IN_EXIF)).infotext == TEXT
    assert load_picture(png(tmp_path / "b.png", {"Title": "x"}, exif=IN_EXIF)).infotext == FAR


@pytest.mark.parametrize("ending", ["jpg", "gif"])
def test_a_comment_that_is_the_infotext_does_not_stay_beside_it(tmp_path: Path, ending: str) -> None:
    picture = Image.new("RGB", (32, 24))
    picture.save(tmp_path / f"a.{ending}", comment=TEXT.encode())
    loaded = load_picture(tmp_path / f"a.{ending}")
    assert (loaded.infotext, loaded.side.comment) == (TEXT, b"")
    picture.save(tmp_path / f"b.{ending}", comment=b"by the sea")
    loaded = load_picture(tmp_path / f"b.{ending}")
    assert (loaded.infotext, loaded.side.comment) == ("", b"by the sea")


def test_exif_counts_before_a_comment_which_then_stays(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(tmp_path / "a.jpg", exif=IN_EXIF, comment=TEXT.encode())
    loaded = load_picture(tmp_path / "a.jpg")
    assert (loaded.infotext, loaded.side.comment) == (FAR, TEXT.encode())


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("Steps: 20, Sampler: Euler", True), ("a fox\nNegative prompt: blur", True), ('  {"prompt": 1}', True),
        ("Steps to the sea: 20", False), ("a {day}", False), ("", False),
    ],
)  # fmt: skip
def test_what_tells_of_generation(text: str, tells: bool) -> None:
    assert tells_of_generation(text) is tells


def test_a_text_in_the_transparency_is_found_beside_another_and_does_not_replace_it(tmp_path: Path) -> None:
    levels = hide(np.full((64, 64, 4), 255, np.uint8), FAR.encode(), b"stealth_pnginfo", True)
    loaded = load_picture(png(tmp_path / "a.png", {"parameters": TEXT}, levels))
    assert loaded.infotext == TEXT and loaded.alpha is None
    assert any("hidden" in note for note in loaded.notes)


def test_of_what_novelai_hides_only_what_is_new_and_can_be_a_keyword_stands_in_the_result(tmp_path: Path) -> None:
    told = {
        "Description": "eine Füchsin",
        "Software": "NovelAI",
        "Comment": {"steps": 28},
        "k" * 80: "x",
        "é": "x",
        "": "x",
    }
    levels = hide(np.full((96, 96, 4), 255, np.uint8), json.dumps(told).encode(), b"stealth_pnginfo", True)
    side = load_picture(png(tmp_path / "a.png", {"Software": "another"}, levels)).side
    assert {item.keyword: (item.text, item.international) for item in side.texts} == {
        "Software": ("another", False), "Description": ("eine Füchsin", True), "Comment": ('{"steps": 28}', False),
    }  # fmt: skip
    assert len(side.texts) == 3


def test_what_finisher_itself_writes_is_no_text_of_others(tmp_path: Path) -> None:
    texts = {"finisher": "{}", "parameters": TEXT, "XML:com.adobe.xmp": '<x tiff:Orientation="6"/>', "Title": "x"}
    side = load_picture(png(tmp_path / "a.png", texts)).side
    assert [item.keyword for item in side.texts] == ["Title"]
    assert side.xmp == b'<x tiff:Orientation="1"/>'


def test_exif_in_hexadecimal_lines_is_exif_and_anything_else_under_that_name_a_text(tmp_path: Path) -> None:
    digits = IN_EXIF.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    key = "Raw profile type exif"
    loaded = load_picture(png(tmp_path / "a.png", {key: f"\nexif\n{len(IN_EXIF):8}\n{lines}\n"}))
    assert loaded.infotext == FAR and loaded.side.text(key) == ""
    broken = load_picture(png(tmp_path / "b.png", {key: "exif 3 no digits"}))
    assert broken.infotext == "" and broken.side.text(key) == "exif 3 no digits"


def test_an_infotext_in_exif_does_not_stay_there_and_a_persons_comment_does(tmp_path: Path) -> None:
    person = b"Exif\0\0" + block(b"ASCII\0\0\0a day by the sea")
    stays = load_picture(png(tmp_path / "a.png", {}, exif=person)).side.exif
    goes = load_picture(png(tmp_path / "b.png", {"parameters": TEXT}, exif=IN_EXIF)).side.exif
    assert b"by the sea" in stays and "Steps".encode("utf-16-be") not in goes


def test_of_a_tiff_its_words_stay(tmp_path: Path) -> None:
    words = {0x010E: "a description", 0x010F: "a maker", 0x0110: "a model", 0x0131: "a program", 0x013B: "an artist"}
    Image.new("RGB", (32, 24)).save(tmp_path / "a.tif", tiffinfo={**words, 0x8298: "rights", 0x0140: (1, 2, 3)})
    made = Image.Exif()
    made.load(b"Exif\0\0" + load_picture(tmp_path / "a.tif").side.exif)
    assert dict(made) == {**words, 0x8298: "rights"}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ((300, 150), (300.0, 150.0)), ((0, 72), None), ((-72, 72), None), ((math.inf, 72), None),
        ((72, math.nan), None), ((1e7, 72), None), (("a", 72), None), (72, None), ((72,), None),
    ],
)  # fmt: skip
def test_a_resolution_is_one_or_none(said: Any, kept: tuple[float, float] | None) -> None:
    opened = Image.new("RGB", (8, 8))
    opened.info = {"dpi": said, "parameters": TEXT, "Title": "x", "k" * 80: "x", "": "x", "number": 3}
    infotext, side = of_open_image(opened)
    assert (infotext, side.dpi) == (TEXT, kept)
    assert [item.keyword for item in side.texts] == ["Title"]
