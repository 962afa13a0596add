"""Texture: redraws it gently, adds a model's skin grain, and lifts what is fine; everywhere, or on skin alone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.texture import lift_detail
from lib_finisher.redraw.noise import NoiseField
from lib_finisher.redraw.patch import ColourLock, Patch, Request
from lib_finisher.stages.cover import covering, masked, mend, told_of, touched
from lib_finisher.stages.diffusion import estimated, prompts_of, sampling_of
from lib_finisher.stages.flat import told_of_flat, without_flat
from lib_finisher.stages.frame import Look
from lib_finisher.stages.keep_detail import keeping_detail
from lib_finisher.stages.places import EVERYWHERE
from lib_finisher.stages.stage import FADED, Base, Estimate, KeepsColours, Reads, Redraws, StageOutput, Tools, Work
from lib_finisher.stages.texture_model import grained, models_for
from lib_finisher.stages.texture_settings import TextureRedraw, TextureSettings
from lib_finisher.stages.texture_where import SEARCH, Place, around, detectors_for, place_of

NAME = "texture"


class Texture(KeepsColours):
    """See the module."""

    name = NAME
    label = "Texture"
    settings = TextureSettings
    borders = FADED
    maps = True

    def reads(self, settings: TextureSettings) -> Reads:
        """See `Stage.reads`."""
        names = [name for where in settings.places for name in detectors_for(where, settings.detector)]
        return Reads(
            samples=any(one.redraws for one in settings.passes),
            upscalers=settings.models,
            detectors=tuple((name, SEARCH) for name in dict.fromkeys(names)),
        )

    def run(self, work: Work, settings: TextureSettings, tools: Tools) -> Redraws:
        """One request a redraw, then the model and the lift. A redraw that fails or is stopped ends the stage."""
        output = StageOutput(work.pixels)
        places = _Places(work.pixels, settings.detector, tools, output.notes)
        told: list[str] = []
        for number, one in enumerate(settings.passes, 1):
            if one.redraws and not (yield from self._redrawn(work, one, number, settings, places, output, told, tools)):
                break
        else:
            self._mapped(settings, places, output, told, tools)
        output.degraded = output.degraded or places.doubtful
        output.reason = "; ".join(told)
        if output.pixels is work.pixels and output.status == "ran" and not output.stopped:
            output.status, output.reason = "skipped", output.reason or _why_nothing(settings)
        return output

    def _redrawn(
        self, work: Work, one: TextureRedraw, number: int, settings: TextureSettings, places: _Places,
        output: StageOutput, told: list[str], tools: Tools,
    ) -> Generator[Request, Any, bool]:  # fmt: skip
        """Redraws the texture once; whether the stage may go on."""
        place = places[one.where(settings.where)]
        try:
            layout, why = _layout(work.base, work.size, one, tools)
        except HostError as error:
            output.status, output.pixels = "failed", work.pixels
            told.append(str(error))
            return False
        patches, flat = _chosen(layout, place, output.pixels, one)
        if not patches:
            told.append(f"nothing to redraw: {_nothing(place)}")
            return True
        mask = None if place is None else places.mask(one.where(settings.where))
        request = Request(
            picture=output.pixels,
            patches=tuple(patches if mask is None else [masked(patch, mask) for patch in patches]),
            sampling=sampling_of(one, work.base),
            noise_field=NoiseField(work.base.seed, f"{self.name}/{number}"),
            colour_lock=ColourLock("tile", one.colour_lock),
            together=True,
        )
        if one.where(settings.where) == settings.where:
            request, _ = keeping_detail(request, tools, within=True)
        outcome = yield request
        output.take(outcome)
        if outcome.stopped:
            told.append(f"stopped after {outcome.accepted} of {len(patches)} patches, which are not used")
            return False
        if outcome.refusals and not outcome.accepted:
            # As it came: a mask of the user's limits only what is complete.
            output.status, output.pixels = "failed", work.pixels
            told.append("; ".join(sorted({item.reason for item in outcome.refusals})))
            return False
        mends = mend(output.pixels, outcome, layout)
        output.pixels = outcome.picture
        on = "" if place is None else f" on {place.told}"
        left = told_of_flat(patches, flat, "left alone")
        told.append(f"redrawn, {told_of(outcome, patches, layout)}{on}{why}{mends}{left}")
        return True

    def _mapped(
        self, settings: TextureSettings, places: _Places, output: StageOutput, told: list[str], tools: Tools
    ) -> None:
        """Adds the model's detail and lifts what is there."""
        if not settings.models and settings.strength <= 0:
            return
        place = places[settings.where]
        if place is not None and not place.mask.any():
            told.append(f"no grain and no lift: {_nothing(place)}")
            return
        mask, on = (None, "") if place is None else (places.mask(settings.where), f" on {place.told}")
        if settings.models:
            made = grained(output.pixels, settings.upscaler, settings.model_blend, mask, tools, output.notes)
            output.degraded = output.degraded or made.degraded
            output.pixels = made.pixels
            told += [f"detail by {made.how}{on}"] if made.how else []
        if settings.strength > 0:
            output.pixels = _lifted(output.pixels, settings, mask)
            told.append(f"detail finer than {settings.radius:g} px lifted by {settings.strength:g}{on}")

    def estimate(self, work: Work, size: Size, settings: TextureSettings, tools: Tools) -> Estimate:
        """See `Stage.estimate`."""
        notes: list[str] = []
        places = _Places(work.pixels, settings.detector, tools, notes)
        total = Estimate(size)
        for one in settings.passes:
            if not one.redraws:
                continue
            place = places[one.where(settings.where)]
            layout = _layout(work.base, size, one, tools)[0]
            patches = layout if place is None else touched(layout, place.mask, size)
            if place is not None:
                notes.append(f"{len(patches)} of {len(layout)} patches are on {place.told}")
            part = estimated(size, patches, sampling_of(one, work.base), tools.host)
            total = Estimate(
                size,
                total.patches + part.patches,
                total.host_calls + part.host_calls,
                total.megapixel_steps + part.megapixel_steps,
            )
        models = models_for(settings.upscaler, size, tools.host.upscalers()) if settings.models else ()
        return Estimate(size, total.patches, total.host_calls, total.megapixel_steps, tuple(notes), models)


class _Places:
    """Where that is in one picture, found once for each choice."""

    def __init__(self, pixels: Pixels, named: str, tools: Tools, notes: list[str]) -> None:
        self._pixels, self._named, self._tools, self._notes = pixels, named, tools, notes
        self._found: dict[str, Place] = {}
        self._masks: dict[str, Mask] = {}

    def __getitem__(self, where: str) -> Place | None:
        """The place; None for everywhere."""
        if where == EVERYWHERE:
            return None
        if where not in self._found:
            self._found[where] = place_of(where, self._named, self._pixels, self._tools, self._notes)
        return self._found[where]

    @property
    def doubtful(self) -> bool:
        """Whether a detector failed for one of them."""
        return any(place.doubtful for place in self._found.values())

    def mask(self, where: str) -> Mask:
        """The mask of a place that is not everywhere, at the picture's size."""
        if where not in self._masks:
            place = self[where]
            assert place is not None
            self._masks[where] = place.at(size_of(self._pixels))
        return self._masks[where]


def _layout(base: Base, size: Size, one: TextureRedraw, tools: Tools) -> tuple[list[Patch], str]:
    prompt, negative = prompts_of(one, base)
    return covering(
        size, Look(one.denoising_strength, prompt, negative, base.seed), tools.model(one.checkpoint).native_side,
        tools.host.capabilities, whole=False if one.tiles_by_hand else None,
        tile=one.tile, overlap=one.overlap, columns=one.columns, rows=one.rows,
    )  # fmt: skip


def _chosen(
    layout: Sequence[Patch], place: Place | None, pixels: Pixels, one: TextureRedraw
) -> tuple[list[Patch], list[Patch]]:
    """(the patches that are redrawn, those that are left out for being flat). Smooth skin is what a mask is for."""
    if place is not None:
        return touched(layout, place.mask, size_of(pixels)), []
    return without_flat(layout, pixels) if one.skip_flat else (list(layout), [])


def _lifted(pixels: Pixels, settings: TextureSettings, mask: Mask | None) -> Pixels:
    if mask is None:
        return lift_detail(pixels, settings.strength, settings.radius)
    box = around(mask)
    if box is None:
        return pixels
    place = (slice(box.top, box.bottom), slice(box.left, box.right))
    lifted = lift_detail(pixels[place], settings.strength, settings.radius, mask[place])
    if size_of(lifted) == size_of(pixels):
        return lifted
    result = pixels.copy()
    result[place] = lifted
    return result


def _nothing(place: Place | None) -> str:
    return f"{place.told} found" if place is not None and place.told.startswith("0 ") else "no such place was found"


def _why_nothing(settings: TextureSettings) -> str:
    return "the strength is 0" if not settings.models else "no detail was added"
