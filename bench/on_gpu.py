"""For the day a graphics card is at hand: ten minutes of the redraw act on networks of full size in half precision.

    python bench/on_gpu.py                    # on the card
    python bench/on_gpu.py --cpu              # a trial without one: small networks in single precision

Prints crops per second at batch 1, 2, 4 and 8 with the peak memory of each, what becomes of a tiled upscale when the
device really runs out of memory, and what becomes of the numbers that a half-precision VAE overflows to. The networks
have random weights, so nobody should look at the pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.full_layout import CELL, CONTEXT, LATENT, TOKENS, UNet, Vae
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.events import Control, Meter
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.hosts.port import Array, Batch, BatchWatch, Capabilities, Element, ModelFacts, OutOfMemory, Sampling
from lib_finisher.redraw.act import redraw
from lib_finisher.redraw.ladder import AreaBudget
from lib_finisher.redraw.noise import FieldCrop, NoiseField
from lib_finisher.stages.stage import Base, StageOutput, Tools, Work
from lib_finisher.stages.upscale import Upscale
from lib_finisher.stages.upscale_settings import FACTOR, TILED, UpscalePass, UpscaleSettings

_SCALE = 0.18215
_MEBIBYTE = 1 << 20


class FullSize(EmbeddedHost):
    """Euler steps with classifier-free guidance on networks of the full layout."""

    def __init__(self, device: str, width: float, dtype: torch.dtype, native: int, most: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.device, self.dtype, self.native, self.most = torch.device(device), dtype, native, most
        self.unet = UNet(width).to(self.device, dtype).eval()
        self.vae = Vae(width).to(self.device, dtype).eval()
        self.loudness = 1.0

    @property
    def capabilities(self) -> Capabilities:
        """Room for `most` crops of the native size, as far as is known beforehand."""
        area = self.most * self.native**2
        return replace(super().capabilities, batch_pixels=area, most_elements=self.most, canvas_multiple=8 * CELL)

    def model(self, checkpoint: str = "") -> ModelFacts:
        """Random weights."""
        return ModelFacts("random weights", "embedded", self.native)

    def redraw(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        """See `Host.redraw`."""
        try:
            with torch.inference_mode():
                return self._redrawn(batch, watch)
        except torch.cuda.OutOfMemoryError as error:
            raise OutOfMemory(str(error).splitlines()[0]) from error

    def free_memory(self) -> None:
        """See `Host.free_memory`."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _redrawn(self, batch: Batch, watch: BatchWatch) -> list[Array]:
        steps = self.sampled_steps(batch.sampling)
        pictures = np.stack([np.moveaxis(item.pixels, -1, 0) for item in batch.elements]) * 2 - 1
        latents = self.vae.encoder(torch.from_numpy(pictures).to(self.device, self.dtype)) * _SCALE
        height, width = latents.shape[-2:]
        drawn = np.stack([item.noise.draw(0, LATENT, height, width, CELL) for item in batch.elements])
        sigmas = torch.linspace(batch.sampling.denoising_strength, 0.0, steps + 1).tolist()
        x = latents + sigmas[0] * torch.from_numpy(drawn.astype(np.float32)).to(latents)
        context = torch.zeros(2 * len(batch.elements), TOKENS, CONTEXT).to(latents)
        for number, (sigma, following) in enumerate(pairwise(sigmas), 1):
            when = torch.full((2 * len(x),), 999.0 * sigma, device=self.device)
            with_prompt, without = self.unet(torch.cat([x, x]), when, context).chunk(2)
            x = x + (following - sigma) * (without + 7.0 * (with_prompt - without)).clamp(-3, 3)
            watch.step(number, steps)
        decoded = self.vae.decoder(self.loudness * x / _SCALE).float().cpu().numpy()
        return [np.clip(np.moveaxis(item, 0, -1) / 2 + 0.5, 0.0, 1.0).astype(np.float32) for item in decoded]


class _Silent:
    def step(self, number: int, total: int) -> None:
        pass

    def expanded(self, number: int, prompt: str, negative_prompt: str) -> None:
        pass


def speed(host: FullSize, side: int, steps: int) -> Iterator[dict[str, Any]]:
    """Crops a second and the peak of the device's memory at growing batches, until one does not fit."""
    chance = np.random.default_rng(0)
    for count in (1, 2, 4, 8):
        elements = tuple(
            Element(
                chance.random((side, side, 3), dtype=np.float32), None, "", "", number,
                FieldCrop(NoiseField(number, "bench"), 0, 0),
            )
            for number in range(count)
        )  # fmt: skip
        batch = Batch(Sampling(denoising_strength=1.0, steps=steps), elements)
        try:
            host.redraw(batch, _Silent())
            with _peak(host) as peak:
                began = time.perf_counter()
                host.redraw(batch, _Silent())
                seconds = time.perf_counter() - began
        except OutOfMemory as error:
            yield {"batch": count, "out of memory": str(error)}
            return
        yield {"batch": count, "crops a second": round(count / seconds, 3), "peak MiB": peak[0]}


def upscaled(host: FullSize, side: int) -> dict[str, Any]:
    """A tiled upscale to twice the side: what became of the tiles, and whether all of the picture is numbers."""
    ramp = np.linspace(0.1, 0.9, side, dtype=np.float32)
    pixels = np.stack([np.broadcast_to(ramp, (side, side)), np.broadcast_to(ramp[:, None], (side, side))], axis=-1)
    draft = np.ascontiguousarray(np.concatenate([pixels, pixels[..., :1]], axis=-1))
    one = UpscalePass(
        target=FACTOR, factor=2.0, method=TILED, tile=host.native, upscaler="Lanczos", denoising_strength=0.3,
        steps=8, skip_flat=False,
    )  # fmt: skip
    tools = Tools(host, Detectors().detect, Meter(Control()))
    with _peak(host) as peak:
        done = _run(Work(draft, Base(steps=8)), UpscaleSettings(passes=(one,)), tools, AreaBudget(host.capabilities))
    return {
        "size": list(done.pixels.shape[:2]),
        "numbers": bool(np.isfinite(done.pixels).all()),
        "notes": [*map(str, done.notes), *(f"{item.label}: {item.reason}" for item in done.refusals)],
        "peak MiB": peak[0],
    }


def _run(work: Work, settings: UpscaleSettings, tools: Tools, budget: AreaBudget) -> StageOutput:
    running = Upscale().run(work, settings, tools)
    request = next(running)
    while True:
        (outcome,) = redraw([request], tools.host, budget, Meter(Control()))
        try:
            request = running.send(outcome)
        except StopIteration as end:
            output: StageOutput = end.value
            return output


@contextmanager
def _peak(host: FullSize) -> Iterator[list[int | None]]:
    """The most memory that the device's allocator holds meanwhile, in MiB; None without a card."""
    told: list[int | None] = [None]
    if host.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    yield told
    if host.device.type == "cuda":
        torch.cuda.synchronize()
        told[0] = torch.cuda.max_memory_allocated() // _MEBIBYTE


def main() -> int:
    """Exit status 0 when the picture came through everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    host = FullSize("cpu", 0.1, torch.float32, 128) if options.cpu else FullSize("cuda", 1.0, torch.float16, 512)
    side, steps = (128, 2) if options.cpu else (512, 20)
    result: dict[str, Any] = {"device": "cpu" if options.cpu else torch.cuda.get_device_name()}
    result["parameters"] = sum(item.numel() for item in host.unet.parameters())
    result["batches"] = list(speed(host, side, steps))
    result["enough memory"] = upscaled(host, 2 * side)
    if not options.cpu:
        # A real lack of memory: the allocator refuses beyond what the weights and one crop and a half need.
        most = int(1.15 * result["batches"][0]["peak MiB"]) * _MEBIBYTE
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(most / torch.cuda.get_device_properties(0).total_memory)
        result["short of memory"] = upscaled(host, 2 * side)
        torch.cuda.set_per_process_memory_fraction(1.0)
    # Beyond what half precision holds (65,504), as some VAEs do by themselves.
    host.loudness = 1e30 if options.cpu else 6e4
    result["a VAE that overflows"] = upscaled(host, 2 * side)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    parts = [value for value in result.values() if isinstance(value, dict)]
    return 0 if all(item["numbers"] and item["size"] == [4 * side, 4 * side] for item in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
