"""The detail stage's choice under any findings, filters, orders and prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.detect.detection import Detection
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.stages.detail import DetailPass
from lib_finisher.stages.detail_choice import Finding, findings_of, strength_for
from lib_finisher.stages.detail_masks import mask_of, shape_of, union_of
from lib_finisher.stages.detail_patches import choose
from lib_finisher.stages.detail_prompts import chosen, entries_for
from lib_finisher.stages.stage import Base, Tools
from tests.conftest import Onward

TOOLS = Tools(EmbeddedHost(), lambda *_: [], Onward())
BASE = Base(prompt="base", seed=1000)
PICTURE = Size(640, 480)
KEYS: dict[str, Any] = {
    "left to right": lambda item: item.box.centre,
    "size": lambda item: -item.box.area,
    "confidence": lambda item: -item.confidence,
    "centre": lambda item: np.hypot(item.box.centre[0] - 320, item.box.centre[1] - 240),
}

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.integers(-40, 620), st.integers(-40, 460), st.integers(1, 300), st.integers(1, 300),
)  # fmt: skip
points = st.tuples(st.floats(-50, 700), st.floats(-50, 540))
silhouettes = st.none() | st.integers(0, 9).map(
    lambda seed: np.random.default_rng(seed).random((3 + seed, 5)).astype(np.float32)
)
detections = st.builds(
    Detection, boxes, st.integers(5, 100).map(lambda n: n / 100), st.sampled_from(["face", "hand"]),
    st.just(()) | st.tuples(points, points, points, points, points), silhouettes,
)  # fmt: skip
several = st.lists(detections, max_size=8)
# No two alike in any order, so that each is told from the others wherever it stands.
distinct = st.lists(detections, max_size=8).map(
    lambda found: [replace(item, confidence=0.9 - index / 50) for index, item in enumerate(dict.fromkeys(found))]
)
names = st.sampled_from(["", "face", "hand", "1", "2, 4", "face, 1", "hand,3", "foot", " ,, "])
filters = st.fixed_dictionaries(
    {
        "most": st.integers(0, 4),
        "most_by": st.sampled_from(["confidence", "area"]),
        "smallest": st.integers(0, 80),
        "min_area": st.sampled_from([0.0, 0.01, 0.05]),
        "max_area": st.sampled_from([1.0, 0.2, 0.04]),
        "only": names,
        "exclude": names,
        "largest": st.sampled_from([0, 120]),
    }
)
orders = st.sampled_from(sorted(KEYS))
entries = st.sampled_from(
    ["a", "b", "", "[SKIP]", "[PROMPT], c", "[FOR hand] h", "[FOR 2] two", "[FOR largest] [SKIP]"]
)
texts = st.lists(entries, min_size=1, max_size=6).map(" [SEP] ".join)
passes = st.builds(
    lambda filters, **more: DetailPass(**filters, **more),
    filters, order=orders, prompt=texts, negative_prompt=texts, number_first=st.booleans(),
    padding=st.sampled_from([0.0, 0.5, 2.0]), dilation=st.sampled_from([-0.5, 0.0, 1.0]),
    x_offset=st.sampled_from([-2.0, 0.0, 0.35]), y_offset=st.sampled_from([0.0, 1.0]),
    mask_blur=st.sampled_from([0.0, 0.3, 1.0]), denoising_by_size=st.booleans(),
    mask_shape=st.sampled_from(["outline", "ellipse", "box"]), only_masked=st.booleans(), skip_large=st.booleans(),
    width=st.sampled_from([0, 448]), height=st.sampled_from([0, 640]),
)  # fmt: skip


def bound(findings: list[Finding]) -> dict[Detection, tuple[int, int, str, str, bool]]:
    return {
        item.detection: (item.number, item.seed, item.prompt, item.negative_prompt, item.skipped) for item in findings
    }


@given(distinct, filters, orders, texts, texts)
def test_numbered_first_no_filter_moves_a_prompt_or_a_seed(
    found: list[Detection], given: dict[str, Any], order: str, prompt: str, negative: str
) -> None:
    plain = DetailPass(smallest=0, order=order, number_first=True, prompt=prompt, negative_prompt=negative, carry=False)
    every = bound(findings_of(found, PICTURE, plain, BASE))
    left = bound(findings_of(found, PICTURE, replace(plain, **given), BASE))
    assert len(every) == len(found)
    assert left.items() <= every.items()


@given(distinct, passes)
def test_the_findings_do_not_depend_on_the_order_in_which_they_were_found(
    found: list[Detection], one: DetailPass
) -> None:
    # Left to right, by size and from the centre, equals stand in the order of their confidence.
    assert bound(findings_of(found, PICTURE, one, BASE)) == bound(findings_of(found[::-1], PICTURE, one, BASE))


@given(several, passes)
def test_prompts_and_seeds_go_by_the_place_in_the_order(found: list[Detection], one: DetailPass) -> None:
    findings = findings_of(found, PICTURE, one, BASE)
    if one.number_first:
        counted = sorted(sorted(found, key=KEYS["confidence"]), key=KEYS[one.order])
    else:
        everyone = replace(one, only=names_of(one.only), exclude=names_of(one.exclude))
        counted = [item.detection for item in findings_of(found, PICTURE, everyone, BASE)]
        assert counted == sorted(counted, key=KEYS[one.order])
        assert len(counted) <= one.most or not one.most
    told = entries_for(one.prompt, counted)
    negative = entries_for(one.negative_prompt, counted)
    for item in findings:
        assert counted[item.number] == item.detection
        assert item.seed == BASE.seed + item.number
        assert item.skipped == ("[SKIP]" in (told[item.number], negative[item.number]))
        if not item.skipped:
            assert item.prompt == (told[item.number].replace("[PROMPT]", "base") or "base")
    assert [item.number for item in findings] == sorted({item.number for item in findings})


def names_of(text: str) -> str:
    return ",".join(chosen(text).names)


@given(several, passes)
def test_what_passes_the_filters_is_what_they_say(found: list[Detection], one: DetailPass) -> None:
    only, exclude = chosen(one.only), chosen(one.exclude)
    for item in findings_of(found, PICTURE, one, BASE):
        label, number = item.detection.label, item.number + 1
        assert min(item.detection.box.width, item.detection.box.height) >= one.smallest
        assert not only.names or label in only.names
        assert not only.numbers or number in only.numbers
        assert label not in exclude.names
        assert number not in exclude.numbers


@settings(max_examples=40, deadline=None)
@given(several, passes)
def test_patches_are_the_findings_with_their_own_prompts_and_masks_in_range(
    found: list[Detection], one: DetailPass
) -> None:
    choice = choose(found, PICTURE, one, BASE, TOOLS)
    wanted = {item.label: item for item in choice.findings if not item.skipped}
    assert len(choice.patches) <= len(wanted) <= len(found)
    assert len(choice.findings) - len(wanted) == choice.skipped
    for patch in choice.patches:
        item = wanted.pop(patch.label)
        assert patch.about == item.detection.box
        assert (patch.prompt, patch.negative_prompt, patch.seed) == (item.prompt, item.negative_prompt, item.seed)
        in_range(patch.weight(), patch.box)
        assert 0 < patch.denoising_strength <= 0.6


@settings(max_examples=40, deadline=None)
@given(several, passes, st.sampled_from(["merge", "merge and invert"]))
def test_merged_findings_are_at_most_one_redraw_of_the_first(
    found: list[Detection], one: DetailPass, merge: str
) -> None:
    choice = choose(found, PICTURE, replace(one, merge=merge), BASE, TOOLS)
    wanted = [item for item in choice.findings if not item.skipped]
    assert len(choice.patches) <= bool(wanted) or choice.together
    for patch in choice.patches:
        assert (patch.prompt, patch.seed) == (wanted[0].prompt, wanted[0].seed)
        assert patch.denoising_strength == one.denoising_strength
        in_range(patch.weight(), patch.box)


@settings(max_examples=60, deadline=None)
@given(several, passes, boxes)
def test_a_mask_is_the_same_in_every_area_and_a_union_leaves_nothing_out(
    found: list[Detection], one: DetailPass, part: Box
) -> None:
    whole = Box(-60, -60, 700, 540)
    shapes = [shape_of(item, one) for item in found]
    masks = [mask_of(shape, whole, one) for shape in shapes]
    inside = slice(part.top + 60, part.bottom + 60), slice(part.left + 60, part.right + 60)
    clipped = part.intersection(whole)
    assert clipped is not None
    for shape, mask in zip(shapes, masks):
        in_range(mask, whole)
        if shape.silhouette is None:
            np.testing.assert_allclose(mask_of(shape, clipped, one), mask[inside], atol=1e-5)
    together = union_of(shapes, whole, one)
    # A silhouette's softness is measured within the area that is asked for: a pixel more or less at its reach.
    plain = [mask for shape, mask in zip(shapes, masks) if shape.silhouette is None]
    if len(plain) == len(masks) and masks:
        np.testing.assert_allclose(together, np.max(masks, axis=0), atol=1e-5)


@given(detections, st.floats(0.25, 4.0))
def test_what_is_scaled_keeps_its_place(item: Detection, factor: float) -> None:
    grown = item.scaled(factor)
    for old, new in zip(item.box.centre, grown.box.centre):
        assert abs(old * factor - new) <= 1.0
    assert abs(grown.box.width - max(1.0, item.box.width * factor)) <= 1.0
    assert grown.landmarks == tuple((x * factor, y * factor) for x, y in item.landmarks)


@given(several, st.integers(1, 8), st.integers(-9, 9))
def test_another_seed_moves_only_its_own_finding(found: list[Detection], number: int, more: int) -> None:
    plain = findings_of(found, PICTURE, DetailPass(smallest=0), BASE)
    other = findings_of(found, PICTURE, DetailPass(smallest=0, reseed=f"{number}={more}"), BASE)
    assert [b.seed - a.seed for a, b in zip(plain, other)] == [more * (i == number - 1) for i in range(len(plain))]


def in_range(mask: np.ndarray, box: Box) -> None:
    assert mask.shape == (box.height, box.width)
    assert float(mask.min()) >= 0.0
    assert float(mask.max()) <= 1.0


@given(boxes, boxes, st.integers(256, 1328), st.integers(0, 100).map(lambda n: n / 100))
def test_a_larger_finding_never_gets_a_higher_strength(a: Box, b: Box, native: int, plain: float) -> None:
    one = DetailPass(denoising_strength=plain, denoising_by_size=True)
    small, large = sorted((a, b), key=lambda box: box.area)
    assert strength_for(large, native, one) <= strength_for(small, native, one)
    assert plain * 0.5 <= strength_for(large, native, one)
    assert strength_for(small, native, one) <= max(plain, min(0.6, plain * 1.5))


@given(st.text(alphabet="[]SEPKIPFOR CLASS=1,largest ", max_size=60), several)
def test_any_text_gives_every_finding_one_entry(text: str, found: list[Detection]) -> None:
    told = entries_for(text, found)
    assert len(told) == len(found)
    assert not any("[SEP]" in entry for entry in told)
