"""Detail: find faces (or anything a detector finds) and redraw each at the model's full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib_finisher.controls import control, passes
from lib_finisher.detect.detection import Detection, DetectorError
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Box, Size, size_of
from lib_finisher.imaging.masks import ellipse, fading_to
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Gate, Patch, Request
from lib_finisher.stages.crop import crop_around, open_sides, worth_a_crop
from lib_finisher.stages.diffusion import Diffusion, estimated, prompts_of, sampling_of, strengths
from lib_finisher.stages.stage import Base, Estimate, Finder, Redraws, StageOutput, Tools, Work

LEFT_TO_RIGHT, BY_SIZE, BY_CONFIDENCE, BY_CENTRE = "left to right", "size", "confidence", "centre"
_MOST_PASSES = 8
_GATE_SIDE = 320
_SAME_PLACE = 0.3
_UNSURE = 0.05


@dataclass(frozen=True)
class DetailPass(Diffusion):
    """One detector and how its findings are redrawn."""

    denoising_strength: float = control(
        0.35, label="Denoising strength", prominent=True,
        help="0.3 to 0.4 keeps the person; higher draws another face.",
        minimum=0.0, maximum=1.0, step=0.01, families=strengths(flow=0.3, embedded=0.25),
    )  # fmt: skip
    detector: str = control("face_yunet", label="Detector", prominent=True, help="What to look for.")
    confidence: float = control(
        0.3, label="Confidence", help="How sure the detector must be.", minimum=0.0, maximum=1.0, step=0.01
    )
    most: int = control(
        0, label="Top k", help="At most so many, the best first; 0 is all.", minimum=0, maximum=64, step=1
    )
    order: str = control(
        LEFT_TO_RIGHT, label="Order", help="Which is first, for prompts and seeds.",
        choices=(LEFT_TO_RIGHT, BY_SIZE, BY_CONFIDENCE, BY_CENTRE),
    )  # fmt: skip
    smallest: int = control(
        12, label="Smallest side", help="Anything smaller is left alone, in pixels.", minimum=0, maximum=512, step=1
    )
    padding: float = control(
        0.5, label="Padding", help="Context around each finding, as a share of its longer side.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    dilation: float = control(
        0.1, label="Mask dilation", help="How far the mask reaches beyond the finding, as a share of its side.",
        minimum=-0.5, maximum=1.0, step=0.05,
    )  # fmt: skip
    mask_blur: float = control(
        0.3, label="Mask blur", help="How softly the mask ends, as a share of the finding's side.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    resolution: int = control(
        0, label="Resolution", help="Side of the canvas it is redrawn on; 0 is the model's native size.",
        minimum=0, maximum=2048, step=64,
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", help="How firmly colours are held to the surroundings.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    gate: float = control(
        0.15, label="Gate", help="A redraw that makes the detector less sure by more than this is not used; 1 is off.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip


@dataclass(frozen=True)
class DetailSettings:
    """Up to eight passes, each with its own detector."""

    enabled: bool = control(True, label="Enable", help="Find faces and redraw each at full resolution.")
    passes: tuple[DetailPass, ...] = passes(
        DetailPass,
        (DetailPass(),),
        label="Passes",
        help="Detectors in turn, each with its own settings.",
        most=_MOST_PASSES,
    )


class Detail:
    """See the module."""

    name = "detail"
    label = "Detail"
    settings = DetailSettings
    diffuses = True

    def run(self, work: Work, settings: DetailSettings, tools: Tools) -> Redraws:
        """A request for each pass that finds something, on the picture as the pass before left it."""
        output = StageOutput(work.pixels)
        told: list[str] = []
        redrawn = found_in_all = 0
        failures: list[str] = []
        for number, one in enumerate(settings.passes, 1):
            try:
                found = _find(one, output.pixels, tools.find)
            except DetectorError as error:
                failures.append(f"pass {number}: {error}")
                continue
            told.append(_told(one.detector, found))
            found_in_all += len(found)
            if not found or one.denoising_strength <= 0:
                continue
            patches = _patches(work.base, size_of(output.pixels), found, one, tools)
            if len(patches) < len(found):
                told.append(f"{len(found) - len(patches)} large enough already, left alone")
            if not patches:
                continue
            outcome = yield Request(
                picture=output.pixels,
                patches=tuple(patches),
                sampling=sampling_of(one, work.base),
                noise_field=NoiseField(work.base.seed, f"{self.name}/{number}"),
                colour_lock=ColourLock("ring", one.colour_lock),
                gate=_gate(one, tools.find) if one.gate < 1 else None,
            )
            output.take(outcome)
            if outcome.accepted:
                output.pixels = outcome.picture
            redrawn += outcome.accepted
            if outcome.stopped:
                break
        output.reason = "; ".join(failures + told + ([f"{redrawn} redrawn"] if found_in_all else []))
        engine = sorted({item.reason for item in output.refusals if item.engine})
        if failures or (engine and not redrawn and not output.stopped):
            output.status = "failed"
            output.reason += "".join(f"; {reason}" for reason in engine)
        elif not found_in_all:
            output.status = "skipped"
        return output

    def estimate(self, work: Work, size: Size, settings: DetailSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`. Looks for the findings in the picture as it is now, at its present size."""
        total, notes = Estimate(size), []
        for one in settings.passes:
            try:
                found = _find(one, work.pixels, tools.find)
            except DetectorError as error:
                notes.append(str(error))
                continue
            factor = size.width / work.size.width
            grown = [Detection(_scaled(item.box, factor), item.confidence, item.label) for item in found]
            part = estimated(
                size, _patches(work.base, size, grown, one, tools), sampling_of(one, work.base), tools.host
            )
            notes.append(_told(one.detector, found))
            total = Estimate(
                size,
                total.patches + part.patches,
                total.host_calls + part.host_calls,
                total.megapixel_steps + part.megapixel_steps,
            )
        return Estimate(size, total.patches, total.host_calls, total.megapixel_steps, tuple(notes))


def _find(one: DetailPass, pixels: Pixels, find: Finder) -> list[Detection]:
    """The pass's findings, filtered, in its order."""
    found = find(one.detector, pixels, max(one.confidence, _UNSURE))
    found = [item for item in found if min(item.box.width, item.box.height) >= one.smallest]
    found.sort(key=lambda item: -item.confidence)
    return _ordered(found[: one.most] if one.most else found, one.order, size_of(pixels))


def _ordered(found: Sequence[Detection], order: str, picture: Size) -> list[Detection]:
    middle = (picture.width / 2, picture.height / 2)
    keys = {
        LEFT_TO_RIGHT: lambda item: item.box.centre,
        BY_SIZE: lambda item: -item.box.area,
        BY_CONFIDENCE: lambda item: -item.confidence,
        BY_CENTRE: lambda item: float(np.hypot(item.box.centre[0] - middle[0], item.box.centre[1] - middle[1])),
    }
    return sorted(found, key=keys[order])


def _told(detector: str, found: Sequence[Detection]) -> str:
    if not found:
        return f"{detector} found nothing"
    sure = ", ".join(f"{item.confidence:.2f}" for item in found)
    kinds = {item.label for item in found}
    return f"{detector} found {len(found)} {'/'.join(sorted(kinds))} ({sure})"


def _patches(base: Base, picture: Size, found: Sequence[Detection], one: DetailPass, tools: Tools) -> list[Patch]:
    prompt, negative = prompts_of(one, base)
    native = tools.model(one.checkpoint).native_side
    patches = []
    for number, item in enumerate(found):
        if not worth_a_crop(item.box, one.padding, one.resolution or native):
            continue
        crop = crop_around(item.box, one.padding, picture, native, tools.host.capabilities, one.resolution)
        mask = _mask(item.box, crop.box, picture, one)
        patches.append(
            Patch(
                box=crop.box,
                canvas=crop.canvas,
                weight=lambda mask=mask: mask,  # type: ignore[misc]
                denoising_strength=one.denoising_strength,
                mask=mask,
                prompt=prompt,
                negative_prompt=negative,
                seed=base.seed + number,
                label=f"{item.label} {number + 1}",
                about=item.box,
            )
        )
    return patches


def _mask(region: Box, crop: Box, picture: Size, one: DetailPass) -> Mask:
    """An ellipse over the region, softly ended, as an array of the crop; 0 at its border, save at the picture's."""
    side = max(region.width, region.height)
    grown = 1.0 + one.dilation
    centre = (region.centre[0] - crop.left, region.centre[1] - crop.top)
    radii = (max(1.0, region.width / 2 * grown), max(1.0, region.height / 2 * grown))
    mask = ellipse(crop.height, crop.width, centre, radii, one.mask_blur * side)
    return mask * fading_to(crop.height, crop.width, open_sides(crop, picture))


def _gate(one: DetailPass, find: Finder) -> Gate:
    """Refuses a redraw in which the detector is less sure of what it found than before, by more than the margin."""

    def judge(patch: Patch, before: Pixels, after: Pixels) -> str:
        if patch.about is None:
            return ""
        region = patch.about.moved(-patch.box.left, -patch.box.top)
        was, now = (_sureness(find, one.detector, crop, region) for crop in (before, after))
        if was > 0 and now < was - one.gate:
            return f"the detector became less sure ({was:.2f} to {now:.2f}); the old pixels stay"
        return ""

    return judge


def _sureness(find: Finder, detector: str, crop: Pixels, region: Box) -> float:
    """The confidence of the finding at a region of a crop, 0 where there is none; small crops are enlarged first."""
    factor = max(1.0, _GATE_SIDE / min(crop.shape[:2]))
    enlarged = np.clip(resize(crop, size_of(crop).scaled(factor), "bilinear"), 0.0, 1.0)
    place = _scaled(region, factor)
    scores = [
        item.confidence for item in find(detector, enlarged, _UNSURE) if item.box.overlap_ratio(place) >= _SAME_PLACE
    ]
    return max(scores, default=0.0)


def _scaled(box: Box, factor: float) -> Box:
    left, top = round(box.left * factor), round(box.top * factor)
    return Box(left, top, max(left + 1, round(box.right * factor)), max(top + 1, round(box.bottom * factor)))
