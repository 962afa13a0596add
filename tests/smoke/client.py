"""A running web UI, spoken to over HTTP. Nothing of it is imported."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

TIMEOUT = 600
DRAFT = {
    "prompt": "a red circle on a green field",
    "negative_prompt": "blue",
    "seed": 7,
    "steps": 4,
    "cfg_scale": 6.0,
    "width": 256,
    "height": 256,
    "sampler_name": "Euler a",
    "scheduler": "Automatic",
    # Without it Forge answers every request that brings an infotext with 500.
    "styles": [],
}


@dataclass(frozen=True)
class Result:
    """What a generation gave back."""

    pictures: tuple[np.ndarray, ...]
    told: dict[str, Any]
    infotexts: tuple[str, ...]
    seconds: float

    @property
    def picture(self) -> np.ndarray:
        return self.pictures[0]

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.shape[1], self.picture.shape[0]


class Webui:
    """The routes of the host that the suite needs."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def get(self, path: str) -> Any:
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=TIMEOUT) as answer:
            return answer.read().decode("utf-8")

    def post(self, path: str, data: Any) -> Any:
        body = json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return json.loads(answer.read())

    def txt2img(self, *arguments: Any, **changes: Any) -> Result:
        return self._generate("txt2img", arguments, changes)

    def img2img(self, picture: np.ndarray, *arguments: Any, **changes: Any) -> Result:
        return self._generate("img2img", arguments, {"init_images": [encoded(picture)], **changes})

    def press(self, elem_id: str) -> None:
        """Click a button of the page that takes no input."""
        page = self.get("/config")
        button = next(item["id"] for item in page["components"] if item["props"].get("elem_id") == elem_id)
        number = next(
            index
            for index, item in enumerate(page["dependencies"])
            # Gradio 4 names the event too.
            if (button in item["targets"] or [button, "click"] in item["targets"]) and item["backend_fn"]
        )
        self.post("/run/predict", {"fn_index": number, "data": [], "session_hash": "smoke"})

    def while_running(self, job: str, act: Callable[[], None], generate: Callable[[], Result]) -> Result:
        """Generate in the background, and act as soon as the host's job has that name."""
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(generate()), daemon=True)
        thread.start()
        end = time.monotonic() + TIMEOUT
        while thread.is_alive() and time.monotonic() < end:
            if self.get("/sdapi/v1/progress?skip_current_image=true")["state"]["job"] == job:
                act()
                break
            time.sleep(0.02)
        thread.join(TIMEOUT)
        return results[0]

    def _generate(self, route: str, arguments: tuple[Any, ...], changes: dict[str, Any]) -> Result:
        data = {**DRAFT, **changes}
        if arguments:
            data["alwayson_scripts"] = {"Finisher": {"args": list(arguments)}}
        began = time.monotonic()
        answer = self.post(f"/sdapi/v1/{route}", data)
        info = json.loads(answer["info"])
        pictures = tuple(decoded(text) for text in answer["images"])
        return Result(pictures, info["extra_generation_params"], tuple(info["infotexts"]), time.monotonic() - began)


def recipe(**stages: Any) -> dict[str, Any]:
    """Finisher's one argument."""
    return {"enabled": True, "recipe": stages}


def off(*names: str) -> dict[str, Any]:
    """Recipe data that switches stages off."""
    return {name: {"enabled": False} for name in names}


def encoded(picture: np.ndarray) -> str:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def decoded(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
