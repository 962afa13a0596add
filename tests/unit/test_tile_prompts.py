"""Which prompt a tile of an upscale gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Element, Sampling
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.patch import Patch, everywhere
from lib_finisher.stages.regions import Region
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from lib_finisher.stages.tile_prompts import by_findings

FACE = Detection(Box(20, 20, 60, 70), 0.9, "face")


def tile(left: int, top: int, side: int = 100) -> Patch:
    box = Box(left, top, left + side, top + side)
    return Patch(box, box.size, everywhere(box.size), 0.3, prompt="all", negative_prompt="bad")


def region(left: int, top: int, side: int, prompt: str) -> Region:
    return Region(Box(left, top, left + side, top + side), "face 1", prompt, "ugly", 0, Sampling(0.3, 4), 0.5, 0.1, 0.3)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([], ["all", "all"]),
        ([region(10, 10, 40, "one")], ["one", "sky"]),
        ([region(10, 10, 40, "one"), region(60, 60, 20, "two")], ["one", "sky"]),
        ([region(85, 10, 40, "one")], ["one", "one"]),
        ([region(95, 10, 40, "one")], ["sky", "one"]),
        ([region(500, 500, 40, "far")], ["sky", "sky"]),
    ],
)
def test_a_tile_is_about_the_finding_it_holds_most_of(regions: list[Region], expected: list[str]) -> None:
    tiles = by_findings([tile(0, 0), tile(100, 0)], regions, "sky")
    assert [patch.prompt for patch in tiles] == expected
    assert all(patch.negative_prompt == ("ugly" if patch.prompt in ("one", "two") else "bad") for patch in tiles)


def test_an_empty_prompt_leaves_the_others_as_they_are() -> None:
    assert [patch.prompt for patch in by_findings([tile(0, 0), tile(100, 0)], [region(0, 0, 40, "one")], "")] == [
        "one", "all",
    ]  # fmt: skip


class Reading(EmbeddedHost):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        self.elements += batch.elements
        return super().redraw(batch, watch)


@pytest.mark.parametrize("more", [{}, {"target": "width and height", "width": 400, "height": 300, "aspect": "crop"}])
def test_what_detail_found_is_what_its_tiles_are_about(portrait: np.ndarray, more: dict[str, Any]) -> None:
    """From the detection, through detail, to the tiles of the enlarged picture."""
    picture = np.ascontiguousarray(portrait[:200, :200])

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return [FACE.moved(0, 40)] if size_of(pixels) == Size(200, 200) else []

    one = {"tile": 192, "steps": 2, "upscaler": "Lanczos", "skip_flat": False, "by_findings": True, **more}
    data: dict[str, Any] = {name: {"enabled": name in ("detail", "upscale")} for name in NAMES}
    data["detail"] = {"passes": [{"prompt": "a queen", "steps": 2}]}
    data["upscale"] = {"passes": [{**one, "empty_prompt": "a wall"}]}
    host = Reading()
    base = Base(prompt="a hall <lora:x:1>", seed=3)
    done = Pipeline(host, find, read_recipe(data)).run([Work(picture, base)])[0]
    assert done.error == ""
    prompts = [item.prompt for item in host.elements if item.prompt != "a queen <lora:x:1>"]
    assert host.elements[0].prompt == "a queen <lora:x:1>"
    assert set(prompts) == {"a wall <lora:x:1>"}
    about = [item for item in host.elements[1:] if item.prompt == "a queen <lora:x:1>"]
    assert 0 < len(about) < len(host.elements) - 1
