"""The presets that come with Finisher: one for few-step models, used by itself, the quick choices, one for each use.

What they leave out is what the model's family starts from; those for a use say which stages they switch on. Strengths
are stated only where they are the point, so that rectified-flow families and the embedded engine keep their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lib_finisher.presets.matching import Entry
from lib_finisher.presets.preset import Fragment, Match, Preset
from lib_finisher.presets.quick import QUICK
from lib_finisher.presets.resolve import FLOW
from lib_finisher.stages.diffusion_settings import EMBEDDED
from lib_finisher.variants import FEW_STEP

_FACE, _SURE_FACE, _HAND = "face_yolov8n.pt", "face_yolov9c.pt", "hand_yolov8n.pt"
_PHOTO, _DRAWN, _SHARP, _ANY = "4x-UltraSharp", "R-ESRGAN 4x+ Anime6B", "4x-AnimeSharp", "auto"

INSTEAD: Mapping[str, tuple[str, ...]] = {
    _PHOTO: ("R-ESRGAN 4x+", "SwinIR 4x", "4x_foolhardy_Remacri", _ANY),
    _DRAWN: (_SHARP, "R-ESRGAN 4x+", _ANY),
    _SURE_FACE: ("face_yolov8m.pt", "face_yolov8s.pt", _FACE, "face_yunet"),
    _FACE: ("face_yolov8s.pt", "face_yunet"),
    _HAND: ("hand_yolov8s.pt", "hand_yolov9c.pt", "mediapipe_hands"),
}
"""What takes the place of a model that is not here, best first."""

_STRENGTH = "denoising_strength"
_MOST: Mapping[str, Mapping[str, float]] = {
    FLOW: {"refine": 0.45, "detail": 0.35, "upscale": 0.3},
    EMBEDDED: {"refine": 0.05, "detail": 0.1, "upscale": 0.0},
}
_OFF: Mapping[str, Any] = {"enabled": False}
_USED = ("refine", "detail", "upscale", "texture", "grade")


def _face(detector: str = _FACE, **more: Any) -> dict[str, Any]:
    return {"detector": detector, **more}


def _hands(**more: Any) -> dict[str, Any]:
    return {"detector": _HAND, "denoising_strength": 0.45, **more}


def _use(
    name: str,
    about: str,
    recipe: Fragment,
    *,
    detail: Sequence[Mapping[str, Any]] = (),
    families: Mapping[str, Fragment] | None = None,
    notes: str = "",
) -> Preset:
    """A preset for a use; `detail` are its passes. Flow models and the embedded engine get weaker strengths.

    The stages of most uses are switched on, unless the recipe says otherwise.
    """
    passes = [dict(item) for item in detail]
    whole: dict[str, Any] = {**recipe, **{stage: {"enabled": True, **recipe.get(stage, {})} for stage in _USED}}
    if passes:
        whole["detail"]["passes"] = passes
    special = {key: dict(value) for key, value in (families or {}).items()}
    for family, most in _MOST.items():
        weaker = {section: told for section in most if (told := _capped(whole.get(section, {}), most[section]))}
        if weaker:
            special[family] = {**weaker, **special.get(family, {})}
    named = set(_texts_in([whole, special]))
    return Preset(
        name=name, about=about, notes=notes, author="Finisher", recipe=whole, families=special,
        instead={key: value for key, value in INSTEAD.items() if key in named},
    )  # fmt: skip


def _capped(controls: Mapping[str, Any], most: float) -> dict[str, Any]:
    """What of a stage's controls is too strong, made as strong as may be; a list of passes as a whole."""
    told: dict[str, Any] = {}
    if controls.get(_STRENGTH, 0.0) > most:
        told[_STRENGTH] = most
    passes = controls.get("passes", [])
    if any(item.get(_STRENGTH, 0.0) > most for item in passes):
        told["passes"] = [
            {**item, _STRENGTH: min(item[_STRENGTH], most)} if _STRENGTH in item else item for item in passes
        ]
    return told


def _texts_in(data: Any) -> list[str]:
    if isinstance(data, Mapping):
        return [text for value in data.values() for text in _texts_in(value)]
    if isinstance(data, list):
        return [text for value in data for text in _texts_in(value)]
    return [data] if isinstance(data, str) else []


_TO_4K: Mapping[str, Any] = {"target": "long side", "side": 3840, "method": "tiled"}
_STEADY_FACE = _face(likeness=0.3, gate=0.1)

PRESETS: tuple[Preset, ...] = (
    Preset(
        name="Few-step models",
        about="Turbo, lightning, hyper, LCM and DMD models: their few base steps leave a gentle redraw two or three.",
        notes="At strength 0.35, 6 base steps sample 3 and 12 sample 5. CFG and sampler stay those of the base.",
        author="Finisher",
        recipe={
            "refine": {"steps": 12},
            "detail": {"every": {"steps": 12}},
            "upscale": {"every": {"steps": 12}},
        },
        match=Match(variants=(FEW_STEP,)),
    ),
    *QUICK,
    _use(
        "Portrait",
        "One or two people close up in a photographic style: face and hands redrawn, skin kept natural.",
        {
            "upscale": {"passes": [{"upscaler": _PHOTO, "upscaler_blend": 0.7}]},
        },
        detail=[_face(_SURE_FACE), _hands()],
    ),
    _use(
        "Consistent character",
        "The same person over many pictures: nothing is redrawn so far that the face becomes another one.",
        {
            "refine": {"denoising_strength": 0.25, "colour_lock": 0.5},
            "upscale": {"passes": [{"upscaler": _PHOTO, "denoising_strength": 0.2}]},
        },
        detail=[{**_STEADY_FACE, "denoising_strength": 0.3, "likeness": 0.5}],
        notes="A LoRA of the character belongs into the base prompt; every redraw carries it.",
    ),
    _use(
        "Anime illustration",
        "Drawings with clean lines and flat colours: an upscaler for drawings, no skin texture, no film grain.",
        {
            "upscale": {"passes": [{"upscaler": _DRAWN, "upscaler_blend": 1.0, "denoising_strength": 0.35}]},
            "texture": _OFF,
            "grade": {"grain": 0, "saturation": 0.1},
        },
        detail=[_face(), _hands()],
    ),
    _use(
        "Anime to realistic",
        "A drawing redrawn as a photograph by another checkpoint: choose that checkpoint in Refine first.",
        {
            "refine": {"denoising_strength": 0.5, "prompt": "[PROMPT], photograph, natural skin, soft light"},
            "upscale": {"passes": [{"upscaler": _PHOTO, "denoising_strength": 0.35}]},
            "texture": {"strength": 0.3},
        },
        detail=[_face(_SURE_FACE, denoising_strength=0.4)],
        notes="Set the same checkpoint in the passes of Detail and Upscale, or they draw with the one for anime again.",
    ),
    _use(
        "Group scene",
        "Many people, small faces: the surest detector, more strength for small faces and less for large ones.",
        {"upscale": {"passes": [{"upscaler": _PHOTO, "by_findings": True}]}},
        detail=[_face(_SURE_FACE, smallest=16, denoising_strength=0.35, denoising_by_size=True, turned=True)],
    ),
    _use(
        "Landscape",
        "Scenery and buildings without people: no faces are looked for, more detail from the tiles.",
        {
            "detail": _OFF,
            "upscale": {"passes": [{"upscaler": _PHOTO, "method": "tiled", "denoising_strength": 0.35}]},
            "texture": {"strength": 0.6},
        },
    ),
    _use(
        "Reframe",
        "More picture on two sides until it is 16:9; what was there is touched gently.",
        {"refine": _OFF, "extend": {"enabled": True, "aspect": "16:9"}},
        detail=[_face()],
        notes="For another format set the aspect in Extend: 4:5, 9:16, 2.39.",
    ),
    _use(
        "Product",
        "Things whose colours and shapes must stay: little strength, colours locked, no grain.",
        {
            "refine": {"denoising_strength": 0.2, "colour_lock": 1},
            "detail": _OFF,
            "upscale": {"passes": [{"upscaler": _PHOTO, "denoising_strength": 0.2}]},
            "texture": {"strength": 0.2},
            "grade": {"contrast": 0, "saturation": 0, "grain": 0},
        },
    ),
    _use(
        "Batch overnight",
        "A folder that nobody watches: moderate strengths, and a face that comes out less like itself is not used.",
        {
            "refine": {"denoising_strength": 0.25},
            "upscale": {"passes": [{"upscaler": _PHOTO, "denoising_strength": 0.25}]},
        },
        detail=[{**_STEADY_FACE, "denoising_strength": 0.3}],
    ),
    _use(
        "Low VRAM",
        "Graphics cards with 4 to 6 GB: small canvases for faces, tiles of 512 for SD 1 and 768 for SDXL.",
        {"upscale": {"passes": [{"method": "tiled", "tile": 768}]}},
        detail=[_face("face_yunet", width=768, height=768)],
        families={
            family: {
                "detail": {"passes": [_face("face_yunet", width=512, height=512)]},
                "upscale": {"passes": [{"method": "tiled", "tile": 512}]},
            }
            for family in ("sd1", EMBEDDED)
        },
        notes="Each tile is one call, so this is slower on a card that has room for more.",
    ),
    _use(
        "Colour mood",
        "One light and one mood over the whole picture: a gentle pass with colour words, everything else as usual.",
        {"grade": {"colour_pass": 0.2, "colour_words": "soft warm light, muted shadows"}},
        detail=[_face()],
        notes="Say your own mood in Grade's colour words. 0.15 to 0.25; above that things change, not only colours.",
    ),
    _use(
        "4K print",
        "For paper or a large screen: twice the size first, then 3840 pixels on the long side in gentle tiles.",
        {
            "upscale": {
                "passes": [
                    {"upscaler": _PHOTO},
                    {**_TO_4K, "upscaler": _PHOTO, "denoising_strength": 0.2},
                ]
            },
            "texture": {"strength": 0.5},
            "grade": {"grain": 0.05},
        },
        detail=[_face(_SURE_FACE), _hands()],
    ),
)

BUILT_IN: tuple[Entry, ...] = tuple(Entry(preset, built_in=True) for preset in PRESETS)
