"""The settings of the texture stage: the lift, a model's skin grain, and up to two texture redraws."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control, passes
from lib_finisher.stages.diffusion_settings import EMBEDDED, strengths
from lib_finisher.stages.places import EVERYWHERE, PLACES, KeepDetail
from lib_finisher.stages.tiled import TILES, Tiled

AS_STAGE = "as the stage"
_MOST_PASSES = 2

_MODEL, _WHERE, _KEEP = "Model", "Where", "Detail transfer"


@dataclass(frozen=True)
class TextureRedraw(Tiled):
    """One gentle redraw of the picture at its size, whole or in tiles."""

    active: bool = control(
        False, label="Redraw", prominent=True, help="Draws texture anew, whole or in tiles, before the rest."
    )
    denoising_strength: float = control(
        0.2, label="Denoising strength",
        help="0.1 to 0.25 draws texture and keeps what is there; higher draws other things.",
        minimum=0.0, maximum=1.0, step=0.01, families=strengths(flow=0.15, embedded=0.1),
    )  # fmt: skip
    region: str = control(
        AS_STAGE, label="Redrawn region", help="Tiles that touch none of it are not sampled.",
        choices=(AS_STAGE, *PLACES),
    )  # fmt: skip
    skip_flat: bool = control(
        True, label="Leave flat tiles", group=TILES,
        help="Tiles without detail, sky or a backdrop, stay; not where the region is limited.",
    )  # fmt: skip
    colour_lock: float = control(
        1.0, label="Colour lock", help="How firmly each tile keeps the colours of the picture.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip

    @property
    def redraws(self) -> bool:
        """Whether anything is sampled."""
        return self.active and self.denoising_strength > 0

    def where(self, stage: str) -> str:
        """Where it redraws, under the stage's own choice."""
        return stage if self.region == AS_STAGE else self.region


@dataclass(frozen=True)
class TextureSettings:
    """Redraws first, then a model's grain, then the lift."""

    enabled: bool = control(
        False, label="Enable", help="Lift fine skin and fabric texture, or add to it.", before={1: {"": True}}
    )
    strength: float = control(
        0.4, label="Strength", prominent=True, help="How much fine texture is lifted; above 1 it looks sharpened.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    radius: float = control(
        2.0, label="Radius", prominent=True, help="How fine the texture is that is lifted, in pixels.",
        minimum=1.0, maximum=8.0, step=0.5,
    )  # fmt: skip
    where: str = control(
        EVERYWHERE, label="Where", prominent=True, group=_WHERE,
        help="Everywhere, or only on skin, persons or faces, as detectors find them.", choices=PLACES,
    )  # fmt: skip
    keep_detail: float = control(
        0.5, label="Keep the draft's detail", group=_KEEP,
        help="Texture that a redraw or an upscaler smooths comes back, with Enable off too; 0 is off, 1 all of it.",
        minimum=0.0, maximum=1.0, step=0.05, families={EMBEDDED: 1.0}, before={1: {"": 0.0, EMBEDDED: 0.0}},
    )  # fmt: skip
    detector: str = control(
        "", empty="faces only", several=True, label="Person detectors", group=_WHERE,
        help="Finding persons beside faces, separated by commas; segmentation is best. Empty: faces only.",
    )  # fmt: skip
    upscaler: str = control(
        "", empty="none", label="1x model", group=_MODEL,
        help="Adds the detail of a model such as SkinDiffDetail; auto takes a 1x one, empty is off.",
    )  # fmt: skip
    model_blend: float = control(
        0.25, label="Model blend", group=_MODEL, help="How much of the model's detail is added; its colours never are.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    passes: tuple[TextureRedraw, ...] = passes(
        TextureRedraw, (TextureRedraw(),), label="Passes", help="Texture redraws in turn.", most=_MOST_PASSES
    )

    @property
    def kept(self) -> KeepDetail:
        """How much of the picture's fine detail the whole run keeps."""
        return KeepDetail(self.keep_detail, self.where, self.detector)

    @property
    def models(self) -> bool:
        """Whether a model's detail is added."""
        return bool(self.upscaler.strip()) and self.model_blend > 0

    @property
    def places(self) -> tuple[str, ...]:
        """All choices of where that matter."""
        own = [self.where] if self.models or self.strength > 0 else []
        return tuple(dict.fromkeys([*own, *(one.where(self.where) for one in self.passes if one.redraws)]))
