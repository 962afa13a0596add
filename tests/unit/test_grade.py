"""The grade: what each control does and what it leaves alone, casts on photographs, files that settings name."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.grade import balanced, difference, neutrals, under
from lib_finisher.assets import LUT, REFERENCE, AssetError, Assets
from lib_finisher.cli import main
from lib_finisher.controls import controls_of
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.balance import light_of
from lib_finisher.imaging.balance_methods import METHODS, SHADES_OF_GREY
from lib_finisher.imaging.colour import from_lab, mixed, to_lab
from lib_finisher.imaging.colour_match import ColourMap
from lib_finisher.imaging.curves import CurveError, Curves, read_curves, through
from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.saving import save_png
from lib_finisher.imaging.sharpen import Sharpening
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.grade import Grade
from lib_finisher.stages.grade_settings import GradeSettings
from lib_finisher.stages.grade_strips import Extras, Grading
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.store.results import ResultStore
from tests.conftest import Onward, photograph

NOTHING = GradeSettings(contrast=0.0, saturation=0.0, grain=0.0)
WARM = "LUT_3D_SIZE 2\n" + "\n".join(f"{r} {g * 0.9} {b * 0.7}" for b in (0, 1) for g in (0, 1) for r in (0, 1))
ONE_OF_EACH = {
    "white_balance": 1.0, "exposure": 0.5, "black_point": 0.05, "white_point": 0.05, "highlights": -0.5, "shadows": 0.5,
    "contrast": 0.3, "local_contrast": 0.5, "curves": "0,0; 64,50; 255,255", "saturation": 0.3, "vibrance": 0.3,
    "colour_match": 0.5, "sharpening": 0.5, "grain": 0.3,
}  # fmt: skip


@pytest.fixture(scope="module")
def photo(portrait: np.ndarray) -> np.ndarray:
    return portrait[40:296, 60:380].copy()


def graded(picture: np.ndarray, curves: str = "", wanted: np.ndarray | None = None, **settings: object) -> np.ndarray:
    one = replace(NOTHING, **settings)
    return Grading(picture, one, Extras(read_curves(curves), None, wanted), 1).apply()[0]


def finish(
    picture: np.ndarray, assets: Assets | None = None, store: ResultStore | None = None, **grade: object
) -> Finished:
    data = {name: {"enabled": False} for name in NAMES}
    data["grade"] = {"contrast": 0.0, "saturation": 0.0, "grain": 0.0, **grade}
    base = Base(prompt="a portrait", seed=3, steps=8)
    pipeline = Pipeline(EmbeddedHost(), lambda *_: [], read_recipe(data), store, assets=assets)
    return pipeline.run([Work(picture, base)])[0]


def ramp(levels: int = 101, height: int = 32) -> np.ndarray:
    return np.tile(np.linspace(0, 1, levels, dtype=np.float32)[None, :, None], (height, 1, 3))


def test_at_zero_no_bit_changes(photo: np.ndarray) -> None:
    done = finish(photo)
    assert np.array_equal(done.pixels, photo)
    assert (done.reports[-1].status, done.reports[-1].reason) == ("skipped", "everything is at 0")
    rest = {
        "grain_size": 3.0,
        "sharpening_radius": 3.0,
        "lut_strength": 0.5,
        "match_reference": "x",
        "colour_words": "x",
    }
    assert np.array_equal(finish(photo, **rest).pixels, photo)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_control_changes_the_picture_by_itself(photo: np.ndarray, name: str) -> None:
    small = photo[80:176, 100:196]
    value = ONE_OF_EACH[name]
    more = {"wanted": small[::-1] ** 2} if name == "colour_match" else {}
    more |= {"curves": value} if name == "curves" else {name: value}
    cast = small * np.array([1.0, 0.9, 0.7], np.float32)
    change = np.abs(graded(cast, **more) - cast)
    assert np.isfinite(change).all() and change.mean() > 1e-3


def test_a_strip_is_the_same_wherever_it_begins(photo: np.ndarray) -> None:
    one = GradeSettings(**{**ONE_OF_EACH, "curves": "", "grain_colour": 0.5, "sharpening_radius": 2.0})
    extras = Extras(read_curves("0,0; 64,50; 255,255 | r: 0,5; 255,250"), None, photo[::-1] ** 2)
    grading = Grading(photo, one, extras, 5)
    whole, clipping = grading.apply(photo.shape[0])
    for rows in (1, 7, 50):
        again, also = grading.apply(rows)
        assert np.array_equal(whole, again) and clipping == also


def test_memory_is_bounded_by_the_strips() -> None:
    """A full grade holds its result and a few strips, not one more picture for every step."""
    picture = np.random.default_rng(0).random((1536, 1536, 3), dtype=np.float32)
    settings = GradeSettings(**{**ONE_OF_EACH, "curves": ""})
    grading = Grading(picture, settings, Extras(read_curves("0,0; 64,50; 255,255"), None, picture[::-1]), 5)
    tracemalloc.start()
    grading.apply()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < picture.nbytes + 40e6 < 3 * picture.nbytes


def test_exposure_is_exact_below_the_shoulder_and_keeps_white() -> None:
    dark = np.full((8, 8, 3), 0.2, dtype=np.float32)
    linear = lambda value: ((value + 0.055) / 1.055) ** 2.4
    assert linear(graded(dark, exposure=1.0)).mean() == pytest.approx(2 * linear(0.2), rel=1e-3)
    assert linear(graded(dark, exposure=-1.0)).mean() == pytest.approx(linear(0.2) / 2, rel=1e-2)
    for stops in (0.05, 1.0, 3.0):
        light = graded(ramp(1001), exposure=stops)[0, :, 0]
        assert light[-1] == pytest.approx(1.0, abs=1e-3)
        assert np.all(np.diff(light) >= 0) and light[-40] < 1.0


@pytest.mark.parametrize(
    "settings",
    [
        {"contrast": 1.0}, {"contrast": -1.0}, {"black_point": 0.3, "white_point": 0.3}, {"black_point": -0.3},
        {"shadows": 1.0, "highlights": -1.0}, {"shadows": -1.0, "highlights": 1.0}, {"curves": "0,10; 90,200; 255,210"},
        {"exposure": 3.0, "contrast": 0.5}, {"exposure": -3.0},
    ],
)  # fmt: skip
def test_no_tone_passes_another_and_greys_stay_grey(settings: dict) -> None:
    """On steps far enough apart for every one to be its own surroundings."""
    steps = np.repeat(ramp(33, 8), 24, axis=1)
    result = graded(steps, **settings)
    assert np.diff(result[4, 12::24, 1]).min() > -2e-4
    assert np.ptp(result, axis=-1).max() < 2e-3


def test_points_reach_black_and_white_softly() -> None:
    light = graded(ramp(401), black_point=0.1, white_point=0.1)[0, :, 0]
    lab = to_lab(ramp(401))[0, :, 0]
    assert light[lab <= 0.0].max() == 0 and light[lab >= 99.99].min() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(light, 2)).max() < 0.004
    lifted = graded(ramp(401), black_point=-0.1)[0, :, 0]
    assert lifted[0] > 0.1 and lifted[-1] == pytest.approx(1, abs=1e-3)


def edge() -> np.ndarray:
    """A dark half beside a bright one."""
    picture = np.full((160, 240, 3), 0.15, dtype=np.float32)
    picture[:, 120:] = 0.85
    return picture


@pytest.mark.parametrize("settings", [{"shadows": 1.0}, {"highlights": -1.0}, {"local_contrast": 1.0}])
def test_an_edge_gets_no_halo(settings: dict) -> None:
    row = to_lab(graded(edge(), **settings))[80, :, 0]
    for half, far in ((row[2:118], row[10]), (row[122:238], row[-10])):
        assert np.abs(half - far).max() < 2.5
    # The control: the same lift over a plain blur as base does draw one.
    plain = to_lab(edge())[..., 0]
    blurred = cv2.GaussianBlur(plain, (0, 0), 12)
    haloed = plain + 0.5 * (plain - blurred)
    assert np.abs(haloed[80, 2:118] - haloed[80, 10]).max() > 5


def test_shadows_open_and_keep_their_detail(photo: np.ndarray) -> None:
    before, after = to_lab(photo)[..., 0], to_lab(graded(photo, shadows=1.0))[..., 0]
    dark = before < 25
    assert (after - before)[dark].mean() > 4
    assert np.abs(after - before)[before > 85].mean() < 1.5
    assert after[dark].std() > 0.9 * before[dark].std()


def test_local_contrast_lifts_detail_but_not_the_picture(photo: np.ndarray) -> None:
    before, after = to_lab(photo)[..., 0], to_lab(graded(photo, local_contrast=0.6))[..., 0]
    fine = lambda light: float(np.abs(np.diff(light, axis=1)).mean())
    assert fine(after) > 1.1 * fine(before)
    assert abs(after.mean() - before.mean()) < 1.0
    assert np.abs(after - before).max() <= 8.1
    assert fine(to_lab(graded(photo, local_contrast=-0.6))[..., 0]) < 0.9 * fine(before)


def test_vibrance_is_for_what_is_pale_and_spares_skin() -> None:
    lab = np.zeros((1, 4, 3), dtype=np.float32)
    lab[..., 0] = 60
    hues = np.array([2.4, 2.4, 0.85, 0.85])
    chroma = np.array([15.0, 55.0, 15.0, 55.0])
    lab[0, :, 1], lab[0, :, 2] = chroma * np.cos(hues), chroma * np.sin(hues)
    after = to_lab(graded(np.repeat(from_lab(lab), 8, axis=0), vibrance=0.5))[0]
    gain = np.hypot(after[:, 1], after[:, 2]) / chroma - 1
    assert gain[0] > 3 * gain[1] > 0
    assert gain[2] == pytest.approx(gain[0] / 2, rel=0.1)


def test_no_saturation_is_grey_and_more_keeps_hues(photo: np.ndarray) -> None:
    assert np.ptp(graded(photo, saturation=-1.0), axis=-1).max() < 2e-3
    before, after = to_lab(photo * 0.6 + 0.2), to_lab(graded(photo * np.float32(0.6) + np.float32(0.2), saturation=0.5))
    sure = np.hypot(before[..., 1], before[..., 2]) > 8
    turn = np.angle(
        np.exp(1j * (np.arctan2(after[..., 2], after[..., 1]) - np.arctan2(before[..., 2], before[..., 1])))
    )
    assert np.abs(turn[sure]).mean() < 0.02


def test_sharpening_stays_within_its_halo() -> None:
    one = edge()
    for halo in (0.0, 0.1):
        sharp = Sharpening(2.0, 2.0, halo, 0.0).apply(one)
        assert sharp.max() <= 0.85 + halo * 0.7 + 1e-4 and sharp.min() >= 0.15 - halo * 0.7 - 1e-4
    assert Sharpening(2.0, 2.0, 1.0, 0.0).apply(one).max() > 0.95
    noise = one + np.random.default_rng(0).uniform(-0.5, 0.5, (*one.shape[:2], 1)).astype(np.float32) / 255
    assert np.abs(Sharpening(2.0, 1.0, 1.0, 2.0).apply(noise) - noise)[:, :100].max() < 1e-6
    assert np.abs(Sharpening(2.0, 1.0, 1.0, 0.0).apply(noise) - noise)[:, :100].max() > 1e-3


def test_sharpening_sharpens_and_keeps_colours(photo: np.ndarray) -> None:
    after = graded(photo, sharpening=1.0)
    fine = lambda pixels: float(np.abs(np.diff(pixels.mean(axis=-1), axis=1)).mean())
    assert fine(after) > 1.15 * fine(photo)
    change = after - photo
    assert np.abs(change - change.mean(axis=-1, keepdims=True)).max() < 1e-6


@pytest.mark.parametrize("name", ["astronaut.png", "grace_hopper.jpg", "bus.jpg", "zidane.jpg"])
def test_a_cast_is_taken_out_of_a_photograph(name: str) -> None:
    """6500 K to 4500 K: neutrals come back to within 3 dE of what they were; without correction they do not."""
    picture = photograph(name)
    lab = to_lab(picture)
    grey = neutrals(lab)
    cast = under(picture, 4500.0)
    assert difference(cast, lab, grey) > 10
    assert difference(balanced(cast), lab, grey) <= 3.0
    # What had no cast is hardly changed.
    assert difference(balanced(picture), lab, grey) <= 1.5


def test_strength_takes_part_of_a_cast_out(portrait: np.ndarray) -> None:
    lab, cast = to_lab(portrait), under(portrait, 4500.0)
    away = [difference(graded(cast, white_balance=strength), lab, neutrals(lab)) for strength in (0.0001, 0.5, 1.0)]
    assert away[0] > 1.5 * away[1] > 2 * away[2]


@pytest.mark.parametrize("method", METHODS)
def test_a_grey_card_tells_the_light(method: str) -> None:
    card = np.random.default_rng(0).uniform(0.2, 0.7, (64, 64, 1)).astype(np.float32).repeat(3, axis=2)
    assert light_of(card, method) == pytest.approx(1.0, abs=0.03)
    warm = under(card, 4500.0)
    assert np.abs(balanced(warm, method) - card).max() < 0.06
    red, _, blue = light_of(warm, method)
    assert red > 1.1 and blue < 0.75


def test_where_nothing_tells_of_the_light_nothing_is_done() -> None:
    black = np.zeros((64, 64, 3), dtype=np.float32)
    done = finish(black, white_balance=1.0)
    assert np.array_equal(done.pixels, black)
    assert any("too little of the picture" in note for note in done.reports[-1].notes)
    assert np.all(light_of(np.ones((64, 64, 3), np.float32), SHADES_OF_GREY) == 1)


@pytest.mark.parametrize("method", METHODS)
def test_black_and_white_has_no_cast(photo: np.ndarray, method: str) -> None:
    grey = np.rint(photo.mean(axis=-1, keepdims=True) * 255).repeat(3, axis=2).astype(np.float32) / np.float32(255)
    assert np.all(light_of(grey, method) == 1)


def test_colours_are_matched_in_mean_and_spread(photo: np.ndarray) -> None:
    reference = np.clip(photo[::-1] * np.array([1.0, 0.85, 0.6], np.float32) * np.float32(0.8), 0, 1)
    goal, before = to_lab(reference).reshape(-1, 3), to_lab(photo).reshape(-1, 3)
    after = to_lab(graded(photo, wanted=reference, colour_match=1.0)).reshape(-1, 3)
    half = to_lab(graded(photo, wanted=reference, colour_match=0.5)).reshape(-1, 3)
    assert np.abs(after.mean(axis=0) - goal.mean(axis=0)).max() < 1.5
    assert np.abs(after.std(axis=0) - goal.std(axis=0)).max() < 0.15 * goal.std(axis=0).max()
    distance = lambda one: np.linalg.norm(one.mean(axis=0) - goal.mean(axis=0))
    assert distance(half) == pytest.approx(distance(before) / 2, rel=0.25)
    same = graded(photo, wanted=photo, colour_match=1.0)
    assert np.abs(same - photo).max() < 2e-3


@pytest.mark.parametrize("goal", ["lighter", "darker"])
def test_matching_neither_blows_nor_crushes(goal: str) -> None:
    greys = ramp(512)
    wanted = np.clip(greys * 0.9 + (0.3 if goal == "lighter" else -0.2), 0, 1)
    tones = graded(greys, wanted=wanted, colour_match=1.0)[0, :, 1] * 255
    # The control: the map alone leads beyond white or black.
    lab = to_lab(greys)
    straight = mixed(lab, ColourMap.between(lab, to_lab(wanted), 1.0).matrix)[0, :, 0]
    assert straight.max() > 110 if goal == "lighter" else straight.min() < -10
    assert np.diff(tones).min() > 0.05


def test_colours_follow_the_base_or_a_reference(photo: np.ndarray, tmp_path: Path) -> None:
    small = photo[:96, :128]
    save_png(tmp_path / "Film.png", small * np.array([1.0, 0.7, 0.5], np.float32))
    assets = Assets(references=(tmp_path,))
    done = finish(small, assets, colour_match=1.0, match_reference="film")
    shift = to_lab(done.pixels).mean(axis=(0, 1)) - to_lab(small).mean(axis=(0, 1))
    assert shift[2] > 10
    # With the base's own colours nothing is to be changed; after a darkening they come back.
    darker = finish(small, exposure=-1.0).pixels
    back = finish(small, exposure=-1.0, colour_match=1.0).pixels
    light = lambda pixels: to_lab(pixels)[..., 0].mean()
    assert light(darker) < light(small) - 8 and abs(light(back) - light(small)) < 2


def test_a_curve_goes_through_its_points_and_never_overshoots() -> None:
    table = read_curves("0,0; 64,58; 128,200; 192,200; 255,255").tables["l"]
    at = np.array([0, 64, 128, 192, 255], np.float32) / np.float32(255)
    assert np.abs(through(at, table) * 255 - [0, 58, 200, 200, 255]).max() < 0.3
    assert np.diff(table).min() >= 0
    assert np.ptp(through(np.linspace(130, 190, 50, dtype=np.float32) / np.float32(255), table)) < 1e-3
    red = read_curves("r: 0,0; 255,128").tables
    assert set(red) == {"r"} and through(np.ones(1, np.float32), red["r"])[0] == pytest.approx(128 / 255, abs=1e-4)
    assert read_curves("").tables == {} and Curves().colour is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,0", "a curve has 2 to 64 points, this one 1"),
        ("0,0; 300,1", "300,1 lies outside 0 to 255"),
        ("0,0; 0,1", "does not lie to the right"),
        ("a,b; 1,1", "'a,b' is no point"),
        ("x: 0,0; 1,1", "'x' is no channel"),
        ("0,0; 1,1 | l: 0,0; 2,2", "has two curves"),
        ("nan,0; 1,1", "is no point"),
        ("0,0; 1" + "0" * 999 + ",1", "is no point"),
    ],
)
def test_a_text_that_is_no_curve_is_told_and_left_out(photo: np.ndarray, text: str, told: str) -> None:
    with pytest.raises(CurveError, match=told):
        read_curves(text)
    done = finish(photo[:64, :64], curves=text, contrast=0.2)
    assert any(told in note for note in done.reports[-1].notes)
    assert np.array_equal(done.pixels, finish(photo[:64, :64], contrast=0.2).pixels)


def test_clipping_is_told_before_and_after() -> None:
    picture = ramp(100)
    picture[:, :5], picture[:, -10:] = 0, 1
    done = finish(picture, black_point=0.2, white_point=0.2)
    reason = done.reports[-1].reason
    assert reason.startswith("black 5.00% to ") and "white 10.00% to " in reason
    dark, bright = (float(part.split(" to ")[1].rstrip("%")) for part in reason.split(", "))
    assert dark > 5 and bright > 10
    assert dark == pytest.approx(100 * np.all(done.pixels <= 1 / 255, axis=-1).mean(), abs=0.01)


def test_a_lut_is_applied_and_a_broken_one_is_told(photo: np.ndarray, tmp_path: Path) -> None:
    small = photo[:64, :64]
    (tmp_path / "Warm.cube").write_text(WARM)
    (tmp_path / "broken.cube").write_text(WARM.replace("1 0.0 0.0", "1 nan 0.0", 1))
    assets = Assets(luts=(tmp_path,))
    store = ResultStore(tmp_path / "store")
    done = finish(small, assets, store, lut="warm", contrast=0.0)
    assert np.abs(done.pixels - small * [1, 0.9, 0.7]).max() < 2e-4
    assert finish(small, assets, store, lut="warm").reports[-1].status == "reused"
    half = finish(small, assets, lut="warm.cube", lut_strength=0.5)
    assert np.abs(half.pixels - small * [1, 0.95, 0.85]).max() < 2e-4
    (tmp_path / "Warm.cube").write_text(WARM.replace("0.9", "0.8"))
    assert finish(small, assets, store, lut="warm").reports[-1].status == "ran"
    for name, told in (("broken", "broken.cube, line 3"), ("gone", "there is no LUT 'gone'")):
        for _ in range(2):
            # Not kept: next time the file may be in order.
            again = finish(small, assets, store, lut=name, contrast=0.3)
            assert again.reports[-1].status == "ran" and any(told in note for note in again.reports[-1].notes)
            assert str(tmp_path) not in " ".join(again.reports[-1].notes)
            assert np.array_equal(again.pixels, finish(small, contrast=0.3).pixels)


@pytest.mark.parametrize("kind", [LUT, REFERENCE])
def test_a_name_never_leaves_its_folder(tmp_path: Path, kind: str) -> None:
    ending = "cube" if kind == LUT else "png"
    inside, outside = tmp_path / "in", tmp_path / "secret"
    for folder in (inside / "sub", inside / ".hidden", outside):
        folder.mkdir(parents=True)
    for file in (inside / f"a.{ending}", inside / "sub" / f"b.{ending}", inside / ".hidden" / f"h.{ending}"):
        file.write_text(WARM)
    (outside / f"x.{ending}").write_text(WARM)
    (inside / "notes.txt").write_text("no asset")
    (inside / "loop").symlink_to(inside)
    assets = Assets(luts=(inside,), references=(inside,))
    assert assets.names(kind) == [f"a.{ending}", f"b.{ending}"]
    assert assets.find(kind, "B") == inside / "sub" / f"b.{ending}"
    attacks = [
        f"../secret/x.{ending}", str(outside / f"x.{ending}"), f"..\\secret\\x.{ending}",
        f"sub/../../secret/x.{ending}",
        f"./a.{ending}", f"sub/b.{ending}", "..", ".", "/", "", f"h.{ending}", "notes.txt", "a\0", f"~/x.{ending}",
        "loop",        f"file:///{outside}/x.{ending}", "*", f"%2e%2e/secret/x.{ending}",
    ]  # fmt: skip
    for name in attacks:
        with pytest.raises(AssetError, match=f"there is no {kind}"):
            assets.find(kind, name)
        assert assets.identity(kind, name) == ""
    with pytest.raises(AssetError, match="no folder for these was given"):
        Assets().find(kind, "a")


def test_what_a_result_depends_on() -> None:
    grade = Grade()
    assert grade.reads(GradeSettings()) == grade.reads(NOTHING)
    assert not grade.reads(GradeSettings()).samples and not grade.reads(GradeSettings()).draft
    assert grade.reads(replace(NOTHING, colour_pass=0.2)).samples
    assert grade.reads(replace(NOTHING, colour_match=0.5)).draft
    named = grade.reads(replace(NOTHING, colour_match=0.5, match_reference="a", lut="b"))
    assert (named.draft, named.assets) == (False, ((LUT, "b"), (REFERENCE, "a")))


def test_the_colour_pass_comes_before_everything_else(photo: np.ndarray, host: EmbeddedHost) -> None:
    small = photo[:128, :128]
    work = Work(small, Base(prompt="a portrait", seed=3, steps=8))
    one = replace(NOTHING, colour_pass=0.2, colour_words="teal and orange")
    running = Grade().run(work, one, Tools(host, lambda *_: [], Onward()))
    request = next(running)
    assert np.array_equal(request.picture, small)
    assert request.patches[0].prompt == "a portrait, teal and orange"
    assert (request.sampling.denoising_strength, request.colour_lock.kind) == (0.2, "off")
    running.close()
    passed = finish(small, colour_pass=0.2)
    assert passed.reports[-1].cost.patches == 1 and "colour pass, whole frame" in passed.reports[-1].reason
    both = finish(small, colour_pass=0.2, grain=0.3)
    difference = both.pixels - passed.pixels
    middle = np.all((both.pixels > 0.02) & (both.pixels < 0.98), axis=-1)
    assert np.abs(difference[middle].std(axis=-1)).max() < 1e-4 < difference.std()


def test_only_todays_controls_stand_in_the_row_and_new_ones_are_off() -> None:
    rows = {row.name: row for row in controls_of(GradeSettings)}
    assert {name for name, row in rows.items() if row.prominent} == {"contrast", "grain"}
    on = {"contrast": 0.1, "saturation": 0.05, "grain": 0.1}
    assert {name: rows[name].default for name in on} == on
    assert not any(rows[name].default for name in {*ONE_OF_EACH, "lut", "colour_pass"} - {"enabled", *on})


def test_the_command_line_finds_the_files_and_saves_16_bits(
    photo: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "luts").mkdir()
    (tmp_path / "luts" / "warm.cube").write_text(WARM)
    save_png(tmp_path / "in.png", photo[:64, :64])
    only = [f"--set={name}.enabled=false" for name in NAMES if name != "grade"]
    call = [
        "finish",
        str(tmp_path / "in.png"),
        *only,
        "--no-cache",
        "--out",
        str(tmp_path / "out"),
        "--set",
        "grade.grain=0",
    ]
    assert main([*call, "--luts", str(tmp_path / "luts"), "--set", "grade.lut=warm", "--depth", "16"]) == 0
    loaded = load_picture(tmp_path / "out" / "in.png").pixels
    levels = loaded * 255
    assert np.abs(levels - np.rint(levels)).max() > 0.3
    assert main([*call, "--luts", str(tmp_path / "none")]) == 2
    assert "--luts: there is no folder" in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2), (17, 900)])
def test_pictures_of_any_shape_are_graded(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).random((*shape, 3), dtype=np.float32)
    settings = GradeSettings(**{**ONE_OF_EACH, "curves": "", "sharpening_radius": 4.0, "grain_scaled": True})
    extras = Extras(read_curves("0,5; 255,250 | b: 0,0; 255,200"), None, picture[::-1])
    result, clipping = Grading(picture, settings, extras, 2).apply()
    assert result.shape == picture.shape and np.isfinite(result).all() and clipping.pixels == shape[0] * shape[1]
