"""Repair: regions one by one, their prompts and masked content, whole pictures, detectors and the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import ModelFacts
from lib_finisher.imaging.geometry import Box, Size, frame
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.redraw.batches import rounds
from lib_finisher.redraw.patch import Patch, Request
from lib_finisher.stages.repair import Repair, RepairSettings
from lib_finisher.stages.repair_patches import crop_of_frame, judging
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Tools, Work
from lib_finisher.ui.table import Offer, page_table
from tests.conftest import Onward

FIND = Detectors().detect


class Small(EmbeddedHost):
    """The engine as a model of 128 pixels, which is cheap."""

    def model(self, checkpoint: str = "") -> ModelFacts:
        return ModelFacts("small", "embedded", 128)


def nothing(*_: Any, **__: Any) -> list[Detection]:
    return []


def recipe_of(**settings: object) -> Recipe:
    data: dict[str, dict[str, object]] = {name: {"enabled": name == "repair"} for name in NAMES}
    return read_recipe({**data, "repair": {"enabled": True, "steps": 4, **settings}})


def run(work: Work, find: Any = nothing, host: EmbeddedHost | None = None, **settings: object) -> Finished:
    return Pipeline(host or Small(), find, recipe_of(**settings), keep_stages=True).run([work])[0]


def asked(work: Work, find: Any = nothing, host: EmbeddedHost | None = None, **settings: object) -> Request:
    tools = Tools(host or Small(), find, Onward())
    return next(Repair().run(work, RepairSettings(**settings), tools))  # type: ignore[arg-type]


def mask_of(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(size, dtype=np.float32)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 1
    return mask


@pytest.fixture(scope="module")
def face(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[0:256, 120:376])


THREE = ((150, 10, 190, 40), (20, 60, 60, 90), (90, 150, 140, 200))


def test_each_blob_is_a_region_numbered_from_left_to_right_with_its_own_prompt_and_seed(face: np.ndarray) -> None:
    work = Work(face, Base(prompt="base", negative_prompt="bad", seed=100), mask_of((256, 256), *THREE))
    patches = asked(work, prompt="a [SEP][SKIP][SEP] c, [PROMPT]", negative_prompt="x [SEP] y").patches
    assert [(item.label, item.prompt, item.negative_prompt, item.seed) for item in patches] == [
        ("region 1", "a", "x", 100), ("region 3", "c, base", "y", 102),
    ]  # fmt: skip
    for patch, (left, top, right, bottom) in zip(patches, (THREE[1], THREE[0])):
        assert patch.box.intersection(Box(left, top, right, bottom)) == Box(left, top, right, bottom)
    named = asked(work, prompt="[FOR 2] two [SEP][FOR largest] big [SEP][SEED 7] other").patches
    assert [(item.prompt, item.seed) for item in named] == [("other", 7), ("two", 101), ("other", 7)]
    assert [item.prompt for item in asked(work).patches] == ["base"] * 3


def test_one_region_is_redrawn_as_if_it_were_alone(face: np.ndarray) -> None:
    """Nothing of a region's redraw depends on the others, unless it sees them."""
    both = run(Work(face, Base(seed=3), mask_of((256, 256), (20, 20, 50, 50), (200, 200, 230, 230)))).pixels
    first = run(Work(face, Base(seed=3), mask_of((256, 256), (20, 20, 50, 50)))).pixels
    assert np.array_equal(both[:100, :100], first[:100, :100])
    assert not np.array_equal(both[200:230, 200:230], first[200:230, 200:230])


def test_what_is_repaired_is_reported_and_numbered_in_the_preview(face: np.ndarray) -> None:
    done = run(Work(face, mask=mask_of((256, 256), *THREE)))
    assert done.reports[2].reason == "3 of 3 regions redrawn"
    preview = done.previews["repair"]
    white = (preview > 0.85).all(axis=-1) & ~(face > 0.85).all(axis=-1)
    for left, top, right, bottom in THREE:
        assert white[top:bottom, left:right].sum() > 3
    alone = run(Work(face, mask=mask_of((256, 256), THREE[0]))).previews["repair"]
    assert not ((alone > 0.85).all(axis=-1) & ~(face > 0.85).all(axis=-1)).any()


def test_a_mask_over_most_of_the_frame_is_warned_about(face: np.ndarray) -> None:
    done = run(Work(face, mask=mask_of((256, 256), (0, 0, 256, 180))))
    assert any("70% of the frame: refine may be what you want" in note for note in done.reports[2].notes)
    work = Work(face, mask=mask_of((256, 256), (0, 0, 256, 140)))
    assert done.reports[2].status == "ran"
    assert not run(work).reports[2].notes


def test_fill_empties_the_region_before_the_redraw(face: np.ndarray) -> None:
    marked = mask_of((256, 256), (100, 100, 140, 150))
    painted = face.copy()
    painted[104:146, 104:136] = (0.0, 1.0, 0.0)
    green = lambda picture: float(
        (picture[110:140, 110:130, 1] - picture[110:140, 110:130, [0, 2]].max(axis=-1)).mean()
    )
    kept = run(Work(painted, mask=marked), content="original", denoising_strength=0.2).pixels
    emptied = run(Work(painted, mask=marked), content="fill", denoising_strength=0.2).pixels
    assert green(kept) > 0.5
    assert green(emptied) < 0.1
    far = np.ones((256, 256), dtype=bool)
    far[60:200, 60:200] = False
    assert np.array_equal(emptied[far], painted[far])


def test_masked_content_original_prepares_nothing(face: np.ndarray) -> None:
    work = Work(face, mask=mask_of((256, 256), THREE[0]))
    assert asked(work).prepare is None
    assert asked(work, content="fill").prepare is not None


def test_the_whole_picture_is_seen_where_that_is_wanted(face: np.ndarray) -> None:
    work = Work(face, mask=mask_of((256, 256), *THREE))
    patches = asked(work, EmbeddedHost(), area="whole picture", host=EmbeddedHost()).patches
    assert {patch.box for patch in patches} == {frame(Size(256, 256))}
    assert {patch.canvas for patch in patches} == {Size(256, 256)}
    assert rounds(patches, together=False) == [[0], [1], [2]], "one at a time"
    changed = np.abs(run(work, area="whole picture").pixels - face).max(axis=-1) > 0
    assert changed[160:190, 100:130].all()
    # A mask blur of 8 grows the region by 4 and blurs it with a kernel of 16 on each side.
    assert not changed[220:].any()


def test_a_picture_too_large_for_the_model_is_seen_as_far_as_it_goes() -> None:
    limits = EmbeddedHost().capabilities
    picture = Size(2000, 1000)
    near = crop_of_frame(Box(1900, 10, 1990, 60), picture, 512, limits)
    assert near.canvas == near.box.size
    assert near.canvas.area <= 2.3 * 512 * 512
    assert near.box.intersection(Box(1900, 10, 1990, 60)) == Box(1900, 10, 1990, 60)
    assert near.box.intersection(frame(picture)) == near.box
    wide = crop_of_frame(Box(100, 100, 1900, 900), picture, 512, limits)
    assert wide.box == frame(picture)
    assert wide.canvas.area <= 2.3 * 512 * 512


@pytest.mark.parametrize("settings", [{}, {"area": "whole picture"}, {"content": "fill"}])
def test_the_plan_is_what_it_costs(face: np.ndarray, settings: dict[str, object]) -> None:
    work = Work(face, mask=mask_of((256, 256), *THREE, (95, 100, 120, 130)))
    planned = Repair().estimate(work, work.size, recipe_of(**settings)["repair"], Tools(Small(), nothing, Onward()))
    cost = run(work, **settings).reports[2].cost
    assert (planned.patches, planned.host_calls) == (cost.patches, cost.host_calls)
    assert planned.megapixel_steps == pytest.approx(cost.megapixel_steps)


def looking(*found: Detection) -> Callable[..., list[Detection]]:
    """A finder that finds these in whole pictures."""

    def find(name: str, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        if name == "missing":
            raise DetectorError("There is no detector 'missing' here.")
        return [item for item in found if item.confidence >= (confidence or 0.3)]

    return find


def test_findings_are_repaired_beside_what_is_marked(face: np.ndarray) -> None:
    left, inside = Detection(Box(10, 100, 50, 140), 0.9, "hand"), Detection(Box(155, 15, 180, 35), 0.8, "hand")
    unsure = Detection(Box(200, 200, 240, 240), 0.2, "hand")
    work = Work(face, Base(seed=9), mask_of((256, 256), THREE[0]))
    find = looking(left, inside, unsure)
    patches = asked(work, find, detector="hand_yolov8n", prompt="[FOR hand] a hand [SEP] a hole").patches
    assert [(item.label, item.prompt, item.seed) for item in patches] == [
        ("hand 1", "a hand", 9), ("region 2", "a hole", 10),
    ]  # fmt: skip
    assert asked(work, find).patches[0].label == "region 1", "no detector, no findings"
    assert patches[0].about == left.box
    assert patches[1].about is None


def test_a_small_mark_on_a_finding_leaves_it_to_the_detector(face: np.ndarray) -> None:
    around = Detection(Box(60, 40, 220, 230), 0.9, "face")
    work = Work(face, Base(seed=9), mask_of((256, 256), (130, 120, 140, 130)))
    labels = [item.label for item in asked(work, looking(around), detector="face_yunet").patches]
    assert labels == ["region 1", "face 2"]


def test_a_detector_that_is_missing_is_told_and_what_is_marked_is_repaired(face: np.ndarray) -> None:
    done = run(Work(face, mask=mask_of((256, 256), THREE[0])), looking(), detector="missing")
    assert done.reports[2].status == "failed"
    assert "'missing'" in done.error
    assert "1 of 1 regions redrawn" in done.error
    assert not np.array_equal(done.pixels, face)
    alone = run(Work(face), looking(), detector="missing")
    assert alone.reports[2].status == "failed"
    assert np.array_equal(alone.pixels, face)


def test_what_is_read_are_the_detectors() -> None:
    plain, looked = Repair().reads(RepairSettings()), Repair().reads(RepairSettings(detector="a, b", classes="hand"))
    assert (plain.mask, plain.detectors) == (True, ())
    assert [name for name, _ in looked.detectors] == ["a", "b"]
    assert all(search.classes == ("hand",) for _, search in looked.detectors)


def noisy(face: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.1, face.shape)
    return np.clip(face + noise, 0, 1).astype(np.float32)


def test_a_finding_is_repaired_only_where_the_detector_is_surer_afterwards(face: np.ndarray) -> None:
    """A noisy face gets better by the engine's smoothing; a clean one cannot, and stays bit for bit."""
    settings: dict[str, Any] = {"detector": "face_yunet", "denoising_strength": 0.3, "steps": 8}
    host = EmbeddedHost()
    better = run(Work(noisy(face)), FIND, host, **settings)
    assert "1 of 1 regions redrawn; face_yunet found 1" in better.reports[2].reason
    assert better.reports[2].refusals == ()
    same = run(Work(face), FIND, host, **settings)
    assert "not surer than before" in same.reports[2].refusals[0]
    assert np.array_equal(same.pixels, face)
    ungated = run(Work(face), FIND, host, gate=False, **settings)
    assert not np.array_equal(ungated.pixels, face)


@pytest.mark.parametrize(("counts", "refusal"), [(True, ""), (False, "does not find it any more (0.40 to 0.60)")])
def test_a_finding_that_counts_no_more_is_kept_as_it_was(counts: bool, refusal: str) -> None:
    """Surer than before, and yet below the detector's own confidence, which only the second question (0) asks for."""
    place = Box(20, 30, 60, 80)

    def find(name: str, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        if confidence == 0 and not counts:
            return []
        # It is shown the region with as much again around it, enlarged.
        scale = pixels.shape[1] / 110
        return [Detection(Box(*(round(v * scale) for v in (20, 30, 60, 80))), float(pixels.mean()), "face")]

    judge = judging(RepairSettings(detector="a"), find)
    assert judge is not None
    patch = Patch(Box(0, 0, 200, 200), Size(200, 200), lambda: np.ones((200, 200), np.float32), 0.4, about=place)
    before, after = (np.full((200, 200, 3), value, np.float32) for value in (0.4, 0.6))
    told = judge(patch, before, after)
    assert refusal in told and bool(told) == bool(refusal)
    assert "not surer" in judge(patch, after, before)


@pytest.mark.parametrize(
    ("before", "after", "refusal"),
    [
        (0.5, 0.7, ""),
        (0.7, 0.7, "not surer"),
        (0.7, 0.65, "not surer"),
        (0.5, 0.55, "does not find it any more"),
        (0.58, 0.62, ""),
        (0.0, 0.55, ""),
    ],
)
def test_the_gate_looks_at_the_finding_wherever_its_crop_lies(before: float, after: float, refusal: str) -> None:
    """Light squares are found, and the detector is as sure of them as they are light; from 0.6 on they count."""

    def find(name: str, pixels: np.ndarray, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        rows, columns = np.nonzero(pixels[..., 0] > 0.2)
        if not rows.size:
            return []
        box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        score = float(pixels[..., 0].max())
        return [Detection(box, score, "face")] if score >= (confidence or 0.6) else []

    judge = judging(RepairSettings(detector="a", confidence=0.6), find)
    assert judge is not None
    place = Box(300, 220, 340, 264)
    patch = Patch(Box(240, 160, 400, 320), Size(160, 160), lambda: np.ones((160, 160), np.float32), 0.4, about=place)
    crops = np.zeros((2, 160, 160, 3), np.float32)
    for crop, light in zip(crops, (before, after)):
        crop[60:104, 60:100] = light
    told = judge(patch, *crops)
    assert refusal in told and bool(told) == bool(refusal)


def test_a_doubtful_finding_is_named(face: np.ndarray) -> None:
    found = looking(
        Detection(Box(20, 100, 60, 140), 0.9, "hand"), Detection(Box(180, 100, 220, 140), 0.42, "hand", doubtful=True)
    )
    assert (
        "hands found 2 (0.90, 0.42 doubtful)" in run(Work(face), found, detector="hands", gate=False).reports[2].reason
    )


def test_the_gate_does_not_judge_what_the_user_drew(face: np.ndarray) -> None:
    over = mask_of((256, 256), (60, 60, 150, 180))
    done = run(Work(face, mask=over), FIND, EmbeddedHost(), detector="face_yunet", steps=2)
    assert "found nothing beside the mask" in done.reports[2].reason
    assert not any("not judged" in note for note in done.reports[2].notes)
    assert not np.array_equal(done.pixels, face)


def test_a_mask_that_restricts_keeps_findings_within_it(face: np.ndarray) -> None:
    found = looking(Detection(Box(20, 100, 60, 140), 0.9, "hand"), Detection(Box(180, 100, 220, 140), 0.9, "hand"))
    recipe = recipe_of(detector="hands", gate=False)
    recipe = recipe.changed("base", replace(recipe["base"], mask="restrict"))
    work = Work(face, mask=mask_of((256, 256), (0, 0, 128, 256)))
    changed = np.abs(Pipeline(Small(), found, recipe).run([work])[0].pixels - face).max(axis=-1) > 0
    assert changed[100:140, 20:60].mean() > 0.5
    assert not changed[:, 128:].any()


def test_no_strength_is_skipped(face: np.ndarray) -> None:
    done = run(Work(face, mask=mask_of((256, 256), THREE[0])), denoising_strength=0)
    assert done.reports[2].status == "skipped"
    assert np.array_equal(done.pixels, face)


def test_what_is_suggested_for_a_detail_pass_is_not_put_into_repair() -> None:
    """A pass's settings have other names and units; a recipe with them in repair would be refused."""
    offer = Offer({"detector": ["hand_yolov8n"]}, suggested={"detector": {"hand_yolov8n": {"likeness": 0.3}}})
    table = page_table(offer)
    stages = {stage["name"]: stage for stage in table["stages"]}
    rows = {name: next(row for row in rows if row["name"] == "detector") for name, rows in (
        ("repair", stages["repair"]["controls"]), ("detail", stages["detail"]["passes"]["controls"]),
    )}  # fmt: skip
    assert rows["repair"]["offers"] == rows["detail"]["offers"] == "detector"
    assert table["choices"]["detector"] == ["hand_yolov8n"]
    assert "suggested" in rows["detail"]
    assert "suggested" not in rows["repair"]
