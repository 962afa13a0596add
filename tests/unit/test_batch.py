"""Folders of pictures: which are meant, where results go and as what, and that nothing is finished twice."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from lib_finisher.batch.finish import finish_files
from lib_finisher.batch.inputs import Source, inputs_of, is_result
from lib_finisher.batch.names import fitting_stem
from lib_finisher.batch.records import records_in
from lib_finisher.batch.saving import Saving
from lib_finisher.batch.work import Work
from lib_finisher.cli import main
from lib_finisher.events import Control
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.files import Header
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.stage import Base
from tests.conftest import PORTRAIT

OFF = [f"--set={name}.enabled=false" for name in ("refine", "detail", "upscale", "texture")]
GRADE = [*OFF, "--set=grade.enabled=true"]
APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(4000)

Made = Callable[..., Path]


@pytest.fixture()
def picture(tmp_path: Path) -> Made:
    small = Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((48, 48))

    def save(name: str, turn: int = 0, **more: Any) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        small.rotate(turn).save(tmp_path / name, **more)
        return tmp_path / name

    return save


def finish(*arguments: str | Path, settings: list[str] = GRADE) -> int:
    return main(["finish", *map(str, arguments), "--no-cache", *settings])


def files_in(folder: Path) -> set[str]:
    """The files that are no reports."""
    below = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {file.as_posix() for file in below if ".finisher" not in file.parts}


def report_of(capfd: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    assert finish(*arguments, "--json") == status
    return json.loads(capfd.readouterr().out)  # type: ignore[no-any-return]


def test_what_systems_leave_beside_pictures_is_no_picture(tmp_path: Path, picture: Made) -> None:
    picture("in/a.png")
    for name in ("._a.png", ".hidden.png", "__MACOSX/._a.png", "@eaDir/a.png", ".thumbs/b.png"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(APPLE_DOUBLE)
    assert finish(tmp_path / "in", "--recursive", "--out", tmp_path / "o") == 0
    assert files_in(tmp_path / "o") == {"a.png"}


def test_sub_folders_keep_their_structure(tmp_path: Path, picture: Made, capfd: pytest.CaptureFixture[str]) -> None:
    for name, turn in (("in/a.png", 0), ("in/x/a.png", 90), ("in/x/y/b.jpg", 180)):
        picture(name, turn)
    assert finish(tmp_path / "in", "--out", tmp_path / "flat") == 0
    assert files_in(tmp_path / "flat") == {"a.png"}
    assert finish(tmp_path / "in", "--recursive", "--out", tmp_path / "o") == 0
    assert files_in(tmp_path / "o") == {"a.png", "x/a.png", "x/y/b.png"}
    capfd.readouterr()
    assert finish(tmp_path / "in" / "x" / "..", tmp_path / "in" / "a.png", "--out", tmp_path / "once") == 0
    shutil.move(tmp_path / "in" / "a.png", tmp_path / "in" / "x" / "y" / "a.png")
    assert finish(tmp_path / "in", "--out", tmp_path / "none") == 2
    assert "--recursive looks into sub-folders" in capfd.readouterr().err


def test_links_to_a_folder_above_end(tmp_path: Path, picture: Made) -> None:
    picture("in/x/a.png")
    (tmp_path / "in" / "x" / "up").symlink_to(tmp_path / "in", target_is_directory=True)
    found = inputs_of([tmp_path / "in"], recursive=True)
    assert found.sources == (Source(tmp_path / "in" / "x" / "a.png", Path("x")),)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_result_is_no_draft_wherever_it_lies(
    tmp_path: Path, picture: Made, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = picture("in/a.png", pnginfo=infotext("a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5"))
    assert finish(source, "--out", tmp_path / "o", "--format", kind, "--save-stages") == 0
    (result,) = (tmp_path / "o").glob("a.*")
    other = tmp_path / "elsewhere" / f"renamed{result.suffix}"
    other.parent.mkdir()
    shutil.copy(result, other)
    stage = tmp_path / "elsewhere" / "stage.png"
    shutil.copy(tmp_path / "o" / "stages" / "a" / "7-grade.png", stage)
    shutil.copy(source, tmp_path / "elsewhere" / "draft.png")
    assert (is_result(other), is_result(stage), is_result(source)) == (True, True, False)
    assert finish(tmp_path / "elsewhere", "--out", tmp_path / "elsewhere") == 0
    assert "2 left alone as results of Finisher" in capfd.readouterr().out
    assert files_in(tmp_path / "elsewhere") == {other.name, "stage.png", "draft.png", "draft-2.png"}
    assert finish(other, "--out", tmp_path / "o2") == 2
    assert "nothing but results of Finisher" in capfd.readouterr().err
    assert finish(other, "--out", tmp_path / "o2", "--take-results") == 0
    assert files_in(tmp_path / "o2") == {"renamed.png"}


def test_a_second_run_does_only_what_is_new_or_other(
    tmp_path: Path, picture: Made, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    for name, turn in (("a", 0), ("b", 90)):
        picture(f"in/{name}.png", turn)
    for _ in range(3):
        assert finish(folder, "--out", folder) == 0
    assert files_in(folder) == {"a.png", "b.png", "a-2.png", "b-2.png"}
    picture("in/c.png", 180)
    told = report_of(capfd, folder, "--out", folder) if capfd.readouterr() else {}
    status = {Path(item["input"]).name: item["status"] for item in told["pictures"]}
    assert status == {"a.png": "skipped", "b.png": "skipped", "c.png": "finished"}
    assert Path(told["pictures"][0]["output"]).name == "a-2.png"
    # Another draft of that name, another seed, another format: each is another work.
    picture("in/a.png", 270)
    assert finish(folder / "a.png", "--out", folder) == 0
    assert finish(folder / "b.png", "--out", folder, "--seed", "4") == 0
    assert finish(folder / "b.png", "--out", folder, "--format", "jpeg", "--quality", "80") == 0
    assert {"a-3.png", "b-3.png", "b.jpg"} <= files_in(folder)
    # A stage that is off plays no part.
    before = files_in(folder)
    assert finish(folder / "b.png", "--out", folder, "--set=refine.steps=7") == 0
    assert files_in(folder) == before
    # What was deleted is made anew; --again makes it beside the other.
    (folder / "c-2.png").unlink()
    assert finish(folder / "c.png", "--out", folder) == 0
    assert finish(folder / "c.png", "--out", folder, "--again") == 0
    assert {"c-2.png", "c-3.png"} <= files_in(folder)


def test_who_overwrites_has_all_done_anew(tmp_path: Path, picture: Made) -> None:
    source, result = picture("in/a.png"), tmp_path / "o" / "a.png"
    assert finish(source, "--out", tmp_path / "o") == 0
    first = result.read_bytes()
    result.write_bytes(b"spoiled")
    assert finish(source, "--out", tmp_path / "o") == 0
    assert result.read_bytes() == b"spoiled", "finished already"
    assert finish(source, "--out", tmp_path / "o", "--overwrite") == 0
    assert np.array_equal(np.asarray(Image.open(result)), np.asarray(Image.open(io.BytesIO(first))))


def test_what_is_finished_is_known_in_sub_folders_and_by_the_masks_contents(tmp_path: Path, picture: Made) -> None:
    picture("in/deep/a.png")
    mask, out = tmp_path / "mask.png", tmp_path / "o"
    for level, results in ((255, {"deep/a.png"}), (255, {"deep/a.png"}), (99, {"deep/a.png", "deep/a-2.png"})):
        Image.new("L", (48, 48), level).save(mask)
        assert finish(tmp_path / "in", "--recursive", "--out", out, "--mask", mask) == 0
        assert files_in(out) == results


def test_two_equal_pictures_of_one_run_are_both_finished(tmp_path: Path, picture: Made) -> None:
    picture("in/a.png"), picture("in/b.png")
    for _ in range(2):
        assert finish(tmp_path / "in", "--out", tmp_path / "o") == 0
        assert files_in(tmp_path / "o") == {"a.png", "b.png"}


def test_the_report_beside_a_result_says_what_it_was_made_of(tmp_path: Path, picture: Made) -> None:
    import hashlib

    source = picture("in/a.png")
    assert finish(source, "--out", tmp_path / "o", "--seed", "3") == 0
    (record,) = records_in(tmp_path / "o")
    assert record.input_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (record.source, record.output, record.status, record.left_out) == ("a.png", "a.png", "finished", ())
    assert record.report["recipe"]["grade"]["enabled"] is True and record.report["seed"] == 3
    # A broken one is none: the picture is finished again, and as it comes to the very file that is there, that is it.
    for file in (tmp_path / "o" / ".finisher").iterdir():
        file.write_text('{"finisher_report": 1, "sour')
    assert finish(source, "--out", tmp_path / "o", "--seed", "3") == 0
    assert files_in(tmp_path / "o") == {"a.png"}
    assert [again.output for again in records_in(tmp_path / "o")] == ["a.png"]
    for file in (tmp_path / "o" / ".finisher").glob("*.json"):
        file.unlink()
    (tmp_path / "o" / "a.png").write_bytes((tmp_path / "o" / "a.png").read_bytes()[:-1] + b"?")
    assert finish(source, "--out", tmp_path / "o", "--seed", "3") == 0
    assert files_in(tmp_path / "o") == {"a.png", "a-2.png"}, "another file of that name stays"


def test_a_call_that_keeps_nothing_leaves_its_results_alone_and_no_word_on_what_they_replaced(
    tmp_path: Path, picture: Made
) -> None:
    source, out = picture("in/a.png"), tmp_path / "o"
    assert finish(source, "--out", out, "--overwrite") == 0
    assert {file.name for file in out.iterdir()} == {"a.png"}
    # A report of the result before would have the next run believe that its work is done.
    assert finish(source, "--out", out, "--again") == 0 and finish(source, "--out", out) == 0
    assert files_in(out) == {"a.png", "a-2.png"}
    (out / "a.png").unlink(), (out / "a-2.png").rename(out / "a.png")
    (out / ".finisher" / "a-2.png.json").rename(out / ".finisher" / "a.png.json")
    assert finish(source, "--out", out, "--overwrite", "--seed", "4") == 0
    assert list(records_in(out)) == []


def test_a_failed_or_interrupted_picture_is_not_finished_already(tmp_path: Path, picture: Made) -> None:
    source, refused = picture("in/a.png"), ["--set=refine.enabled=true", "--set=refine.vae=none.pt"]
    for _ in range(2):
        assert finish(source, "--out", tmp_path / "o", settings=[*GRADE, *refused]) == 1
    assert files_in(tmp_path / "o") == {"a.png", "a-2.png"}


def infotext(text: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    return info


@pytest.mark.parametrize(("kind", "pillow"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_results_in_other_formats_carry_what_the_source_says(
    tmp_path: Path, picture: Made, kind: str, pillow: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Somebody"
    text = "a cat, 猫\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 48x48"
    source = picture("a.png", exif=exif, dpi=(300, 300), pnginfo=infotext(text))
    assert finish(source, "--out", tmp_path / "o", "--format", kind) == 0
    (result,) = (tmp_path / "o").glob("a.*")
    image = Image.open(result)
    assert (image.format, image.getexif()[ExifTags.Base.Artist]) == (pillow, "Somebody")
    if kind == "png":
        written = image.info["parameters"]
    else:
        # As piexif, with which the web UIs read and write it, has it: an 8-byte mark, then UTF-16 in network order.
        comment = image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        assert comment[:8] == b"UNICODE\0"
        written = comment[8:].decode("utf-16-be")
    prompt, negative, pairs = written.split("\n")
    assert (prompt, negative) == ("a cat, 猫", "Negative prompt: dog")
    assert pairs.startswith("Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 48x48")
    if kind == "png":
        # A PNG has a text of its own for Finisher's words, so that what came stays as it came.
        assert written == text and json.loads(image.info["finisher"])["stages"]["grade"] == "ran"
    else:
        assert ", Finisher: " in pairs and "Finisher size: 48 x 48, Finisher stages: grade" in pairs
    if kind != "webp":
        assert tuple(round(value) for value in image.info["dpi"]) == (300, 300)


def test_a_picture_that_says_nothing_gets_an_infotext_that_the_web_uis_paste(tmp_path: Path, picture: Made) -> None:
    assert finish(picture("a.png"), "--out", tmp_path / "o", "--seed", "12") == 0
    last = Image.open(tmp_path / "o" / "a.png").info["parameters"].split("\n")[-1]
    # As the web UIs take it: a last line of at least three pairs.
    pairs = dict(re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last))
    assert (pairs["Seed"], pairs["Finisher size"], pairs["Finisher stages"]) == ("12", "48 x 48", "grade")
    assert json.loads(json.loads(pairs["Finisher"]))["grade"]["enabled"] is True


def test_prompt_and_seed_come_from_the_picture_itself(tmp_path: Path, picture: Made) -> None:
    said = picture("said.png", pnginfo=infotext("a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 77"))
    silent = picture("silent.png")
    grain = [*GRADE, "--set=grade.grain=0.3"]

    def made(source: Path, out: str, *more: str) -> np.ndarray:
        assert finish(source, "--out", tmp_path / out, *more, settings=grain) == 0
        return np.asarray(Image.open(tmp_path / out / source.name))

    own, zero = made(said, "own"), made(silent, "zero")
    assert np.array_equal(own, made(silent, "same", "--seed", "77"))
    assert not np.array_equal(own, zero)
    assert np.array_equal(zero, made(said, "asked", "--seed", "0")), "a seed that is asked for comes first"


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_comfyuis_texts_go_where_it_looks_for_them(
    tmp_path: Path, picture: Made, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    graph, flow = '{"3": {"class_type": "KSampler"}}', '{"nodes": [], "name": "ü"}'
    info = PngImagePlugin.PngInfo()
    for keyword, text in (("prompt", graph), ("workflow", flow), ("Software", "something")):
        info.add_itxt(keyword, text)
    (told,) = report_of(capfd, picture("a.png", pnginfo=info), "--out", tmp_path / "o", "--format", kind, "--strict")[
        "pictures"
    ]
    tags = Image.open(told["output"]).getexif()
    # In WebP ComfyUI takes every text of the first directory apart at its first colon.
    texts = dict(value.split(":", 1) for value in tags.values() if isinstance(value, str) and ":" in value)
    read = {keyword: json.loads(text) for keyword, text in texts.items()}
    assert read == ({"prompt": json.loads(graph), "workflow": json.loads(flow)} if kind == "webp" else {})
    lost = "Software" if kind == "webp" else "prompt, workflow, Software"
    assert f"texts of other programs stay only in a PNG: {lost}" in told["notes"]


def test_quality_and_the_kind_of_the_source(tmp_path: Path, picture: Made) -> None:
    for name in ("a.JPG", "b.webp", "c.png", "d.bmp"):
        picture(f"in/{name}")
    assert finish(tmp_path / "in", "--out", tmp_path / "o", "--format", "source") == 0
    assert files_in(tmp_path / "o") == {"a.JPG", "b.webp", "c.png", "d.png"}
    assert [Image.open(tmp_path / "o" / name).format for name in ("a.JPG", "b.webp")] == ["JPEG", "WEBP"]
    sizes = []
    for quality in (30, 95):
        out = tmp_path / f"q{quality}"
        assert finish(tmp_path / "in" / "c.png", "--out", out, "--format", "jpeg", "--quality", str(quality)) == 0
        sizes.append((out / "c.jpg").stat().st_size)
    assert sizes[0] * 2 < sizes[1]


def test_transparency_goes_into_no_jpeg(tmp_path: Path, picture: Made, capfd: pytest.CaptureFixture[str]) -> None:
    clear = Image.open(picture("b.png")).convert("RGBA")
    clear.putalpha(120)
    clear.save(tmp_path / "a.png")
    told = report_of(capfd, tmp_path / "a.png", tmp_path / "b.png", "--out", tmp_path / "o", "--format", "jpeg")
    assert files_in(tmp_path / "o") == {"a.png", "b.jpg"}
    assert any("JPEG holds no transparency" in note for note in told["pictures"][0]["notes"])
    assert np.asarray(Image.open(tmp_path / "o" / "a.png"))[..., 3].max() == 120


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--depth", "16", "--format", "jpeg"], "only PNG has 16 bits"),
        (["--quality", "80"], "name --format"),
        (["--quality", "0", "--format", "webp"], "must be from 1 to 100"),
    ],
)
def test_a_format_that_cannot_be_is_said_before_the_work(
    tmp_path: Path, picture: Made, arguments: list[str], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert finish(picture("a.png"), "--out", tmp_path / "o", *arguments) == 2
    assert told in capfd.readouterr().err
    assert not (tmp_path / "o").exists()


def test_avif_where_pillow_has_it(tmp_path: Path, picture: Made, capfd: pytest.CaptureFixture[str]) -> None:
    Image.init()
    status = finish(picture("a.png"), "--out", tmp_path / "o", "--format", "avif")
    if "AVIF" in Image.SAVE:
        assert (status, Image.open(tmp_path / "o" / "a.avif").format) == (0, "AVIF")
    else:
        assert status == 2 and not (tmp_path / "o").exists()
        assert "cannot write AVIF; it writes png, jpeg" in capfd.readouterr().err


def test_a_size_that_the_format_does_not_hold_is_said_before_the_work(tmp_path: Path) -> None:
    Image.new("RGB", (8192, 16)).save(tmp_path / "wide.png")
    call = [tmp_path / "wide.png", "--out", tmp_path / "o", "--format", "webp", "--report", tmp_path / "r.json"]
    assert finish(*call, settings=[*GRADE, "--set=upscale.enabled=true", "--upscale-to=2"]) == 1
    (told,) = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["pictures"]
    assert "the result would be 16384×32, and WebP holds sides up to 16383 pixels; use PNG" in told["error"]
    assert told["stages"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="names have other lengths elsewhere")
@pytest.mark.parametrize("letter", ["x", "猫", "e\N{COMBINING ACUTE ACCENT}"])
def test_a_long_name_is_cut_before_the_work(
    tmp_path: Path, picture: Made, letter: str, capfd: pytest.CaptureFixture[str]
) -> None:
    most = os.pathconf(tmp_path, "PC_NAME_MAX")
    stem = letter * ((most - len(".png")) // len(letter.encode()))
    picture("in/a.png").rename(tmp_path / "in" / f"{stem}.png")
    call = [tmp_path / "in", "--out", tmp_path / "o", "--save-stages", "--set=base.compare=grade"]
    (told,) = report_of(capfd, *call)["pictures"]
    output = Path(told["output"])
    assert stem.startswith(output.stem) and len(os.fsencode(output.name)) < most
    assert not output.stem.endswith("e"), "an accent stays with its letter"
    assert any("the name of the result was cut" in note for note in told["notes"])
    assert Path(told["compared"]["output"]).is_file() and (tmp_path / "o" / "stages" / output.stem).is_dir()
    assert report_of(capfd, *call)["pictures"][0]["status"] == "skipped"
    assert fitting_stem("short", tmp_path) == "short"


def test_a_locked_folder_costs_only_itself(tmp_path: Path, picture: Made) -> None:
    """Run as another user where the tests run as root, whom nothing is locked for."""
    picture("in/a.png")
    (tmp_path / "in" / "locked").mkdir(mode=0o000)
    (tmp_path / "o").mkdir(mode=0o777)
    (tmp_path / "o").chmod(0o777)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    queue: Any = multiprocessing.get_context("fork").Queue()
    process = multiprocessing.get_context("fork").Process(target=as_nobody, args=(tmp_path, queue))
    process.start()
    status, report = queue.get(timeout=60)
    process.join()
    (tmp_path / "in" / "locked").chmod(0o700)
    assert status == 1
    told = {Path(item["input"]).name: item for item in report["pictures"]}
    assert told["a.png"]["status"] == "finished"
    assert "the folder cannot be read (Permission denied)" in told["locked"]["error"]


def as_nobody(folder: Path, queue: Any) -> None:
    if os.geteuid() == 0:
        os.setuid(65534)
    os.environ["XDG_CACHE_HOME"] = str(folder / "o" / "cache")
    call = [folder / "in", "--recursive", "--out", folder / "o", "--report", folder / "o" / "r.json"]
    status = finish(*call)
    queue.put((status, json.loads((folder / "o" / "r.json").read_text())))


def test_what_was_left_out_is_summed_up_and_strict_fails_on_it(
    tmp_path: Path, picture: Made, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "luts").mkdir()
    (tmp_path / "luts" / "broken.cube").write_text("no LUT at all")
    sources = [picture("a.png"), picture("b.png", 90)]
    call = [*sources, "--luts", tmp_path / "luts", "--set=grade.lut=broken"]
    assert finish(*call, "--out", tmp_path / "o") == 0
    last = capfd.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("left out: grade: ") and "broken" in last and "(2 pictures)" in last
    assert finish(*call, "--out", tmp_path / "o", "--strict") == 1, "finished already, but it still lacks the LUT"
    assert finish(*call, "--out", tmp_path / "o2", "--strict") == 1
    assert finish(*sources, "--out", tmp_path / "o3", "--strict") == 0
    capfd.readouterr()
    assert len(report_of(capfd, *call, "--out", tmp_path / "o4")["left_out"]) == 1


def test_what_the_whole_run_depends_on_is_another_work(tmp_path: Path, picture: Made) -> None:
    """Of texture, which is off, the detail that the run keeps counts; so do a detector's file and what is saved."""
    source = picture("in/a.png")
    refine = [*OFF[1:], "--set=refine.enabled=true", "--set=refine.steps=1", "--set=refine.denoising_strength=0.2"]

    def made(*more: str) -> int:
        before = len(files_in(tmp_path / "o"))
        assert finish(source, "--out", tmp_path / "o", settings=[*refine, *more]) == 0
        return len(files_in(tmp_path / "o")) - before

    assert made("--set=texture.keep_detail=0") == 1
    assert made("--set=texture.keep_detail=0") == 0
    assert made("--set=texture.keep_detail=1") == 1
    assert made("--set=texture.strength=1", "--set=texture.keep_detail=1") == 0, "the lift itself is off"
    assert made("--set=texture.keep_detail=1", "--save-stages") == 2, "the picture, and that after the stage"


def test_another_detector_of_the_same_name_is_another_work() -> None:
    host, recipe = EmbeddedHost(), read_recipe({"version": 2, "detail": {"enabled": True}})

    def digest(identity: str) -> str:
        return Work(recipe, host, Saving(Path("o")), [], lambda stage: [identity]).digest(Path("a.png"), Base())

    assert digest("face/1") != digest("face/2")
    assert digest("face/1") == digest("face/1")


def test_what_is_odd_in_one_file_does_not_cost_the_others(tmp_path: Path, picture: Made) -> None:
    sources = [Source(picture(f"in/{name}.png")) for name in "ab"]
    host, recipe = (
        EmbeddedHost(),
        read_recipe({"version": 2, "detail": {"enabled": False}, "upscale": {"enabled": False}}),
    )
    asked: list[Header] = []

    def base_for(header: Header) -> tuple[Base, tuple[str, ...]]:
        asked.append(header)
        if len(asked) == 1:
            raise OverflowError("int too large")
        return Base(), ()

    pipeline = Pipeline(host, lambda *_: [], recipe)
    first, second = finish_files(
        sources, pipeline, host, recipe, Base(), Saving(tmp_path / "o"), None, Control(), base_for=base_for
    )
    assert "a.png: the picture could not be taken (OverflowError: int too large)" in first.error
    assert (second.error, second.output) == ("", tmp_path / "o" / "b.png")
