"""The command line as a user meets it: reports, tables, plans, reuse, the demo and its page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_finisher.cli import main
from lib_finisher.imaging.files import load_picture
from lib_finisher.review.page import write_page
from tests.conftest import PORTRAIT, ROOT, weights

QUICK = ["--set", "refine.steps=4", "--set", "detail.steps=4", "--set", "upscale.steps=4"]


@pytest.fixture()
def small(tmp_path: Path) -> Path:
    Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((128, 128)).save(tmp_path / "small.png")
    return tmp_path / "small.png"


def report_of(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    assert main([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)  # type: ignore[no-any-return]


def test_the_json_report_has_its_promised_form(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = report_of(capfd, "finish", str(small), "--out", str(tmp_path / "o"), "--no-cache", *QUICK)
    assert "embedded" in told["engine"]
    picture = told["pictures"][0]
    assert {"input", "output", "status", "error", "size", "stages"} <= set(picture)
    assert (picture["status"], picture["error"], picture["size"]) == ("finished", None, [256, 256])
    for stage in picture["stages"]:
        keys = {"stage", "status", "reason", "seconds", "patches", "host_calls", "megapixel_steps"}
        assert keys <= set(stage)
        assert stage["status"] in {"ran", "skipped", "reused", "failed"}


def test_only_the_grade_runs_again(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = ["finish", str(small), "--out", str(tmp_path / "o"), "--cache", str(tmp_path / "c"), *QUICK]
    call += [f"--set={name}.enabled=true" for name in ("refine", "texture", "grade")]
    report_of(capfd, *call)
    again = report_of(capfd, *call, "--set", "grade.contrast=0.3")["pictures"][0]
    status = {item["stage"]: item["status"] for item in again["stages"]}
    assert {name for name, value in status.items() if value == "reused"} == {"refine", "detail", "upscale", "texture"}
    assert status["grade"] == "ran"
    assert Path(again["output"]).name == "small-2.png", "the first result is still there"


def test_a_mask_that_marks_nothing_restricts_to_nothing(
    small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    off = [f"--set={name}.enabled=false" for name in ("refine", "detail", "upscale", "texture")]
    call = [
        "finish",
        str(small),
        "--out",
        str(tmp_path / "o"),
        "--no-cache",
        *off,
        "--set",
        "base.mask=restrict",
        "--set",
        "grade.contrast=0.5",
    ]
    before = np.asarray(Image.open(small).convert("RGB"))
    for name, value, note, reason, changes in (
        ("", 0, "none is given", "", True),
        ("black.png", 0, "", "the mask marks nothing", False),
        ("white.png", 255, "", "", True),
    ):
        if name:
            Image.new("L", (128, 128), value).save(tmp_path / name)
        masked = ["--mask", str(tmp_path / name)] if name else []
        (picture,) = report_of(capfd, *call, "--overwrite", *masked)["pictures"]
        assert any("none is given" in text for text in picture["notes"]) == bool(note)
        reasons = {item["stage"]: item["reason"] for item in picture["stages"]}
        assert ("the mask marks nothing" in reasons["grade"]) == bool(reason)
        assert (np.asarray(Image.open(picture["output"]).convert("RGB")) != before).any() == changes


def test_repair_without_a_mask_says_what_it_lacks(
    small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (picture,) = report_of(capfd, "plan", str(small), "--set", "repair.enabled=true")["pictures"]
    reasons = {item["stage"]: item["reason"] for item in picture["stages"]}
    assert reasons["repair"] == "nothing is marked for repair and no detector is named"
    Image.new("L", (128, 128), 0).save(tmp_path / "black.png")
    (picture,) = report_of(capfd, "plan", str(small), "--mask", str(tmp_path / "black.png"))["pictures"]
    reasons = {item["stage"]: item["reason"] for item in picture["stages"]}
    assert reasons["repair"] == "no region of at least 16 pixels is marked"


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    call = [sys.executable, "-m", "lib_finisher", "recipe"]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 130


def test_the_plan_and_the_run_agree(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plan = report_of(capfd, "plan", str(small), *QUICK)["pictures"][0]
    done = report_of(capfd, "finish", str(small), "--out", str(tmp_path / "o"), "--no-cache", *QUICK)["pictures"][0]
    assert plan["size"] == done["size"]
    for planned, ran in zip(plan["stages"], done["stages"]):
        assert planned["stage"] == ran["stage"]
        assert planned["patches"] == ran["patches"]


def test_the_table_names_every_stage(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["finish", str(small), "--out", str(tmp_path / "o"), "--no-cache", "--save-stages", *QUICK]) == 0
    out = capfd.readouterr().out
    for word in ("engine:", "Refine", "Extend", "switched off", "Upscale", "Grade", "1 of 1 pictures finished"):
        assert word in out
    saved = sorted(file.name for file in (tmp_path / "o" / "stages" / "small").iterdir())
    assert saved == ["1-refine.png", "4-detail.png", "5-upscale.png"], (
        "what is on, and refine, of which something is set"
    )


def test_a_printed_recipe_can_be_used(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "--set", "grade.grain=0"]) == 0
    text = capfd.readouterr().out
    (tmp_path / "r.json").write_text(text)
    assert main(["recipe", "--recipe", str(tmp_path / "r.json")]) == 0
    assert capfd.readouterr().out == text


def test_a_recipe_for_a_checkpoints_family(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fixture = json.loads((ROOT / "tests" / "facts" / "families" / "flux_schnell.json").read_text(encoding="utf-8"))
    header = {key: {**entry, "data_offsets": [0, 0]} for key, entry in fixture["header"].items()}
    data = json.dumps(header).encode()
    (tmp_path / "m.safetensors").write_bytes(len(data).to_bytes(8, "little") + data)
    assert main(["family", str(tmp_path / "m.safetensors")]) == 0
    assert "FLUX" in capfd.readouterr().out.upper()
    assert main(["recipe", "--for", str(tmp_path / "m.safetensors")]) == 0
    assert json.loads(capfd.readouterr().out)["upscale"]["passes"][0]["denoising_strength"] == 0.25
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 20)
    assert main(["family", str(tmp_path / "broken.safetensors")]) == 1
    assert "broken.safetensors" in capfd.readouterr().err


def test_detectors_are_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Mine.PT").write_bytes(b"\0" * 2_500_000)
    listed = {item["name"]: item for item in report_of(capfd, "detectors", "--detectors", str(tmp_path))["detectors"]}
    assert (listed["face_yunet"]["present"], listed["face_yunet"]["target"]) == (True, "face")
    assert (listed["Mine.PT"]["present"], listed["Mine.PT"]["size"]) == (True, 2_500_000)
    assert (listed["hand_yolov8n.pt"]["present"], listed["hand_yolov8n.pt"]["size"]) == (False, 6_237_883)
    assert main(["detectors", "--detectors", str(tmp_path)]) == 0
    out = capfd.readouterr().out
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert re.search(r"yes +\? +2\.5 MB", rows["Mine.PT"])
    assert re.search(r"no +hand .*6\.2 MB", rows["hand_yolov8n.pt"])
    assert str(tmp_path) in out


def test_a_fetch_shows_first_what_it_would_fetch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "face_yolov8n.pt").write_bytes(b"another version")
    for call in (["--detectors", str(tmp_path), "fetch", "FACE_yolov8n"], ["fetch", "face_yolov8n.pt", "--detectors"]):
        assert main(["detectors", *call, *([str(tmp_path)] if call[-1] == "--detectors" else [])]) == 1
        shown = capfd.readouterr().err
        told, _, failed = shown.partition("finisher: ")
        assert re.search(r"from: +https://huggingface\.co/Bingsu/adetailer/resolve/[0-9a-f]{40}/face_yolov8n\.pt", told)
        assert re.search(r"sha256: +70b640f8[0-9a-f]{56}\n", told)
        assert "6.2 MB (6230011 bytes)" in told
        assert "Apache-2.0" in told
        assert "another version" in failed
    assert (tmp_path / "face_yolov8n.pt").read_bytes() == b"another version"
    assert main(["detectors", "fetch", "deepfashion2_yolov8s-seg", "--detectors", str(tmp_path)]) == 1
    assert "take it from https://huggingface.co/Bingsu/adetailer" in capfd.readouterr().err
    for unknown in ("nothing_like_it", "../face_yolov8n.pt", "face_yunet"):
        assert main(["detectors", "fetch", unknown, "--detectors", str(tmp_path)]) == 2
        assert "hand_yolov8n.pt" in capfd.readouterr().err
    assert [item.name for item in tmp_path.iterdir()] == ["face_yolov8n.pt"]


def test_a_run_takes_detectors_from_its_folder(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def plan(*more: str) -> str:
        call = ["plan", str(small), "--set", "detail.1.detector=hand_yolov8n", *more]
        return next(
            item["reason"] for item in report_of(capfd, *call)["pictures"][0]["stages"] if item["stage"] == "detail"
        )

    assert 'fetch it with: finisher detectors fetch "hand_yolov8n.pt"' in plan()
    (tmp_path / "hand_yolov8n.pt").write_bytes(b"no model")
    assert "fetch" not in plan("--detectors", str(tmp_path))
    assert main(["plan", str(small), "--trust-model", "f" * 63]) == 2
    assert "is not a sha256" in capfd.readouterr().err
    assert main(["plan", str(small), "--trust-model", "F" * 64, "--trust-model", "0" * 64]) == 0
    capfd.readouterr()


@pytest.mark.parametrize("command", [[], ["finish"], ["plan"], ["recipe"], ["family"], ["detectors"]])
def test_help_is_worth_reading(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    text = capfd.readouterr().out
    assert "usage:" in text
    if not command:
        assert "refine → extend → repair → detail → upscale → texture → grade" in text
        assert "Exit status" in text


def test_the_page_stands_alone(tmp_path: Path, portrait: np.ndarray) -> None:
    report = {
        "engine": "an <engine>",
        "notes": ["a <note>"],
        "stages": [
            {
                "stage": "grade", "status": "ran", "reason": "x < y", "seconds": 1.0, "patches": 0, "host_calls": 0,
                "megapixel_steps": 0.0, "size": [512, 512], "notes": [],
            }
        ],
    }  # fmt: skip
    grades = [("Grade", portrait[::-1])]
    write_page(tmp_path / "p.html", "A <title>", portrait, grades, report, portrait[:, ::-1])
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"(?!data:)", page), "nothing is loaded from anywhere"
    assert "<engine>" not in page
    assert "A &lt;title&gt;" in page
    assert page.count("data:image/jpeg") == 5
    assert not re.search(r"@[A-Z_]+@", page), "every place was filled"


@pytest.mark.slow
def test_the_demo_finishes_the_portrait() -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    folder = weights("RealESR_Gx4.pth").parent.parent.parent
    command = [sys.executable, str(ROOT / "tools" / "demo.py"), "--once"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    told = json.loads((ROOT / "out" / "demo" / "report.json").read_text(encoding="utf-8"))["pictures"][0]
    stages = {item["stage"]: item for item in told["stages"]}
    assert "found 1 face" in stages["detail"]["reason"]
    assert "RealESR_Gx4" in stages["upscale"]["reason"]
    assert [name for name, stage in stages.items() if stage["status"] == "ran"] == ["detail", "upscale"]
    base, finished = load_picture(PORTRAIT).pixels, load_picture(Path(told["output"])).pixels
    assert finished.shape == (base.shape[0] * 2, base.shape[1] * 2, 3)
    # Not another picture: reduced to its old size it is the base, up to its texture and the gentle grade.
    reduced = finished.reshape(512, 2, 512, 2, 3).mean(axis=(1, 3))
    assert float(np.abs(reduced - base).mean()) * 255 < 10
