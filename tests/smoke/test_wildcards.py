"""Wildcards inside Finisher's own generations: what they became is recorded.

They come from `tests/fault_injector`, an extension for tests; without it in the host these tests are skipped.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.smoke.client import Webui, off, recipe

PROMPT = "a __testcolour__ circle"


@pytest.fixture(autouse=True)
def there(webui: Webui) -> None:
    names = [name.lower() for name in webui.get("/sdapi/v1/scripts")["txt2img"]]
    if "finisher test wildcards" not in names:
        pytest.skip("the host has no wildcards for tests (tests/fault_injector)")


def test_the_expanded_prompt_stands_in_the_infotext(webui: Webui) -> None:
    stages = {**off("detail", "upscale", "texture", "grade"), "refine": {"prompt": PROMPT, "steps": 6}}
    found = set()
    for seed in (1, 2, 3, 4):
        done = webui.txt2img(recipe(**stages), seed=seed)
        told = json.loads(done.told["Finisher prompts"])
        (text,) = told.values()
        assert next(iter(told)).startswith("refine, ")
        assert "__testcolour__" not in text and text.startswith("a ")
        assert "__testcolour__" in done.told["Finisher"], "the recipe keeps what was typed"
        found.add(text)
    assert len(found) > 1
    again = webui.txt2img(recipe(**stages), seed=4)
    assert np.array_equal(done.picture, again.picture)


def test_a_prompt_without_wildcards_is_not_told_twice(webui: Webui) -> None:
    stages = {**off("detail", "upscale", "texture", "grade"), "refine": {"prompt": "a circle", "steps": 6}}
    assert "Finisher prompts" not in webui.txt2img(recipe(**stages)).told
