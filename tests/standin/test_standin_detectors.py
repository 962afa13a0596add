"""The host's detectors, on both gradio generations: its folders, its settings and the routes."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lib_finisher.detect.yunet import MODEL
from lib_finisher.imaging.arrays import to_uint8
from lib_finisher.imaging.files import load_picture
from tests.conftest import PORTRAIT
from tests.smoke.client import Webui, encoded
from tests.standin.server import GRADIOS, Standin, standin

pytestmark = pytest.mark.slow

# As much of ADetailer as Finisher reads: one of its settings.
SIBLING = """
from modules import script_callbacks, shared

def settings():
    section = ("ADetailer", "ADetailer")
    shared.opts.add_option("ad_extra_models_dir", shared.OptionInfo("", "Extra paths", section=section))

script_callbacks.on_ui_settings(settings)
"""


@pytest.fixture(scope="module")
def sibling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siblings") / "adetailer"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "!adetailer.py").write_text(SIBLING, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=GRADIOS)
def host(request: pytest.FixtureRequest, sibling: Path) -> Standin:
    return standin(request.param, "--extension", str(sibling))


@pytest.fixture(scope="module")
def webui(host: Standin) -> Webui:
    return Webui(host.url)


def listed(webui: Webui) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in webui.get("/finisher/v1/detectors")["detectors"]}


def offered(webui: Webui) -> list[str]:
    return list(webui.get("/finisher/v1/schema")["choices"]["detector"])


def posted(webui: Webui, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(webui.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_files_that_are_dropped_in_are_offered_at_once(webui: Webui, host: Standin, tmp_path: Path) -> None:
    assert listed(webui)["face_yunet"]["present"]
    assert not (host.data / "models" / "finisher").exists(), "made only when something is fetched into it"
    own, theirs = host.data / "models" / "finisher" / "own.onnx", host.data / "models" / "adetailer" / "theirs.pt"
    extra = tmp_path / "a b" / "extra.onnx"
    for file in (own, theirs, extra):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MODEL, file)
    try:
        assert {"own.onnx", "theirs.pt"} <= set(offered(webui))
        assert "extra.onnx" not in offered(webui)
        posted(webui, "/sdapi/v1/options", {"ad_extra_models_dir": f"{tmp_path / 'nowhere'} | {extra.parent}"})
        assert "extra.onnx" in offered(webui)
        known = listed(webui)
        assert known["theirs.pt"]["present"]
        assert known["own.onnx"]["size"] == MODEL.stat().st_size
    finally:
        posted(webui, "/sdapi/v1/options", {"ad_extra_models_dir": ""})
        shutil.rmtree(own.parent)
        shutil.rmtree(theirs.parent)
    assert not {"own.onnx", "theirs.pt", "extra.onnx"} & set(offered(webui))


def test_only_known_files_are_fetched(webui: Webui, host: Standin) -> None:
    for name in ("nothing_like_it", "../../config.json", "face_yunet", "", None, 7, ["face_yolov8n.pt"]):
        status, told = posted(webui, "/finisher/v1/detectors/fetch", {"name": name})
        assert status == 422
        assert told["detail"][0]["field"] == "name"
        assert "'face_yolov8n.pt'" in told["detail"][0]["problem"]
    status, told = posted(webui, "/finisher/v1/detectors/fetch", {"name": "face_yolov8n", "url": "http://x/"})
    assert (status, told["detail"][0]["field"]) == (422, "url")
    status, told = posted(webui, "/finisher/v1/detectors/fetch", {"name": "deepfashion2_yolov8s-seg.pt"})
    assert status == 409
    assert "take it from https://huggingface.co/Bingsu/adetailer" in told["detail"][0]["problem"]
    assert not (host.data / "models" / "finisher").exists()


def test_a_fetch_replaces_nothing(webui: Webui, host: Standin) -> None:
    file = host.data / "models" / "finisher" / "face_yolov8n.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"another version")
    try:
        status, told = posted(webui, "/finisher/v1/detectors/fetch", {"name": "FACE_yolov8n"})
        assert status == 409
        assert "another version" in told["detail"][0]["problem"]
        assert file.read_bytes() == b"another version"
    finally:
        shutil.rmtree(file.parent)


def test_a_detector_that_is_not_here_says_how_to_get_it(webui: Webui) -> None:
    picture = encoded(to_uint8(load_picture(PORTRAIT).pixels))
    status, told = posted(webui, "/finisher/v1/detect", {"image": picture, "detector": "hand_yolov8n"})
    assert (status, told["detail"][0]["field"]) == (422, "detector")
    status, told = posted(webui, "/finisher/v1/detect", {"image": picture, "detector": "FACE_YuNet"})
    assert (status, len(told["detections"])) == (200, 1)


def test_a_pass_may_name_several(webui: Webui) -> None:
    picture = encoded(to_uint8(load_picture(PORTRAIT).pixels))
    for named, status in (("face_yunet, FACE_YuNet", 200), ("face_yunet,hand_yolov8n", 422), ("a,b", 422)):
        recipe = {"detail": {"passes": [{"detector": named}]}}
        assert posted(webui, "/finisher/v1/plan", {"image": picture, "recipe": recipe})[0] == status, named


def test_trusted_files_cannot_be_set_by_the_api_alone(webui: Webui) -> None:
    posted(webui, "/sdapi/v1/options", {"finisher_trusted_models": "f" * 64})
    assert webui.get("/sdapi/v1/options")["finisher_trusted_models"] == ""
