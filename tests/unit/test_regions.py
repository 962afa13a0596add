"""The preview of regions without a web UI: what is shown, what is sampled, what the page is answered."""

from __future__ import annotations

import base64
import functools
import io
import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_finisher.api import regions
from lib_finisher.api.problems import RequestError
from lib_finisher.api.requests import Limits, Offer
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.yunet import YuNet
from lib_finisher.events import Control, Meter
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Batch, Watch
from lib_finisher.imaging.arrays import Pixels, to_uint8
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.imaging.resize import resize
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.review.regions import Region, look, only_pass
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.recent import Recent, RecentPatches

READ = functools.partial(read_recipe, family="embedded")
BASE = Base(seed=5, steps=8)
SIDE = 512
OFFER = Offer({"sampler": ("Euler", "Euler a"), "detector": ("face_yunet",)})


class Counting(EmbeddedHost):
    """The embedded engine, counting what it samples."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = 0

    def redraw(self, batch: Batch, watch: Watch) -> list[np.ndarray]:
        self.patches += len(batch.elements)
        return super().redraw(batch, watch)


class Asked:
    """The real detectors, counting how often they are asked."""

    def __init__(self) -> None:
        self.detectors = Detectors()
        self.times = 0

    def __call__(self, name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        self.times += 1
        return self.detectors.detect(name, pixels, confidence, search)


@pytest.fixture(scope="module")
def faces(portrait: np.ndarray) -> np.ndarray:
    """The portrait, mirrored beside itself, and a small one of it far below: three faces, none near another."""
    both = np.concatenate([portrait, portrait[:, ::-1]], axis=1)
    below = np.full((SIDE, 2 * SIDE, 3), 128 / 255, dtype=np.float32)
    below[SIDE // 2 :, SIDE : SIDE + SIDE // 2] = portrait[::2, ::2]
    return np.concatenate([both, below])


def tools(host: EmbeddedHost | None = None, find: Any = None) -> Tools:
    return Tools(host or EmbeddedHost(), find or Asked(), Meter(Control()))


def recipe(*passes: dict[str, Any]) -> Recipe:
    return read_recipe({"detail": {"passes": [{"gate": 1.0, **one} for one in passes]}}, "embedded")


def rows(faces: np.ndarray, *passes: dict[str, Any], number: int = 1) -> tuple[Region, ...]:
    return look(faces, BASE, recipe(*passes), number, tools()).rows


def test_every_face_is_a_region_in_the_passes_order(faces: np.ndarray) -> None:
    seen = look(faces, BASE, recipe({}), 1, tools())
    assert [item.number for item in seen.rows] == [1, 2, 3]
    assert all(item.ticked and item.redrawn and not item.why for item in seen.rows)
    assert [patch.about for patch in seen.patches] == [item.detection.box for item in seen.rows]
    lefts = [item.detection.box.left for item in seen.rows]
    assert lefts == sorted(lefts)


@pytest.mark.parametrize(
    ("settings", "number", "why"),
    [
        ({"exclude": "2"}, 2, "in Exclude"),
        ({"only": "1, 3"}, 2, "not in Only"),
        ({"prompt": "[PROMPT] [SEP] [SKIP] [SEP] [PROMPT]"}, 2, "skipped by the prompt"),
        ({"width": 64, "height": 64, "padding": 2.0}, 2, "large enough already"),
        ({"y_offset": 2.0}, 1, "its mask lies outside the picture"),
        ({"merge": "merge and invert"}, 2, "all but this is redrawn"),
        ({"denoising_strength": 0.0}, 2, "the pass's strength is 0"),
    ],
)
def test_what_is_left_alone_keeps_its_number_and_says_why(
    faces: np.ndarray, settings: dict[str, Any], number: int, why: str
) -> None:
    item = next(item for item in rows(faces, settings) if item.number == number)
    assert not item.redrawn
    assert item.why == why
    assert item.ticked == ("in" not in why.split()[:2])


@pytest.mark.parametrize(
    ("settings", "dropped", "why"),
    [
        ({"smallest": 80}, 1, "smaller than Smallest side"),
        ({"largest": 80}, 2, "larger than Largest side"),
        ({"min_area": 0.008}, 1, "below Mask min area ratio"),
        ({"max_area": 0.008}, 2, "above Mask max area ratio"),
        ({"most": 1}, 2, "beyond Top k"),
        ({"exclude": "face"}, 3, "its label is in Exclude"),
        ({"only": "hand"}, 3, "not among the labels in Only"),
        ({"only": "hand", "smallest": 500}, 3, "dropped by several filters"),
    ],
)
def test_what_a_filter_drops_has_no_number_and_names_the_filter(
    faces: np.ndarray, settings: dict[str, Any], dropped: int, why: str
) -> None:
    found = [item for item in rows(faces, settings) if item.number is None]
    assert len(found) == dropped
    assert {item.why for item in found} == {why}
    assert not any(item.ticked or item.redrawn for item in found)


def test_only_within_another_pass_is_told(faces: np.ndarray) -> None:
    passes = ({}, {"within": 1, "x_offset": 2.0})
    found = rows(faces, *passes, number=2)
    assert {item.why for item in found if not item.redrawn} <= {
        "outside of where the pass may draw", "its mask lies outside the picture",
    }  # fmt: skip
    assert any(item.why == "outside of where the pass may draw" for item in found)


def test_a_missing_detector_is_said(faces: np.ndarray) -> None:
    with pytest.raises(DetectorError, match="no_such_detector"):
        rows(faces, {"detector": "no_such_detector"})


def test_only_one_pass_of_one_stage_runs() -> None:
    alone = only_pass(recipe({}, {"active": False}, {}), 2)
    assert [one.active for one in alone["detail"].passes] == [False, True, False]
    assert alone["detail"].enabled
    assert not any(alone[name].enabled for name in ("refine", "extend", "repair", "upscale", "texture", "grade"))


class Session:
    """What the web UI's side does for one picture."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.host = Counting()
        self.patches = RecentPatches(1 << 28)

    def redraw(self, **one: Any) -> tuple[np.ndarray, int]:
        """The picture in 8 bits, and how many patches were sampled for it."""
        before = self.host.patches
        alone = only_pass(recipe({"denoising_strength": 0.5, **one}), 1)
        pipeline = Pipeline(self.host, Detectors().detect, alone, patches=self.patches)
        (done,) = pipeline.run([Work(self.pixels, BASE)])
        assert not done.error
        assert done.reports[3].cost.patches == self.host.patches - before
        return to_uint8(done.pixels), self.host.patches - before


def test_an_undo_samples_nothing_and_a_retry_one_patch(faces: np.ndarray) -> None:
    session = Session(faces)
    source = to_uint8(faces)
    boxes = [patch.box for patch in look(faces, BASE, recipe({}), 1, tools()).patches]
    assert not any(one.intersection(other) for one in boxes for other in boxes if one is not other)
    places = [(slice(box.top, box.bottom), slice(box.left, box.right)) for box in boxes]
    first, sampled = session.redraw()
    assert sampled == 3
    assert all(not np.array_equal(first[place], source[place]) for place in places)

    undone, sampled = session.redraw(exclude="2")
    assert sampled == 0
    assert np.array_equal(undone[places[1]], source[places[1]])
    assert np.array_equal(undone[places[0]], first[places[0]])
    assert np.array_equal(undone[places[2]], first[places[2]])

    kept, sampled = session.redraw()
    assert sampled == 0
    assert np.array_equal(kept, first)

    retried, sampled = session.redraw(reseed="2=1")
    assert sampled == 1
    assert not np.array_equal(retried[places[1]], first[places[1]])
    assert np.array_equal(retried[places[0]], first[places[0]])
    assert np.array_equal(retried[places[2]], first[places[2]])

    back, sampled = session.redraw(reseed="")
    assert sampled == 0
    assert np.array_equal(back, first)


def test_patches_are_remembered_only_where_the_run_is_told_to(faces: np.ndarray) -> None:
    session = Session(faces)
    session.redraw()
    session.patches = RecentPatches(1 << 28)
    assert session.redraw()[1] == 3


def test_a_detector_is_asked_once_for_a_picture(faces: np.ndarray) -> None:
    class Counted(YuNet):
        times = 0

        def detect(self, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
            Counted.times += 1
            return super().detect(pixels, confidence, search)

    once = Detectors(makers={"face_yunet": Counted}).detect
    first = once("face_yunet", faces, 0.3)
    assert once("face_yunet", faces.copy(), 0.3) == first
    assert Counted.times == 1
    once("face_yunet", faces, 0.4)
    once("face_yunet", faces[:, ::-1], 0.3)
    once("face_yunet", faces, 0.3, replace(ORDINARY, smallest=40))
    assert Counted.times == 4


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    kept: Recent[str] = Recent(10)
    for key in ("a", "b"):
        kept.put(key, key, 5)
    assert kept.get("a") == "a"
    kept.put("c", "c", 5)
    assert [kept.get(key) for key in ("a", "b", "c")] == ["a", None, "c"]
    kept.put("a", "A", 1)
    kept.put("d", "d", 4)
    assert [kept.get(key) for key in ("a", "c", "d")] == ["A", "c", "d"]
    kept.put("large", "large", 11)
    assert kept.get("large") is None
    assert kept.get("d") == "d"


def test_memory_holds_its_limit_with_several_threads() -> None:
    kept = RecentPatches(100 * 48)
    patch = np.zeros((2, 2, 3), np.float32)

    def fill(name: str) -> None:
        for number in range(300):
            kept.keep(f"{name}{number}", patch)
            kept.recall(f"{name}{number - 20}")

    threads = [threading.Thread(target=fill, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = sum(kept.recall(f"{name}{number}") is not None for name in "abcd" for number in range(300))
    assert left == 100


def request(picture: np.ndarray, infotext: str = "", **more: Any) -> str:
    from lib_finisher.api.pictures import png

    return json.dumps({"id": "x", "picture": png(picture, infotext), **more})


def read(text: str, kept: Recent[str] | None = None) -> regions.RegionsRequest:
    return regions.read_regions(text, READ, OFFER, Limits(), Recent(1 << 26) if kept is None else kept)


SMALL = np.full((32, 48, 3), 100 / 255, dtype=np.float32)


def test_a_picture_is_sent_once_and_known_by_its_key() -> None:
    kept: Recent[str] = Recent(1 << 26)
    first = read(request(SMALL), kept)
    again = read(json.dumps({"id": "y", "key": first.key}), kept)
    assert again.key == first.key
    assert np.array_equal(again.picture.pixels, first.picture.pixels)
    assert read(request(SMALL + 1 / 255), kept).key != first.key
    with pytest.raises(regions.ForgottenError, match="send it again"):
        read(json.dumps({"id": "y", "key": first.key}))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pass": 2}, "pass"),
        ({"pass": 0}, "pass"),
        ({"pass": True}, "pass"),
        ({"pass": "1"}, "pass"),
        ({"styles": "none"}, "styles"),
        ({"recipe": {"detail": {"passes": [{"confidence": 3}]}}}, "recipe.detail.passes.1.confidence"),
        ({"base": {"steps": 0}}, "base.steps"),
        ({"base": []}, "base"),
        ({"picture": "not a picture"}, "image"),
        ({"picture": ""}, "image"),
        ({"pictures": []}, "pictures"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(json.dumps({**json.loads(request(SMALL)), **change}))
    assert [item.field.split(":")[0] for item in refused.value.problems] == [field]


INFOTEXT = "a queen\nNegative prompt: blur\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 77, Size: 48x32"
OWN = {"prompt": "a queen", "negative_prompt": "blur", "steps": 9, "cfg_scale": 5.0, "seed": 77, "sampler": "Euler"}


@pytest.mark.parametrize(
    ("fields", "typed", "expected"),
    [
        ({"prompt": "a king", "seed": 3}, True, ("a king", 3)),
        ({"prompt": "a king", "seed": -1}, True, ("a king", 77)),
        ({"prompt": "a king", "seed": 3}, False, ("a queen", 77)),
        ({}, False, ("a queen", 77)),
    ],
)
def test_what_is_typed_or_what_the_picture_says(fields: dict[str, Any], typed: bool, expected: tuple[str, int]) -> None:
    asked = read(request(SMALL, INFOTEXT, base=fields, typed=typed))
    assert asked.picture.infotext == INFOTEXT
    base = asked.base_of(OWN, asked.fields, "Euler a", "Automatic")
    assert (base.prompt, base.seed) == expected
    assert base.sampler == "Euler"
    assert base.scheduler == "Automatic"


def test_a_picture_without_a_seed_gets_always_the_same() -> None:
    seeds = {read(request(SMALL)).base_of({}, {"seed": -1}, "", "").seed for _ in range(3)}
    assert len(seeds) == 1
    other = read(request(SMALL + 2 / 255)).base_of({}, {}, "", "").seed
    assert other not in seeds


def test_what_is_wrong_in_another_stage_does_not_matter_here() -> None:
    offer = Offer({"detector": ("face_yunet",), "upscaler": ("auto",)})
    wanted = {"upscale": {"passes": [{"upscaler": "gone"}]}, "detail": {"passes": [{"most": 2}]}}
    asked = regions.read_regions(request(SMALL, recipe=wanted), READ, offer, Limits(), Recent(1 << 26))
    assert asked.recipe["detail"].passes[0].most == 2
    with pytest.raises(RequestError, match="gone"):
        wrong = {"detail": {"passes": [{"detector": "gone"}]}}
        regions.read_regions(request(SMALL, recipe=wrong), READ, offer, Limits(), Recent(1 << 26))


def test_a_sampler_in_another_language_is_no_reason_to_refuse() -> None:
    asked = read(request(SMALL, base={"sampler": "Ойлер", "scheduler": None, "steps": 6}))
    assert dict(asked.fields) == {"steps": 6}


def test_the_infotext_of_the_page_serves_where_the_picture_has_none() -> None:
    assert read(request(SMALL, infotext=INFOTEXT)).picture.infotext == INFOTEXT
    assert read(json.dumps({**json.loads(request(SMALL)), "infotext": INFOTEXT})).picture.infotext == INFOTEXT


def test_the_page_is_answered_with_rows_and_masks(faces: np.ndarray) -> None:
    asked = read(request(faces, recipe={"detail": {"passes": [{"exclude": "3"}]}}))
    seen = look(asked.picture.pixels, BASE, asked.recipe, 1, tools())
    told = json.loads(regions.as_text(regions.regions_json(asked, seen)))
    assert told["id"] == "x"
    assert told["size"] == [2 * SIDE, 2 * SIDE]
    assert [row["number"] for row in told["rows"]] == [1, 2, 3]
    assert [row["why"] for row in told["rows"]] == ["", "", "in Exclude"]
    assert [mask["numbers"] for mask in told["masks"]] == [[1], [2]]
    for mask, patch in zip(told["masks"], seen.patches):
        layer = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask["image"].partition(",")[2]))))
        assert layer.shape[2] == 4
        assert max(layer.shape) <= 256
        assert mask["box"] == [patch.box.left, patch.box.top, patch.box.right, patch.box.bottom]
        share = layer[..., 3].mean() / layer[..., 3].max()
        assert share == pytest.approx(float(patch.weight().mean()), abs=0.01)


def test_a_refused_redraw_stands_at_its_region(faces: np.ndarray) -> None:
    asked = read(request(faces, recipe={"detail": {"passes": [{"likeness": 1.0, "denoising_strength": 0.6}]}}))
    host = EmbeddedHost()
    seen = look(asked.picture.pixels, BASE, asked.recipe, 1, tools(host))
    alone = only_pass(asked.recipe, 1)
    done: Finished = Pipeline(host, Detectors().detect, alone).run([Work(asked.picture.pixels, BASE)])[0]
    told = regions.redrawn_json(asked, seen, done, BASE, alone, "embedded")
    assert len(told["refused"]) == 3
    assert all(told["refused"])
    data = Image.open(io.BytesIO(base64.b64decode(told["image"].partition(",")[2])))
    assert np.array_equal(np.asarray(data), to_uint8(faces)), "refused everywhere: the picture is as it was"
    assert "Finisher stages: detail" in data.info["parameters"]
    assert "Seed: 5" in data.info["parameters"]


def test_boxes_are_told_whole() -> None:
    item = Region(Detection(Box(1, 2, 30, 40), 0.123456, "face"), 4, True, True)
    assert regions.regions_json(read(request(SMALL)), replace_rows(item))["rows"] == [
        {"number": 4, "label": "face", "confidence": 0.1235, "box": [1, 2, 30, 40], "size": [29, 38],
         "ticked": True, "redrawn": True, "why": ""},
    ]  # fmt: skip


def replace_rows(item: Region) -> Any:
    from lib_finisher.review.regions import Regions

    return Regions((item,), ())


def test_a_face_at_the_pictures_own_resolution_can_be_tried_again(portrait: np.ndarray) -> None:
    large = np.clip(resize(portrait, Size(1400, 1400)), 0.0, 1.0)
    patches = look(large, BASE, recipe({}), 1, tools()).patches
    assert [patch.unscaled for patch in patches] == [True]
    session = Session(large)
    first, _ = session.redraw()
    second, sampled = session.redraw(reseed="1=1")
    assert sampled == 1
    assert not np.array_equal(first, second)
    assert np.array_equal(session.redraw()[0], first)
