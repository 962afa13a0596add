"""Extending under any size, sides, aspect and share."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import ModelFacts
from lib_finisher.imaging.geometry import Box, Size, frame
from lib_finisher.pipeline import Pipeline
from lib_finisher.recipe import read_recipe
from lib_finisher.stages.extend import Extend, extended_box
from lib_finisher.stages.extend_frames import border, pass_boxes
from lib_finisher.stages.extend_settings import ANCHORS, ExtendSettings, aspect_of
from lib_finisher.stages.sections import NAMES
from lib_finisher.stages.stage import Tools, Work
from tests.conftest import Onward

sizes = st.builds(Size, st.integers(1, 4000), st.integers(1, 4000))
pixels = st.integers(0, 256).map(lambda number: 8 * number)
aspects = st.sampled_from(["", "16:9", "1:1", "4:5", "2.39", "1:3", "7:1"])
asked = st.builds(
    ExtendSettings, left=pixels, top=pixels, right=pixels, bottom=pixels, aspect=aspects,
    anchor=st.sampled_from(ANCHORS), most_per_pass=st.sampled_from([0.1, 0.25, 0.5, 1.0, 4.0]),
)  # fmt: skip


@given(sizes, asked)
def test_the_box_holds_the_picture_and_its_sides_and_has_the_aspect(size: Size, one: ExtendSettings) -> None:
    box = extended_box(size, one)
    assert box.left <= -one.left
    assert box.top <= -one.top
    assert box.right >= size.width + one.right
    assert box.bottom >= size.height + one.bottom
    aspect = aspect_of(one.aspect)
    plain = Size(size.width + one.left + one.right, size.height + one.top + one.bottom)
    if aspect is None:
        assert box.size == plain
    else:
        # To the pixel: no whole number is nearer on the side that grew.
        assert box.width == plain.width or box.height == plain.height
        off = (
            abs(box.width - box.height * aspect) if box.height == plain.height else abs(box.height - box.width / aspect)
        )
        assert off <= 0.5 + 1e-9 or box.size == plain


@given(sizes, asked, st.sampled_from([128, 512, 1024]))
def test_passes_grow_to_the_box_and_none_adds_more_than_its_share(size: Size, one: ExtendSettings, native: int) -> None:
    box = extended_box(size, one)
    boxes = pass_boxes(size, box, one.most_per_pass, native)
    assert boxes[-1:] == ([] if box == frame(size) else [box])
    before = frame(size)
    for after in boxes:
        left, top = before.left - after.left, before.top - after.top
        right, bottom = after.right - before.right, after.bottom - before.bottom
        assert min(left, top, right, bottom) >= 0
        assert after != before
        # A pixel on each side is lost to rounding.
        across, down = max(0, left + right - 2), max(0, top + bottom - 2)
        assert across / before.width + down / before.height <= one.most_per_pass * (
            1 + 2 / min(before.width, before.height)
        )
        assert max(left, right) + max(top, bottom) <= one.most_per_pass * native + 2
        before = after


sides = st.sampled_from([0, 1, 8, 30])


@given(st.integers(1, 60), st.integers(1, 60), sides, sides, sides, sides, st.integers(0, 20), st.integers(0, 20))
def test_the_border_is_full_in_what_is_new_and_nothing_beyond_its_reach(
    width: int, height: int, left: int, top: int, right: int, bottom: int, overlap: int, feather: int
) -> None:
    size, box = Size(width, height), Box(-left, -top, width + right, height + bottom)
    mask = border(size, box, overlap, feather)
    assert mask.shape == (box.height, box.width)
    assert mask.min() >= 0
    assert mask.max() <= 1
    old = mask[top : top + height, left : left + width]
    assert np.isclose(mask.sum() - old.sum(), box.area - size.area, atol=1e-2)
    reach = overlap + feather
    rows = slice(reach if top else 0, height - reach if bottom else height)
    columns = slice(reach if left else 0, width - reach if right else width)
    if (rows.start < rows.stop) and (columns.start < columns.stop):
        assert not old[rows, columns].any()


class Small(EmbeddedHost):
    def model(self, checkpoint: str = "") -> ModelFacts:
        return ModelFacts("small", "embedded", 64)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(40, 150), st.integers(40, 150), st.sampled_from([0, 8, 40]), st.sampled_from([0, 16, 72]),
    st.sampled_from(["", "1:1", "2:1"]), st.sampled_from([0.25, 0.5, 1.0]),
)  # fmt: skip
def test_the_estimate_is_what_the_run_costs(
    width: int, height: int, left: int, bottom: int, aspect: str, most: float
) -> None:
    host = Small()
    picture = np.tile(np.linspace(0.1, 0.9, width, dtype=np.float32)[None, :, None], (height, 1, 3))
    data: dict[str, dict[str, object]] = {name: {"enabled": name == "extend"} for name in NAMES}
    data["extend"].update(left=left, bottom=bottom, aspect=aspect, most_per_pass=most, steps=2, denoising_strength=0.4)
    recipe = read_recipe(data)
    work = Work(picture)
    planned = Extend().estimate(work, work.size, recipe["extend"], Tools(host, lambda *_: [], Onward()))
    report = Pipeline(host, lambda *_: [], recipe).run([work])[0].reports[1]
    assert (planned.size, planned.patches, planned.host_calls) == (
        report.size,
        report.cost.patches,
        report.cost.host_calls,
    )
    assert np.isclose(planned.megapixel_steps, report.cost.megapixel_steps)
