"""The stand-in held against what the real host was seen to do. Where they differ, the stand-in is wrong."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.conftest import ROOT
from tests.recorder.compare import differences
from tests.recorder.record import HttpClient, record
from tests.standin.server import standin

pytestmark = pytest.mark.slow
FACTS = ROOT / "tests" / "facts" / "a1111-82a973c.json"
BROWSER = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
# What it leaves out on purpose: nothing of Finisher asks for it.
LEFT_OUT = (
    "attributes/shared.sd_model",
    *(f"sampler_counts/{name}" for name in ("DPM++ 3M SDE", "LMS", "DPM2", "DPM2 a", "DPM fast", "DPM adaptive")),
    *(f"sampler_counts/{name}" for name in ("Restart", "DDIM CFG++")),
    *(f"api/routes/GET /sdapi/v1/{name}" for name in ("embeddings", "face-restorers", "hypernetworks", "memory")),
    "api/routes/GET /sdapi/v1/realesrgan-models",
    *(f"api/routes/POST /sdapi/v1/{name}" for name in ("create/*", "train/*", "extra-*", "interrogate")),
    "api/routes/POST /sdapi/v1/refresh-embeddings",
)


def test_it_does_what_the_real_host_does() -> None:
    # As the real one was started: without hashes of checkpoints.
    host = standin("gradio3", "--no-hashing", "--extension", str(ROOT / "tests" / "recorder"))
    try:
        import playwright  # noqa: F401
    except ImportError:
        page = ""
    else:
        page = host.url if BROWSER else ""
    found = record(HttpClient(host.url), page)
    expected = json.loads(FACTS.read_text(encoding="utf-8"))
    assert differences(expected, found, LEFT_OUT) == []
