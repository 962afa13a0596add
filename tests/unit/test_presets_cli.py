"""The command line's presets, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lib_finisher.cli import main
from lib_finisher.presets.builtin import PRESETS
from lib_finisher.recipe import read_recipe
from tests.conftest import PORTRAIT
from tests.model_files import FIXTURES, write_file

QUICK = ["--set", "refine.steps=4", "--set", "detail.steps=4", "--set", "upscale.steps=4"]


@pytest.fixture()
def folder(tmp_path: Path) -> list[str]:
    return ["--folder", str(tmp_path / "presets")]


@pytest.fixture()
def pony(tmp_path: Path) -> str:
    return str(write_file(tmp_path / "ponyMix_lightning.safetensors", FIXTURES["sdxl_base"]["header"]))


@pytest.fixture()
def recipe(tmp_path: Path) -> str:
    (tmp_path / "mine.json").write_text('{"version": 1, "refine": {"steps": 9}, "grade": {"grain": 0}}')
    return str(tmp_path / "mine.json")


def told(capfd: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["presets", *arguments]) == status
    found = capfd.readouterr()
    return found.out if status == 0 else found.err


def test_save_list_show_diff_and_delete(recipe: str, folder: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert told(capfd, "save", "Mine\x1b[2J", recipe, "--about", "What I use.", *folder).startswith("saved: Mine")
    listed = told(capfd, "list", *folder)
    assert "Portrait" in listed and "What I use." in listed and "\x1b" not in listed
    names = [item["name"] for item in json.loads(told(capfd, "list", "--json", *folder))["presets"]]
    assert "Mine\x1b[2J" in names and len(names) == 1 + len(PRESETS)
    assert json.loads(told(capfd, "show", "mine\x1b[2J", *folder))["recipe"]["refine"] == {"steps": 9}
    assert "refine.steps: 9 → (says nothing)" in told(capfd, "diff", "Mine\x1b[2J", "Portrait", *folder)
    assert "Say --replace" in told(capfd, "save", "Mine\x1b[2J", recipe, *folder, status=2)
    backup = told(capfd, "delete", "Mine\x1b[2J", *folder).rpartition("restore ")[2].strip().strip("'")
    assert "there is no preset" in told(capfd, "show", "Mine\x1b[2J", *folder, status=2)
    assert told(capfd, "restore", backup, *folder).startswith("restored: Mine")


def test_rename_duplicate_and_lock(
    recipe: str, pony: str, folder: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    told(capfd, "save", "Mine", recipe, "--for", pony, *folder)
    told(capfd, "lock", "mine", *folder)
    assert "yours, locked" in told(capfd, "list", *folder)
    for change in (("rename", "Mine", "Other"), ("delete", "Mine"), ("save", "Mine", recipe, "--replace")):
        assert "Unlock it first" in told(capfd, *change, *folder, status=2)
    assert told(capfd, "duplicate", "Mine", *folder) == "copied: Mine (2)\n"
    first, copy = (json.loads(told(capfd, "show", name, *folder)) for name in ("Mine", "Mine (2)"))
    assert copy["recipe"] == first["recipe"] and copy["recipe"]["refine"] == {"steps": 9, "enabled": True}
    assert not copy.get("locked") and not copy.get("match")
    told(capfd, "duplicate", "Portrait", "My portraits", *folder)
    assert "already" in told(capfd, "duplicate", "Portrait", "mine", *folder, status=2)
    told(capfd, "unlock", "Mine", *folder)
    assert "already" in told(capfd, "rename", "Mine", "My portraits", *folder, status=2)
    assert told(capfd, "rename", "Mine", "Other", *folder) == "renamed: Other\n"
    own = [item for item in json.loads(told(capfd, "list", "--json", *folder))["presets"] if not item["built_in"]]
    assert [item["name"] for item in own] == ["Mine (2)", "My portraits", "Other"]
    assert own[2]["match"] and not own[2]["locked"]


def test_resolve_tells_which_presets_and_why(
    recipe: str, pony: str, folder: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    told(capfd, "save", "For this", recipe, "--for", pony, *folder)
    told(capfd, "save", "For SDXL", recipe, "--for", pony, "--as", "family", *folder)
    text = told(capfd, "resolve", pony, "--preset", "Portrait", *folder)
    assert "sdxl, pony, lightning, few-step" in text
    assert "For this (yours): its name is 'ponymix_lightning.safetensors'; used" in text
    assert "Few-step models (built in): its variant is few-step; used" in text
    assert "refine.steps = 9  (For this)" in text
    found = json.loads(told(capfd, "resolve", pony, "--json", *folder))
    assert found["presets"] == ["For SDXL", "Few-step models", "For this"]
    assert [item["used"] for item in found["candidates"]] == [True, True, True]
    assert found["origins"]["refine.steps"] == {"layer": "checkpoint", "preset": "For this"}
    assert read_recipe(found["recipe"])["refine"].steps == 9


def test_export_and_import(recipe: str, folder: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told(capfd, "save", "Mine", recipe, *folder)
    file = tmp_path / "all.json"
    file.write_text(told(capfd, "export", "Mine", "Portrait", *folder))
    other = ["--folder", str(tmp_path / "other")]
    assert told(capfd, "import", str(file), "--preview", *other) == "Mine: new\nPortrait: new\n"
    assert told(capfd, "import", str(file), *other) == "Mine: new\nPortrait: new\n"
    assert told(capfd, "import", str(file), "--rename", *other) == "Mine: same\nPortrait: same\n"
    assert json.loads(told(capfd, "export", *other)) == json.loads(told(capfd, "export", "Mine", "Portrait", *other))
    assert "cannot be read" in told(capfd, "import", str(tmp_path / "none.json"), *folder, status=2)


def test_a_broken_file_is_named(folder: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    Path(folder[1]).mkdir(parents=True)
    (Path(folder[1]) / "half.json").write_text('{"finisher_preset": 1, "na')
    assert main(["presets", "list", *folder]) == 0
    assert "half.json: it is not valid JSON" in capfd.readouterr().err


def test_finishing_with_a_preset_and_a_preset_of_the_result(
    folder: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.png"
    Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((128, 128)).save(small)
    call = ["finish", str(small), "--out", str(tmp_path / "o"), "--no-cache", "--presets", folder[1], *QUICK]
    assert main([*call, "--preset", "Product", "--set", "grade.grain=0.02", "--json"]) == 0
    found = capfd.readouterr()
    assert "upscaler '4x-UltraSharp' is not here" in found.err
    report = json.loads(found.out)["pictures"][0]
    status = {item["stage"]: item["status"] for item in report["stages"]}
    assert "detail" not in status or status["detail"] == "skipped"
    told(capfd, "save", "Like that", report["output"], *folder)
    kept = json.loads(told(capfd, "show", "Like that", *folder))["recipe"]
    assert kept["refine"]["denoising_strength"] == 0.05 and kept["refine"]["colour_lock"] == 1
    assert kept["grade"]["grain"] == 0.02 and kept["grade"]["contrast"] == 0
    assert main([*call, "--preset", "Nobody"]) == 2
    assert "there is no preset 'Nobody'" in capfd.readouterr().err


def test_without_a_preset_nothing_is_looked_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    preset = {"finisher_preset": 1, "name": "all", "match": {"everything": True}, "recipe": {"refine": {"steps": 3}}}
    (folder / "all.json").write_text(json.dumps(preset))
    assert main(["recipe", "--presets", str(folder)]) == 0
    assert json.loads(capfd.readouterr().out)["refine"]["steps"] == 0
    assert main(["recipe", "--presets", str(folder), "--preset", "auto"]) == 0
    assert json.loads(capfd.readouterr().out)["refine"]["steps"] == 3
