"""Several passes, several detectors, and what is done to a crop before, after and instead of its redraw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.finished import Finished
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, HostError, OutOfMemory, Watch
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.infotext.writing import outcome_pairs
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import Recipe, read_recipe
from lib_finisher.stages.order import STAGES
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Base, Finder, Work
from lib_finisher.store.results import ResultStore
from tests.conftest import weights

PICTURE = Size(384, 256)
BASE = Base(seed=100, steps=4)


def at(x: int, y: int, side: int, confidence: float = 0.9, label: str = "face") -> Detection:
    return Detection(Box(x - side // 2, y - side // 2, x + side // 2, y + side // 2), confidence, label)


LEFT, RIGHT, HAND = at(70, 60, 40, 0.8), at(300, 180, 60, 0.7), at(200, 60, 24, 0.5, "hand")


def planted(found: Mapping[str, Sequence[Detection]], asked: list[tuple[str, Search]] | None = None) -> Finder:
    """Detectors by name that find these in the whole picture, and nothing in crops."""

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        if name not in found:
            raise DetectorError(f"There is no detector {name!r}.")
        if asked is not None:
            asked.append((name, search))
        return (
            [item for item in found[name] if item.confidence >= (confidence or 0.3)]
            if size_of(pixels) == PICTURE
            else []
        )

    return find


def recipe_of(*given: Mapping[str, object], touch_up: float = 0.0, factor: float = 0.0) -> Recipe:
    data: dict[str, object] = {name: {"enabled": name == "detail"} for name in NAMES}
    data["detail"] = {"touch_up": touch_up, "passes": [{"steps": 4, **one} for one in given]}
    if factor:
        data["upscale"] = {"passes": [{"factor": factor, "upscaler": "Lanczos", "method": "upscaler only"}]}
    return read_recipe(data)


def run(host: EmbeddedHost, picture: Pixels, find: Finder, *given: Mapping[str, object]) -> Finished:
    return Pipeline(host, find, recipe_of(*given)).run([Work(picture, BASE)])[0]


def changed(before: Pixels, after: Pixels, box: Box) -> bool:
    part = slice(box.top, box.bottom), slice(box.left, box.right)
    return bool(np.abs(before[part] - after[part]).max() > 1 / 255)


def told(done: Finished) -> str:
    return done.reports[3].reason


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[: PICTURE.height, : PICTURE.width])


# Detectors and passes


def test_detectors_of_one_pass_are_merged(host: EmbeddedHost, picture: np.ndarray) -> None:
    again = at(72, 61, 36, 0.95)
    done = run(host, picture, planted({"a": [LEFT, HAND], "b": [again, RIGHT]}), {"detector": "a, b"})
    assert told(done).startswith("a and b found 2 × face and 1 hand (") and done.reports[3].cost.patches == 3
    assert "0.95" in told(done) and "0.80" not in told(done)


def test_a_later_pass_leaves_alone_what_is_redrawn_already(host: EmbeddedHost, picture: np.ndarray) -> None:
    find = planted({"a": [LEFT, HAND], "b": [at(72, 61, 36), RIGHT]})
    done = run(host, picture, find, {"detector": "a"}, {"detector": "b"})
    assert done.reports[3].cost.patches == 3 and "1 redrawn already by an earlier pass" in told(done)
    twice = run(host, picture, find, {"detector": "a"}, {"detector": "b", "repeat": True})
    assert twice.reports[3].cost.patches == 4 and "already" not in told(twice)
    only = run(host, picture, find, {"detector": "b", "exclude": "1"}, {"detector": "b"})
    assert only.reports[3].cost.patches == 2


def test_what_a_gate_refused_may_be_tried_by_a_later_pass(host: EmbeddedHost, picture: np.ndarray) -> None:
    find = planted({"a": [LEFT]})
    done = run(host, picture, find, {"detector": "a", "likeness": 1.0}, {"detector": "a"})
    assert done.reports[3].cost.patches == 2
    assert [item for item in done.reports[3].refusals if "less alike" in item]
    assert changed(picture, done.pixels, LEFT.box)


def test_a_pass_that_is_not_active_does_nothing(host: EmbeddedHost, picture: np.ndarray) -> None:
    asked: list[tuple[str, Search]] = []
    done = run(host, picture, planted({"a": [LEFT], "b": [RIGHT]}, asked), {"detector": "a", "active": False},
               {"detector": "b"})  # fmt: skip
    assert not changed(picture, done.pixels, LEFT.box) and changed(picture, done.pixels, RIGHT.box)
    assert {name for name, _ in asked} == {"b"}


def test_the_search_is_what_the_pass_says(host: EmbeddedHost, picture: np.ndarray) -> None:
    asked: list[tuple[str, Search]] = []
    one = {"detector": "a", "turned": True, "iou": 0.6, "classes": "cat, dog ", "smallest": 20}
    run(host, picture, planted({"a": [LEFT]}, asked), one)
    whole = Search(smallest=20, turned=True, overlap=0.6, classes=("cat", "dog"))
    # The gate looks at a crop: that needs no windows.
    assert {search for _, search in asked} == {whole, replace(whole, sliced=False)}


@pytest.mark.parametrize("detector, said", [("", "No detector is chosen"), ("a, nobody", "no detector 'nobody'")])
def test_a_missing_detector_fails_its_pass_alone(
    host: EmbeddedHost, picture: np.ndarray, detector: str, said: str
) -> None:
    done = run(host, picture, planted({"a": [LEFT]}), {"detector": detector}, {"detector": "a"})
    assert done.reports[3].status == "failed" and said in told(done) and "pass 1" in told(done)
    assert changed(picture, done.pixels, LEFT.box)


# Where a pass may draw


def test_within_and_minus_another_pass(host: EmbeddedHost, picture: np.ndarray) -> None:
    person = Detection(Box(0, 0, 140, 256), 0.9, "person")
    find = planted({"faces": [LEFT, RIGHT], "persons": [person]})
    boxed = {"detector": "persons", "active": False, "mask_shape": "box", "dilation": 0.0, "mask_blur": 0.0}
    inside = run(host, picture, find, boxed, {"detector": "faces", "within": 1})
    assert changed(picture, inside.pixels, LEFT.box) and not changed(picture, inside.pixels, RIGHT.box)
    assert "1 outside where this pass may draw" in told(inside)
    outside = run(host, picture, find, boxed, {"detector": "faces", "minus": 1})
    assert not changed(picture, outside.pixels, Box(0, 0, 140, 256)) and changed(picture, outside.pixels, RIGHT.box)
    wrong = run(host, picture, find, boxed, {"detector": "faces", "minus": 7})
    assert wrong.reports[3].status == "failed" and "pass 7" in told(wrong)


def test_sizes_seeds_and_large_findings(host: EmbeddedHost, picture: np.ndarray) -> None:
    find = planted({"a": [LEFT, RIGHT, HAND]})
    done = run(host, picture, find, {"detector": "a", "largest": 50})
    assert done.reports[3].cost.patches == 2 and not changed(picture, done.pixels, RIGHT.box)
    plain = run(host, picture, find, {"detector": "a"})
    other = run(host, picture, find, {"detector": "a", "reseed": "3=1, nonsense, 9=4"})
    assert changed(plain.pixels, other.pixels, RIGHT.box) and not changed(plain.pixels, other.pixels, LEFT.box)
    named = run(host, picture, find, {"detector": "a", "prompt": "[FOR 3][SEED 103] x [SEP] y"})
    assert changed(plain.pixels, named.pixels, RIGHT.box) and not changed(plain.pixels, named.pixels, LEFT.box)
    np.testing.assert_array_equal(named.pixels, other.pixels)


def test_a_class_is_chosen_by_its_number(host: EmbeddedHost, picture: np.ndarray) -> None:
    tie, cup = replace(LEFT, label="tie", class_number=27), replace(RIGHT, label="cup", class_number=41)
    find = planted({"a": [tie, cup]})
    for one in ({"only": "#41"}, {"exclude": "#27"}, {"prompt": "[FOR #27] [SKIP] [SEP] x"}):
        done = run(host, picture, find, {"detector": "a", **one})
        assert changed(picture, done.pixels, RIGHT.box) and not changed(picture, done.pixels, LEFT.box)


def test_detectors_are_freed_where_memory_is_short(picture: np.ndarray) -> None:
    class Short(EmbeddedHost):
        failed = False

        def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
            if not self.failed:
                self.failed = True
                raise OutOfMemory("planted")
            return super().redraw(batch, watch)

    freed: list[bool] = []
    find = planted({"a": [LEFT, RIGHT]})
    pipeline = Pipeline(Short(), find, recipe_of({"detector": "a"}), free_detectors=lambda: freed.append(True))
    done = pipeline.run([Work(picture, BASE)])[0]
    assert freed == [True] and done.reports[3].cost.patches == 2


def test_the_whole_picture_is_the_crop_where_that_is_wanted(host: EmbeddedHost, picture: np.ndarray) -> None:
    done = run(host, picture, planted({"a": [LEFT]}), {"detector": "a", "only_masked": False})
    assert done.reports[3].cost.megapixel_steps == pytest.approx(PICTURE.megapixels * 2)
    assert changed(picture, done.pixels, LEFT.box) and not changed(picture, done.pixels, RIGHT.box)
    large = np.ascontiguousarray(np.kron(picture, np.ones((4, 4, 1), dtype=np.float32)))

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return [LEFT.scaled(4)] if size_of(pixels) == size_of(large) else []

    once = run(host, large, find, {"detector": "a", "only_masked": False})
    assert once.reports[3].cost.megapixel_steps < 2.3 * 0.263 * 2
    assert changed(large, once.pixels, LEFT.scaled(4).box)


@pytest.mark.parametrize("case", ["mask", "memory", "both"])
def test_a_mask_and_too_little_memory_do_not_hide_what_was_redrawn(picture: np.ndarray, case: str) -> None:
    class Short(EmbeddedHost):
        def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
            if case != "mask" and batch.elements[0].pixels.shape[0] * batch.elements[0].pixels.shape[1] > 200 * 200:
                raise OutOfMemory("planted")
            return super().redraw(batch, watch)

    mask = np.zeros((PICTURE.height, PICTURE.width), np.float32)
    mask[:, : PICTURE.width // 2] = 1.0
    one = {"detector": "a", "gate": 1.0, "width": 256, "height": 256}
    recipe = recipe_of(one, one, touch_up=0.1, factor=2)
    limited = recipe.changed("base", replace(recipe["base"], mask="restrict" if case != "memory" else "unused"))
    host = Short()
    (done,) = Pipeline(host, planted({"a": [LEFT, RIGHT]}), limited).run([Work(picture, BASE, mask)])
    assert not done.error
    redrawn = 1 if case != "memory" else 2
    assert f"{redrawn} redrawn already by an earlier pass" in told(done) and told(done).endswith(f"{redrawn} redrawn")
    assert f"{redrawn} touched up" in done.reports[4].reason


def lying(item: Detection, roll: int) -> Detection:
    """The finding with the landmarks of a face turned clockwise by so many degrees."""
    x, y = item.box.centre
    points = [(-6, -5), (6, -5), (0, 1), (-4, 7), (4, 7)]
    for _ in range(roll // 90):
        points = [(-b, a) for a, b in points]
    return replace(item, landmarks=tuple((x + a, y + b) for a, b in points))


class Seeing(EmbeddedHost):
    """Keeps what it is given, and makes it brighter towards the upper right."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Array] = []

    def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
        self.seen += [element.pixels for element in batch.elements]
        return [np.clip(element.pixels + 0.1 * self.ramp(element.pixels), 0, 1) for element in batch.elements]

    @staticmethod
    def ramp(pixels: Array) -> Array:
        height, width = pixels.shape[:2]
        down, across = np.linspace(1, 0, height), np.linspace(0, 0.5, width)
        return np.asarray((down[:, None] + across[None, :])[..., None], dtype=np.float32)


@pytest.mark.parametrize("roll", [0, 90, 180, 270])
def test_a_lying_face_is_redrawn_upright(picture: np.ndarray, roll: int) -> None:
    host, face = Seeing(), Detection(Box(150, 90, 200, 150), 0.9, "face")
    one = {"detector": "a", "colour_lock": 0.0, "gate": 1.0, "mask_shape": "ellipse"}
    done = run(host, picture, planted({"a": [lying(face, roll)]}), one)
    (seen,) = host.seen
    plain = Seeing()
    run(plain, picture, planted({"a": [face]}), {**one, "upright": False})
    assert seen.shape[:2] == (plain.seen[0].shape[:2] if roll % 180 == 0 else plain.seen[0].shape[1::-1])
    np.testing.assert_array_equal(np.rot90(seen, -(roll // 90)), plain.seen[0])
    change = (done.pixels - picture)[90:150, 150:200].mean(axis=-1)
    # "Up" of the model is where the top of the head is in the picture.
    heads = {0: change[:20], 90: change[:, -20:], 180: change[-20:], 270: change[:, :20]}
    assert heads[roll].mean() == max(part.mean() for part in heads.values())


# Before and after the redraw


class Restoring(EmbeddedHost):
    """Faces are restored by painting them green, which shows where it was done."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken
        self.sizes: list[Size] = []

    def face_restorers(self) -> tuple[str, ...]:
        return ("Green",)

    def restore_faces(self, name: str, pixels: Array, watch: Watch) -> Array:
        if self.broken:
            raise HostError("Green could not be loaded.")
        self.sizes.append(size_of(pixels))
        return np.asarray(pixels * np.float32([0.2, 1.0, 0.2]), dtype=np.float32)


@pytest.mark.parametrize("when", ["before", "after"])
def test_faces_are_restored_by_the_host_with_a_blend(picture: np.ndarray, when: str) -> None:
    host = Restoring()
    one = {"detector": "a", "restore": "Green", "restore_when": when, "colour_lock": 0.0, "gate": 1.0}
    find = planted({"a": [LEFT]})
    reds = {
        blend: run(host, picture, find, {**one, "restore_blend": blend}).pixels[50:70, 60:80, 0].mean()
        for blend in (0.0, 0.5, 1.0)
    }
    assert reds[0.0] > reds[0.5] * 1.2 > reds[1.0] * 1.4
    # At the size of the canvas, where there is most to see.
    assert all(size.area > 0.9 * 512 * 512 for size in host.sizes)


def test_a_restoration_that_fails_is_told_and_the_redraw_kept(picture: np.ndarray) -> None:
    find = planted({"a": [LEFT]})
    for host, name, said in (
        (Restoring(broken=True), "Green", "Green could not be loaded"),
        (Restoring(), "Red", "no face restoration 'Red'"),
    ):
        done = run(host, picture, find, {"detector": "a", "restore": name})
        assert any(said in note for note in done.reports[3].notes)
        assert changed(picture, done.pixels, LEFT.box) and not done.error


def test_small_crops_are_enlarged_by_a_model(picture: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    model = weights("RealESR_Gx4.pth")
    host = EmbeddedHost(model.parent)
    find = planted({"a": [at(70, 60, 24)]})
    plain = run(host, picture, find, {"detector": "a"})
    enlarged = run(host, picture, find, {"detector": "a", "enlarger": "auto"})
    assert changed(plain.pixels, enlarged.pixels, at(70, 60, 24).box)
    outside = Box(200, 0, 384, 256)
    assert not changed(picture, enlarged.pixels, outside)
    unknown = run(host, picture, find, {"detector": "a", "enlarger": "nobody's"})
    assert any("nobody's" in note for note in unknown.reports[3].notes)
    np.testing.assert_array_equal(unknown.pixels, plain.pixels)


# After the upscale


def test_the_same_regions_are_touched_up_after_the_upscale(host: EmbeddedHost, picture: np.ndarray) -> None:
    find = planted({"a": [LEFT, HAND], "b": [RIGHT]})
    passes = ({"detector": "a"}, {"detector": "b", "active": False})
    plain = Pipeline(host, find, recipe_of(*passes, factor=2)).run([Work(picture, BASE)])[0]
    light = Pipeline(host, find, recipe_of(*passes, factor=2, touch_up=0.1)).run([Work(picture, BASE)])[0]
    assert light.reports[4].stage == "upscale" and "2 touched up" in light.reports[4].reason
    assert light.reports[4].cost.patches == 2 and plain.reports[4].cost.patches == 0
    assert changed(plain.pixels, light.pixels, LEFT.scaled(2).box)
    assert changed(plain.pixels, light.pixels, HAND.scaled(2).box)
    assert not changed(plain.pixels, light.pixels, RIGHT.scaled(2).box)
    without = Pipeline(host, find, recipe_of(*passes, touch_up=0.1)).run([Work(picture, BASE)])[0]
    assert without.reports[4].status == "skipped"


def test_a_stored_detail_still_tells_what_to_touch_up(host: EmbeddedHost, picture: np.ndarray, tmp_path: Path) -> None:
    find = planted({"a": [LEFT]})
    recipe = recipe_of({"detector": "a"}, factor=2, touch_up=0.1)
    store = ResultStore(tmp_path)
    first, second = (Pipeline(host, find, recipe, store).run([Work(picture, BASE)])[0] for _ in range(2))
    assert [item.status for item in second.reports[3:5]] == ["reused", "reused"]
    np.testing.assert_array_equal(first.pixels, second.pixels)
    lighter = Pipeline(host, find, recipe_of({"detector": "a"}, factor=2, touch_up=0.05), store)
    assert lighter.run([Work(picture, BASE)])[0].reports[4].status == "ran"


# What wildcards became


class Expanding(EmbeddedHost):
    """Says that a script made something else of the first prompt."""

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        watch.expanded(0, f"{batch.elements[0].seed} crimson", "")
        return super().redraw(batch, watch)


def test_expanded_prompts_are_reported_and_stored(picture: np.ndarray, tmp_path: Path) -> None:
    store, find = ResultStore(tmp_path), planted({"a": [LEFT, RIGHT]})
    recipe = recipe_of({"detector": "a", "prompt": "__colour__"})
    for status in ("ran", "reused"):
        done = Pipeline(Expanding(), find, recipe, store).run([Work(picture, BASE)])[0]
        assert (done.reports[3].status, dict(done.reports[3].prompts)) == (status, {"face 1": "100 crimson"})
    told = outcome_pairs(done, [])
    assert json.loads(told["Finisher prompts"]) == {"detail, face 1": "100 crimson"}


def test_a_checkpoint_that_is_not_there_costs_its_own_pass_alone(host: EmbeddedHost, picture: np.ndarray) -> None:
    found = planted({"a": [LEFT], "b": [RIGHT]})
    done = run(host, picture, found, {"detector": "a"}, {"detector": "b", "checkpoint": "gone"})
    report = done.reports[3]
    assert report.status == "failed" and "pass 2: " in report.reason and "gone" in report.reason
    assert report.cost.patches == 1 and changed(picture, done.pixels, LEFT.box)


def test_the_touch_up_is_where_the_pass_drew(host: EmbeddedHost, picture: np.ndarray) -> None:
    one = {"detector": "a", "y_offset": -1.5, "gate": 1.0}
    moved = LEFT.box.moved(0, 60)
    recipe = recipe_of(one, touch_up=0.2, factor=2)
    (done,) = Pipeline(host, planted({"a": [LEFT]}), recipe).run([Work(picture, BASE)])
    (plain,) = Pipeline(host, planted({"a": [LEFT]}), recipe_of(one, factor=2)).run([Work(picture, BASE)])
    assert "1 touched up" in done.reports[4].reason
    assert changed(plain.pixels, done.pixels, moved.scaled(2))
    assert not changed(plain.pixels, done.pixels, LEFT.box.scaled(2).moved(0, -20))
    limited = recipe_of(one, {"detector": "b", "within": 1, "gate": 1.0}, touch_up=0.2, factor=2)
    (within,) = Pipeline(host, planted({"a": [LEFT], "b": [at(70, 120, 40)]}), limited).run([Work(picture, BASE)])
    assert "1 touched up" in within.reports[4].reason, "the second pass is kept inside the first"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_findings_that_share_a_redraw_are_known_whatever_their_number(picture: np.ndarray, number: int) -> None:
    tall = np.ascontiguousarray(np.tile(picture[:, :256], (5, 1, 1))[:1200])
    found = [at(100, 150 + 300 * index, 60) for index in range(number)]
    one = {"detector": "a", "merge": "merge", "only_masked": False, "gate": 1.0, "steps": 4, "skip_large": False}
    asked: list[int] = []

    class Counting(EmbeddedHost):
        def redraw(self, batch: Batch, watch: Watch) -> list[Array]:
            asked.append(len(batch.elements))
            return super().redraw(batch, watch)

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return found if size_of(pixels) == size_of(tall) else []

    done = run(Counting(), tall, find, one, one)
    assert f"{number} redrawn already by an earlier pass" in told(done)
    assert sum(asked) == done.reports[3].cost.patches


@pytest.mark.parametrize(("size", "canvas"), [(Size(384, 144), Size(384, 144)), (Size(256, 256), Size(232, 232))])
def test_a_whole_picture_on_a_canvas_by_hand_is_not_squeezed(picture: np.ndarray, size: Size, canvas: Size) -> None:
    part = np.ascontiguousarray(picture[: size.height, : size.width])
    host = Seeing()

    def find(name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        return [LEFT] if size_of(pixels) == size else []

    done = run(host, part, find, {"detector": "a", "only_masked": False, "width": 192, "height": 288, "gate": 1.0})
    (seen,) = host.seen
    assert not done.error and size_of(seen) == canvas


def test_a_model_that_enlarges_crops_is_part_of_the_result() -> None:
    plain, enlarging = recipe_of({"detector": "a"}), recipe_of({"detector": "a", "enlarger": "auto"})
    reads = [STAGES[NAMES.index("detail")].reads(recipe["detail"]).upscalers for recipe in (plain, enlarging)]
    assert reads == [False, True]
