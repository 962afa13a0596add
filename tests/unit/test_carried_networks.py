"""The LoRA of the base's prompt in the prompts of stages: one rule for the pass's own, a style's and the base's."""

from __future__ import annotations

import pytest

from lib_finisher.stages.diffusion import prompts_of
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.stage import Base

PERSON, FILM, EYES = "<lora:person:0.8>", "<lora:film:0.5>", "<lora:eyes:0.6>"
PLAIN = Base(prompt=f"photo {PERSON}", seed=1)
STYLED = Base(prompt=f"photo {PERSON}, grain {FILM}", style=f"[PROMPT], grain {FILM}", seed=1)


@pytest.mark.parametrize(
    ("own", "base", "expected"),
    [
        ("", STYLED, f"photo {PERSON}, grain {FILM}"),
        ("blue eyes", PLAIN, f"blue eyes {PERSON}"),
        ("blue eyes", STYLED, f"blue eyes, grain {FILM} {PERSON}"),
        (f"blue {EYES}", PLAIN, f"blue {EYES} {PERSON}"),
        (f"blue {EYES}", STYLED, f"blue {EYES}, grain {FILM} {PERSON}"),
        ("[PROMPT], blue", STYLED, f"photo {PERSON}, grain {FILM}, blue"),
        ("<lora:person:0.4> close", PLAIN, "<lora:person:0.4> close"),
        ("<lyco:person:0> close", PLAIN, "<lyco:person:0> close"),
        ("<hypernet:person:1>", PLAIN, f"<hypernet:person:1> {PERSON}"),
        ("close", Base(prompt=f"a {PERSON} {PERSON} <lora:person:0.1>"), f"close {PERSON} <lora:person:0.1>"),
    ],
)
def test_each_of_the_bases_networks_once_beside_those_of_the_pass(own: str, base: Base, expected: str) -> None:
    assert prompts_of(Diffusion(prompt=own), base)[0] == expected


def test_nothing_is_carried_where_that_is_off() -> None:
    assert prompts_of(Diffusion(prompt=f"blue {EYES}", carry=False), STYLED)[0] == f"blue {EYES}"
