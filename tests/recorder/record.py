"""Records what a running web UI does, as JSON.

    python tests/recorder/record.py http://127.0.0.1:7860 tests/facts/a1111-82a973c.json --page

The web UI must have the extension of this folder, the API, and settings that are its own: some are changed. `--page`
needs playwright with a browser. Nothing of the web UI is imported. `record` takes any client with `get` and `post`, so
that a web UI inside a test can be asked too.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import re
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from PIL import Image, ImageDraw

TITLE = "Finisher recorder"
TIMEOUT = 300
PATIENCE = 60
WIDTH, HEIGHT = 192, 128
OTHER = (150, 200)
DRAFT = {
    "prompt": "a red circle",
    "negative_prompt": "blue",
    "seed": 7,
    "subseed": 11,
    "steps": 4,
    "cfg_scale": 6.0,
    "width": WIDTH,
    "height": HEIGHT,
    "sampler_name": "Euler",
    "scheduler": "Automatic",
}
BATCH = {"batch_size": 2, "n_iter": 2}
HIRES = {
    "enable_hr": True,
    "hr_scale": 1.5,
    "hr_upscaler": "Latent",
    "hr_second_pass_steps": 3,
    "denoising_strength": 0.7,
}
IMG2IMG = {"denoising_strength": 0.6, "resize_mode": 0}
INPAINT = {**IMG2IMG, "mask_blur": 4, "inpainting_fill": 1, "inpaint_full_res": False, "inpaint_full_res_padding": 16}
NASTY = {
    "Recorder json": '{"a": 1, "b": ["x, y", "512x512"], "c": "it\'s: \\"so\\""}',
    "Recorder size": "12x34",
    "Recorder quotes": 'he said "no"',
    "Recorder quoted": '"no"',
    "Recorder commas": "a, b, c",
    "Recorder colons": "a: b",
    "Recorder lines": "one\ntwo",
    "Recorder number": 0.25,
    "Recorder true": True,
    "Recorder none": None,
    "Recorder empty": "",
    "Recorder unicode": "✨ größer",
    "Recorder backslash": "C:\\x",
    "Recorder list": ["first", "second"],
    "Recorder/slash-key": "yes",
}
TEXTS = {
    "plain": "a cat\nNegative prompt: a dog\nSteps: 4, Sampler: Euler, CFG scale: 6, Seed: 7, Size: 192x128",
    "json value": 'a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Finisher: "{\\"refine\\": {\\"steps\\": 12}, '
    '\\"upscale\\": {\\"passes\\": [{\\"factor\\": 2}]}}", Seed: 7',
    "json value without quotes": 'a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Finisher: {"a": 1, "b": 2}, Seed: 7',
    "sizes": "a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Tile size: 64x32, Not a size: 64 x 32, Quoted: "
    '"64x32", Seed: 7',
    "quotes": 'a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Half: "open, Whole: "a, b", Empty: "", Seed: 7',
    "colons": 'a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Time: 12:34, Quoted: "a: b", Seed: 7',
    "keys": "a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, a/b c-d_e: 1, X: short, Ü ber: 2, 9 lives: 3, (x): 4",
    "too few": "a cat\nSteps: 4, Sampler: Euler",
    "nothing": "",
    "lines": "a cat,\non a mat\nNegative prompt: a dog,\nin a fog\nSteps: 4, Sampler: Euler, CFG scale: 6, Seed: 7",
    "line in a value": 'a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Note: "one\\ntwo", Seed: 7',
    "hires": "a cat\nSteps: 4, Sampler: Euler, CFG scale: 6, Seed: 7, Size: 192x128, Denoising strength: 0.7, "
    "Hires upscale: 1.5, Hires steps: 3, Hires upscaler: Latent",
}

# A host restores after a request only those overridden settings that its configuration names.
SETTINGS = {
    "CLIP_stop_at_last_layers": 1,
    "img2img_color_correction": False,
    "return_mask": False,
    "return_mask_composite": False,
    "save_init_img": False,
}
UNNAMED = {"eta_noise_seed_delta": 3}

INTERESTING = re.compile(
    r"""(txt2img|img2img)_(prompt|neg_prompt|toprow|tools|generate|generate_box|interrupt|interrupting|skip
        |restore_progress|settings|sampling|steps|scheduler|width|height|cfg_scale|batch_count|batch_size|seed
        |denoising_strength|hr|accordions|script_container|override_settings|results|results_panel|gallery
        |gallery_container|send_to_\w+|upscale|open_folder|generation_info_button|extra_tabs|image|scale
        |\w+_tab|batch_\w+|mask_blur)
    |(html_info|html_log|generation_info|image_buttons|save|save_zip|tab|finisher_recorder)_(txt2img|img2img)
    |tabs|tab_\w+|quicksettings|setting_sd_model_checkpoint|paste|mode_img2img|img2maskimg|resize_mode
    |inpaint_controls|footer|script_list|settings_json""",
    re.VERBOSE,
)


class Client(Protocol):
    """Something that answers like a web UI: the status and the data of the answer."""

    def get(self, path: str) -> tuple[int, Any]:
        """GET."""

    def post(self, path: str, data: Any) -> tuple[int, Any]:
        """POST with JSON."""


class HttpClient:
    """A web UI at an address."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, data: Any) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, json.dumps(data).encode(), headers))

    def _ask(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, _json(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read())


def record(client: Client, page: str = "") -> dict[str, Any]:
    """Everything about a web UI; with `page`, its address, also what only its page can do."""
    # What a generation leaves behind in the host's state is then the same for the first scenario as for a later one.
    client.post("/sdapi/v1/options", SETTINGS)
    client.post("/sdapi/v1/txt2img", DRAFT)
    _, told = client.get("/finisher-recorder/facts")
    traces, texts = {}, {}
    for name, (route, data, asked) in scenarios(client, told).items():
        traces[name], texts[name] = trace(client, route, data, asked)
    if page:
        traces.update(page_traces(client, page))
    left_out = [] if page else ["traces/page *"]
    produced = {name: found for name, found in texts.items() if found}
    _, parsed = client.post("/finisher-recorder/parse", {**TEXTS, "produced": produced["infotext"][0]})
    api = {"routes": told.pop("routes"), **api_facts(client)}
    result = {
        "format": 1,
        **told,
        "traces": traces,
        "infotext": {
            "produced": produced,
            "parsed": {
                name: {"text": TEXTS.get(name, "<produced>"), "result": _nameless(parsed[name])} for name in parsed
            },
        },
        "components": components(client.get("/config")[1]),
        "sampler_counts": sampler_counts(client, told["names"]["samplers"]),
        "api": api,
        "left_out": left_out,
    }
    return cleaned(result)


# Scenarios


def scenarios(client: Client, told: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name → route of the API, changes to the draft, and what the recorder is to do besides recording."""
    draft, other, mask = encoded(picture((WIDTH, HEIGHT))), encoded(picture(OTHER)), encoded(spot((WIDTH, HEIGHT)))
    hires = dict(HIRES)
    if "hr_additional_modules" in told["dataclass_fields"]["StableDiffusionProcessingTxt2Img"]["init"]:
        hires["hr_additional_modules"] = ["Use same choices"]
    image = {**IMG2IMG, "init_images": [draft]}
    inpaint = {**INPAINT, "init_images": [draft], "mask": mask}
    found: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "txt2img": ("txt2img", {}, {}),
        "txt2img batch": ("txt2img", BATCH, {}),
        "txt2img hires": ("txt2img", hires, {}),
        "img2img": ("img2img", {**image, "init_images": [other]}, {}),
        "img2img crop and resize": ("img2img", {**image, "init_images": [other], "resize_mode": 1}, {}),
        "img2img batch": ("img2img", {**image, **BATCH}, {}),
        "inpaint whole picture": ("img2img", inpaint, {}),
        "inpaint only masked": ("img2img", {**inpaint, "inpaint_full_res": True}, {}),
        "override settings": ("txt2img", {"override_settings": {"CLIP_stop_at_last_layers": 2}}, {}),
        "colour correction": ("img2img", {**image, "override_settings": {"img2img_color_correction": True}}, {}),
        "mask composite": (
            "img2img",
            {**inpaint, "override_settings": {"return_mask": True, "return_mask_composite": True}},
            {},
        ),
    }
    for flag, name in (("interrupt", "interrupted"), ("skip", "skipped"), ("stop_generating", "stopped")):
        asked = {"flag": {"name": flag, "at": 2}}
        found[f"{name} at a step"] = ("txt2img", {"n_iter": 2}, asked)
    found["nested"] = ("txt2img", {}, {"nest": True})
    found["nested in a batch"] = ("txt2img", BATCH, {"nest": True})
    found["nested in only masked"] = ("img2img", {**inpaint, "inpaint_full_res": True}, {"nest": True})
    for flag, name in (("interrupt", "interrupted"), ("skip", "skipped"), ("stop_generating", "stopped")):
        asked = {"nest": True, "flag": {"name": flag, "at": 2, "nested": True}}
        found[f"nested, {name} at a step"] = ("txt2img", {"n_iter": 2}, asked)
    found["infotext"] = ("txt2img", {"batch_size": 2}, {"extra": NASTY})
    found["request by infotext"] = ("txt2img", {"infotext": infotext({}, "txt2img")}, {})
    found["img2img by infotext"] = ("img2img", {"infotext": infotext({}, "img2img"), "init_images": [draft]}, {})
    _, models = client.get("/sdapi/v1/sd-models")
    if isinstance(models, list) and len(models) > 1:
        other_model = sorted(item["title"] for item in models)[1]
        found["override checkpoint"] = ("txt2img", {"override_settings": {"sd_model_checkpoint": other_model}}, {})
    return found


def trace(client: Client, route: str, changes: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[dict, list[str]]:
    """One generation through the API: its trace and its infotexts."""
    client.get("/finisher-recorder/take")
    recorder = {"record": True, **asked}
    data = dict(changes) if "infotext" in changes else {**DRAFT, **changes}
    if "infotext" not in changes:
        data["alwayson_scripts"] = {TITLE: {"args": [recorder]}}
    status, answer = client.post(f"/sdapi/v1/{route}", data)
    _, taken = client.get("/finisher-recorder/take")
    shown = {key: value for key, value in changes.items() if key not in ("init_images", "mask")}
    for key in ("init_images", "mask"):
        if key in changes:
            shown[key] = _of_pictures(changes[key])
    found: dict[str, Any] = {
        "request": {"route": route, "data": shown, "recorder": asked},
        "status": status,
        "events": _without_chance(taken["events"]) if "infotext" in changes else taken["events"],
    }
    info = json.loads(answer["info"]) if status == 200 else {}
    if info:
        found["answer"] = {
            "images": _of_pictures(answer["images"]),
            "all_seeds": info["all_seeds"],
            "index_of_first_image": info["index_of_first_image"],
            "extra_generation_params": sorted(info["extra_generation_params"]),
        }
    return found, info.get("infotexts", [])


def infotext(asked: Mapping[str, Any], tab: str) -> str:
    """An infotext that sets the page, or a request, as the draft; the recorder's argument stands in it."""
    argument = json.dumps(json.dumps({"record": True, **asked}))
    strength = ", Denoising strength: 0.6" if tab == "img2img" else ""
    return (
        f"{DRAFT['prompt']}\nNegative prompt: {DRAFT['negative_prompt']}\nSteps: {DRAFT['steps']}, Sampler: Euler, "
        f"Schedule type: Automatic, CFG scale: {DRAFT['cfg_scale']:g}, Seed: {DRAFT['seed']}, Size: {WIDTH}x{HEIGHT}"
        f"{strength}, {TITLE}: {argument}"
    )


def sampler_counts(client: Client, samplers: Iterable[str]) -> dict[str, Any]:
    """For a nested img2img of 8 steps at strength 0.5: how often each sampler calls what."""
    found: dict[str, Any] = {}
    for name in samplers:
        told, _ = trace(client, "txt2img", {"steps": 1}, {"nest": {"sampler": name, "steps": 8}})
        ends = [event for event in told["events"] if event["hook"] == "nested:end"]
        counted = {key: value for key, value in ends[0]["args"].items() if key != "processed"} if ends else {}
        steps = [event for event in told["events"] if event["hook"] == "nested:callback_state"]
        found[name] = {**counted, "callback_states": len(steps), "last": _last_step(steps)}
    return found


def _last_step(steps: list[dict[str, Any]]) -> int | None:
    numbers = [event["args"]["i"] for event in steps if "i" in event.get("args", {})]
    return numbers[-1] if numbers else None


# The page


def page_traces(client: Client, url: str) -> dict[str, Any]:
    """What the API lacks, by pressing the page's own buttons."""
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=_chromium())
        page = browser.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(url)
        page.wait_for_selector("#txt2img_prompt textarea")
        # The page fills itself in from the settings for a moment after it is there.
        page.wait_for_timeout(3000)
        _paste(page, "txt2img")
        found["page txt2img"] = _generate(client, page, "txt2img", 1)
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        for name, size in (("a", OTHER), ("b", (WIDTH, HEIGHT)), ("c", OTHER)):
            picture(size).save(pictures / f"{name}.png")
        page.locator("#tabs > .tab-nav > button", has_text=re.compile(r"^\s*img2img\s*$", re.IGNORECASE)).click()
        _paste(page, "img2img")
        page.locator("#mode_img2img > .tab-nav > button", has_text=re.compile(r"^\s*Batch\s*$")).click()
        sources = page.locator("#img2img_batch_source > .tab-nav > button", has_text="from directory")
        if sources.count():
            sources.first.click()
        _box(page, "img2img_batch_input_dir").fill(str(pictures))
        found["page img2img batch"] = _generate(client, page, "img2img", len(list(pictures.iterdir())))
        target = Path(folder) / "out"
        _box(page, "img2img_batch_output_dir").fill(str(target))
        told = _generate(client, page, "img2img", len(list(pictures.iterdir())))
        files = sorted(item.name for item in target.rglob("*") if item.is_file())
        found["page img2img batch to a folder"] = {**told, "answer": {"files": files}}
        browser.close()
    return found


def _paste(page: Any, tab: str) -> None:
    """Set a tab by pasting an infotext. It goes back to the first kind of img2img, so it comes first."""
    page.locator(f"#{tab}_prompt textarea").fill(infotext({}, tab))
    page.locator(f"#{tab}_tools #paste").click()
    _until(lambda: bool(page.locator(f"#finisher_recorder_{tab} textarea").input_value()), page)
    _until(lambda: page.locator(f"#{tab}_steps input[type=number]").input_value() == str(DRAFT["steps"]), page)
    page.wait_for_timeout(1000)


def _generate(client: Client, page: Any, tab: str, runs: int) -> dict[str, Any]:
    """Press Generate and wait for so many ends."""
    page.wait_for_timeout(500)
    client.get("/finisher-recorder/take")
    page.locator(f"#{tab}_generate").click()
    _until(lambda: client.get("/finisher-recorder/peek")[1].get("postprocess", 0) >= runs, page)
    _until(lambda: client.get("/sdapi/v1/progress?skip_current_image=true")[1]["state"]["job"] == "", page)
    page.wait_for_timeout(1000)
    _, taken = client.get("/finisher-recorder/take")
    return {"request": {"route": f"page/{tab}"}, "events": _without_chance(taken["events"])}


def _without_chance(value: Any, key: str = "") -> Any:
    """Where an infotext sets a generation, the variation seed is drawn by chance."""
    if isinstance(value, dict):
        return {name: _without_chance(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_chance(item, key) for item in value]
    drawn = isinstance(value, int) and value >= 0 and key in ("subseed", "subseeds", "all_subseeds")
    return "<random>" if drawn else value


def _box(page: Any, elem_id: str) -> Any:
    """The text box of a component."""
    return page.locator(f"#{elem_id} textarea, #{elem_id} input").first


def _until(holds: Callable[[], bool], page: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("The page did not do what it was told to.")
        page.wait_for_timeout(200)


def _chromium() -> str | None:
    """The system's browser, if there is one; otherwise playwright's own."""
    known = (Path("/usr/bin") / name for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((str(item) for item in known if item.exists()), None)


def components(config: Mapping[str, Any]) -> dict[str, Any]:
    """The page's components by tab, in order of creation and of layout."""
    blocks = {item["id"]: item for item in config["components"]}
    found: dict[str, dict[str, list[list[str]]]] = {
        kind: {"txt2img": [], "img2img": [], "other": []} for kind in ("created", "placed")
    }
    home: dict[int, str] = {}

    def told(number: int) -> list[str] | None:
        block = blocks.get(number, {})
        elem_id = block.get("props", {}).get("elem_id")
        if not isinstance(elem_id, str) or not INTERESTING.fullmatch(elem_id):
            return None
        return [elem_id, block["type"]]

    def walk(node: Mapping[str, Any], tab: str) -> None:
        elem_id = blocks.get(node["id"], {}).get("props", {}).get("elem_id")
        tab = {"tab_txt2img": "txt2img", "tab_img2img": "img2img"}.get(elem_id, tab)
        home[node["id"]] = tab
        if found_here := told(node["id"]):
            found["placed"][tab].append(found_here)
        for child in node.get("children") or ():
            walk(child, tab)

    walk(config["layout"], "other")
    for number in blocks:
        if found_here := told(number):
            found["created"][home.get(number, "other")].append(found_here)
    for tab, told_of in found["created"].items():
        if found["placed"][tab] == told_of:
            found["placed"][tab] = [["<as created>", ""]]
    return found


# The API


def api_facts(client: Client) -> dict[str, Any]:
    """The shapes of the API's answers, right and wrong."""
    small = {**DRAFT, "width": 64, "height": 64, "steps": 1}
    image = {**small, "init_images": [encoded(picture((64, 64)))]}
    keys: dict[str, Any] = {}
    for route, data in (("txt2img", small), ("img2img", image)):
        _, answer = client.post(f"/sdapi/v1/{route}", data)
        info = json.loads(answer["info"])
        keys[route] = {"answer": sorted(answer), "parameters": sorted(answer["parameters"]), "info": sorted(info)}
    _, progress = client.get("/sdapi/v1/progress")
    keys["progress"] = {"answer": sorted(progress), "state": sorted(progress["state"])}
    _, scripts = client.get("/sdapi/v1/script-info")
    _, listed = client.get("/sdapi/v1/scripts")
    own = TITLE.lower()
    return {
        "answer_keys": keys,
        "script_info": [item for item in scripts if item["name"] == own],
        "listed": {tab: own in names for tab, names in listed.items()},
        "override_of_an_unnamed_setting_stays": stays(client, small),
        "errors": {name: _error(*client.post(path, data)) for name, (path, data) in wrong_requests(small).items()},
    }


def wrong_requests(small: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → route and data of a request that is wrong, or only looks so."""
    txt2img, img2img = "/sdapi/v1/txt2img", "/sdapi/v1/img2img"

    def always_on(value: Any, name: str = TITLE) -> tuple[str, dict[str, Any]]:
        return txt2img, {**small, "alwayson_scripts": {name: value}}

    return {
        "title in lower case": always_on({"args": [""]}, TITLE.lower()),
        "more arguments than the script has": always_on({"args": ["", 1, 2]}),
        "no arguments": always_on({"args": []}),
        "no args key": always_on({}),
        "args is a number": always_on({"args": 3}),
        "args is an object": always_on({"args": {"record": False}}),
        "an unknown script": always_on({"args": []}, "no such script"),
        "a selectable script": always_on({"args": []}, "x/y/z plot"),
        "an unknown field": (txt2img, {**small, "no such field": 1}),
        "an unknown sampler": (txt2img, {**small, "sampler_name": "no such sampler"}),
        "an unknown scheduler": (txt2img, {**small, "scheduler": "no such scheduler"}),
        "an unknown setting": (txt2img, {**small, "override_settings": {"no_such_setting": 1}}),
        "an unknown checkpoint": (txt2img, {**small, "override_settings": {"sd_model_checkpoint": "no such model"}}),
        "a text for a number": (txt2img, {**small, "steps": "many"}),
        "no init images": (img2img, dict(small)),
        "an empty list of init images": (img2img, {**small, "init_images": []}),
        "an init image that is none": (img2img, {**small, "init_images": ["bm90aGluZw=="]}),
        "an infotext with a denoising strength": (txt2img, {"infotext": infotext({}, "img2img")}),
        "an infotext without a known key": (txt2img, {**small, "infotext": "a cat\nA key: 1, B key: 2, C key: 3"}),
    }


def _error(status: int, answer: Any) -> dict[str, Any]:
    told = {"status": status, "keys": sorted(answer) if isinstance(answer, dict) else []}
    if status != 200 and isinstance(answer, dict) and isinstance(answer.get("error"), str):
        told["error"] = answer["error"]
    return told


def stays(client: Client, small: Mapping[str, Any]) -> bool:
    """Whether an overridden setting stays on that the host's configuration file did not name before the request."""
    (key,) = UNNAMED
    client.post("/sdapi/v1/txt2img", {**small, "override_settings": UNNAMED})
    _, after = client.get("/sdapi/v1/options")
    client.post("/sdapi/v1/options", {key: 0})
    return after.get(key) == UNNAMED[key]


# Pictures


def picture(size: tuple[int, int]) -> Image.Image:
    """Gradients with a disc: the same everywhere."""
    width, height = size
    red = Image.linear_gradient("L").resize(size)
    blue = Image.linear_gradient("L").rotate(90).resize(size)
    found = Image.merge("RGB", (red, Image.new("L", size, 96), blue))
    ImageDraw.Draw(found).ellipse((width // 3, height // 3, 2 * width // 3, 2 * height // 3), (220, 40, 30))
    return found


def spot(size: tuple[int, int]) -> Image.Image:
    """A mask with one white rectangle."""
    found = Image.new("L", size, 0)
    ImageDraw.Draw(found).rectangle((72, 40, 119, 87), 255)
    return found


def encoded(image: Image.Image) -> str:
    """An image as the API takes it."""
    data = io.BytesIO()
    image.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def _of_pictures(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_pictures(item) for item in value]
    with Image.open(io.BytesIO(base64.b64decode(value))) as image:
        return {"image": list(image.size), "mode": image.mode}


# Text


_RULES = (
    (re.compile(r"\b(Model hash|VAE hash|Init image hash): [0-9a-f]+"), r"\1: <hash>"),
    (re.compile(r"\bModel: [^,\n]+"), "Model: <model>"),
    (re.compile(r"\bVersion: [^,\n]+"), "Version: <version>"),
    (re.compile(r"^task\(\w+\)$"), "<task>"),
    (re.compile(r"^\S+\.safetensors( \[\w+\])?$"), "<checkpoint>"),
    (re.compile(r"(?<![\w.:/])(?:/[\w.\-]+){2,}"), "<path>"),
)
_KEPT = re.compile(r"^(GET|POST|HEAD) |^/sdapi/|^page/")


def _nameless(result: dict[str, Any]) -> dict[str, Any]:
    """What was read out of an infotext, without what is called otherwise elsewhere."""
    hidden = {"Model": "<model>", "Model hash": "<hash>", "Version": "<version>"}
    return {key: hidden.get(key, value) for key, value in result.items()}


def cleaned(value: Any) -> Any:
    """Without names of models, versions, paths and task numbers."""
    if isinstance(value, dict):
        return {key: cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, str) and not _KEPT.match(value):
        for pattern, text in _RULES:
            value = pattern.sub(text, value)
    return value


def dumped(value: Any, indent: int = 0, room: int = 140) -> str:
    """JSON with everything on one line that fits on one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= room or not isinstance(value, (dict, list)) or not value:
        return line
    inner = " " * (indent + 1)
    parts: Iterable[str]
    if isinstance(value, dict):
        parts = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {dumped(value[key], indent + 1)}" for key in value)
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    parts = (inner + dumped(item, indent + 1) for item in value)
    return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Records what a running web UI does.")
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--page", action="store_true", help="also press the page's buttons, with playwright")
    parser.add_argument("--revision", help="for a host that cannot tell it, being no git checkout")
    asked = parser.parse_args()
    found = record(HttpClient(asked.url), asked.url if asked.page else "")
    found["host"]["revision"] = asked.revision or found["host"]["revision"]
    asked.file.write_text(dumped(found) + "\n", encoding="utf-8")
    told = found["host"]
    sys.stdout.write(f"{asked.file}: {told['name']} {told['revision']}, {len(found['traces'])} traces\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
