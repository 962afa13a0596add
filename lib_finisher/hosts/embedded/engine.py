"""The embedded engine behind the port."""

from __future__ import annotations

from pathlib import Path

from lib_finisher.hosts.embedded.denoiser import Denoiser
from lib_finisher.hosts.embedded.sampler import EULER, EULER_A, SAMPLERS, Trajectory, start_angle
from lib_finisher.hosts.embedded.upscalers import UpscalerFolder
from lib_finisher.hosts.port import (
    Array,
    Batch,
    BatchWatch,
    Capabilities,
    HostError,
    ModelFacts,
    NetworkFacts,
    Sampling,
    UpscalerFacts,
    Watch,
)

_NATIVE_SIDE = 512
_VERSION = 2

CAPABILITIES = Capabilities(
    engine="embedded denoiser (pixel-space diffusion, no prompts; not Stable Diffusion)",
    batch_pixels=8 * _NATIVE_SIDE * _NATIVE_SIDE,
    most_elements=8,
    canvas_multiple=8,
    smallest_side=64,
    samplers=SAMPLERS,
    schedulers=(),
    noise_samplers=frozenset(SAMPLERS),
    prompts=False,
    extras=frozenset({"noise_multiplier", "differential"}),
    differential_samplers=frozenset(SAMPLERS),
    # Measured on one core of a CPU with RealESR_Gx4.
    upscaler_weight=110.0,
)


class EmbeddedHost:
    """Diffusion with the denoiser that comes with Finisher, on the CPU. `models` is a folder of upscaler files; `known`
    is where what they say about themselves is kept, None for nowhere."""

    def __init__(self, models: Path | None = None, known: Path | None = None) -> None:
        self._denoiser = Denoiser()
        self._upscalers = UpscalerFolder(models, known)

    @property
    def capabilities(self) -> Capabilities:
        """See `Host.capabilities`."""
        return CAPABILITIES

    @property
    def identity(self) -> str:
        """See `Host.identity`."""
        return f"embedded/{_VERSION}/{self._denoiser.identity}"

    def remarks(self) -> tuple[str, ...]:
        """What this engine does without, for people."""
        files, missing = self._upscalers.files(), self._upscalers.missing_packages()
        if not files:
            return ("no upscaler model is present, so Lanczos enlarges",)
        if missing:
            return (f"upscaler models are present but not {' and '.join(missing)}, so Lanczos enlarges",)
        return ()

    def model(self, checkpoint: str = "") -> ModelFacts:
        """See `Host.model`; there is only the one model."""
        if checkpoint:
            raise HostError(f"The embedded engine has one model and cannot run the checkpoint {checkpoint!r}.")
        return ModelFacts("embedded denoiser", "embedded", _NATIVE_SIDE)

    def networks(self, prompt: str) -> tuple[NetworkFacts, ...]:
        """See `Host.networks`; prompts mean nothing here."""
        return ()

    def sampled_steps(self, sampling: Sampling) -> int:
        """See `Host.sampled_steps`: as the web UIs count, steps times strength and one more, all at full strength."""
        if sampling.denoising_strength <= 0:
            return 0
        return min(sampling.steps, int(sampling.steps * sampling.denoising_strength) + 1)

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        """See `Host.redraw`. Elements do not see each other: a batch gives the same bits as its parts."""
        sampling = batch.sampling
        self.model(sampling.checkpoint)
        for name, kind in ((sampling.vae, "VAE"), (sampling.scheduler, "scheduler")):
            if name:
                raise HostError(f"The embedded engine works on pixels with one schedule; it has no {kind} {name!r}.")
        sampler = sampling.sampler or EULER
        if sampler not in SAMPLERS:
            raise HostError(f"The embedded engine has no sampler {sampler!r}; it has {', '.join(SAMPLERS)}.")
        count = self.sampled_steps(sampling)
        if count == 0:
            return [element.pixels.copy() for element in batch.elements]
        begin = start_angle(sampling.denoising_strength)
        angles = [begin * (1.0 - number / count) for number in range(count + 1)]
        running = [Trajectory.begin(element, begin, sampling.noise_multiplier) for element in batch.elements]
        for number in range(count):
            share = number / count if sampling.differential else None
            for one in running:
                one.step(self._denoiser.clean, angles[number], angles[number + 1], sampler == EULER_A, share)
            watch.step(number + 1, count)
        return [one.picture() for one in running]

    def upscalers(self) -> tuple[UpscalerFacts, ...]:
        """See `Host.upscalers`."""
        return self._upscalers.facts()

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        """See `Host.upscale`."""
        return self._upscalers.upscale(name, pixels, watch)

    def face_restorers(self) -> tuple[str, ...]:
        """See `Host.face_restorers`; there are none."""
        return ()

    def restore_faces(self, name: str, pixels: Array, watch: Watch) -> Array:
        """See `Host.restore_faces`."""
        raise HostError(f"The embedded engine has no face restoration model, so not {name!r} either.")

    def free_memory(self) -> None:
        """See `Host.free_memory`; nothing is cached."""
