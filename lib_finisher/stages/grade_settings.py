"""The controls of grade."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.imaging.balance_methods import GREY_PIXELS, METHODS

_PASS, _BALANCE, _LIGHT, _COLOUR = "Colour pass", "White balance", "Light", "Colour"
_DETAIL, _GRAIN = "Detail", "Grain"


@dataclass(frozen=True)
class GradeSettings:
    """Colour, contrast and grain, in the order in which they are applied."""

    enabled: bool = control(
        False, label="Enable", help="Gentle colour and contrast, then grain.", before={1: {"": True}}
    )
    colour_pass: float = control(
        0.0, group=_PASS, label="Colour pass", minimum=0.0, maximum=0.5, step=0.01,
        help="Denoising strength of a redraw before the grade, 0.15 to 0.25; 0 leaves it out.",
        bands=((0.0, "off"), (0.14, "hardly to be seen"), (0.25, "colour and light"), (0.5, "redraws things too")),
    )  # fmt: skip
    colour_words: str = control(
        "", group=_PASS, label="Colour words", help="Added to the prompt of the colour pass, e.g. teal and orange."
    )
    white_balance: float = control(
        0.0, group=_BALANCE, label="White balance", minimum=0.0, maximum=1.0, step=0.05,
        help="How much of a colour cast is taken out; intended tints go too.",
    )  # fmt: skip
    balance_method: str = control(
        GREY_PIXELS, group=_BALANCE, label="White balance by", choices=METHODS,
        help="What tells the light: pixels that look grey in any light, or the picture's bright mean.",
    )  # fmt: skip
    exposure: float = control(
        0.0, group=_LIGHT, label="Exposure", help="In stops; what gets too bright is rounded off towards white.",
        minimum=-3.0, maximum=3.0, step=0.05,
    )  # fmt: skip
    black_point: float = control(
        0.0, group=_LIGHT, label="Black point", help="How much of the darkest becomes black; below 0 black is lifted.",
        minimum=-0.3, maximum=0.3, step=0.01,
    )  # fmt: skip
    white_point: float = control(
        0.0, group=_LIGHT, label="White point", help="How much of the lightest becomes white; below 0 white is dimmed.",
        minimum=-0.3, maximum=0.3, step=0.01,
    )  # fmt: skip
    highlights: float = control(
        0.0, group=_LIGHT, label="Highlights", help="Lighter or darker bright areas, their detail kept.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    shadows: float = control(
        0.0, group=_LIGHT, label="Shadows", help="Lighter or darker dark areas, their detail kept.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    contrast: float = control(
        0.1, group=_LIGHT, label="Contrast", prominent=True,
        help="An S-curve on the lightness; negative flattens.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    local_contrast: float = control(
        0.0, group=_LIGHT, label="Local contrast", help="Contrast within areas, without haloes; negative smooths.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    curves: str = control(
        "", group=_LIGHT, label="Curves",
        help='Points of the lightness, 0 to 255: "0,0; 64,58; 255,255"; channels after a bar: "| r: 0,0; 255,250".',
    )  # fmt: skip
    saturation: float = control(
        0.05, group=_COLOUR, label="Saturation", help="More or less colour; strong colours are spared.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    vibrance: float = control(
        0.0, group=_COLOUR, label="Vibrance", help="More or less colour where it is pale; skin is half spared.",
        minimum=-1.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    colour_match: float = control(
        0.0, group=_COLOUR, label="Colour match", help="How much the colours follow those of another picture.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    match_reference: str = control(
        "",
        empty="the base picture",
        group=_COLOUR,
        label="Colours of",
        help="A reference picture's file name; empty: the base picture.",
    )
    lut: str = control("", empty="none", group=_COLOUR, label="LUT", help="A .cube file or HaldCLUT; empty uses none.")
    lut_strength: float = control(
        1.0, group=_COLOUR, label="LUT strength", help="How much of the LUT is mixed in.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    sharpening: float = control(
        0.0, group=_DETAIL, label="Sharpening", help="How much edges and detail are sharpened; 0 leaves it out.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    sharpening_radius: float = control(
        1.0, group=_DETAIL, label="Sharpening radius", help="How fine the detail is that is sharpened, in pixels.",
        minimum=0.5, maximum=4.0, step=0.1,
    )  # fmt: skip
    sharpening_halo: float = control(
        0.1, group=_DETAIL, label="Sharpening halo", minimum=0.0, maximum=1.0, step=0.05,
        help="How far edges may overshoot, as a share of their contrast; 0 draws no halo at all.",
    )  # fmt: skip
    sharpening_threshold: float = control(
        1.0, group=_DETAIL, label="Sharpening threshold", help="Detail fainter than this is noise, in levels of 255.",
        minimum=0.0, maximum=10.0, step=0.5,
    )  # fmt: skip
    grain: float = control(
        0.1, group=_GRAIN, label="Grain", prominent=True, help="Film grain, strongest in the mid-tones.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip
    grain_size: float = control(
        1.2, group=_GRAIN, label="Grain size", help="Diameter of a grain in pixels.", minimum=1.0, maximum=4.0, step=0.1
    )
    grain_scaled: bool = control(
        False, group=_GRAIN, label="Grain size follows the picture",
        help="The grain size counts for a picture of 1024 by 1024 pixels and grows with it.",
    )  # fmt: skip
    grain_colour: float = control(
        0.0, group=_GRAIN, label="Grain colour", help="0 is grey grain, 1 grain of all colours.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    grain_shadows: float = control(
        0.35, group=_GRAIN, label="Grain in shadows", help="What is left of the grain in black.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    grain_highlights: float = control(
        0.35, group=_GRAIN, label="Grain in highlights", help="What is left of the grain in white.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
