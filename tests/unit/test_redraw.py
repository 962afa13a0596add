"""The redraw act on the real engine: batches, rounds, seams, locks, gates, memory, interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, HostError, Interrupted, OutOfMemory, Sampling, Watch
from lib_finisher.imaging.geometry import Box, Size, cut, size_of
from lib_finisher.imaging.masks import ellipse
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.batches import even_chunks, rounds
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.layout import mixed_strips
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Outcome, Patch, Request
from lib_finisher.stages.frame import Look, one_patch, tiles
from tests.conftest import Onward

SAMPLING = Sampling(denoising_strength=0.3, steps=8)
FIELD = NoiseField(3, "test")


class Around(EmbeddedHost):
    """The real engine with something done around it: its limits, its failures, its colours."""

    def __init__(
        self,
        most: int = 8,
        before: Callable[[Batch], None] | None = None,
        after: Callable[[Array, int], Array] | None = None,
    ) -> None:
        super().__init__()
        self._capabilities = replace(super().capabilities, most_elements=most)
        self._before = before
        self._after = after
        self.batches: list[tuple[int, Size]] = []

    @property
    def capabilities(self):  # type: ignore[no-untyped-def]
        return self._capabilities

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        if self._before is not None:
            self._before(batch)
        results = super().redraw(batch, watch)
        self.batches.append((len(results), size_of(results[0])))
        if self._after is not None:
            results = [self._after(result, number) for number, result in enumerate(results)]
        return results


def grid(picture: np.ndarray, strength: float = 0.3, tile: int = 128, overlap: int = 40) -> list[Patch]:
    return tiles(size_of(picture), tile, overlap, Look(strength), EmbeddedHost().capabilities)


def request(picture: np.ndarray, patches: Sequence[Patch], together: bool = True, **more: object) -> Request:
    return Request(picture, tuple(patches), SAMPLING, FIELD, together=together, **more)  # type: ignore[arg-type]


def run(host: EmbeddedHost, *requests: Request, watcher: Onward | None = None, memory: object = None) -> list[Outcome]:
    return redraw(requests, host, AreaBudget(host.capabilities), watcher or Onward(), memory)  # type: ignore[arg-type]


def face_patch(left: int, top: int, side: int = 96, canvas: int = 192) -> Patch:
    mask = ellipse(side, side, (side / 2, side / 2), (side / 4, side / 4), side / 5)
    box = Box(left, top, left + side, top + side)
    return Patch(box, Size(canvas, canvas), lambda: mask, 0.4, mask=mask, label=f"{left},{top}")


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[0:256, 120:376])


def test_the_batch_size_does_not_show(picture: np.ndarray) -> None:
    results = [run(Around(most), request(picture, grid(picture)))[0].picture for most in (1, 3, 8)]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_batches_are_even_and_counted(picture: np.ndarray) -> None:
    host = Around(4)
    patches = grid(picture)
    outcome = run(host, request(picture, patches))[0]
    counts = [count for count, _ in host.batches]
    assert sum(counts) == len(patches) == outcome.cost.patches == outcome.accepted
    assert max(counts) - min(counts) <= 1
    assert outcome.cost.host_calls == len(counts)
    expected = sum(patch.canvas.megapixels for patch in patches) * host.sampled_steps(SAMPLING)
    assert outcome.cost.megapixel_steps == pytest.approx(expected)


def test_pictures_share_batches_and_do_not_touch_each_other(picture: np.ndarray) -> None:
    other = np.ascontiguousarray(picture[:, ::-1])
    host = Around(8)
    together = run(host, request(picture, [face_patch(40, 40)], False), request(other, [face_patch(90, 60)], False))
    assert host.batches == [(2, Size(192, 192))]
    alone = run(Around(8), request(other, [face_patch(90, 60)], False))[0]
    assert np.array_equal(together[1].picture, alone.picture)


def test_outside_every_mask_no_bit_changes(picture: np.ndarray) -> None:
    patches = [face_patch(20, 30), face_patch(130, 120), face_patch(60, 70)]
    outcome = run(Around(), request(picture, patches, False))[0]
    touched = np.zeros(picture.shape[:2], dtype=bool)
    for patch in patches:
        touched[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] |= patch.weight() > 0
    assert np.array_equal(outcome.picture[~touched], picture[~touched])
    assert float(np.abs(outcome.picture - picture)[touched].mean()) > 1 / 255


def test_overlapping_patches_go_in_rounds_in_order() -> None:
    patches = [face_patch(0, 0), face_patch(50, 0), face_patch(200, 0), face_patch(100, 0)]
    assert rounds(patches, False) == [[0, 2], [1], [3]]
    assert rounds(patches, True) == [[0, 1, 2, 3]]
    assert rounds([], True) == rounds([], False) == []


def test_even_chunks() -> None:
    assert [len(chunk) for chunk in even_chunks(range(10), 4)] == [4, 3, 3]
    assert even_chunks([], 4) == []


def seam_ratio(changed: np.ndarray, plain: np.ndarray, borders: Sequence[int]) -> float:
    """Mean gradient across columns at tile borders over that 12 to 24 pixels beside, over the same of `plain`."""

    def ratio(array: np.ndarray) -> float:
        step = np.abs(np.diff(array.mean(axis=-1), axis=1)).mean(axis=0)
        beside = [at + side for at in borders for side in (*range(-24, -11), *range(12, 25))]
        return float(step[list(borders)].mean() / step[beside].mean())

    return ratio(changed) / ratio(plain)


def test_tiles_leave_no_seam_where_the_control_does(portrait: np.ndarray) -> None:
    picture = np.ascontiguousarray(resize(portrait[:256, 40:440], Size(400, 256)))
    patches = grid(picture, strength=0.4)
    good = run(Around(), request(picture, patches))[0].picture
    ends = sorted({edge - 1 for patch in patches for edge in (patch.box.left, patch.box.right) if 30 < edge < 370})
    assert float(np.abs(good - picture).mean()) * 255 >= 4.0
    assert seam_ratio(good, picture, ends) == pytest.approx(1.0, abs=0.08)

    # The control: no overlap, and every tile drawn from noise of its own.
    control = picture.copy()
    bare = grid(picture, strength=0.4, overlap=0)
    for number, patch in enumerate(bare):
        alone = Request(picture, (patch,), SAMPLING, NoiseField(number, "own"), together=True)
        region = patch.box.intersection(Box(0, 0, 400, 256))
        assert region is not None
        rows, columns = slice(region.top, region.bottom), slice(region.left, region.right)
        control[rows, columns] = run(Around(), alone)[0].picture[rows, columns]
    borders = sorted({patch.box.left - 1 for patch in bare if patch.box.left > 0})
    assert seam_ratio(control, picture, borders) > 1.15, "the measure sees a seam where there is one"


def test_tiles_that_differ_lose_no_detail_where_they_are_mixed() -> None:
    def textured(result: Array, number: int) -> Array:
        noise = np.random.default_rng(number).standard_normal(result.shape[:2]).astype(np.float32)
        return result + 0.05 * cv2.GaussianBlur(noise, (0, 0), 1.0)[..., None] / np.float32(0.28)

    even = np.full((256, 256, 3), 0.5, dtype=np.float32)
    patches = grid(even, overlap=64)
    result = run(Around(most=len(patches), after=textured), request(even, patches))[0].picture
    upright = mixed_strips([patch.box for patch in patches], size_of(even))[0]
    middles = [(strip.left + strip.right) // 2 for strip in upright]
    spread = np.square(result - result.mean()).mean(axis=(0, 2)) ** 0.5
    own = spread[: upright[0].left - 8].mean()
    assert min(spread[middle - 3 : middle + 3].mean() for middle in middles) > 0.85 * own


def test_the_tile_lock_takes_out_a_planted_tint(picture: np.ndarray) -> None:
    def tint(result: Array, number: int) -> Array:
        return np.clip(result + np.array([0.06, -0.03, 0.02], dtype=np.float32) * (1 if number % 2 else -1), 0, 1)

    def drift(lock: ColourLock) -> float:
        outcome = run(Around(after=tint), request(picture, grid(picture), colour_lock=lock))[0]
        change = outcome.picture - run(Around(), request(picture, grid(picture)))[0].picture
        return float(np.abs(change).mean()) * 255

    assert drift(ColourLock("off")) > 5
    assert drift(ColourLock("tile", 0.0)) == drift(ColourLock("off"))
    assert drift(ColourLock("tile", 1.0)) < 1.2


def test_the_ring_lock_takes_out_a_planted_tint(picture: np.ndarray) -> None:
    def tint(result: Array, number: int) -> Array:
        return np.clip(result + np.array([0.05, 0.0, -0.05], dtype=np.float32), 0, 1)

    patches = [face_patch(80, 60)]
    plain = run(Around(), request(picture, patches, False))[0].picture
    tinted = run(Around(after=tint), request(picture, patches, False))[0].picture
    locked = run(Around(after=tint), request(picture, patches, False, colour_lock=ColourLock("ring", 1.0)))[0].picture
    assert float(np.abs(locked - plain).mean()) < 0.25 * float(np.abs(tinted - plain).mean())


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda r, n: r * np.float32("nan"), "NaN"),
        (lambda r, n: r * 0, "black"),
        (lambda r, n: r * 0 + np.float32(0.5), "flat"),
    ],
)
def test_a_broken_redraw_is_refused(picture: np.ndarray, spoil: Callable[[Array, int], Array], told: str) -> None:
    outcome = run(Around(after=spoil), request(picture, [face_patch(40, 40)], False))[0]
    assert np.array_equal(outcome.picture, picture)
    assert told in outcome.refusals[0].reason


def test_the_gate_handed_in_decides(picture: np.ndarray) -> None:
    def gate(patch: Patch, before: np.ndarray, after: np.ndarray) -> str:
        assert before.shape == after.shape == (96, 96, 3)
        return "no" if patch.box.left == 20 else ""

    patches = [face_patch(20, 30), face_patch(130, 120)]
    outcome = run(Around(), request(picture, patches, False, gate=gate))[0]
    assert (outcome.accepted, [item.reason for item in outcome.refusals]) == (1, ["no"])
    assert np.array_equal(outcome.picture[30:126, 20:116], picture[30:126, 20:116])


class TooMuch:
    """Fails as a device would that holds so many pixels in one batch."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.failures = 0

    def __call__(self, batch: Batch) -> None:
        if sum(size_of(one.pixels).area for one in batch.elements) > self.pixels:
            self.failures += 1
            raise OutOfMemory("planted")


def test_out_of_memory_halves_the_batch_and_remembers(picture: np.ndarray) -> None:
    limit = TooMuch(2 * 128 * 128)
    host = Around(8, before=limit)
    patches = grid(picture)
    budget = AreaBudget(host.capabilities)
    outcome = redraw([request(picture, patches)], host, budget, Onward())[0]
    assert outcome.accepted == len(patches)
    assert not outcome.refusals
    assert any("out of memory" in note for note in outcome.notes)
    failures = limit.failures
    redraw([request(picture, patches)], host, budget, Onward())
    assert limit.failures == failures, "what was learned is not tried again"
    assert np.array_equal(outcome.picture, run(Around(8), request(picture, patches))[0].picture)


def test_out_of_memory_makes_patches_smaller_at_last(picture: np.ndarray) -> None:
    limit = TooMuch(160 * 160)
    host = Around(8, before=limit)
    budget = AreaBudget(host.capabilities)
    whole = [one_patch(size_of(picture), Look(0.3), host.capabilities)]
    outcome = redraw([request(picture, whole)], host, budget, Onward())[0]
    assert outcome.cost.patches >= 4 and outcome.redrawn == [whole[0].label]
    assert not outcome.refusals
    assert float(np.abs(outcome.picture - picture)[:, 120:136].mean()) > 2 / 255, "the middle is redrawn too"
    enlarged = redraw([request(picture, [face_patch(30, 30, canvas=256)], False)], host, budget, Onward())[0]
    assert enlarged.accepted == 1
    assert host.batches[-1][1].area <= 160 * 160


def test_what_was_made_smaller_counts_once_and_another_run_may_do_better(picture: np.ndarray) -> None:
    host = Around(8, before=TooMuch(160 * 160))
    budget = AreaBudget(host.capabilities)
    whole = [replace(one_patch(size_of(picture), Look(0.3), host.capabilities), label="all of it")]
    first, second = (redraw([request(picture, whole)], host, budget, Onward())[0] for _ in range(2))
    assert first.redrawn == second.redrawn == ["all of it"]
    # The second one knows the limit already: it is no better for that.
    assert first.degraded and second.degraded


@pytest.mark.parametrize("where", ["prepare", "polish"])
@pytest.mark.parametrize("together", [True, False])
def test_no_memory_for_one_patch_leaves_the_others(picture: np.ndarray, where: str, together: bool) -> None:
    def full(patch: Patch, pixels: np.ndarray) -> np.ndarray:
        if patch.label == "20,30":
            raise MemoryError
        return resize(pixels, patch.canvas)

    patches = [face_patch(20, 30), face_patch(140, 140)]
    asked = request(picture, patches, together, **{where: full})
    freed: list[bool] = []
    host = Around(1)
    (outcome,) = redraw([asked], host, AreaBudget(host.capabilities), Onward(), None, lambda: freed.append(True))
    assert outcome.redrawn == ["140,140"] and freed == [True]
    assert [(item.label, item.engine) for item in outcome.refusals] == [("20,30", True)]
    assert "out of memory" in outcome.refusals[0].reason
    assert np.array_equal(outcome.picture[:128, :128], picture[:128, :128])
    assert not np.array_equal(outcome.picture[140:], picture[140:])


def test_too_little_memory_for_anything_is_said(picture: np.ndarray) -> None:
    outcome = run(Around(before=TooMuch(100)), request(picture, grid(picture)))[0]
    assert np.array_equal(outcome.picture, picture)
    assert outcome.accepted == 0
    assert all("out of memory" in item.reason for item in outcome.refusals)


def test_one_crop_that_fails_does_not_take_its_batch_along(picture: np.ndarray) -> None:
    bad = cut(picture, Box(130, 120, 226, 216)).mean()

    def fail(batch: Batch) -> None:
        if any(abs(float(one.pixels.mean()) - bad) < 1e-3 for one in batch.elements):
            raise HostError("planted failure")

    outcome = run(Around(before=fail), request(picture, [face_patch(20, 20), face_patch(130, 120)], False))[0]
    assert outcome.accepted == 1
    assert [item.reason for item in outcome.refusals] == ["planted failure"]


class StopAt(Onward):
    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def check(self) -> None:
        if self.megapixel_steps >= self.at:
            raise Interrupted


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray] = {}

    def recall(self, key: str) -> np.ndarray | None:
        return self.kept.get(key)

    def keep(self, key: str, pixels: np.ndarray) -> None:
        self.kept[key] = pixels.copy()


def test_an_interrupted_layout_is_taken_up_where_it_stopped(picture: np.ndarray) -> None:
    patches, memory = grid(picture), Memory()
    whole = run(Around(2), request(picture, patches))[0]
    stopped = run(Around(2), request(picture, patches), watcher=StopAt(whole.cost.megapixel_steps / 2), memory=memory)[
        0
    ]
    assert stopped.stopped == "interrupted"
    assert 0 < stopped.accepted < len(patches)
    host = Around(2)
    resumed = run(host, request(picture, patches), memory=memory)[0]
    assert resumed.recalled == stopped.accepted
    assert sum(count for count, _ in host.batches) == len(patches) - stopped.accepted
    assert np.array_equal(resumed.picture, whole.picture)


def test_finished_crops_survive_an_interruption_whole(picture: np.ndarray) -> None:
    patches = [face_patch(20, 20), face_patch(130, 120)]
    full = run(Around(1), request(picture, patches, False))[0]
    stopped = run(Around(1), request(picture, patches, False), watcher=StopAt(full.cost.megapixel_steps * 0.7))[0]
    assert stopped.accepted == 1
    assert np.array_equal(stopped.picture[20:116, 20:116], full.picture[20:116, 20:116])
    assert np.array_equal(stopped.picture[120:216, 130:226], picture[120:216, 130:226])


def test_a_picture_that_was_complete_before_the_interruption_is_not_called_stopped(picture: np.ndarray) -> None:
    requests = [request(picture, [face_patch(20, 20)], False), request(picture, [face_patch(130, 120)], False)]
    full = run(Around(1), *requests)
    stopped = run(Around(1), *requests, watcher=StopAt(full[0].cost.megapixel_steps * 1.5))
    assert [outcome.stopped for outcome in stopped] == ["", "interrupted"]
    assert np.array_equal(stopped[0].picture, full[0].picture)
    assert np.array_equal(stopped[1].picture, picture)
