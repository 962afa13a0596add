"""What the name of an upscaler model tells: its scale, and what it was made for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lib_finisher.hosts.port import UpscalerFacts
from lib_finisher.imaging.content import ANIME, GENERAL, PHOTOGRAPH, Content

_SCALE = re.compile(r"(?:^|[^0-9a-z])([1-8])x|x([1-8])(?![0-9])", flags=re.IGNORECASE)

# The first that is found in a name counts. Where each is from stands in docs/upscaling.md.
_MADE_FOR = (
    (
        ANIME,
        r"anim(?!al)|manga|waifu|cugan|janai|cartoon|toon|comic|line.?art|illustration|hfa2k|fatality|digital.?art",
    ),
    (PHOTOGRAPH, r"photo|realistic|real.?web|nomos|lsdir|siax|skin|face|clear.?reality|ffhq|film|degif"),
    (
        GENERAL,
        r"ultra.?sharp|remacri|superscale|real.?esr|r-esrgan|esrgan|bsrgan|swin.?ir|scunet|\b[dh]at(?![a-z])|ldsr",
    ),
)
_NEXT_BEST = {
    ANIME: (ANIME, GENERAL, "", PHOTOGRAPH),
    PHOTOGRAPH: (PHOTOGRAPH, GENERAL, "", ANIME),
    GENERAL: (GENERAL, "", PHOTOGRAPH, ANIME),
}
_SHOWN = {ANIME: "drawings", PHOTOGRAPH: "photographs"}
_LOOKS = {ANIME: "a drawing", PHOTOGRAPH: "a photograph"}


def scale_told(name: str) -> int | None:
    """The scale that a model's name tells by custom ("4x-UltraSharp", "RealESRGAN_x2plus"), or None.

    A guess, for models whose file cannot be asked.
    """
    found = _SCALE.search(name)
    if found:
        return int(next(group for group in found.groups() if group))
    # A denoiser, which the web UIs list as a 4x model.
    return 1 if "scunet" in name.lower() else None


def made_for(name: str) -> str:
    """What a model of that name was made for: "anime", "photograph", "general", or "" where the name says nothing."""
    for kind, pattern in _MADE_FOR:
        if re.search(pattern, name, flags=re.IGNORECASE):
            return kind
    return ""


def best_for(content: Content, there: Sequence[UpscalerFacts]) -> UpscalerFacts | None:
    """The enlarging model that suits the picture best, the first of several; None where there is none."""
    order = _NEXT_BEST[content.kind]
    return min(
        (item for item in there if item.scale > 1 and not item.problem),
        key=lambda item: order.index(made_for(item.name)),
        default=None,
    )


def misfit(name: str, content: Content, there: Sequence[UpscalerFacts]) -> str:
    """Why the model that was chosen may not suit the picture, in a sentence; empty where nothing speaks against it."""
    kind = made_for(name)
    if GENERAL in (kind, content.kind) or kind in ("", content.kind):
        return ""
    told = f"{name} is for {_SHOWN[kind]}; this looks like {_LOOKS[content.kind]}"
    better = best_for(content, there)
    fits = better is not None and made_for(better.name) in (content.kind, GENERAL)
    return f"{told}, for which {better.name} is here" if better is not None and fits else told
