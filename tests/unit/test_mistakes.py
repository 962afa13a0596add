"""Mistakes of people who come from other programs: each is said before any work, with what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_finisher.cli import main
from lib_finisher.controls import controls_of
from lib_finisher.hints import OTHER_WORDS, meant
from lib_finisher.presets.library import Library
from lib_finisher.presets.share import from_recipe
from lib_finisher.presets.store import NEW
from lib_finisher.recipe import SECTIONS
from tests.conftest import PORTRAIT


def controls() -> set[str]:
    """Every control of every stage, those of passes too."""
    names: set[str] = set()
    for settings in SECTIONS.values():
        for row in controls_of(settings):
            names |= {row.name} if row.item is None else {item.name for item in controls_of(row.item)}
    return names


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("refine.denoise=0.3", "refine.denoise: there is no such control. Did you mean 'denoising_strength'?"),
        ("upscale.scale=3", "upscale.scale: there is no such control. Did you mean 'factor'?"),
        ("upscale.1.scale=3", "upscale.1.scale: there is no such control. Did you mean 'factor'?"),
        ("detail.model=face", "detail.model: there is no such control. Did you mean 'detector'?"),
        ("upscale.model=4x", "upscale.model: there is no such control. Did you mean 'upscaler'?"),
        ("refine.model=sdxl", "Did you mean 'checkpoint'?"),
        ("grade.brightness=0.2", "grade.brightness: there is no such control. Did you mean 'exposure'?"),
        ("grade.Sharpness=0.2", "Did you mean 'sharpening'?"),
        ("texture.enable=true", "texture.enable: there is no such control. Did you mean 'enabled'?"),
        ("upscale.enable=true", "Did you mean 'enabled'?"),
        ("detail.threshold=0.4", "Did you mean 'confidence'?"),
        ("grade.contrst=0.4", "Did you mean 'contrast'?"),
        ("upscal.factor=2", "upscal: there is no such stage. Did you mean 'upscale'?"),
    ],
)
def test_a_control_under_another_name(written: str, hint: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "--set", written]) == 2
    assert hint in capfd.readouterr().err


def test_the_words_of_other_programs_lead_to_controls_that_there_are() -> None:
    there = controls()
    assert {name for names in OTHER_WORDS.values() for name in names} <= there
    assert meant("denoise", ["steps", "denoising_strength"]) == "denoising_strength"
    assert meant("Denoising-Strength", ["steps", "denoising_strength"]) == "denoising_strength"
    assert meant("zebra", ["steps", "denoising_strength"]) == ""


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--preset", "Portait"], "there is no preset 'Portait'. Did you mean 'Portrait'?"),
        (["--set", "upscale.upscaler=4x-UltraSharp"], "there is no upscaler '4x-UltraSharp' here."),
        (["--set", "texture.enabled=true", "--set", "texture.upscaler=1x-Skin"], "'1x-Skin' here."),
        (["--set", "detail.detector=face_yunett"], "There is no detector 'face_yunett'. Did you mean 'face_yunet'"),
        (["--set", "detail.detector=hand_yolov8n"], 'fetch it with: finisher detectors fetch "hand_yolov8n.pt"'),
        (["--set", "detail.sampler=DPM++ 2M"], "there is no sampler 'DPM++ 2M' here."),
        (["--preset", "Portrait", "--set", "upscale.upscaler=4x-Mine"], "there is no upscaler '4x-Mine' here."),
        (["--set", "grade.lut=warm"], "grade: there is no LUT 'warm'; no folder for these was given (--luts DIR)."),
        (
            ["--luts", "LUTS", "--set", "grade.lut=Worm.cube"],
            "Did you mean 'Warm.cube'? Here: Warm.cube.",
        ),
        (
            ["--set", "grade.colour_match=0.5", "--set", "grade.match_reference=mine.png"],
            "grade: there is no reference picture 'mine.png'; no folder for these was given (--references DIR).",
        ),
        (["--mask", "none.png"], "--mask: none.png: there is no such file."),
    ],
)
def test_what_is_not_here_ends_the_call_before_the_work(
    tmp_path: Path, arguments: list[str], hint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "LUTS").mkdir()
    (tmp_path / "LUTS" / "Warm.cube").write_text("no LUT at all")
    named = [text.replace("LUTS", str(tmp_path / "LUTS")) for text in arguments]
    assert main(["finish", str(PORTRAIT), "--out", str(tmp_path / "o"), *named]) == 2
    assert hint in capfd.readouterr().err
    assert not (tmp_path / "o").exists()


def test_what_only_a_preset_names_and_is_not_here_is_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (48, 40), "grey").save(tmp_path / "a.png")
    off = {name: {"enabled": False} for name in ("refine", "detail", "upscale", "texture")}
    look = from_recipe({**off, "grade": {"enabled": True, "lut": "warm", "contrast": 0.3}}, "Look")
    Library(tmp_path / "presets").store.save(look, NEW)
    call = ["finish", str(tmp_path / "a.png"), "--presets", str(tmp_path / "presets"), "--preset", "Look", "--no-cache"]
    assert main([*call, "--out", str(tmp_path / "o")]) == 0
    assert "there is no LUT 'warm'" in "".join(capfd.readouterr())
    assert main([*call, "--out", str(tmp_path / "o2"), "--strict"]) == 1
    # What is said by hand over the preset is never left out.
    assert main([*call, "--out", str(tmp_path / "o3"), "--set", "grade.lut=cold"]) == 2


def test_a_mask_that_fits_no_picture(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (64, 32), 255).save(tmp_path / "mask.png")
    for name, turn in (("a.png", 1), ("b.png", 1), ("turned.jpg", 6)):
        exif = Image.Exif()
        exif[0x0112] = turn
        Image.new("RGB", (32, 64) if turn > 4 else (40, 40)).save(tmp_path / name, exif=exif)
    off = [f"--set={name}.enabled=false" for name in ("refine", "detail", "upscale", "texture")]

    def finish(second: str, *more: str) -> int:
        sources = [str(tmp_path / "a.png"), str(tmp_path / second)]
        mask = ["--mask", str(tmp_path / "mask.png")]
        return main(["finish", *sources, "--out", str(tmp_path / "o"), *mask, *off, *more])

    assert finish("b.png") == 2
    error = capfd.readouterr().err
    assert "mask.png is 64×32, but" in error and "a.png is 40×40 and 1 more pictures of other sizes" in error
    assert not (tmp_path / "o").exists()
    # Where it fits one, by the way that one lies, the others are named and that one is finished.
    assert finish("turned.jpg", "--set=base.mask=ignore", "--set=grade.enabled=true") == 1
    assert (tmp_path / "o" / "turned.png").is_file() and not (tmp_path / "o" / "a.png").exists()


@pytest.mark.parametrize("call", [["family"], ["recipe", "--for"]])
def test_a_picture_is_no_checkpoint(call: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*call, str(PORTRAIT)]) != 0
    error = capfd.readouterr().err
    assert f"{PORTRAIT}: this is a picture" in error and f"finish {PORTRAIT} --out finished" in error
    assert main([*call, "none.safetensors"]) != 0
    assert "no such file" in (error := capfd.readouterr().err) and "Refresh" not in error
