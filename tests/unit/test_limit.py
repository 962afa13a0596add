"""A mask that restricts the stages, what is marked for the user to see, and what prompts carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Sampling
from lib_finisher.imaging.arrays import from_uint16, to_uint16
from lib_finisher.imaging.geometry import Box
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import assign, read_recipe, recorded
from lib_finisher.redraw.limit import within
from lib_finisher.stages.diffusion import prompts_of
from lib_finisher.stages.diffusion_settings import Diffusion
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Work
from lib_finisher.store.results import ResultStore


def finished(host: EmbeddedHost, work: Work, *assignments: str, only: tuple[str, ...], **more: object):  # type: ignore[no-untyped-def]
    switches = [f"{name}.enabled={'true' if name in only else 'false'}" for name in NAMES]
    fast = ["refine.steps=4", "repair.steps=4", "detail.steps=4", "upscale.steps=4"]
    recipe = read_recipe(assign({}, [*fast, *switches, *assignments]))
    return Pipeline(host, Detectors().detect, recipe, **more).run([work])[0]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return from_uint16(to_uint16(np.ascontiguousarray(portrait[0:256, 120:376])))


@pytest.fixture(scope="module")
def right_half() -> np.ndarray:
    mask = np.zeros((256, 256), np.float32)
    mask[:, 128:] = 1.0
    return mask


def test_restricted_stages_leave_the_rest_bit_for_bit(
    host: EmbeddedHost, picture: np.ndarray, right_half: np.ndarray
) -> None:
    only = ("refine", "detail", "texture", "grade")
    work = Work(picture, Base(seed=3), right_half)
    restricted = finished(host, work, "base.mask=restrict", "grade.contrast=0.5", only=only)
    free = finished(host, work, "grade.contrast=0.5", only=only)
    changed = (restricted.pixels != picture).any(axis=2)
    assert not changed[:, :128].any()
    assert changed[:, 128:].mean() > 0.8
    assert (free.pixels != picture).any(axis=2)[:, :128].mean() > 0.5
    assert {item.stage: item.status for item in restricted.reports}["refine"] == "ran"


def test_a_restricted_upscale_only_enlarges_elsewhere(
    host: EmbeddedHost, picture: np.ndarray, right_half: np.ndarray
) -> None:
    work = Work(picture, Base(seed=3), right_half)
    settings = ("upscale.factor=2", "upscale.method=tiled", "upscale.tile=128", "upscale.upscaler=Lanczos")
    restricted = finished(host, work, *settings, "base.mask=restrict", only=("upscale",))
    plain = finished(host, work, *settings[:1], "upscale.method=upscaler only", *settings[3:], only=("upscale",))
    free = finished(host, work, *settings, only=("upscale",))
    assert np.array_equal(restricted.pixels[:, :254], plain.pixels[:, :254])
    assert (restricted.pixels[:, 258:] != plain.pixels[:, 258:]).mean() > 0.5
    # What lies outside is not even sampled.
    tiles = {item.stage: item.cost.patches for item in restricted.reports}["upscale"]
    assert tiles < {item.stage: item.cost.patches for item in free.reports}["upscale"]


@pytest.mark.parametrize(("aspect", "expected"), [("crop", Box(64, 0, 192, 256)), ("pad", Box(96, 64, 160, 192))])
def test_the_mask_goes_with_a_picture_that_a_pass_reframes(
    host: EmbeddedHost, picture: np.ndarray, aspect: str, expected: Box
) -> None:
    wide = np.ascontiguousarray(picture[:128])
    mask = np.zeros((128, 256), np.float32)
    mask[:, 96:160] = 1.0
    side = 128 if aspect == "crop" else 256
    first = {"target": "width and height", "width": side, "height": side, "aspect": aspect, "method": "upscaler only"}
    again = {"factor": 256 / side, "method": "hires", "denoising_strength": 0.5, "steps": 6}
    recipe = read_recipe(
        {
            **{name: {"enabled": name == "upscale"} for name in NAMES},
            "base": {"mask": "restrict"},
            "upscale": {"passes": [{**one, "upscaler": "Lanczos"} for one in (first, again)]},
        }
    )
    work = Work(wide, Base(seed=3), mask)
    (done,) = Pipeline(host, Detectors().detect, recipe).run([work])
    passes = recipe["upscale"].passes
    plain = replace(recipe["upscale"], passes=(passes[0], replace(passes[1], method="upscaler only")))
    (enlarged,) = Pipeline(host, Detectors().detect, recipe.changed("upscale", plain)).run([work])
    assert not done.error and done.pixels.shape == enlarged.pixels.shape == (256, 256, 3)
    changed = np.abs(done.pixels - enlarged.pixels).max(axis=2) > 1 / 255
    assert changed[expected.top : expected.bottom, expected.left : expected.right].mean() > 0.9
    changed[max(0, expected.top - 2) : expected.bottom + 2, expected.left - 2 : expected.right + 2] = False
    assert not changed.any()


def test_a_mask_on_flat_tiles_alone_is_no_failure(host: EmbeddedHost) -> None:
    rng = np.random.default_rng(1)
    grainy = rng.random((256, 256, 3), dtype=np.float32) * np.float32(0.5) + np.float32(0.2)
    grainy[:128] = 0.6
    mask = np.zeros((256, 256), np.float32)
    mask[10:30, 50:200] = 1.0
    settings = ("upscale.method=tiled", "upscale.tile=128", "upscale.upscaler=Lanczos", "upscale.skip_flat=true")
    done = finished(host, Work(grainy, Base(seed=1), mask), *settings, "base.mask=restrict", only=("upscale",))
    (report,) = (item for item in done.reports if item.stage == "upscale")
    assert report.status == "ran" and "0 of" in report.reason and "flat" in report.reason


def test_the_mask_goes_where_the_recipe_says(host: EmbeddedHost, picture: np.ndarray, right_half: np.ndarray) -> None:
    work = Work(picture, Base(seed=3), right_half)
    told = {}
    for use in ("repair", "restrict", "ignore"):
        done = finished(host, work, f"base.mask={use}", only=("repair",))
        told[use] = next(item.status for item in done.reports if item.stage == "repair")
    assert told == {"repair": "ran", "restrict": "skipped", "ignore": "skipped"}


def test_a_mask_that_marks_nothing_lets_nothing_change_and_none_restricts_nothing(
    host: EmbeddedHost, picture: np.ndarray
) -> None:
    work = Work(picture, Base(seed=3), np.zeros((256, 256), np.float32))
    done = finished(host, work, "base.mask=restrict", only=("refine",))
    assert np.array_equal(to_uint16(done.pixels), to_uint16(picture))
    done = finished(host, Work(picture, Base(seed=3)), "base.mask=restrict", only=("refine",))
    assert (done.pixels != picture).any(axis=2).mean() > 0.5


def test_the_store_knows_the_restriction(
    host: EmbeddedHost, picture: np.ndarray, right_half: np.ndarray, tmp_path: object
) -> None:
    store = ResultStore(tmp_path)  # type: ignore[arg-type]
    first = finished(host, Work(picture, Base(seed=3)), only=("refine",), store=store)
    second = finished(
        host, Work(picture, Base(seed=3), right_half), "base.mask=restrict", only=("refine",), store=store
    )
    assert not np.array_equal(first.pixels, second.pixels)
    again = finished(host, Work(picture, Base(seed=3), right_half), "base.mask=restrict", only=("refine",), store=store)
    assert again.reports[0].status == "reused"
    assert np.array_equal(again.pixels, second.pixels)


def test_within_is_exact_where_the_mask_is_full_or_empty() -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.random((4, 4, 3), dtype=np.float32) for _ in range(2))
    mask = np.array([[0.0, 1.0, 0.5, 0.0]] * 4, np.float32)
    result = within(before, after, mask)
    assert np.array_equal(result[:, [0, 3]], before[:, [0, 3]])
    assert np.array_equal(result[:, 1], after[:, 1])
    assert np.allclose(result[:, 2], (before[:, 2] + after[:, 2]) / 2)


def test_previews_mark_what_is_redrawn(host: EmbeddedHost, picture: np.ndarray, right_half: np.ndarray) -> None:
    done = finished(host, Work(picture, Base(seed=3), right_half), only=("repair",), keep_stages=True)
    preview = done.previews["repair"]
    assert preview.shape == picture.shape
    assert np.array_equal(preview[:, :60], picture[:, :60])
    assert (preview[:, 200:, 0] - preview[:, 200:, 2]).mean() > (picture[:, 200:, 0] - picture[:, 200:, 2]).mean() + 0.2


def test_what_differs_is_recorded_relative_to_the_family() -> None:
    data = {"base": {"finish_only": True}, "detail": {"passes": [{"denoising_strength": 0.5}, {}]}}
    recipe = read_recipe({"version": 2, **data}, "flux")
    assert recorded(recipe, "flux") == {"version": 2, "family": "flux", **data}
    assert read_recipe(recorded(recipe, "flux"), "flux") == recipe
    assert recorded(read_recipe({"version": 2}, "flux"), "flux") == {"version": 2, "family": "flux"}


BASE = Base(
    prompt="a cat, masterpiece <lora:fur:0.7>", negative_prompt="dog, ugly",
    style="[PROMPT], masterpiece", negative_style="[PROMPT], ugly",
)  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("a cat, masterpiece <lora:fur:0.7>", "dog, ugly")),
        ({"prompt": "an eye"}, ("an eye, masterpiece <lora:fur:0.7>", "dog, ugly")),
        ({"prompt": "an eye <lora:iris:1>"}, ("an eye <lora:iris:1>, masterpiece <lora:fur:0.7>", "dog, ugly")),
        # The base prompt has its styles and extra networks already: once is enough.
        ({"prompt": "[PROMPT], close up"}, ("a cat, masterpiece <lora:fur:0.7>, close up", "dog, ugly")),
        ({"negative_prompt": "blur"}, ("a cat, masterpiece <lora:fur:0.7>", "blur, ugly")),
        ({"prompt": "an eye", "negative_prompt": "blur", "carry": False}, ("an eye", "blur")),
    ],
)
def test_an_own_prompt_carries_lora_and_styles(settings: dict[str, object], expected: tuple[str, str]) -> None:
    assert prompts_of(Diffusion(**settings), BASE) == expected  # type: ignore[arg-type]


def test_special_settings_that_an_engine_lacks_are_left_out_and_told(host: EmbeddedHost, picture: np.ndarray) -> None:
    plain = finished(host, Work(picture, Base(seed=3)), only=("refine",))
    asked = finished(host, Work(picture, Base(seed=3)), "refine.clip_skip=2", "refine.eta=0.5", only=("refine",))
    assert np.array_equal(plain.pixels, asked.pixels)
    assert [note for note in asked.reports[0].notes if "clip skip" in note or "eta" in note] == [
        "this engine has no clip skip; it was not used",
        "this engine has no eta; it was not used",
    ]
    assert Sampling(0.5, 20, eta=0.0).extras() == ("eta",)
    assert Sampling(0.5, 20, eta=0.0, clip_skip=1).without(["eta"]) == Sampling(0.5, 20, clip_skip=1)
