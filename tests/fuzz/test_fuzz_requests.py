"""Bodies of requests and files of our own: answered, or refused field by field."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib_finisher.api import requests
from lib_finisher.api.preset_context import PresetContext, resolved_for, without_wrong_values
from lib_finisher.api.presets import ACTIONS, answer
from lib_finisher.api.problems import RequestError, told
from lib_finisher.api.regions import ForgottenError, identity_of, read_regions
from lib_finisher.checked_json import Damaged, read_checked, write_checked
from lib_finisher.controls import SettingsError
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.library import Library
from lib_finisher.presets.matching import Checkpoint
from lib_finisher.presets.preset import Preset
from lib_finisher.recipe import read_recipe
from lib_finisher.store.recent import Recent
from tests.fuzz.budget import tried, within
from tests.fuzz.mutations import JSON, mutated, mutated_json, words

OFFER = requests.Offer({"sampler": ("Euler", "Euler a"), "detector": ("face", "face_yunet")}, {"sampler": ("k_euler",)})
LIMITS = requests.Limits(pictures=2, megapixels=0.01)


def picture(side: int = 8) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


RECIPE = {"version": 2, "upscale": {"passes": [{"factor": 2.0}]}, "grade": {"enabled": True}, "preset": "none"}
BASE = {"prompt": "a", "seed": 3, "steps": 6, "cfg_scale": 5, "sampler": "Euler", "scheduler": ""}
BODIES = [
    {"images": [picture(), f"data:image/png;base64,{picture()}"], "recipe": RECIPE, "base": BASE, "report": True},
    {"image": picture(), "mask": picture(), "recipe": RECIPE, "base": BASE},
    {"image": picture(), "detector": "face", "confidence": 0.4},
    {"images": [picture(200)]},
    {
        "id": "1",
        "picture": picture(),
        "recipe": {"detail": {"passes": [{}, {}]}},
        "pass": 2,
        "base": BASE,
        "typed": True,
    },
]


def read_as(data: Any) -> Any:
    return read_recipe(
        {key: value for key, value in data.items() if key != "preset"} if isinstance(data, dict) else data
    )


def test_the_originals_are_read() -> None:
    """Whatever is changed below is changed in something right."""
    pictures, _ = requests.read_finish(BODIES[0], read_as, OFFER, LIMITS).opened()
    assert [item.pixels.shape for item in pictures] == [(8, 8, 3)] * 2
    assert requests.read_plan(BODIES[1], read_as, OFFER, LIMITS).base_of({}).steps == 6
    assert requests.read_detect(BODIES[2], OFFER, LIMITS).settings.confidence == 0.4
    assert read_regions(json.dumps(BODIES[4]), read_as, OFFER, LIMITS, Recent(1 << 20)).number == 2


@tried(200)
@given(body=mutated([json.dumps(item).encode() for item in BODIES], most=3) | words("{", "}", "[", "]", '"a"', ":", ",", "1", "\\ud800", "é").map(str.encode))  # noqa: E501  # fmt: skip
def test_a_body_of_any_bytes_is_read_or_refused(body: bytes) -> None:
    with within(20_000, mib=8):
        try:
            data = requests.json_object(body)
        except RequestError as error:
            assert json.dumps(told(error.problems))
            return
    assert isinstance(data, dict)
    json.dumps(data, ensure_ascii=False).encode()


@tried(250)
@given(data=mutated_json(BODIES) | st.dictionaries(st.sampled_from(["images", "image", "mask", "recipe", "base", "report"]), JSON))  # noqa: E501  # fmt: skip
def test_a_request_of_any_content_is_read_or_refused(data: Any) -> None:
    if not isinstance(data, dict):
        return
    readers = (
        lambda: requests.read_finish(data, read_as, OFFER, LIMITS).opened(),
        lambda: requests.read_plan(data, read_as, OFFER, LIMITS).base_of({}),
        lambda: requests.read_detect(data, OFFER, LIMITS),
        lambda: read_regions(json.dumps(data), read_as, OFFER, LIMITS, Recent(1 << 20)),
        lambda: identity_of(json.dumps(data)),
    )
    for read in readers:
        with within(150_000, mib=16), contextlib.suppress(ForgottenError):
            try:
                read()
            except RequestError as error:
                body = told(error.problems)
                json.dumps(body)
                assert all(isinstance(item["field"], str) and item["problem"] for item in body["detail"])
                assert all(len(item["problem"]) < 3000 for item in body["detail"])


@pytest.fixture(scope="module", name="around")
def _around() -> Iterator[PresetContext]:
    with tempfile.TemporaryDirectory() as name:
        library = Library(Path(name) / "presets")
        library.store.save(Preset("Mine", {"refine": {"steps": 30}}), "")
        yield PresetContext(library, Checkpoint("x.safetensors", "", "", "sdxl", (), "told"), {"detector": ["face"]})


FIELDS = st.sampled_from(sorted({name for _, needed, more in ACTIONS.values() for name in (*needed, *more)}))
VALUES = JSON | st.sampled_from(["Mine", "../x", "con", "", "x" * 500, [], ["Mine"], {"grade": {"grain": 0.2}}, "{}", True])  # noqa: E501  # fmt: skip


@tried(200)
@given(action=st.sampled_from(sorted(ACTIONS)) | JSON, fields=st.dictionaries(FIELDS, VALUES, max_size=6))
def test_whatever_is_asked_of_presets_is_answered_or_refused(
    action: Any, fields: dict[str, Any], around: PresetContext
) -> None:
    with within(1_500_000):
        try:
            done = answer({"action": action, **fields}, around)
        except (RequestError, PresetError, SettingsError) as error:
            assert str(error)
            return
    json.dumps(done)
    folder = Path(around.library.store.folder)
    assert {path.parent for path in folder.parent.rglob("*.json")} <= {folder, *folder.rglob("*")}


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308, float("inf"), float("nan"), 10**18], ids=lambda _: "")
def test_a_version_of_any_size_is_told_in_words(number: float, around: PresetContext) -> None:
    """JSON's whole numbers may be too long for a float."""
    for data in ({"version": number}, {"version": number, "grade": {"grain": number}}):
        with pytest.raises(SettingsError) as told_of:
            read_as(data)
        assert len(str(told_of.value)) < 400
        assert read_as(without_wrong_values(data)[0]) is not None
        with contextlib.suppress(SettingsError):
            resolved_for(data, around)
        for name in ("recipe", "data"):
            with contextlib.suppress(RequestError, PresetError):
                answer({"action": "put", "data": {"finisher_preset": 2, "name": "N", name: data}}, around)


def test_thousands_of_unknown_names_are_not_each_looked_for(around: PresetContext) -> None:
    """To find what may have been meant takes as long as all else of a request."""
    many = {f"contrast{number}": 1 for number in range(1500)}
    readers: tuple[Callable[[], Any], ...] = (
        lambda: read_as(many), lambda: read_as({"grade": many}), lambda: without_wrong_values({"grade": many}),
        lambda: without_wrong_values(many), lambda: resolved_for({"grade": many}, around),
        lambda: requests.read_finish(many, read_as, OFFER, LIMITS), lambda: requests.read_detect(many, OFFER, LIMITS),
    )  # fmt: skip
    for read in readers:
        with within(80_000), contextlib.suppress(SettingsError, RequestError):
            read()
    with pytest.raises(SettingsError) as told_of:
        read_as({"grade": {"contrats": 1, "x" * 10**6: 2}})
    assert "Did you mean 'contrast'" in str(told_of.value)
    assert len(str(told_of.value)) < 3000


@tried(150)
@given(
    data=mutated_json([RECIPE, {"detail": {"passes": [{"detector": "face"}]}}, {"preset": ["Mine"], "pasted": True}])
)
def test_a_recipe_of_the_page_is_resolved_or_refused(data: Any, around: PresetContext) -> None:
    if not isinstance(data, dict):
        return
    with within(600_000):
        try:
            notes = resolved_for(data, around)[1]
        except (SettingsError, PresetError, RequestError):
            notes = ()
        assert all(isinstance(note, str) for note in notes)
        kept, more = without_wrong_values(data)
        assert all(isinstance(note, str) for note in more)
        # What is left then is a recipe, whatever it was.
        read_as({key: value for key, value in kept.items() if key not in ("preset", "pasted")})


@tried(200)
@given(data=st.dictionaries(st.text(max_size=6), JSON, max_size=4), changed=st.data())
def test_a_file_of_our_own_is_what_was_written_or_damaged(data: dict[str, Any], changed: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "a.json"
        plain = json.loads(json.dumps(data))
        write_checked(file, plain)
        read = read_checked(file)
        assert json.dumps({key: value for key, value in plain.items() if key != "checksum"}) == json.dumps(read)
        original = file.read_bytes()
        file.write_bytes(changed.draw(mutated([original])))
        with within(40_000, mib=8):
            try:
                read = read_checked(file)
            except Damaged as error:
                assert str(error)
                return
        # What was changed means the same, as a space between two values does.
        assert json.dumps(read, sort_keys=True) == json.dumps({k: v for k, v in plain.items() if k != "checksum"}, sort_keys=True)  # noqa: E501  # fmt: skip
