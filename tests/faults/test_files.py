"""Every kind of picture people have, good and bad, in one call."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from lib_finisher.cli import main
from lib_finisher.imaging.files import PictureError, load_mask, load_picture
from lib_finisher.imaging.saving import save_png
from tests.conftest import PORTRAIT, ROOT

QUICK = ["--set", "refine.steps=4", "--set", "detail.steps=4", "--set", "upscale.steps=4"]


@pytest.fixture(scope="module")
def small() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((128, 128))


@pytest.fixture()
def zoo(tmp_path: Path, small: Image.Image) -> dict[str, Path]:
    """A file of each kind."""
    folder = tmp_path / "in"
    folder.mkdir()
    files = {name: folder / name for name in (
        "good.png", "truncated.png", "empty.png", "text.png", "cmyk.jpg", "deep.png", "palette.png", "moving.gif",
        "turned.jpg", "one.png", "line.png", "grey.png", "missing.png",
    )}  # fmt: skip
    small.save(files["good.png"])
    files["truncated.png"].write_bytes(files["good.png"].read_bytes()[:3000])
    files["empty.png"].write_bytes(b"")
    files["text.png"].write_text("this is not a picture")
    small.convert("CMYK").save(files["cmyk.jpg"], quality=95)
    deep = np.asarray(small, dtype=np.uint16) * 257 + np.arange(128, dtype=np.uint16)[None, :, None]
    cv2.imwrite(str(files["deep.png"]), deep[..., ::-1])
    palette = small.convert("RGBA")
    palette.putalpha(Image.fromarray(np.tile((np.arange(128) > 63).astype(np.uint8) * 255, (128, 1))))
    palette.quantize(64).save(files["palette.png"])
    small.save(files["moving.gif"], save_all=True, append_images=[small.rotate(90)])
    exif = Image.Exif()
    exif[0x0112] = 6
    small.crop((0, 0, 128, 96)).save(files["turned.jpg"], exif=exif, quality=95)
    Image.new("RGB", (1, 1), (200, 30, 30)).save(files["one.png"])
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (3000, 1, 3), dtype=np.uint8)).save(files["line.png"])
    small.convert("L").save(files["grey.png"])
    return files


def test_all_kinds_in_one_call(
    zoo: dict[str, Path], tmp_path: Path, small: Image.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code = main(["finish", *map(str, zoo.values()), "--out", str(out), "--no-cache", "--json", *QUICK])
    told = capfd.readouterr()
    report = json.loads(told.out)
    by_name = {Path(item["input"]).name: item for item in report["pictures"]}
    assert list(by_name) == list(zoo), "one entry a file, in order"
    bad = {
        "truncated.png": "cut short",
        "empty.png": "0 bytes",
        "text.png": "not a picture",
        "missing.png": "no such file",
    }
    for name, item in by_name.items():
        if name in bad:
            assert item["status"] == "failed"
            assert item["output"] is None
            assert bad[name] in item["error"]
            assert name in item["error"]
            assert f"failed: {item['error']}" in told.err
        else:
            assert item["status"] == "finished", item
            size = Image.open(item["output"]).size
            assert list(size) == item["size"]
    assert code == 1
    assert {file.name for file in out.glob("[!.]*")} == {f"{Path(name).stem}.png" for name in zoo if name not in bad}
    assert by_name["good.png"]["size"] == [256, 256]
    assert by_name["one.png"]["size"] == [2, 2]
    assert by_name["line.png"]["size"] == [2, 6000]
    assert by_name["turned.jpg"]["size"] == [192, 256], "upright"
    assert "first of 2 frames" in by_name["moving.gif"]["notes"][0]
    colours = {
        name: np.asarray(Image.open(by_name[name]["output"]).convert("RGB")).mean(axis=(0, 1))
        for name in bad.keys() ^ by_name.keys()
    }
    for name in ("cmyk.jpg", "deep.png", "moving.gif"):
        assert np.abs(colours[name] - colours["good.png"]).max() < 12, name
    finished = np.asarray(Image.open(by_name["palette.png"]["output"]))
    assert finished.shape[2] == 4
    assert (finished[:, :100, 3] < 10).all()
    assert (finished[:, 156:, 3] > 245).all()


def test_a_turned_photograph_is_read_upright(zoo: dict[str, Path], small: Image.Image) -> None:
    loaded = load_picture(zoo["turned.jpg"])
    expected = np.asarray(small.crop((0, 0, 128, 96)).transpose(Image.Transpose.ROTATE_270), dtype=np.float32) / 255
    assert loaded.pixels.shape == (128, 96, 3)
    assert float(np.abs(loaded.pixels - expected).mean()) < 4 / 255


def test_sixteen_bits_are_kept(zoo: dict[str, Path]) -> None:
    values = np.rint(load_picture(zoo["deep.png"]).pixels * 65535).astype(int)
    assert len(np.unique(values)) > 2000


def test_eight_bits_come_back_exactly(tmp_path: Path) -> None:
    array = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    save_png(tmp_path / "b.png", load_picture(tmp_path / "a.png").pixels)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), array)


def test_a_wide_gamut_profile_is_honoured(tmp_path: Path, small: Image.Image) -> None:
    lab = ImageCms.createProfile("LAB")
    assert lab is not None
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    small.save(tmp_path / "srgb.png", icc_profile=profile)
    assert (
        float(np.abs(load_picture(tmp_path / "srgb.png").pixels - np.asarray(small, np.float32) / 255).max()) < 2 / 255
    )
    small.save(tmp_path / "broken.png", icc_profile=b"nonsense")
    loaded = load_picture(tmp_path / "broken.png")
    assert "colour profile" in loaded.notes[0]


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with pytest.raises(PictureError, match=r"bomb\.png"):
        load_picture(tmp_path / "bomb.png")


def test_the_infotext_of_the_base_is_kept(tmp_path: Path, small: Image.Image) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a portrait\nSteps: 20, Sampler: Euler a, Seed: 7")
    small.save(tmp_path / "a.png", pnginfo=info)
    assert (
        main(
            [
                "finish",
                str(tmp_path / "a.png"),
                "--out",
                str(tmp_path / "out"),
                "--no-cache",
                "--set",
                "refine.enabled=false",
                *QUICK,
            ]
        )
        == 0
    )
    result = Image.open(tmp_path / "out" / "a.png")
    assert result.info["parameters"].startswith("a portrait")
    told = json.loads(result.info["finisher"])
    assert told["recipe"]["refine"]["enabled"] is False
    assert told["stages"]["upscale"] == "ran"


def test_nothing_is_ever_overwritten_unasked(tmp_path: Path, small: Image.Image) -> None:
    folder = tmp_path / "p"
    (folder / "sub").mkdir(parents=True)
    small.save(folder / "a.png")
    small.rotate(180).save(folder / "sub" / "a.png")
    before = (folder / "a.png").read_bytes()
    only_grade = ["--set=detail.enabled=false", "--set=upscale.enabled=false", "--set=grade.enabled=true"]
    call = [
        "finish",
        str(folder / "a.png"),
        str(folder / "sub" / "a.png"),
        "--out",
        str(folder),
        "--no-cache",
        *only_grade,
    ]
    assert main([*call, "--overwrite"]) == 0
    assert (folder / "a.png").read_bytes() == before, "an input is never replaced"
    assert main([*call, "--again"]) == 0
    assert {file.name for file in folder.glob("*.png")} == {"a.png", "a-2.png", "a-3.png", "a-4.png", "a-5.png"}


def test_a_profile_that_does_not_fit_is_no_noise(
    tmp_path: Path, small: Image.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    small.convert("L").save(tmp_path / "grey.png", icc_profile=profile)
    assert load_picture(tmp_path / "grey.png").pixels.shape == (128, 128, 3)
    assert capfd.readouterr().err == ""


def test_a_mask_of_another_size_is_named(tmp_path: Path, small: Image.Image) -> None:
    small.resize((20, 20)).save(tmp_path / "m.png")
    with pytest.raises(PictureError, match=r"the mask is 20×20, the picture 128×128\. Save the mask at"):
        load_mask(tmp_path / "m.png", (128, 128))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "grade.contrast=9"], "grade.contrast: 9 is not accepted"),
        (["--set", "nonsense"], "expected stage.control=value"),
        (["--upscale-to", "40"], "from 1 to 16"),
        (["--recipe", "absent.json"], "absent.json: cannot be read"),
    ],
)
def test_a_call_that_cannot_be_carried_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["finish", str(PORTRAIT), "--out", str(tmp_path / "out"), *arguments]) == 2
    assert told in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_recipe_file_that_is_no_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text("{oops")
    assert main(["finish", str(PORTRAIT), "--out", str(tmp_path), "--recipe", str(tmp_path / "r.json")]) == 2
    assert "not valid JSON" in capfd.readouterr().err


def test_an_output_folder_that_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, small: Image.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    small.save(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    assert main(["finish", str(tmp_path / "a.png"), "--out", str(tmp_path / "file"), "--no-cache", *QUICK]) == 2
    assert "nothing can be written in" in capfd.readouterr().err


def test_a_cache_that_cannot_be_used_costs_only_time(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "a.png")
    (tmp_path / "cache").write_text("in the way")
    call = ["finish", str(tmp_path / "a.png"), "--out", str(tmp_path / "o"), "--cache", str(tmp_path / "cache"), *QUICK]
    assert main(call) == 0
    assert (tmp_path / "o" / "a.png").is_file()


def test_two_runs_at_once_into_one_folder_lose_nothing(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "a.png")
    only_grade = ["--set=detail.enabled=false", "--set=upscale.enabled=false", "--set=grade.enabled=true"]
    call = [
        sys.executable, "-m", "lib_finisher", "finish", str(tmp_path / "a.png"), "--out", str(tmp_path / "o"),
        "--no-cache", *only_grade,
    ]  # fmt: skip
    running = [subprocess.Popen([*call, "--seed", str(seed)], cwd=ROOT, stdout=subprocess.DEVNULL) for seed in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    assert {file.name for file in (tmp_path / "o").glob("[!.]*")} == {"a.png", "a-2.png", "a-3.png"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_profile_counts_in_every_mode(tmp_path: Path, mode: str) -> None:
    """A profile with red and blue exchanged: what is stored as red is blue."""
    swapped = _swapped_profile()
    Image.new("RGB", (16, 16), (220, 30, 30)).convert(mode).save(tmp_path / "p.png", icc_profile=swapped)
    loaded = load_picture(tmp_path / "p.png")
    assert loaded.pixels[0, 0, 2] > 0.7 > 0.4 > loaded.pixels[0, 0, 0]
    assert "colour profile" in loaded.notes[0]


def _swapped_profile() -> bytes:
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    places = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = data[blue + 4 : blue + 12], data[red + 4 : red + 12]
    described = data.find("sRGB".encode("utf-16-be"))
    while described >= 0:
        data[described : described + 8] = "Test".encode("utf-16-be")
        described = data.find("sRGB".encode("utf-16-be"))
    return bytes(data)


def test_deep_pictures_are_turned_and_floats_are_refused(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 60000, 40, dtype=np.uint16), (20, 1))
    plain = Image.fromarray(ramp)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.save(tmp_path / "turned.png", exif=exif)
    loaded = load_picture(tmp_path / "turned.png").pixels
    assert loaded.shape == (40, 20, 3)
    assert np.allclose(loaded[:, 0, 0], np.linspace(0, 60000, 40) / 65535, atol=1e-3)
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "float.tif")
    with pytest.raises(PictureError, match=r"float\.tif.*8 or 16 bits"):
        load_picture(tmp_path / "float.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_deep_picture(tmp_path: Path, orientation: int) -> None:
    array = (np.arange(6, dtype=np.uint16).reshape(2, 3) + 1) * 9000
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(array).save(tmp_path / "d.png", exif=exif)
    Image.fromarray((array // 257).astype(np.uint8)).save(tmp_path / "e.png", exif=exif)
    assert np.allclose(load_picture(tmp_path / "d.png").pixels, load_picture(tmp_path / "e.png").pixels, atol=0.005)


def test_a_console_that_cannot_show_everything(tmp_path: Path, small: Image.Image) -> None:
    small.save(tmp_path / "ü→.png")
    call = [
        sys.executable,
        "-m",
        "lib_finisher",
        "finish",
        str(tmp_path),
        "--out",
        str(tmp_path / "o"),
        "--no-cache",
        *QUICK,
    ]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "o" / "ü→.png").is_file()


@pytest.mark.parametrize("text", ['{"detail": {"passes": 5}}', '{"detail": {"passes": [1]}}', "[" * 100000])
def test_a_recipe_of_any_shape_is_refused_in_words(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text(text)
    call = ["recipe", "--recipe", str(tmp_path / "r.json"), "--set", "detail.confidence=0.4"]
    assert main(call) == 2
    assert "finisher:" in capfd.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_recipe_as_windows_writes_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "r.json").write_text('{"grade": {"grain": 0}}', encoding=encoding)
    assert main(["recipe", "--recipe", str(tmp_path / "r.json")]) == 0


def test_an_empty_folder_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    assert main(["finish", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "no picture" in capfd.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdout", "stderr")], ids="+".join)
def test_a_run_goes_on_where_nobody_can_read_of_it(tmp_path: Path, streams: tuple[str, ...]) -> None:
    call = [
        sys.executable, "-m", "lib_finisher", "finish", str(PORTRAIT), "--out", str(tmp_path), "--no-cache",
        "--set=detail.enabled=false", "--set=upscale.enabled=false", "--set=grade.enabled=true",
    ]  # fmt: skip
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(call, cwd=ROOT, check=False, **dict.fromkeys(streams, full))
    assert done.returncode == 0
    assert (tmp_path / "astronaut.png").is_file()


@pytest.mark.skipif(os.name == "nt", reason="Windows sends programs no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_as_a_program_that_is_told_to_stop(tmp_path: Path, name: str) -> None:
    """A real process: what is complete is kept and said; the next run takes it up."""
    import signal
    import time

    call = [
        sys.executable, "-m", "lib_finisher", "finish", str(PORTRAIT), "--out", str(tmp_path / "out"), "--json",
        "--cache", str(tmp_path / "cache"), "--set", "refine.enabled=true", "--set", "upscale.steps=100",
        "--upscale-to", "3",
    ]  # fmt: skip
    number = getattr(signal, name)
    process = subprocess.Popen(
        call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Whoever runs the tests may have switched it off, as a shell does for what runs in the background.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list((tmp_path / "cache").rglob("*.json")):
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    report = json.loads(out)["pictures"][0]
    assert "interrupted" in report["error"]
    assert Path(report["output"]).name == "astronaut.interrupted.png"
    assert Path(report["output"]).is_file()
    assert report["stages"][0]["status"] == "ran"
