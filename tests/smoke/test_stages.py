"""Extend, repair, texture and grade in a running host, comparing a stage, and the axes of its plot."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lib_finisher.recipe import read_recipe
from tests.smoke.client import DRAFT, Result, Webui, encoded, off, recipe
from tests.smoke.test_upscaling import drafted

ALL = ("refine", "extend", "repair", "detail", "upscale", "texture", "grade")
SIDE = 256


def alone(stage: str, **settings: Any) -> dict[str, Any]:
    """Recipe data with one stage on, and no sampling of the base."""
    others = off(*(name for name in ALL if name != stage))
    return {**others, "base": {"finish_only": True}, stage: {"enabled": True, **settings}}


def finished(webui: Webui, data: dict[str, Any], **changes: Any) -> Result:
    done = webui.img2img(drafted(SIDE), recipe(**data), **changes)
    webui.txt2img()
    assert "Finisher error" not in done.told, done.told
    return done


def told(done: Result) -> str:
    return f"{done.told['Finisher stages']} {done.told.get('Finisher notes', '')}"


def test_a_picture_is_extended_to_an_aspect(webui: Webui) -> None:
    before = drafted(SIDE)
    done = finished(webui, alone("extend", aspect="3:2", denoising_strength=0.7, steps=3, overlap=16, feather=16))
    assert done.size == (SIDE * 3 // 2, SIDE) and done.told["Finisher stages"] == "extend"
    inside = slice(64 + 40, 64 + SIDE - 40)
    assert np.array_equal(done.picture[:, inside], before[:, 40 : SIDE - 40])
    assert np.abs(np.diff(done.picture[:, 60:68].astype(int), axis=1)).mean() < 40


@pytest.mark.parametrize("content", ["original", "fill"])
def test_only_what_is_marked_is_repaired(webui: Webui, content: str) -> None:
    before = drafted(SIDE)
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    mask[40:90, 40:90] = mask[150:210, 160:220] = 255
    data = alone("repair", content=content, denoising_strength=0.6, steps=4, mask_blur=4)
    done = finished(webui, data, mask=encoded(np.repeat(mask[..., None], 3, axis=2)))
    changed = (done.picture != before).any(axis=-1)
    grown = np.zeros_like(changed)
    grown[20:110, 20:110] = grown[130:230, 140:240] = True
    assert not changed[~grown].any()
    assert changed[mask > 0].mean() > 0.8


def test_texture_is_drawn_in_tiles_and_lifted(webui: Webui) -> None:
    one = {"active": True, "columns": 2, "rows": 1, "denoising_strength": 0.2, "steps": 5}
    done = finished(webui, alone("texture", passes=[one], strength=0.5))
    assert done.size == (SIDE, SIDE) and done.told["Finisher stages"] == "texture"
    plain = finished(webui, alone("texture", strength=0.5))
    assert not np.array_equal(done.picture, plain.picture)


def test_a_grade_of_nothing_changes_nothing_and_one_of_something_does(webui: Webui) -> None:
    nothing = {"contrast": 0.0, "saturation": 0.0, "grain": 0.0, "white_balance": 0.0}
    done = webui.img2img(drafted(SIDE), recipe(**alone("grade", **nothing)))
    assert np.array_equal(done.picture, drafted(SIDE))
    done = finished(webui, alone("grade", **{**nothing, "contrast": 0.4}))
    assert not np.array_equal(done.picture, drafted(SIDE))


def test_a_stage_is_compared(webui: Webui) -> None:
    data = {**off(*ALL[1:-1]), "base": {"compare": "grade"}, "refine": {"steps": 3}, "grade": {"contrast": 0.5}}
    done = webui.txt2img(recipe(**data))
    without = webui.txt2img(recipe(**{**data, "base": {}, "grade": {"enabled": False}}))
    webui.txt2img()
    assert len(done.pictures) == 2
    assert np.array_equal(done.pictures[1], without.picture)
    assert not np.array_equal(done.picture, without.picture)
    assert "Finisher stages: refine," in done.infotexts[1] and '"refine, grade"' in done.infotexts[0]


def test_the_plot_varies_controls(webui: Webui) -> None:
    """Two cells of an X/Y/Z plot against two generations with that contrast."""
    page = webui.get("/config")
    labels = next(
        item["props"]["choices"]
        for item in page["components"]
        if item["props"].get("elem_id") == "script_txt2img_xyz_plot_x_type"
    )
    names = [label if isinstance(label, str) else label[0] for label in labels]
    ours = [name for name in names if name.startswith("[Finisher] ")]
    assert "[Finisher] Preset" in ours and "[Finisher] Any control" in ours and len(set(ours)) == len(ours)
    base = {**off(*ALL[:-1]), "grade": {"grain": 0.0}}
    number = names.index("[Finisher] Grade: Contrast")
    # Legend, single pictures, sub grids, seeds as they are, varied seeds on three axes, margin, values as text.
    plot = [number, "0.1, 0.6", [], 0, "", [], 0, "", [], False, True, False, False, False, False, False, 0, True]
    drawn = webui.txt2img(recipe(**base), script_name="x/y/z plot", script_args=plot)
    cells = [picture for picture in drawn.pictures if picture.shape[:2] == (DRAFT["height"], DRAFT["width"])]
    single = [webui.txt2img(recipe(**{**base, "grade": {"grain": 0.0, "contrast": value}})) for value in (0.1, 0.6)]
    webui.txt2img()
    assert len(cells) >= 2
    for one in single:
        assert any(np.array_equal(one.picture, cell) for cell in cells)


def test_presets_are_resolved_where_the_picture_is_made(webui: Webui) -> None:
    route = "/finisher/v1/presets"
    name = "Smoke test of a preset"
    shown = webui.get(route)
    assert shown["checkpoint"]["name"] and {item["name"] for item in shown["presets"]}
    wanted = {**off(*ALL[:-1]), "grade": {"grain": 0.0, "contrast": 0.35}}
    try:
        webui.post(route, {"action": "save", "recipe": wanted, "layer": "chosen", "name": name})
        by_preset = webui.txt2img(recipe(preset=name))
        by_hand = webui.txt2img(recipe(**wanted))
        assert np.array_equal(by_preset.picture, by_hand.picture)
        assert by_preset.told["Finisher preset"].startswith(name)
        # Pasting brings the same recipe back, whatever becomes of the preset.
        assert read_recipe(json.loads(by_preset.told["Finisher"])) == read_recipe(json.loads(by_hand.told["Finisher"]))
        webui.post(route, {"action": "save", "recipe": wanted, "layer": "checkpoint", "name": f"{name} 2"})
        matched = webui.txt2img(recipe())
        assert np.array_equal(matched.picture, by_hand.picture) and f"{name} 2" in matched.told["Finisher preset"]
        # Another checkpoint for one generation gets what is for that one.
        chosen = webui.get("/sdapi/v1/options")["sd_model_checkpoint"]
        names = [item["title"] for item in webui.get("/sdapi/v1/sd-models")]
        other = next((item for item in names if item.rsplit(" [")[0] != chosen.rsplit(" [")[0]), None)
        if other is not None:
            elsewhere = webui.txt2img(recipe(**off(*ALL)), override_settings={"sd_model_checkpoint": other})
            assert "Finisher preset" not in elsewhere.told
        plain = webui.txt2img(recipe(preset="none", **off(*ALL)))
        assert "Finisher preset" not in plain.told
        unknown = webui.txt2img(recipe(preset="no such preset"))
        assert "no such preset" in unknown.told["Finisher error"]
    finally:
        for each in (name, f"{name} 2"):
            if each in {item["name"] for item in webui.get(route)["presets"]}:
                webui.post(route, {"action": "delete", "name": each})
        webui.txt2img()
