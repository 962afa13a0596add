"""A patch, and a picture's request to have some redrawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from lib_finisher.hosts.port import Sampling
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.detail_transfer import Transferred
from lib_finisher.imaging.geometry import Box, Size
from lib_finisher.redraw.noise import FieldCrop, NoiseField

Weight = Callable[[], Mask]
"""Makes the array (box height, box width), 0..1, that says how much of the redraw lands in the picture."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A box of the picture and how it is to be redrawn.

    `canvas` is the size at which it is sampled; `mask` (box height, box width) limits where the sampler may change
    anything, None meaning everywhere. `about` is the region that it was made for, which a gate may want to know.
    Where canvas and box have one size, the noise is cut from the picture's field. For the sampling the canvas is turned
    counter-clockwise by `turn` quarters, so that a face on its side or on its head stands upright for the model.
    `another` is added to the seed of the picture's field, so that a patch at the picture's own resolution can be tried
    again; `seed` has it already.
    """

    box: Box
    canvas: Size
    weight: Weight
    denoising_strength: float
    mask: Mask | None = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    label: str = ""
    about: Box | None = None
    turn: int = 0
    another: int = 0

    @property
    def sampled(self) -> Size:
        """The size at which the engine gets it: the canvas, turned."""
        return Size(self.canvas.height, self.canvas.width) if self.turn % 2 else self.canvas

    @property
    def unscaled(self) -> bool:
        """Whether it is sampled at the picture's own resolution."""
        return self.canvas == self.box.size

    def noise(self, noise_field: NoiseField) -> FieldCrop:
        """The patch's part of the field, or a field of its own where it is sampled at another scale."""
        if self.unscaled:
            own = replace(noise_field, seed=noise_field.seed + self.another)
            return FieldCrop(own, self.box.top, self.box.left)
        salt = f"{noise_field.salt}/{self.box.left},{self.box.top},{self.canvas}"
        return FieldCrop(NoiseField(self.seed, salt))


@dataclass(frozen=True)
class ColourLock:
    """How the colours of a redraw are held to what was there: "tile" by its low frequencies, "ring" by what surrounds
    the mask, "off" not at all. `strength` is 0..1; 0 is off as well."""

    kind: str = "off"
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class DetailTransfer:
    """How the fine detail that a redraw smooths comes back: by `strength` (0..1), where `mask` (height, width; 0..1) is
    in the picture, None meaning everywhere.

    `noise` is that of the picture. Patches with a denoising strength above `most` are to look otherwise and get none.
    """

    strength: float
    noise: float = 0.0
    mask: Mask | None = None
    most: float = 1.0


Gate = Callable[[Patch, Pixels, Pixels], str]
"""Given a patch and its box before and after, why the redraw is refused; an empty text accepts it."""


Prepare = Callable[[Patch, Pixels], Pixels]
"""Given a patch and its crop at the box's size, the crop at the canvas's size, 0..1, in place of an interpolation."""

Polish = Callable[[Patch, Pixels], Pixels]
"""Given a patch and what was redrawn, at the canvas's size, the same improved."""


@dataclass(frozen=True, eq=False)
class Request:
    """Patches of one picture that are to be redrawn.

    `together` says that overlapping patches form one layout whose weights sum to one (tiles); otherwise patches that
    overlap are redrawn one after the other, each on what the earlier ones left. `limit` (height, width) is the user's
    mask in this picture, where the stage has moved it; None where it lies as it did before the stage. `replaces` says
    that what is there is filler or is to go, so that none of its detail may come back.
    """

    picture: Pixels
    patches: tuple[Patch, ...]
    sampling: Sampling
    noise_field: NoiseField
    colour_lock: ColourLock = ColourLock()
    gate: Gate | None = None
    together: bool = False
    prepare: Prepare | None = None
    polish: Polish | None = None
    limit: Mask | None = None
    replaces: bool = False
    detail_transfer: DetailTransfer | None = None


@dataclass(frozen=True)
class Refusal:
    """A redraw that was not used, and why: refused by a gate, or (`engine`) because the engine could not do it."""

    label: str
    reason: str
    engine: bool = False


@dataclass(frozen=True)
class Cost:
    """What a redraw took: patches sampled, calls of the engine, megapixels times model evaluations, and the seconds
    that the engine needed for them."""

    patches: int = 0
    host_calls: int = 0
    megapixel_steps: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.patches + other.patches,
            self.host_calls + other.host_calls,
            self.megapixel_steps + other.megapixel_steps,
            self.seconds + other.seconds,
        )


@dataclass(eq=False)
class Outcome:
    """What became of a request: the picture with every accepted redraw, and what it took.

    `redrawn` are the labels of the patches that were, each once however many pieces it took. `stopped` is "",
    "interrupted" or "skipped"; then the picture holds the patches finished before. `degraded` says that memory was
    short: another run may do better. `prompts` are those that wildcards were expanded in, by label. `transferred` is
    the fine detail that came back.
    """

    picture: Pixels
    cost: Cost = Cost()
    redrawn: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    recalled: int = 0
    transferred: Transferred = Transferred()
    degraded: bool = False
    stopped: str = ""

    @property
    def accepted(self) -> int:
        """How many patches were redrawn, as a whole or in pieces."""
        return len(self.redrawn)

    @property
    def failures(self) -> list[Refusal]:
        """What the engine could not do."""
        return [item for item in self.refusals if item.engine]


def everywhere(size: Size) -> Weight:
    """The weight 1 over a whole box."""
    return lambda: np.ones((size.height, size.width), dtype=np.float32)
