"""Enlarging with an upscaler model: exactly the size asked for, on no more pixels than it needs, in strips or whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lib_finisher.events import Control, Meter
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, HostError, Interrupted, OutOfMemory, UpscalerFacts, Watch
from lib_finisher.imaging.content import ANIME, GENERAL, PHOTOGRAPH, Content
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.resize import resize
from lib_finisher.imaging.strips import in_strips, reach_of, resized_rows
from lib_finisher.pipeline import Pipeline
from lib_finisher.plan.plan import make_plan
from lib_finisher.recipe import read_recipe
from lib_finisher.redraw.patch import Cost
from lib_finisher.stages import upscale_model
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.stages.upscale_model import choose_upscaler, enlarge, hold_to_draft, model_work
from lib_finisher.stages.upscaler_choices import LANCZOS
from lib_finisher.stages.upscaler_names import best_for, made_for, misfit, scale_told
from tests.conftest import Onward, weights

MODEL = "RealESR_Gx4"


class Enlarging(EmbeddedHost):
    """The embedded engine with enlarging filters in place of model files; it remembers on what sizes they ran."""

    def __init__(self, *facts: UpscalerFacts, real: int = 0, fails: type[Exception] | None = None) -> None:
        super().__init__()
        self.facts, self.real, self.fails = facts, real, fails
        self.ran: list[Size] = []

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        return self.facts

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        if self.fails is not None:
            raise self.fails("no luck")
        self.ran.append(size_of(pixels))
        scale = self.real or next(item.scale for item in self.facts if item.name == name)
        return np.clip(resize(pixels, size_of(pixels).scaled(scale)), 0.0, 1.0)


class Denoising(Enlarging):
    """A 1x model that takes detail away."""

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        return resize(resize(pixels, size_of(pixels).scaled(0.5)), size_of(pixels)).clip(0, 1)


def facts(name: str, scale: int = 4) -> UpscalerFacts:
    return UpscalerFacts(name, scale, name)


def tools(host: EmbeddedHost) -> Tools:
    return Tools(host, lambda *_, **__: [], Onward())


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        (Size(150, 120), [Size(85, 68)]),
        (Size(200, 159), [Size(85, 68)]),
        (Size(240, 192), [Size(100, 80)]),
        (Size(400, 320), [Size(100, 80)]),
        (Size(600, 480), [Size(100, 80), Size(280, 224)]),
        (Size(1600, 1280), [Size(100, 80), Size(400, 320)]),
        (Size(2000, 1600), [Size(100, 80), Size(400, 320)]),
    ],
)
def test_a_model_runs_on_no_more_than_it_needs(portrait: np.ndarray, target: Size, runs: list[Size]) -> None:
    host, picture = Enlarging(facts("4x-filter")), np.ascontiguousarray(portrait[:80, :100])
    made = enlarge(picture, target, "auto", 1.0, tools(host), [])
    assert host.ran == runs
    assert size_of(made.pixels) == target
    assert (made.how, made.degraded) == ("4x-filter", False)
    assert float(made.pixels.min()) >= 0.0 and float(made.pixels.max()) <= 1.0


@pytest.mark.parametrize(
    "target",
    [
        Size(150, 120),
        Size(200, 159),
        Size(240, 192),
        Size(400, 320),
        Size(600, 480),
        Size(1600, 1280),
        Size(130, 300),
        Size(500, 90),
    ],
)
def test_the_work_that_is_planned_is_what_runs(portrait: np.ndarray, target: Size) -> None:
    picture = np.ascontiguousarray(portrait[:80, :100])
    for name, scale, blend in (
        ("4x-filter", 4, 1.0),
        ("2x-filter", 2, 0.5),
        ("1x-filter", 1, 1.0),
        ("4x-filter", 4, 0.0),
    ):
        host = Enlarging(facts(name, scale))
        enlarge(picture, target, name, blend, tools(host), [])
        planned = model_work(Size(100, 80), target, name, blend, host.facts)
        assert planned == pytest.approx(sum(size.megapixels for size in host.ran)), name
    assert model_work(Size(100, 80), Size(100, 80), "4x-filter", 1.0, [facts("4x-filter")]) == 0.0
    assert model_work(Size(100, 80), target, LANCZOS, 1.0, [facts("4x-filter")]) == 0.0


def test_what_shrinking_loses_is_given_back_but_not_the_colours_that_a_model_changed(portrait: np.ndarray) -> None:
    class Tinting(Enlarging):
        def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
            return (super().upscale(name, pixels, watch) * np.float32([0.7, 0.9, 1.0])).astype(np.float32)

    picture = np.ascontiguousarray(portrait[40:240, 120:320])
    made = enlarge(picture, Size(400, 400), "auto", 1.0, tools(Tinting(facts("4x-filter"))), []).pixels
    assert made.mean(axis=(0, 1)) == pytest.approx(picture.mean(axis=(0, 1)) * [0.7, 0.9, 1.0], rel=0.01)


def test_it_is_told_how_much_of_the_models_picture_was_used_and_whether_it_enlarged(portrait: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait[:80, :100])
    ways = {}
    for name, scale, target, blend in (
        ("4x-a", 4, Size(200, 160), 1.0), ("4x-a", 4, Size(200, 160), 0.25), ("1x-b", 1, Size(100, 80), 1.0),
        ("4x-a", 4, Size(200, 160), 0.0),
    ):  # fmt: skip
        made = enlarge(picture, target, name, blend, tools(Enlarging(facts(name, scale))), [])
        ways[name, blend] = made.how, made.by_model
    assert ways == {
        ("4x-a", 1.0): ("4x-a", True), ("4x-a", 0.25): ("4x-a (25%)", True), ("1x-b", 1.0): ("1x-b", False),
        ("4x-a", 0.0): (LANCZOS, False),
    }  # fmt: skip


def test_what_does_not_suit_is_only_told_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscale_model, "content_of", lambda pixels: Content(PHOTOGRAPH, 0.9))
    picture, told = np.full((40, 40, 3), 0.5, np.float32), []
    for side in (40, 80):
        notes: list[str] = []
        enlarge(picture, Size(side, side), "4x-AnimeSharp", 1.0, tools(Enlarging(facts("4x-AnimeSharp"))), notes)
        told.append(len(notes))
    assert told == [0, 1]


def test_what_shrinking_loses_is_given_back(portrait: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait[40:240, 120:320])
    target = Size(400, 400)
    exact = np.clip(resize(picture, target), 0, 1)
    made = enlarge(picture, target, "auto", 1.0, tools(Enlarging(facts("4x-filter"))), []).pixels
    small = np.clip(resize(picture, Size(170, 170)), 0, 1)
    lossy = np.clip(resize(resize(small, Size(680, 680)), target), 0, 1)
    assert float(np.square(made - exact).mean()) < 0.25 * float(np.square(lossy - exact).mean())


def test_strips_give_the_same_as_the_whole(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, target = np.ascontiguousarray(portrait[:301, :200]), Size(413, 622)
    whole = enlarge(picture, target, "auto", 0.8, tools(Enlarging(facts("4x-filter"))), []).pixels
    monkeypatch.setattr(upscale_model, "_STRIP_PIXELS", 200 * 16 * 40)
    host = Enlarging(facts("4x-filter"))
    strips = enlarge(picture, target, "auto", 0.8, tools(host), []).pixels
    assert len(host.ran) > 4
    assert float(np.abs(strips - whole).max()) * 255 < 0.01


def test_rows_of_a_resized_picture_are_those_of_the_whole(portrait: np.ndarray) -> None:
    for size in (Size(777, 1031), Size(300, 211), Size(512, 512)):
        whole = resize(portrait, size)
        for top, bottom in in_strips(size.height, 97):
            reach = reach_of(512, size)
            first = max(0, top * 512 // size.height - reach)
            part = portrait[first : bottom * 512 // size.height + reach + 2]
            rows = resized_rows(part, first, 512, size, top, bottom)
            assert float(np.abs(rows - whole[top:bottom]).max()) < 1e-5


def test_a_name_that_tells_a_wrong_scale_costs_a_run_and_nothing_else(portrait: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait[:80, :100])
    host = Enlarging(facts("Mystery", 4), real=2)
    made = enlarge(picture, Size(300, 240), "auto", 1.0, tools(host), [])
    assert size_of(made.pixels) == Size(300, 240)
    assert host.ran == [Size(100, 80), Size(100, 80), Size(200, 160)]
    assert float(np.abs(made.pixels - np.clip(resize(picture, Size(300, 240)), 0, 1)).mean()) * 255 < 1


def test_a_model_that_keeps_the_size_runs_once(portrait: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait[:80, :100])
    host = Enlarging(facts("1x-Denoise", 1))
    for target in (Size(100, 80), Size(250, 200)):
        host.ran.clear()
        made = enlarge(picture, target, "1x-Denoise", 1.0, tools(host), [])
        assert (host.ran, size_of(made.pixels), made.how) == ([Size(100, 80)], target, "1x-Denoise")
    host.ran.clear()
    assert enlarge(picture, Size(200, 160), "auto", 1.0, tools(host), []).how == LANCZOS
    assert not host.ran


def test_no_enlargement_leaves_every_bit(portrait: np.ndarray) -> None:
    host = Enlarging(facts("4x-AnimeSharp"))
    notes: list[str] = []
    made = enlarge(portrait, Size(512, 512), "4x-AnimeSharp", 1.0, tools(host), notes)
    assert made.pixels is portrait
    assert (host.ran, notes, made.how) == ([], [], "no enlargement")


def test_the_blend_is_between_the_model_and_lanczos(portrait: np.ndarray) -> None:
    picture, target = np.ascontiguousarray(portrait[:80, :100]), Size(300, 240)
    made = {
        blend: enlarge(picture, target, "4x-filter", blend, tools(Enlarging(facts("4x-filter"))), []).pixels
        for blend in (0.0, 0.25, 1.0)
    }
    assert np.array_equal(made[0.0], np.clip(resize(picture, target), 0, 1))
    assert float(np.abs(made[0.25] - (0.75 * made[0.0] + 0.25 * made[1.0])).max()) < 1e-5


def test_a_model_that_fails_is_replaced_and_told(portrait: np.ndarray) -> None:
    picture, notes = np.ascontiguousarray(portrait[:80, :100]), list[str]()
    for kind in (HostError, OutOfMemory):
        made = enlarge(picture, Size(200, 160), "auto", 1.0, tools(Enlarging(facts("4x-a"), fails=kind)), notes)
        assert (made.how, made.degraded, size_of(made.pixels)) == (LANCZOS, True, Size(200, 160))
    assert "4x-a could not be used" in notes[0]
    with pytest.raises(Interrupted):
        enlarge(picture, Size(200, 160), "auto", 1.0, tools(Enlarging(facts("4x-a"), fails=Interrupted)), [])


def test_a_wanted_model_that_is_absent_is_told_and_nothing_else_is_taken(portrait: np.ndarray) -> None:
    notes: list[str] = []
    assert choose_upscaler("4x-Gone", [facts("4x-UltraSharp")], notes) is None
    assert notes == ["there is no upscaler '4x-Gone' here, so Lanczos was used; upscalers here: 4x-UltraSharp, Lanczos"]


@pytest.mark.parametrize(
    ("name", "scale", "kind"),
    [
        ("4x-UltraSharp", 4, GENERAL),
        ("RealESRGAN_x2plus", 2, GENERAL),
        ("R-ESRGAN 4x+ Anime6B", 4, ANIME),
        ("RealESR_Animex4", 4, ANIME),
        ("RealESR_Gx4", 4, GENERAL),
        ("4xNomos8kSC", 4, PHOTOGRAPH),
        ("1x-ITF-SkinDiffDetail-Lite-v1", 1, PHOTOGRAPH),
        ("ScuNET PSNR", 1, GENERAL),
        ("8x_NMKD", 8, ""),
        ("4x_NMKD-Superscale-SP_178000_G", 4, GENERAL),
        ("Remacri", None, GENERAL),
        ("model_200k", None, ""),
        ("what-data", None, ""),
        ("Animalistic", None, ""),
    ],
)
def test_what_a_name_tells(name: str, scale: int | None, kind: str) -> None:
    assert (scale_told(name), made_for(name)) == (scale, kind)


def test_auto_takes_what_suits_the_picture() -> None:
    there = [facts(name) for name in ("4x-AnimeSharp", "8x_NMKD", "4x-UltraSharp", "4xNomos8kSC")]
    picked = [best_for(Content(kind, 0.9), there) for kind in (ANIME, PHOTOGRAPH, GENERAL)]
    assert [item.name for item in picked if item] == ["4x-AnimeSharp", "4xNomos8kSC", "4x-UltraSharp"]
    assert best_for(Content(PHOTOGRAPH, 0.9), [facts("1x-Skin", 1)]) is None


def test_a_chosen_model_that_does_not_suit_is_used_and_told() -> None:
    anime, real = facts("4x-AnimeSharp"), facts("4xNomos8kSC")
    sky = Content(PHOTOGRAPH, 0.9)
    assert misfit("4x-AnimeSharp", sky, [anime]) == "4x-AnimeSharp is for drawings; this looks like a photograph"
    assert misfit("4x-AnimeSharp", sky, [anime, real]).endswith("a photograph, for which 4xNomos8kSC is here")
    assert (
        misfit("4xNomos8kSC", Content(ANIME, 0.8), [real])
        == "4xNomos8kSC is for photographs; this looks like a drawing"
    )
    for name, content in (("4x-UltraSharp", sky), ("8x_NMKD", sky), ("4x-AnimeSharp", Content(GENERAL, 0.5))):
        assert misfit(name, content, [anime, real]) == ""


def test_the_real_model_keeps_its_quality_on_a_smaller_picture(portrait: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    host = EmbeddedHost(weights(f"{MODEL}.pth").parent)
    original = np.ascontiguousarray(portrait[40:232, 128:320])
    source = np.clip(resize(original, Size(96, 96)), 0, 1)
    full = np.clip(resize(host.upscale(MODEL, source, Onward()), Size(192, 192)), 0, 1)
    made = enlarge(source, Size(192, 192), MODEL, 1.0, tools(host), []).pixels
    psnr = [10 * np.log10(1 / float(np.square(one - original).mean())) for one in (full, made)]
    assert psnr[1] > psnr[0] - 0.5, psnr


def block_means(pixels: np.ndarray, side: int) -> np.ndarray:
    height, width = pixels.shape[0] // side, pixels.shape[1] // side
    return pixels.reshape(height, side, width, side, 3).mean(axis=(1, 3))


def test_fidelity_brings_back_colours_and_structure_under_the_models_detail(portrait: np.ndarray) -> None:
    draft = np.ascontiguousarray(portrait[100:180, 190:290])
    within_a_pixel = np.tile(np.array([[0.02, -0.02], [-0.02, 0.02]], dtype=np.float32), (80, 100))[..., None]
    tinted = np.clip(resize(draft, Size(200, 160), "bilinear") * np.float32([0.9, 1.0, 0.8]), 0, 1) * 0.9 + 0.05
    made = (tinted + within_a_pixel).astype(np.float32)
    away = {}
    for fidelity in (0.0, 0.5, 1.0):
        result = made.copy()
        hold_to_draft(result, draft, fidelity)
        away[fidelity] = float(np.abs(block_means(result, 2) - draft).mean())
        finest = result - np.kron(block_means(result, 2), np.ones((2, 2, 1)))
        correlation = float((finest * within_a_pixel).mean() / np.square(within_a_pixel).mean())
        assert correlation > 0.9, "what no draft can hold stays the model's"
        assert fidelity > 0 or np.array_equal(result, made)
    assert away[0.0] > 0.03
    assert away[0.5] == pytest.approx(away[0.0] / 2, rel=0.25)
    assert away[1.0] < away[0.0] / 5


def test_fidelity_takes_the_fringe_along_an_edge_away_and_keeps_the_edge() -> None:
    draft = np.full((40, 40, 3), 0.3, dtype=np.float32)
    draft[:, 20:] = 0.7
    made = np.kron(draft, np.ones((2, 2, 1), dtype=np.float32))
    made[:, 34:40] -= 0.1
    made[:, 40:46] += 0.1
    fringe = {}
    for fidelity in (0.0, 0.75, 1.0):
        result = made.copy()
        hold_to_draft(result, draft, fidelity)
        dark, light = result[8:-8, 34:40], result[8:-8, 40:46]
        fringe[fidelity] = float(np.maximum(0.3 - dark, 0).mean() + np.maximum(light - 0.7, 0).mean()) / 2
        assert float((result[8:-8, 40] - result[8:-8, 39]).mean()) > 0.35, "as steep as the draft's"
    assert fringe[0.0] == pytest.approx(0.1, abs=1e-6)
    assert fringe[1.0] < fringe[0.75] < 0.02


@pytest.mark.parametrize("target", [Size(150, 120), Size(333, 266)])
def test_fidelity_holds_at_any_factor_and_in_strips(
    portrait: np.ndarray, target: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = np.ascontiguousarray(portrait[100:180, 190:290])
    made = np.clip(resize(draft, target) * np.float32(0.8), 0, 1)
    whole, strips = made.copy(), made.copy()
    hold_to_draft(whole, draft, 1.0)
    monkeypatch.setattr(upscale_model, "_STRIP_PIXELS", target.width * 8 * 20)
    hold_to_draft(strips, draft, 1.0)
    assert float(np.abs(whole - strips).max()) < 1e-5
    exact = resize(draft, target)
    assert float(np.abs(whole - exact).mean()) < float(np.abs(made - exact).mean()) / 4


@pytest.mark.parametrize("factor", [2, 3])
def test_what_has_the_drafts_pixels_as_means_is_not_touched(portrait: np.ndarray, factor: int) -> None:
    draft = np.ascontiguousarray(portrait[100:140, 190:240]) * np.float32(0.8) + np.float32(0.1)
    detail = np.random.default_rng(3).normal(0, 0.02, (40, factor, 50, factor, 3))
    detail -= detail.mean(axis=(1, 3), keepdims=True)
    made = np.kron(draft, np.ones((factor, factor, 1))) + detail.reshape(40 * factor, 50 * factor, 3)
    held = made.astype(np.float32)
    hold_to_draft(held, draft, 1.0)
    assert float(np.abs(held - made).max()) < 1e-5


def test_the_plain_part_of_a_blend_is_held_too() -> None:
    draft = np.full((40, 40, 3), 0.3, dtype=np.float32)
    draft[:, 20:] = 0.7
    beyond = []
    for fidelity in (0.0, 1.0):
        host = Enlarging(facts("model", 4))
        means = block_means(enlarge(draft, Size(80, 80), "model", 0.3, tools(host), [], fidelity).pixels, 2)
        beyond.append(float(np.maximum(np.maximum(means - 0.7, 0.3 - means), 0).mean()))
    assert beyond[1] < beyond[0] / 4


def test_what_is_brought_back_of_a_pixel_rings_nowhere() -> None:
    draft, made = np.full((16, 16, 3), 0.3, dtype=np.float32), np.full((32, 32, 3), 0.3, dtype=np.float32)
    draft[8, 8] = 0.6
    hold_to_draft(made, draft, 1.0)
    assert made.min() == pytest.approx(0.3, abs=1e-6) and made.max() > 0.45


def test_a_line_three_pixels_away_excuses_no_fringe() -> None:
    draft = np.full((24, 40, 3), 0.3, dtype=np.float32)
    draft[:, 20] = 0.9
    made = np.kron(draft, np.ones((2, 2, 1), dtype=np.float32))
    made[:, 46:48] += 0.1
    hold_to_draft(made, draft, 1.0)
    assert float(np.abs(block_means(made, 2)[4:-4, 22:25] - 0.3).max()) < 0.015


def test_what_goes_beyond_black_and_white_is_cut_off() -> None:
    draft = np.zeros((12, 12, 3), dtype=np.float32)
    draft[:, 6:] = 1.0
    made = np.kron(draft, np.ones((2, 2, 1), dtype=np.float32)) * np.float32(0.6) + np.float32(0.2)
    made[::2, ::2] += 0.19
    made[1::2, 1::2] -= 0.19
    hold_to_draft(made, draft, 1.0)
    assert made.min() == 0.0 and made.max() == 1.0


@pytest.mark.parametrize(("scale", "blend"), [(2, 1.0), (4, 1.0), (4, 0.6)])
def test_models_of_every_scale_are_held_by_the_fidelity_and_after_the_blend(
    portrait: np.ndarray, scale: int, blend: float
) -> None:
    class Tinting(Enlarging):
        def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
            return (super().upscale(name, pixels, watch) * np.float32([0.7, 0.9, 1.0])).astype(np.float32)

    picture = np.ascontiguousarray(portrait[100:180, 190:290])
    away = []
    for fidelity in (0.0, 0.5, 1.0):
        host = Tinting(facts("model", scale))
        made = enlarge(picture, Size(200, 160), "model", blend, tools(host), [], fidelity).pixels
        away.append(float(np.abs(block_means(made, 2) - picture).mean()))
    assert away[0] > 0.01
    assert away[2] < away[0] / 8 and 0.2 * away[0] < away[1] < 0.55 * away[0]


def test_a_model_that_keeps_the_size_is_not_held_to_what_it_cleaned(portrait: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait[:80, :100])
    free, held = (
        enlarge(picture, Size(100, 80), "1x-Denoise", 1.0, tools(Denoising(facts("1x-Denoise", 1))), [], fidelity)
        for fidelity in (0.0, 1.0)
    )
    assert not np.array_equal(free.pixels, picture)
    assert np.array_equal(free.pixels, held.pixels)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("wrap", ["off", "both"])
def test_the_models_runs_are_planned_as_they_happen_for_transparency_and_margins_too(
    transparent: bool, wrap: str
) -> None:
    passes = [{"factor": 2, "upscaler": "b", "method": "upscaler only"}, {"factor": 1.5, "upscaler": "a", "steps": 2}]
    data: dict[str, Any] = {name: {"enabled": name == "upscale"} for name in NAMES}
    data["upscale"]["passes"] = passes
    recipe = read_recipe({"version": 2, "base": {"wrap": wrap}, **data})
    host = Enlarging(UpscalerFacts("a", 2, "a"), UpscalerFacts("b", 2, "b"))
    alpha = np.ones((48, 64), np.float32)
    if transparent:
        alpha[:, :20] = 0
    picture = np.random.default_rng(4).uniform(0.2, 0.8, (48, 64, 3)).astype(np.float32)
    work = Work(picture, Base(seed=3), alpha=alpha)
    plan = make_plan(work, recipe, Tools(host, lambda *_: [], Meter(Control())))
    (done,) = Pipeline(host, lambda *_: [], recipe).run([work])
    assert not done.error
    assert len(host.ran) == len(plan.total.models) == (4 if transparent else 2)
    assert sum(part for _, part in plan.total.models) == pytest.approx(sum(size.megapixels for size in host.ran))
    cost = sum((stage.cost for stage in done.reports), Cost())
    assert (plan.total.host_calls, plan.total.patches) == (cost.host_calls, cost.patches)
