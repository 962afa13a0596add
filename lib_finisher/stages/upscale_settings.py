"""The settings of the upscale stage: up to four passes, each to a size, by a method, in tiles or not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lib_finisher.controls import SettingsError, control, passes
from lib_finisher.imaging.limits import MOST_SIDE
from lib_finisher.stages.diffusion_settings import EMBEDDED, PROMPTS, strengths
from lib_finisher.stages.tiled import TILES, Tiled
from lib_finisher.stages.upscaler_choices import AUTO_UPSCALER

AUTO, HIRES, TILED, MODEL_ONLY = "auto", "hires", "tiled", "upscaler only"
FACTOR, LONG_SIDE, SHORT_SIDE, EXACT, MEGAPIXELS = "factor", "long side", "short side", "width and height", "megapixels"
FIT, CROP, PAD = "fit", "crop", "pad"
MOST_FACTOR = 16.0
_MOST_PASSES = 4

_SIZE = "Size"


@dataclass(frozen=True)
class UpscalePass(Tiled):
    """One enlargement."""

    factor: float = control(
        2.0, label="Upscale by", prominent=True, help="How many times larger each side becomes; 1 only redraws.",
        minimum=1.0, maximum=MOST_FACTOR, step=0.05,
    )  # fmt: skip
    upscaler: str = control(
        AUTO_UPSCALER, label="Upscaler", prominent=True,
        help="Enlarges before the redraw; auto takes a model that is there. Latent ones want strength 0.5.",
    )  # fmt: skip
    target: str = control(
        FACTOR, label="Target", group=_SIZE,
        help="What says how large it becomes; the size comes out exactly, nothing is rounded up.",
        choices=(FACTOR, LONG_SIDE, SHORT_SIDE, EXACT, MEGAPIXELS),
    )  # fmt: skip
    side: int = control(
        2048, label="Target side", group=_SIZE, help="Pixels of the long or the short side, for those two targets.",
        minimum=16, maximum=MOST_SIDE, step=1,
    )  # fmt: skip
    width: int = control(
        0, empty="by height", label="Target width", group=_SIZE,
        help="For the target width and height; 0 follows from the height.",
        minimum=0, maximum=MOST_SIDE, step=1,
    )  # fmt: skip
    height: int = control(
        0, empty="by width", label="Target height", group=_SIZE,
        help="For the target width and height; 0 follows from the width.",
        minimum=0, maximum=MOST_SIDE, step=1,
    )  # fmt: skip
    megapixels: float = control(
        4.0, label="Target megapixels", group=_SIZE, help="Millions of pixels, for that target.",
        minimum=0.05, maximum=268.0, step=0.05,
    )  # fmt: skip
    aspect: str = control(
        FIT, label="Other aspect", group=_SIZE,
        help="For width and height of another aspect: fit stays inside, crop cuts the rest off, pad mirrors edges.",
        choices=(FIT, CROP, PAD),
    )  # fmt: skip
    method: str = control(
        AUTO, label="Method",
        help="hires redraws the whole frame, tiled in tiles; auto takes the frame as long as the model carries it.",
        choices=(AUTO, HIRES, TILED, MODEL_ONLY),
    )  # fmt: skip
    upscaler_blend: float = control(
        0.9, label="Upscaler blend",
        help="How much of the model's picture is used; the rest is Lanczos, with its skin.",
        minimum=0.0, maximum=1.0, step=0.05, before={1: {"": 0.8}},
    )  # fmt: skip
    fidelity: float = control(
        0.5, label="Fidelity to the draft",
        help="Keeps the draft's structure and colours under the model's detail; 0 takes the model's as they are.",
        minimum=0.0, maximum=1.0, step=0.05, families={EMBEDDED: 0.75}, before={1: {"": 0.0, EMBEDDED: 0.0}},
    )  # fmt: skip
    denoising_strength: float = control(
        0.3, label="Denoising strength", prominent=True,
        help="0.2–0.3 minimal, 0.3–0.45 sweet spot, 0.45–0.6 reinterprets, above regenerates.",
        bands=((0.0, "no redraw"), (0.3, "minimal"), (0.45, "sweet spot"), (0.6, "reinterprets"), (1.0, "regenerates")),
        minimum=0.0, maximum=1.0, step=0.01, families=strengths(flow=0.25, embedded=0.0),
        before={1: {EMBEDDED: 0.15}},
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", help="How firmly each tile keeps the colours of the enlarged picture.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    by_findings: bool = control(
        False, label="Prompts by findings", group=PROMPTS,
        help="A tile with a finding of detail gets the prompt of that; the others the one below.",
    )  # fmt: skip
    empty_prompt: str = control(
        "", empty="as the others", label="Prompt without findings", group=PROMPTS,
        help="For tiles in which detail found nothing: sky instead of a second head. Empty: as the others.",
    )  # fmt: skip
    skip_flat: bool = control(
        True, label="Leave flat tiles", group=TILES,
        help="Tiles without detail, sky or a backdrop, keep what the upscaler made of them.",
    )  # fmt: skip

    @property
    def redraws(self) -> bool:
        """Whether anything is sampled after the enlargement."""
        return self.method != MODEL_ONLY and self.denoising_strength > 0


@dataclass(frozen=True)
class UpscaleSettings:
    """Up to four enlargements in turn."""

    enabled: bool = control(True, label="Enable", help="Enlarge the picture.")
    passes: tuple[UpscalePass, ...] = passes(
        UpscalePass, (UpscalePass(),), label="Passes", help="Enlargements in turn.", most=_MOST_PASSES
    )


def scaled_to(settings: UpscaleSettings, factor: float) -> UpscaleSettings:
    """The settings with a total enlargement of `factor`: what the earlier passes leave over goes to the last one.

    Raises SettingsError where the earlier passes alone enlarge more, or to a size instead of by a factor.
    """
    if any(one.target != FACTOR for one in settings.passes[:-1]):
        raise SettingsError(["upscale: passes before the last have a size as their target, so no total factor fits."])
    before = math.prod(one.factor for one in settings.passes[:-1])
    if before > factor:
        raise SettingsError([f"upscale: the passes before the last enlarge {before:g} times already, over {factor:g}."])
    last = replace(settings.passes[-1], target=FACTOR, factor=factor / before)
    return replace(settings, enabled=True, passes=(*settings.passes[:-1], last))
