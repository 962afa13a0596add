"""The settings of a pass that goes over a whole picture in tiles."""

from __future__ import annotations

from dataclasses import dataclass

from lib_finisher.controls import control
from lib_finisher.stages.diffusion_settings import Diffusion

TILES = "Tiles"
_MOST_TILES_ACROSS = 64


@dataclass(frozen=True)
class Tiled(Diffusion):
    """How the picture is divided; zeros follow from the model and the strength."""

    tile: int = control(
        0, empty="as the model", label="Tile size", group=TILES,
        help="About how long a tile's sides are, in pixels; 0 is the model's native size.",
        minimum=0, maximum=2048, step=64,
    )  # fmt: skip
    overlap: int = control(
        0, empty="by strength", label="Tile overlap", group=TILES,
        help="Least pixels that neighbouring tiles share; 0 grows with the denoising strength.",
        minimum=0, maximum=512, step=8,
    )  # fmt: skip
    columns: int = control(
        0, empty="by size", label="Tile columns", group=TILES, help="Tiles side by side; 0 follows from the tile size.",
        minimum=0, maximum=_MOST_TILES_ACROSS, step=1,
    )  # fmt: skip
    rows: int = control(
        0, empty="by size", label="Tile rows", group=TILES,
        help="Tiles one below the other; 0 follows from the tile size.",
        minimum=0, maximum=_MOST_TILES_ACROSS, step=1,
    )  # fmt: skip

    @property
    def tiles_by_hand(self) -> bool:
        """Whether the tiles are asked for by size or by number."""
        return bool(self.tile or self.columns or self.rows)
