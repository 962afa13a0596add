"""The port: all that Finisher asks of an engine, and what an engine declares about itself.

The core knows nothing else of a host. A front picks an engine and hands it in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class HostError(RuntimeError):
    """The engine could not do what was asked. The message says why and what to do next."""


class OutOfMemory(HostError):
    """The device had too little memory for this batch; a smaller one may fit."""


class NoRoomForModel(HostError):
    """The device had too little memory for the model that a batch needs; without what else is there it may have. Raised
    once a model: the second time it is a HostError of another kind."""


class Interrupted(Exception):
    """The user pressed Interrupt. Nothing of the running batch is to be used."""


class Skipped(Exception):
    """The user pressed Skip. The running stage is to be left out."""


class Watch(Protocol):
    """What an engine calls while it works."""

    def step(self, number: int, total: int) -> None:
        """After each sampler step, counted from 1. Raises Interrupted or Skipped when the user said so."""


class BatchWatch(Watch, Protocol):
    """What an engine calls while it redraws a batch."""

    def expanded(self, number: int, prompt: str, negative_prompt: str) -> None:
        """What became of the prompts of an element, counted from 0, where wildcards or scripts changed them."""


class NoiseSource(Protocol):
    """The noise of one element of a batch, cut from the field that belongs to its picture and stage."""

    def draw(self, index: int, channels: int, height: int, width: int, scale: int) -> Array:
        """The `index`-th noise map, shape (channels, height, width), standard normal; a fresh copy at every call.

        `scale` is how many picture pixels one cell of the map stands for on each axis (8 for most VAEs, 1 in pixels).
        """


@dataclass(frozen=True)
class Sampling:
    """How a batch is sampled. Empty texts and zeros mean what the base picture used; for eta, -1 does.

    `noise_multiplier` scales the noise that sampling begins with (0.5..1.5). With `differential`, a mask says when a
    cell joins in rather than how much it changes: after the share 1 - m of the steps, and then wholly (Levin and Fried
    2023, differential diffusion). With `latent_upscale`, one of `Capabilities.latent_upscalers`, elements are encoded
    at their own size and enlarged to their canvas as latents.
    """

    denoising_strength: float
    steps: int
    cfg_scale: float = 0.0
    sampler: str = ""
    scheduler: str = ""
    checkpoint: str = ""
    vae: str = ""
    text_encoders: str = ""
    clip_skip: int = 0
    distilled_cfg_scale: float = 0.0
    eta: float = -1.0
    s_noise: float = 0.0
    noise_multiplier: float = 1.0
    differential: bool = False
    latent_upscale: str = ""

    def extras(self) -> tuple[str, ...]:
        """The special settings that are used, those that not every engine has."""
        return tuple(name for name, plain in _EXTRAS.items() if getattr(self, name) != plain)

    def without(self, extras: Iterable[str]) -> Sampling:
        """The same with those special settings left to the base."""
        return replace(self, **{name: _EXTRAS[name] for name in extras})


_EXTRAS: Mapping[str, Any] = {
    "text_encoders": "", "clip_skip": 0, "distilled_cfg_scale": 0.0, "eta": -1.0, "s_noise": 0.0,
    "noise_multiplier": 1.0, "differential": False, "latent_upscale": "",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Element:
    """One crop of a batch: `pixels` (height, width, 3), 0..1; `mask` (height, width), 0..1, or None for everywhere.

    `canvas` is the (height, width) of the result and of the mask where the pixels are smaller (`latent_upscale`).
    """

    pixels: Array
    mask: Array | None
    prompt: str
    negative_prompt: str
    seed: int
    noise: NoiseSource
    canvas: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of one size, sampled together with the same settings."""

    sampling: Sampling
    elements: tuple[Element, ...]


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do. Sizes in pixels.

    `noise_samplers` are the samplers whose every random draw comes from the noise source; a result drawn with another
    sampler may depend on the batch and may show seams. `batch_pixels` is how much may be tried in one batch before
    anything is known about this device. `extras` are the special settings (see `Sampling.extras`) that it honours; the
    others are left out, and the report says so. `differential_samplers` are those that can have differential masks;
    with the others such a mask is blended. `upscaler_weight` is how many sampled megapixel-steps take as long as an
    upscaler model takes for a megapixel of what it is given, as far as that can be said before one has run here.
    """

    engine: str
    batch_pixels: int
    most_elements: int
    canvas_multiple: int
    smallest_side: int
    samplers: tuple[str, ...]
    schedulers: tuple[str, ...]
    noise_samplers: frozenset[str]
    prompts: bool
    extras: frozenset[str] = frozenset()
    differential_samplers: frozenset[str] = frozenset()
    latent_upscalers: tuple[str, ...] = ()
    upscaler_weight: float = 2.0


@dataclass(frozen=True)
class ModelFacts:
    """The checkpoint that runs: its name, its family's id and the side of the square it was trained on, in pixels.

    `variant` is what it is within its family ("refiner", "inpainting"), "" where there is nothing to say.
    """

    name: str
    family: str
    native_side: int
    variant: str = ""


@dataclass(frozen=True)
class NetworkFacts:
    """A LoRA or an embedding: its name in prompts, its kind for people, and the id of the family it was made for, ""
    where that cannot be told."""

    name: str
    kind: str
    family: str


@dataclass(frozen=True)
class UpscalerFacts:
    """An upscaler the engine has: `scale` is what the model does by itself; `identity` changes when its file does.

    `problem` says why it cannot enlarge a picture, "" where it can; what has one is never chosen by itself.
    """

    name: str
    scale: int
    identity: str
    problem: str = ""


class Host(Protocol):
    """An engine."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""

    @property
    def identity(self) -> str:
        """A short text that changes whenever the same request could give another result."""

    def model(self, checkpoint: str = "") -> ModelFacts:
        """The named checkpoint, or the current one. Raises HostError where there is none of that name."""

    def networks(self, prompt: str) -> tuple[NetworkFacts, ...]:
        """The LoRA and embeddings that a prompt names and the engine has, without loading one."""

    def sampled_steps(self, sampling: Sampling) -> int:
        """How often the model is evaluated for each element of such a batch."""

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        """The crops, redrawn, in the same order and size.

        Raises OutOfMemory, HostError, and what `watch` raises; after any of these no result counts.
        """

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        """The upscaler models at hand, as their files say."""

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        """`pixels` enlarged by the model's own scale. Raises like `redraw`."""

    def face_restorers(self) -> tuple[str, ...]:
        """The face restoration models at hand (GFPGAN, CodeFormer), without loading one."""

    def restore_faces(self, name: str, pixels: Array, watch: Watch) -> Array:
        """`pixels` at its size with its faces restored by the named model. Raises like `redraw`."""

    def free_memory(self) -> None:
        """Give back whatever device memory is only cached."""
