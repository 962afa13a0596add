"""What makes a picture's result another one: every part of the digest by itself, and what counts for nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.batch.inputs import content_hash
from lib_finisher.batch.records import FAILED, FINISHED, FOLDER, Record, Records, records_in
from lib_finisher.batch.saving import Saving
from lib_finisher.batch.work import Work
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Capabilities, ModelFacts, UpscalerFacts
from lib_finisher.imaging.format_kinds import JPEG, PNG
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base

REFINE: dict[str, Any] = {"refine": {"steps": 8}}
GRADE: dict[str, Any] = {"grade": {"exposure": 0.1}}
UPSCALE: dict[str, Any] = {"upscale": {}}


class Hosting(EmbeddedHost):
    """The embedded engine under another name, with another checkpoint or other upscalers."""

    def __init__(self, engine: str = "embedded", checkpoint: str = "base", upscaler: str = "1") -> None:
        super().__init__()
        self.engine, self.checkpoint, self.upscaler = engine, checkpoint, upscaler

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, engine=self.engine)

    def model(self, checkpoint: str = "") -> ModelFacts:
        return replace(super().model(), name=self.checkpoint)

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return (UpscalerFacts("4x-filter", 4, self.upscaler),)


def digest(
    settings: dict[str, Any], host: EmbeddedHost | None = None, saving: Saving | None = None, base: Base | None = None,
    source: str = "a.png", files: tuple[Path, ...] = (), detector: str = "face/1",
) -> str:  # fmt: skip
    """Of a recipe in which the stages that are named are on and all others off."""
    data: dict[str, Any] = {"version": 2, **{name: {"enabled": name in settings} for name in NAMES}}
    for name, own in settings.items():
        data[name] = {**data.get(name, {}), **own}
    recipe = read_recipe(data, family="embedded")
    work = Work(recipe, host or Hosting(), saving or Saving(Path("o")), files, lambda stage: [detector])
    return work.digest(Path(source), base or Base())


def test_the_same_is_the_same() -> None:
    for settings in (REFINE, GRADE, UPSCALE):
        assert digest(settings) == digest(settings)
    assert digest(GRADE, source="a.png") == digest(GRADE, source="folder/b.png"), "the name is another matter"


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "engine": (REFINE, {"host": Hosting(engine="webui")}),
    "checkpoint": (REFINE, {"host": Hosting(checkpoint="other")}),
    "an upscaler's file": (UPSCALE, {"host": Hosting(upscaler="2")}),
    "detector": (REFINE, {"detector": "face/2"}),
    "seed": (REFINE, {"base": Base(seed=3)}),
    "prompt": (REFINE, {"base": Base(prompt="a man")}),
    "format": (GRADE, {"saving": Saving(Path("o"), wanted=JPEG)}),
    "quality": (GRADE, {"saving": Saving(Path("o"), quality=50)}),
    "depth": (GRADE, {"saving": Saving(Path("o"), depth=16)}),
    "the pictures between": (GRADE, {"saving": Saving(Path("o"), stages=True)}),
    "a setting": (REFINE, {"settings": {"refine": {"steps": 9}}}),
    "another stage": (REFINE, {"settings": {**REFINE, **GRADE}}),
    "what the base says": (REFINE, {"settings": {**REFINE, "base": {"mask": "restrict"}}}),
    "kept detail": (REFINE, {"settings": {**REFINE, "texture": {"enabled": False, "keep_detail": 0.5}}}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_each_of_these_makes_another_work(what: str) -> None:
    settings, other = OTHERS[what]
    assert digest(settings) != digest(**{"settings": settings, **other}), what


def test_where_detail_is_kept_counts_only_when_some_is() -> None:
    def keeping(stages: dict[str, Any], strength: float, where: str) -> str:
        return digest({**stages, "texture": {"enabled": False, "keep_detail": strength, "where": where}})

    assert keeping(REFINE, 0.5, "skin") != keeping(REFINE, 0.5, "everywhere")
    assert keeping(REFINE, 0.0, "skin") == keeping(REFINE, 0.0, "everywhere")
    # Grading smooths nothing.
    assert keeping(GRADE, 0.5, "skin") == keeping(GRADE, 0.0, "everywhere")


def test_what_takes_no_part_counts_for_nothing(tmp_path: Path) -> None:
    off = {**GRADE, "refine": {"enabled": False, "steps": 3}}
    assert digest(GRADE) == digest(off), "settings of a stage that is off"
    assert digest(GRADE, Hosting(upscaler="1")) == digest(GRADE, Hosting(upscaler="2")), "a grade enlarges nothing"
    usual = Saving(Path("o"), wanted=JPEG, quality=JPEG.quality)
    assert digest(GRADE, saving=Saving(Path("o"), wanted=JPEG)) == digest(GRADE, saving=usual), "the usual quality"
    assert digest(GRADE, saving=Saving(Path("o"), wanted=PNG)) == digest(GRADE, saving=Saving(tmp_path, wanted=PNG))
    assert digest(GRADE, saving=Saving(Path("o"), wanted=None), source="a.jpg") != digest(
        GRADE, saving=Saving(Path("o"), wanted=None), source="a.png"
    ), "as the source"


def test_files_that_take_part_count_by_their_contents(tmp_path: Path) -> None:
    # More than is read at a time, with a difference at the end only.
    contents = {"one": bytes(3 << 20), "same": bytes(3 << 20), "other": bytes((3 << 20) - 1) + b"x"}
    files = {}
    for name, data in contents.items():
        files[name] = tmp_path / name
        files[name].write_bytes(data)
    assert digest(GRADE, files=(files["one"],)) == digest(GRADE, files=(files["same"],))
    assert len({digest(GRADE, files=one) for one in ((), (files["one"],), (files["other"],))}) == 3
    assert content_hash(tmp_path / "gone") == ""


def record(**changes: Any) -> Record:
    made = Record(
        "a.png", "11", "22", "a-out.png", FINISHED, ("a LUT",), "2026-01-01T00:00:00+00:00", "1.0", {"seed": 1}
    )
    return replace(made, **changes)


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a-out.png").write_bytes(b"x")
    (tmp_path / "b-out.png").write_bytes(b"x")
    return tmp_path


def test_a_record_is_found_by_name_contents_and_work_and_says_what_it_said(folder: Path) -> None:
    Records().add(folder, record())
    assert Records().find(folder, "a.png", "11", "22") == record()
    for other in (("b.png", "11", "22"), ("a.png", "12", "22"), ("a.png", "11", "23")):
        assert Records().find(folder, *other) is None
    assert Records().find(folder / "elsewhere", "a.png", "11", "22") is None


def test_what_failed_or_is_gone_is_not_finished(folder: Path) -> None:
    Records().add(folder, record(status=FAILED))
    assert Records().find(folder, "a.png", "11", "22") is None
    Records().add(folder, record(output="c-out.png"))
    assert Records().find(folder, "a.png", "11", "22") is None
    (folder / "c-out.png").write_bytes(b"x")
    assert Records().find(folder, "a.png", "11", "22") is not None


def test_of_two_results_the_newer_one_counts(folder: Path) -> None:
    for number, output in enumerate(("b-out.png", "a-out.png")):
        Records().add(folder, record(output=output))
        os.utime(folder / FOLDER / f"{output}.json", (1000 + number, 1000 + number))
    found = Records().find(folder, "a.png", "11", "22")
    assert found is not None and found.output == "a-out.png"
    assert [item.output for item in records_in(folder)] == ["b-out.png", "a-out.png"]


def test_who_keeps_nothing_writes_nothing_and_takes_away_what_was_said_of_the_replaced(folder: Path) -> None:
    Records(keep=False).add(folder, record(output="b-out.png"))
    assert list(records_in(folder)) == []
    Records().add(folder, record())
    Records(keep=False).add(folder, record())
    assert list(records_in(folder)) == []


@pytest.mark.parametrize("spoiled", ["", "[]", "null", '{"finisher_report": 1}', "version", "bytes"])
def test_what_is_no_report_of_this_kind_is_passed_over(folder: Path, spoiled: str) -> None:
    Records().add(folder, record())
    Records().add(folder, record(source="b.png", output="b-out.png"))
    file = folder / FOLDER / "b-out.png.json"
    if spoiled == "version":
        data = json.loads(file.read_bytes())
        file.write_text(json.dumps({**data, "finisher_report": 2}))
    else:
        file.write_bytes(b"\xff\xfe\0" if spoiled == "bytes" else spoiled.encode())
    assert [item.source for item in records_in(folder)] == ["a.png"]


def test_a_record_that_cannot_be_written_only_costs_its_being_known(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_bytes(b"in the way")
    Records().add(tmp_path, record())
    assert Records().find(tmp_path, "a.png", "11", "22") is None
