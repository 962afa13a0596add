"""The front for programs: requests read and refused, answers and infotexts made, on the embedded engine."""

from __future__ import annotations

import base64
import functools
import io
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lib_finisher.api import answers, requests
from lib_finisher.api.pictures import png
from lib_finisher.api.problems import RequestError, told
from lib_finisher.controls import controls_of
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Meter, Progress
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.infotext import writing as infotext
from lib_finisher.infotext.fields import told_fields
from lib_finisher.infotext.layout import pairs_of as pairs_in
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import SECTIONS, default_recipe, read_recipe
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.stage import Base, Tools, Work
from tests.conftest import PORTRAIT

READ = functools.partial(read_recipe, family="embedded")
OFFER = requests.Offer(
    {
        "sampler": ("Euler", "Euler a"),
        "scheduler": ("Automatic", "Karras"),
        "checkpoint": ("a.safetensors",),
        "vae": (),
        "upscaler": ("auto", "Lanczos"),
        "detector": Detectors().names(),
    },
    {"checkpoint": {"a", "a.safetensors"}},
)
LIMITS = requests.Limits(pictures=3, megapixels=1.0, finished_megapixels=1.5)
OWN = (
    'a "red" circle, <lora:x:1>\nsecond line\nNegative prompt: blue\nSteps: 9, Sampler: Euler a, Seed: 77, Size: 96x64'
)
OFF = {name: {"enabled": False} for name in ("detail", "upscale", "texture")}
GENTLE = {**OFF, "refine": {"denoising_strength": 0.1, "steps": 2}, "grade": {"contrast": 0.2, "grain": 0.0}}


def encoded(picture: Image.Image, kind: str = "PNG", **more: Any) -> str:
    data = io.BytesIO()
    picture.save(data, kind, **more)
    return base64.b64encode(data.getvalue()).decode()


def with_infotext(picture: Image.Image, text: str) -> str:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    return encoded(picture, pnginfo=info)


@pytest.fixture(scope="module")
def face() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB").crop((120, 0, 376, 256)).resize((96, 64))


@pytest.fixture(scope="module")
def image(face: Image.Image) -> str:
    return encoded(face)


def read(data: dict[str, Any], limits: requests.Limits = LIMITS) -> requests.FinishRequest:
    return requests.read_finish(data, READ, OFFER, limits)


def refused(data: Any, reader: Any = read) -> dict[str, str]:
    with pytest.raises(RequestError) as error:
        reader(data)
    body = told(error.value.problems)
    json.dumps(body)
    assert all(set(item) == {"field", "problem"} and item["problem"] for item in body["detail"])
    return {item["field"]: item["problem"] for item in body["detail"]}


def read_and_opened(data: dict[str, Any]) -> Any:
    return read(data).opened()


def finished(asked: requests.FinishRequest) -> tuple[dict[str, Any], list[Base]]:
    pictures, masks = asked.opened()
    bases = [asked.base_of({}) for _ in pictures]
    works = [Work(item.pixels, base, mask, alpha=item.alpha) for item, base, mask in zip(pictures, bases, masks)]
    done = Pipeline(EmbeddedHost(), Detectors().detect, asked.recipe).run(works)
    return answers.finished_json(done, pictures, bases, asked.recipe, "embedded", asked.report), bases


def test_pictures_are_finished_and_every_list_has_one_entry_each(face: Image.Image, image: str) -> None:
    data_url = "data:image/png;base64," + with_infotext(face.transpose(Image.Transpose.FLIP_LEFT_RIGHT), OWN)
    asked = read({"images": [image, data_url], "recipe": GENTLE})
    answer, _ = finished(asked)
    json.dumps(answer, allow_nan=False)
    assert [len(answer[key]) for key in ("images", "infotexts", "reports", "errors", "notes")] == [2] * 5
    assert answer["errors"] == [None, None]
    for text, told_in, report in zip(answer["images"], answer["infotexts"], answer["reports"]):
        picture = Image.open(io.BytesIO(base64.b64decode(text)))
        assert (picture.format, picture.size, picture.mode) == ("PNG", (96, 64), "RGB")
        assert picture.info["parameters"] == told_in
        assert [item["stage"] for item in report] == [stage.name for stage in STAGES]
        keys = {"status", "reason", "seconds", "patches", "host_calls", "megapixel_steps", "size", "notes"}
        assert all(keys <= set(item) for item in report)
        assert {item["stage"] for item in report if item["status"] == "ran"} == {"refine", "grade"}
    assert answer["images"][0] != answer["images"][1]
    assert not np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))), face)
    assert finished(read({"images": [image], "recipe": GENTLE, "report": False}))[0]["reports"] == []


def test_one_failing_picture_does_not_lose_the_others(image: str) -> None:
    small = encoded(Image.new("RGB", (2, 2)))
    recipe = {**OFF, "refine": {"enabled": False}, "upscale": {"passes": [{"factor": 16, "method": "upscaler only"}]}}
    wide = encoded(Image.new("RGB", (1100, 2)))
    answer, _ = finished(read({"images": [small, wide, image], "recipe": recipe}))
    assert answer["errors"][0] is None
    assert "at most 16384" in answer["errors"][1]
    assert answer["errors"][2] is None
    sizes = [Image.open(io.BytesIO(base64.b64decode(text))).size for text in answer["images"]]
    assert sizes == [(32, 32), (1100, 2), (1536, 1024)]
    assert "Finisher error" in answer["infotexts"][1]


def test_transparency_stays(face: Image.Image) -> None:
    clear = face.convert("RGBA")
    clear.putalpha(100)
    answer, _ = finished(read({"images": [encoded(clear)], "recipe": GENTLE}))
    made = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    assert made.mode == "RGBA"
    assert made.getextrema()[3] == (100, 100)
    assert answer["notes"] == [[]]


@pytest.mark.parametrize(
    ("data", "field", "part"),
    [
        ({"recipe": {"refine": {"denoise": 0.3}}}, "recipe.refine.denoise", "Accepted here: "),
        ({"recipe": {"refine": {"denoising_strength": 7}}}, "recipe.refine.denoising_strength", "from 0 to 1"),
        ({"recipe": {"upscal": {}}}, "recipe.upscal", "Did you mean 'upscale'?"),
        ({"recipe": []}, "recipe", "must be an object"),
        ({"recipe": {"version": 9}}, "recipe.version", "reads versions 1 to 2"),
        ({"recipe": {"detail": {"passes": [{}, {"most": "x"}]}}}, "recipe.detail.passes.2.most", "a whole number"),
        ({"recipe": {"refine": {"sampler": "Oiler"}}}, "recipe.refine.sampler", "one of 'Euler', 'Euler a'"),
        ({"recipe": {"detail": {"passes": [{"detector": "x"}]}}}, "recipe.detail.passes.1.detector", "'face_yunet'"),
        ({"base": {"steps": 0}}, "base.steps", "a whole number from 1 to 150"),
        ({"base": {"promt": ""}}, "base.promt", "Did you mean 'prompt'?"),
        ({"base": {"scheduler": "x"}}, "base.scheduler", "one of 'Automatic', 'Karras'"),
        ({"base": 3}, "base", "must be an object"),
        ({"report": "yes"}, "report", "true or false"),
        ({"recipes": {}}, "recipes", "Did you mean 'recipe'?"),
        ({"images": "x"}, "images", "a list of 1 to 3 pictures"),
        ({"images": []}, "images", "a list of 1 to 3 pictures"),
        ({"images": ["AAAA"] * 4}, "images", "4 pictures are not accepted"),
        ({"images": [None]}, "images.1", "a picture as base64"),
        ({"images": ["/home/someone/picture.png"]}, "images.1", "looks like a path or an address"),
        ({"images": ["C:\\pictures\\a.png"]}, "images.1", "looks like a path or an address"),
        ({"images": ["https://example.com/a.png"]}, "images.1", "looks like a path or an address"),
        ({"images": ["file:///a"]}, "images.1", "looks like a path or an address"),
        ({"images": ["/etc"]}, "images.1", "looks like a path or an address"),
        ({"images": ["%%%"]}, "images.1", "the base64 is broken"),
        ({"images": ["QUJD" * 50]}, "images.1", "not a picture of a known kind"),
        ({"mask": "QUJD"}, "mask", "not a picture of a known kind"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_named(image: str, data: dict[str, Any], field: str, part: str) -> None:
    found = refused({"images": [image], **data})
    assert list(found) == [field]
    assert part in found[field]


def test_all_problems_are_told_together(image: str) -> None:
    wrong = {"images": [image, "x"], "recipe": {"grade": {"grain": "x"}}, "base": {"seed": 1.5}, "masks": []}
    assert set(refused(wrong)) == {"masks", "recipe.grade.grain", "base.seed", "images.2"}


def test_pictures_that_are_broken_or_too_large_are_refused(face: Image.Image, image: str) -> None:
    data = base64.b64decode(image)
    cut = base64.b64encode(data[: len(data) // 2]).decode()
    assert "damaged or cut short" in refused({"images": [image, cut]}, read_and_opened)["images.2"]
    large = encoded(Image.new("L", (800, 800)))
    assert "1.3 megapixels are too many; at most 1" in refused({"images": [large, large]})["images"]
    # A header alone: nothing of that size is ever made.
    bomb = bytearray(base64.b64decode(encoded(Image.new("1", (8, 8)))))
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    assert "too large" in refused({"images": [base64.b64encode(bomb).decode()]})["images.1"]
    assert "not a picture of a known kind" in refused({"images": [encoded(face, "EPS")]})["images.1"]
    with pytest.raises(RequestError, match=r"2\.0 megapixels together, at most 1\.5"):
        requests.check_finished(2.0, LIMITS)
    requests.check_finished(1.5, LIMITS)


def test_every_usual_kind_of_picture_is_read(face: Image.Image) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        asked = read({"images": [encoded(face, kind)]})
        assert size_of(asked.opened()[0][0].pixels) == Size(96, 64)
    turned = Image.Exif()
    turned[0x0112] = 6
    asked = read({"images": [encoded(face, "JPEG", exif=turned)]})
    assert size_of(asked.opened()[0][0].pixels) == Size(64, 96)
    broken_lines = "\n".join(encoded(face)[at : at + 76] for at in range(0, 4000, 76))
    assert "images.1" in refused({"images": [broken_lines[:-3]]})
    whole = encoded(face)
    lines = "\r\n".join(whole[at : at + 76] for at in range(0, len(whole), 76))
    assert np.array_equal(*(read({"images": [item]}).opened()[0][0].pixels for item in (lines, whole)))


def test_a_mask_must_fit_every_picture(face: Image.Image, image: str) -> None:
    white = Image.new("L", face.size, 255)
    asked = read({"images": [image, image], "mask": encoded(white)})
    assert all(mask is not None and mask.min() == 1.0 for mask in asked.opened()[1])
    assert (
        "the mask is 48×64, the picture 96×64"
        in refused({"images": [image], "mask": encoded(white.resize((48, 64)))})["mask"]
    )
    assert read({"images": [image], "mask": None}).opened()[1] == [None]


def test_only_headers_are_read_before_the_turn_of_a_request(face: Image.Image, image: str) -> None:
    data = bytearray(base64.b64decode(encoded(face)))
    middle = data.index(b"IDAT") + len(data) // 3
    data[middle : middle + 200] = bytes(200)
    damaged = base64.b64encode(bytes(data)).decode()
    asked = read({"images": [image, damaged, damaged]})
    wrong = refused(asked, lambda asked: asked.opened())
    assert set(wrong) == {"images.2", "images.3"}
    assert "damaged" in wrong["images.2"]
    turned = Image.Exif()
    turned[0x0112] = 6
    upright = encoded(face, "JPEG", exif=turned)
    for mask, fits in ((Image.new("L", (64, 96), 255), True), (Image.new("L", (96, 64), 255), False)):
        asked = read({"images": [upright], "mask": encoded(mask)})
        if fits:
            assert np.asarray(asked.opened()[1][0]).shape == (96, 64)
        else:
            assert "the mask is 96×64, the picture 64×96" in refused(asked, lambda asked: asked.opened())["mask"]


def test_a_name_that_only_a_disabled_stage_has_does_no_harm(image: str) -> None:
    elsewhere = {"refine": {"enabled": False, "checkpoint": "not here"}, "upscale": {"passes": [{"checkpoint": "a"}]}}
    assert read({"images": [image], "recipe": elsewhere}).recipe["refine"].checkpoint == "not here"
    # What the host does not list is not judged.
    assert read({"images": [image], "recipe": {"refine": {"vae": "some"}}})


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"null", b'"x"', b"{", b"\xff", b'{"a": "\\ud800"}', b"[" * 99999])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert set(refused(body, requests.json_object)) == {"body"}


def test_the_request_goes_before_the_picture_and_both_before_the_defaults(image: str) -> None:
    own = {"prompt": "own", "seed": 5, "steps": 9, "sampler": "Euler a"}
    asked = read({"images": [image], "base": {"prompt": "", "steps": 30}})
    assert asked.base_of(own) == Base(prompt="", seed=5, steps=30, sampler="Euler a")
    assert asked.base_of({}) == Base(prompt="", steps=30)
    assert asked.base_of({}, "Euler", "Karras") == Base(prompt="", steps=30, sampler="Euler", scheduler="Karras")
    assert asked.base_of(own, "Euler").sampler == "Euler a"
    drawn = read({"images": [image], "base": {"seed": -1}})
    assert {drawn.base_of(own).seed for _ in range(4)} != {drawn.base_of(own).seed}
    ignored = read({"images": [image], "recipe": {"base": {"own_infotext": False}}})
    assert ignored.base_of(own) == Base()


def test_what_an_infotext_tells_becomes_the_base() -> None:
    parsed = {"Prompt": "a", "Negative prompt": "b", "Steps": "9", "CFG scale": "6.5", "Seed": "77"}
    fields = {"prompt": "a", "negative_prompt": "b", "steps": 9, "cfg_scale": 6.5, "seed": 77}
    samplers, schedulers = ("Euler a", "DPM++ 2M"), ("Automatic", "Karras")

    def told_by(**more: str) -> dict[str, Any]:
        pairs = {key.replace("_", " "): value for key, value in more.items()}
        return dict(told_fields({**parsed, **pairs}, samplers, schedulers).fields)

    assert told_by() == fields
    named = told_by(Sampler="Euler a", Schedule_type="Karras")
    assert (named["sampler"], named["scheduler"]) == ("Euler a", "Karras")
    older = told_by(Sampler="DPM++ 2M Karras", Schedule_type="Automatic")
    assert (older["sampler"], older["scheduler"]) == ("DPM++ 2M", "Karras")
    assert told_by(Sampler="Elsewhere", Seed="many", Steps="0") == {
        key: value for key, value in fields.items() if key not in ("seed", "steps")
    }
    both = {**parsed, "Sampler": "DPM++ 2M", "Schedule type": "Karras"}
    joined = told_fields(both, ("DPM++ 2M Karras",), ()).fields
    assert (joined["sampler"], joined["scheduler"]) == ("DPM++ 2M Karras", "")


def test_the_infotext_keeps_the_bases_and_replaces_an_earlier_finishing(image: str) -> None:
    pairs = {"Finisher": '{"a": 1, "b": 2}', "Finisher version": "9"}
    once = infotext.finished_infotext(OWN, Base(), Size(96, 64), pairs)
    assert once == OWN + ', Finisher: "{\\"a\\": 1, \\"b\\": 2}", Finisher version: 9'
    assert infotext.finished_infotext(once, Base(), Size(96, 64), pairs) == once
    quoted = 'x\nSteps: 1, Lora hashes: "a: 1, b: 2", Finisher error: "no, really", Seed: 3, Sampler: y'
    kept = infotext.finished_infotext(quoted, Base(), Size(1, 1), {"Finisher": "1"})
    assert kept == 'x\nSteps: 1, Lora hashes: "a: 1, b: 2", Seed: 3, Sampler: y, Finisher: 1'
    base = Base("a, b", "c", 4, 5, 6.5, "Euler", "Karras")
    made = infotext.finished_infotext("", base, Size(8, 9), {"Finisher": "1"})
    last = "Steps: 5, Sampler: Euler, Schedule type: Karras, CFG scale: 6.5, Seed: 4, Size: 8x9, Finisher: 1"
    assert made == f"a, b\nNegative prompt: c\n{last}"
    assert infotext.finished_infotext("only words", base, Size(8, 9), {}).startswith("only words\nSteps: 5, ")
    answer, _ = finished(read({"images": [image], "recipe": GENTLE}))
    pair = dict(pairs_in(answer["infotexts"][0].split("\n")[-1]))["Finisher"]
    recipe = read_recipe(json.loads(json.loads(pair)), "embedded")
    assert recipe == read({"images": [image], "recipe": GENTLE}).recipe


# Pairs that are no pairs to the web UIs, texts in quotes, spaces and commas of all kinds.
FOREIGN = [
    "Steps: 20, Sampler: Euler a, Seed: 7",
    'Steps: 20, Civitai resources: [{"type":"checkpoint","modelName":"A, b: c","air":"urn:1"},{"weight":0.5}]',
    'Steps: 20, Seed: 7, Hashes: {"model": "0a1b", "lora:x": "2c, Finisher: 3d"}, Sampler: Euler',
    'Steps: 20,Seed: 7 ,  Odd ,, Hires prompt: "a, Finisher: 1, \\"Finisher size: 2\\", b", Lora: 5" high, Z: "a',
    "Steps: 20, Unfinished: Finisher: 1, Finisher mood: good, My Finisher: 2, finisher: 3, Seed: 4",
]
OURS = {
    "Finisher": '{"grade": {"lut": "a \\\\ \\"b\\", c"}, "detail": {}}',
    "Finisher version": "9",
    "Finisher size": "8 x 9",
    "Finisher stages": "refine, grade",
    "Finisher prompts": '{"detail, face": "one, two"}',
    "Finisher notes": "upscale: no; more",
    "Finisher error": 'no, "really"',
    "Finisher preset": "A + B (0123)",
}


def as_the_hosts_read(text: str) -> dict[str, str]:
    """The pairs of an infotext's last line, read with the expression that every supported web UI has for it."""
    pair = r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)'
    found = re.findall(pair, text.strip().split("\n")[-1])
    return {key: json.loads(value) if value[:1] == value[-1:] == '"' else value for key, value in found}


@pytest.mark.parametrize("before", ["", "a cat, b: c\nsecond: 1, third: 2\nNegative prompt: d\r\n\n", "\n  x\n"])
@pytest.mark.parametrize("last", FOREIGN)
def test_what_others_wrote_stays_byte_for_byte(last: str, before: str) -> None:
    own = before + last
    once = infotext.finished_infotext(own, Base(), Size(8, 9), OURS)
    assert once.startswith(f"{own}, Finisher: ")
    assert {key: value for key, value in as_the_hosts_read(once).items() if key in OURS} == OURS
    newer = {"Finisher": '{"grade": {}}', "Finisher size": "1 x 2"}
    assert infotext.finished_infotext(once, Base(), Size(8, 9), newer) == f"{own}, {pairs_of(newer)}"
    assert infotext.finished_infotext(f"{own}\n \n", Base(), Size(8, 9), {}) == own


def pairs_of(told: dict[str, str]) -> str:
    return ", ".join(f"{key}: {json.dumps(value) if set(',:') & set(value) else value}" for key, value in told.items())


@pytest.mark.parametrize("key", OURS)
def test_our_pairs_go_wherever_they_are(key: str) -> None:
    ours, told = pairs_of({key: OURS[key]}), {"Finisher size": "1 x 2"}
    foreign = ["Steps: 20", 'Hashes: {"model": "0a1b", "lora:x": "2c"}', "Seed: 7"]
    for place in range(4):
        last = ", ".join([*foreign[:place], ours, *foreign[place:]])
        kept = infotext.finished_infotext(f"a\n{last}", Base(), Size(8, 9), told)
        assert kept == f"a\n{', '.join(foreign)}, Finisher size: 1 x 2"
    assert infotext.finished_infotext(f"{ours}, {', '.join(foreign)},", Base(), Size(8, 9), told) == (
        f"{', '.join(foreign)}, Finisher size: 1 x 2"
    )


def test_a_last_line_of_our_pairs_alone_gets_those_of_the_base() -> None:
    base, told = Base("a", seed=4, steps=5), {"Finisher size": "1 x 2"}
    alone = infotext.finished_infotext(f"a\n{pairs_of(OURS)}", base, Size(8, 9), told)
    assert alone == infotext.finished_infotext("a", base, Size(8, 9), told)
    assert {"Steps": "5", "Seed": "4", **told}.items() <= as_the_hosts_read(alone).items()


def test_the_plan_names_every_stage_and_its_cost(image: str) -> None:
    asked = requests.read_plan({"image": image, "recipe": GENTLE}, READ, OFFER, LIMITS)
    work = Work(asked.opened()[0][0].pixels, asked.base_of({}))
    plan = make_plan(work, asked.recipe, Tools(EmbeddedHost(), Detectors().detect, Meter(Control())))
    answer = json.loads(json.dumps(answers.plan_json(plan, work.size)))
    assert (answer["before"], answer["size"]) == ([96, 64], [96, 64])
    assert [item["stage"] for item in answer["steps"]] == [stage.name for stage in STAGES]
    assert [item["stage"] for item in answer["steps"] if item["runs"]] == ["refine", "grade"]
    assert answer["total"]["host_calls"] == answer["steps"][0]["host_calls"] == 1
    assert answer["total"]["megapixel_steps"] == answer["steps"][0]["megapixel_steps"] > 0
    wrong = refused({"images": []}, lambda data: requests.read_plan(data, read_recipe, OFFER, LIMITS))
    assert set(wrong) == {"images", "image"}


def test_detection_answers_boxes() -> None:
    data = {"image": base64.b64encode(PORTRAIT.read_bytes()).decode(), "confidence": 0.6}
    asked = requests.read_detect(data, OFFER, LIMITS)
    pixels = asked.upload.picture().pixels
    found = Detectors().detect(asked.settings.detector, pixels, asked.settings.confidence)
    answer = json.loads(json.dumps(answers.detections_json(found, size_of(pixels))))
    assert answer["size"] == [512, 512]
    (face,) = answer["detections"]
    left, top, right, bottom = face["box"]
    assert face["label"] == "face"
    assert 0.6 <= face["confidence"] <= 1
    assert 0 <= left < right <= 512
    assert 0 <= top < bottom <= 512

    def reader(data: dict[str, Any]) -> requests.DetectRequest:
        return requests.read_detect(data, OFFER, LIMITS)

    assert set(refused({"detector": "x", "confidence": 2, "img": 1}, reader)) == {"img", "confidence", "image"}
    assert "'face_yunet'" in refused({**data, "detector": "x"}, reader)["detector"]


def test_the_schema_is_the_table() -> None:
    answer = json.loads(json.dumps(answers.schema_json(OFFER, LIMITS, "sdxl")))
    assert [item["name"] for item in answer["stages"]] == list(SECTIONS)
    for section in answer["stages"]:
        assert section["help"]
        rows = controls_of(SECTIONS[section["name"]])
        assert [item["name"] for item in section["controls"]] == [row.name for row in rows]
        for row, item in zip(rows, section["controls"]):
            inner = [part["name"] for part in item.get("item", ())]
            assert inner == ([] if row.item is None else [part.name for part in controls_of(row.item)])
            if row.kind in ("integer", "number"):
                assert (item["minimum"], item["maximum"], item["step"]) == (row.minimum, row.maximum, row.step)
    assert answer["choices"]["sampler"] == ["Euler", "Euler a"]
    assert set(refused("nope", lambda name: answers.schema_json(OFFER, LIMITS, name))) == {"family"}


@pytest.mark.parametrize("family", ["", "sdxl", "flux"])
def test_the_schemas_defaults_make_the_default_recipe(family: str) -> None:
    answer = json.loads(json.dumps(answers.schema_json(OFFER, LIMITS, family)))
    data = {item["name"]: {row["name"]: row["default"] for row in item["controls"]} for item in answer["stages"]}
    assert read_recipe({"version": answer["schema"], **data}, family) == default_recipe(family)


@pytest.mark.parametrize("family", ["", "sdxl", "flux"])
def test_the_schemas_recipe_says_whose_defaults_are_meant(family: str) -> None:
    answer = json.loads(json.dumps(answers.schema_json(OFFER, LIMITS, family)))
    data = {item["name"]: {row["name"]: row["default"] for row in item["controls"]} for item in answer["stages"]}
    # On whatever model it is sent to, all of it and nothing besides.
    for other in ("sd1", family):
        where = other if not family else "sd1"
        assert read_recipe({**answer["recipe"], **data}, where) == default_recipe(family or other)
        assert read_recipe(answer["recipe"], where) == default_recipe(family or other)
    assert read_recipe(data, family) != default_recipe(family), "without it, the passes are those of version 1"


def test_a_key_twice_in_a_body_is_named() -> None:
    twice = b'{"recipe": {"refine": {"steps": 3, "steps": 9}, "grade": {"grain": 0}}, "image": "", "image": ""}'
    assert requests.json_object_noted(twice)[1] == (
        "the key 'steps' is there twice; the last one counts", "the key 'image' is there twice; the last one counts",
    )  # fmt: skip
    # One key in two objects is none twice, and what is no JSON is refused elsewhere.
    assert requests.json_object_noted(b'{"a": {"x": 1}, "b": {"x": 1}}')[1] == ()


def test_the_share_of_a_job() -> None:
    assert answers.share(0, 0, 3, 4) == answers.share(0, -1, 3, 4) == 0.0
    assert answers.share(1, 4, 2, 4) == 0.375
    assert answers.share(4, 4, 9, 4) == 1.0
    known = answers.progress_json(True, "Finisher: Refine", "", 0.9, Progress(1.0, 4.0))
    assert (known["progress"], known["megapixel_steps"]) == (0.25, {"done": 1.0, "total": 4.0})
    unknown = answers.progress_json(False, "", "", 0.0, None)
    assert unknown == {"active": False, "job": "", "text": "", "progress": 0.0, "megapixel_steps": None}


def test_a_picture_keeps_any_infotext() -> None:
    text = "Zürich, 雪\nSteps: 1"
    picture = Image.open(io.BytesIO(base64.b64decode(png(np.zeros((4, 5, 3), np.float32), text))))
    assert picture.info["parameters"] == text
