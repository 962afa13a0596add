"""What works on no picture is as light as it can be: nothing is imported that only pictures need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.listing import listed_in
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.sections import NAMES, STAGE_SETTINGS
from tests.conftest import ROOT

HEAVY = ("numpy", "cv2", "PIL", "scipy", "torch", "urllib.request", "ssl")
PROGRAM = """
import json, sys
before = set(sys.modules)
from lib_finisher.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
sys.stderr.write(json.dumps([status, sorted(set(sys.modules) - before)]))
"""


def imported_by(*arguments: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout
    status, names = json.loads(done.stderr.splitlines()[-1])
    return int(status or 0), set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["--version"], ["finish", "--help"], ["presets", "--help"], ["recipe"],
        ["recipe", "--set", "upscale.enabled=false", "--upscale-to", "3"], ["presets", "list"],
        ["presets", "show", "Portrait"], ["detectors"], ["detectors", "--json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_it_imports_neither_numpy_nor_what_opens_pictures_or_lines(arguments: list[str], tmp_path: Path) -> None:
    status, names = imported_by(*arguments)
    assert status == 0
    assert not [name for name in names if name in HEAVY or name.split(".")[0] in HEAVY]
    own = {name for name in names if name.startswith("lib_finisher.")}
    assert own and not {name for name in own if name.split(".")[1] in ("run", "redraw", "batch", "pipeline", "hosts")}


def test_the_measure_sees_what_is_heavy() -> None:
    _, names = imported_by("plan", str(ROOT / "examples" / "astronaut.png"))
    assert {"numpy", "cv2", "PIL", "lib_finisher.hosts.port"} <= names


def test_the_list_of_detectors_is_that_of_those_that_can_be_asked(tmp_path: Path) -> None:
    for name in ("mine.pt", "Other.ONNX", "face_yunet.pt", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert listed_in([tmp_path]) == Detectors([tmp_path]).listed()
    assert {"face_yunet", "mine.pt", "Other.ONNX"} <= {item.name for item in listed_in([tmp_path]) if item.present}


def test_each_stage_has_its_name_and_settings_in_the_table() -> None:
    assert [(stage.name, stage.settings) for stage in STAGES] == list(STAGE_SETTINGS.items())
    assert NAMES == ("refine", "extend", "repair", "detail", "upscale", "texture", "grade")


def test_an_engines_error_is_still_told_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from lib_finisher.cli import main

    call = ["plan", str(ROOT / "examples" / "astronaut.png"), "--set=upscale.enabled=true"]
    assert main([*call, "--set=upscale.1.target=sides", "--set=upscale.1.width=16384", "--upscale-to", "17"]) == 2
    assert capsys.readouterr().err.startswith("finisher: ")
