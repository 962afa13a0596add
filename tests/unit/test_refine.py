"""Refine: its prompt, its notes, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from lib_finisher.controls import defaults
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import ModelFacts
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.patch import ColourLock, Request
from lib_finisher.stages.refine import Refine, band
from lib_finisher.stages.refine_settings import RefineSettings
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from tests.conftest import Onward


class Family(EmbeddedHost):
    """The engine under another family's name."""

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family

    def model(self, checkpoint: str = "") -> ModelFacts:
        return ModelFacts("a model", self.family, 128)


def notes(family: str, strength: float | None, gradient) -> tuple[list[str], list[str]]:  # type: ignore[no-untyped-def]
    """What a run notes, and what its plan does."""
    host = Family(family)
    given = {} if strength is None else {"denoising_strength": strength}
    recipe = read_recipe(
        {**{name: {"enabled": name == "refine"} for name in NAMES}, "refine": {"steps": 1, **given}}, family
    )
    work = Work(gradient(64, 64))
    done = Pipeline(host, lambda *_: [], recipe).run([work])[0]
    planned = Refine().estimate(work, work.size, recipe["refine"], Tools(host, lambda *_: [], Onward()))
    return list(done.reports[0].notes), list(planned.notes)


@pytest.mark.parametrize("family", ["", "sd1", "sdxl", "flux", "sd3", "z_image", "embedded", "a family to come"])
def test_nobody_is_told_anything_about_the_familys_default(family: str, gradient) -> None:  # type: ignore[no-untyped-def]
    assert notes(family, None, gradient) == ([], [])


def test_the_band_of_most_families_is_the_missions() -> None:
    assert band("sdxl") == (0.3, 0.5)
    assert band("flux")[0] < 0.3 < band("flux")[1] < 0.5
    assert band("embedded")[0] < 0.15 < band("embedded")[1] < 0.35


@pytest.mark.parametrize(
    ("family", "strength", "told"),
    [
        ("sdxl", 0.3, ""),
        ("sdxl", 0.5, ""),
        ("sdxl", 0.51, "above 0.5: it changes the picture"),
        ("sdxl", 0.29, "below 0.3: it hardly changes anything"),
        ("flux", 0.5, "above 0.45"),
        ("embedded", 0.5, "above 0.2"),
        ("embedded", 0.05, ""),
    ],
)
def test_a_strength_outside_the_familys_band_is_noted(family, strength, told, gradient) -> None:  # type: ignore[no-untyped-def]
    ran, planned = notes(family, strength, gradient)
    assert ran == planned
    assert len(ran) == (1 if told else 0)
    assert told in "".join(ran)


def asked(work: Work, settings: RefineSettings) -> Request:
    return next(Refine().run(work, settings, Tools(EmbeddedHost(), lambda *_: [], Onward())))  # type: ignore[return-value]


def test_a_prompt_of_its_own_adds_to_the_bases_or_takes_its_place(gradient) -> None:  # type: ignore[no-untyped-def]
    work = Work(gradient(64, 64), Base(prompt="a cat <lora:fur:0.7>", negative_prompt="ugly"))
    plain = asked(work, RefineSettings()).patches[0]
    added = asked(work, RefineSettings(prompt="[PROMPT], sharp focus")).patches[0]
    other = asked(work, RefineSettings(prompt="a dog", carry=False)).patches[0]
    assert (plain.prompt, plain.negative_prompt) == ("a cat <lora:fur:0.7>", "ugly")
    assert added.prompt == "a cat <lora:fur:0.7>, sharp focus"
    assert other.prompt == "a dog"


def test_colours_are_free_unless_they_are_locked(gradient) -> None:  # type: ignore[no-untyped-def]
    work = Work(gradient(64, 64))
    assert defaults(RefineSettings).colour_lock == 0
    assert asked(work, RefineSettings()).colour_lock.strength == 0
    assert asked(work, RefineSettings(colour_lock=0.5)).colour_lock == ColourLock("tile", 0.5)


def test_no_strength_costs_nothing_and_changes_nothing(host: EmbeddedHost, gradient) -> None:  # type: ignore[no-untyped-def]
    work = Work(gradient(64, 80))
    others = {name: {"enabled": False} for name in NAMES if name != "refine"}
    recipe = read_recipe({**others, "refine": {"denoising_strength": 0}})
    planned = Refine().estimate(work, work.size, recipe["refine"], Tools(host, lambda *_: [], Onward()))
    done = Pipeline(host, lambda *_: [], recipe).run([work])[0]
    assert (planned.patches, planned.megapixel_steps, planned.notes) == (0, 0, ())
    assert done.reports[0].status == "skipped"
    assert np.array_equal(done.pixels, work.pixels)
