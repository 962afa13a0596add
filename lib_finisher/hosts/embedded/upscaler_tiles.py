"""Running a loaded upscaler model over a picture in overlapping tiles, several at a time where memory allows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lib_finisher.hosts.port import Array, HostError, OutOfMemory, Watch
from lib_finisher.imaging.colour import luminance
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.masks import smoothstep
from lib_finisher.imaging.resize import resize
from lib_finisher.redraw.layout import Axis, Grid, Tent, split_axis

logger = logging.getLogger(__name__)

# Pixels of the model's input that neighbouring tiles share; the outermost of them only serve as context.
_OVERLAP, _ONLY_CONTEXT = 64, 20
_SMALLEST = 128
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Share:
    """How much a device is given at once: `tile` is the largest side of a tile in the model's input, in pixels, and
    `together` how many tiles go in one batch."""

    tile: int = 320
    together: int = 1

    def smaller(self) -> Share | None:
        """The next thing to try where this was too much; None where nothing is left."""
        if self.together > 1:
            return Share(self.tile, self.together // 2)
        return Share(self.tile // 2, 1) if self.tile // 2 >= _SMALLEST else None


# On a CPU more than one tile at a time is no faster.
CPU_SHARE, GPU_SHARE = Share(), Share(512, 8)


class TiledModel:
    """A spandrel descriptor on its device."""

    def __init__(self, name: str, descriptor: Any, share: Share | None = None) -> None:
        self.scale = int(descriptor.scale)
        self._channels = int(descriptor.input_channels)
        self._name = name
        self._descriptor = descriptor
        self._share = share or (CPU_SHARE if descriptor.device.type == "cpu" else GPU_SHARE)
        # Some architectures look at the whole picture; spandrel says so.
        self._whole = descriptor.tiling.name == "INTERNAL"

    def __call__(self, pixels: Array, watch: Watch) -> Array:
        """`pixels` (height, width, 3) enlarged by the model's scale, 0..1.

        A model of one channel works on the lightness, and colours are interpolated: through it a colour picture keeps
        its colours, and a grey one stays grey. A model of four is told that nothing is transparent.
        Raises OutOfMemory, HostError where the model gives what is no number, and what `watch` raises.
        What was too much for the device is not tried again: the next picture begins with what worked.
        """
        if self._channels == 1:
            return self._on_lightness(pixels, watch)
        if self._channels > 3:
            opaque = np.ones((*pixels.shape[:2], self._channels - 3), dtype=np.float32)
            pixels = np.concatenate([pixels, opaque], axis=-1)
        return self._with_what_fits(pixels, watch)

    def _on_lightness(self, pixels: Array, watch: Watch) -> Array:
        light = luminance(pixels)[..., None]
        if (pixels == pixels[..., :1]).all():
            return np.repeat(self._with_what_fits(pixels[..., :1], watch), 3, axis=-1)
        colours = pixels - light
        made = self._with_what_fits(light, watch)
        colours = resize(colours, size_of(made))
        colours += made
        return np.clip(colours, 0.0, 1.0, out=colours)

    def _with_what_fits(self, pixels: Array, watch: Watch) -> Array:
        while True:
            try:
                return self._run(pixels, watch)
            except (MemoryError, RuntimeError) as error:
                share = self._share.smaller()
                if not _short_of_memory(error):
                    raise
                if share is None or self._whole:
                    raise OutOfMemory(f"The upscaler {self._name} ran out of memory; use a smaller model.") from error
            _empty_caches()
            logger.info("%s: out of memory, on with tiles of %d, %d at once.", self._name, share.tile, share.together)
            self._share = share

    def _run(self, pixels: Array, watch: Watch) -> Array:
        size = size_of(pixels)
        side = max(size.width, size.height) if self._whole else self._share.tile
        grid = Grid(split_axis(size.width, side, _OVERLAP, 1), split_axis(size.height, side, _OVERLAP, 1))
        weights = [
            Tent(down, across)
            for down in _fading(grid.rows, self.scale)
            for across in _fading(grid.columns, self.scale)
        ]
        boxes = [box for box, _ in grid.tiles()]
        channels = 1 if self._channels == 1 else 3
        result = np.zeros((size.height * self.scale, size.width * self.scale, channels), dtype=np.float32)
        for begin in range(0, len(boxes), self._share.together):
            batch = boxes[begin : begin + self._share.together]
            crops = [pixels[box.top : box.bottom, box.left : box.right] for box in batch]
            for box, weight, made in zip(batch, weights[begin:], self._model(np.stack(crops))):
                place = box.scaled(self.scale)
                result[place.top : place.bottom, place.left : place.right] += made[..., :channels] * weight()[..., None]
            watch.step(begin + len(batch), len(boxes))
        return np.clip(result, 0.0, 1.0, out=result)

    def _model(self, crops: Array) -> Array:
        made = self._in_precision(crops)
        if np.isfinite(made).all():
            return made
        if str(self._descriptor.dtype) == "torch.float16":
            logger.info("%s gave numbers out of range in half precision, on in full.", self._name)
            self._descriptor.float()
            made = self._in_precision(crops)
            if np.isfinite(made).all():
                return made
        raise HostError(f"The upscaler {self._name} gave values that are not numbers; choose another.")

    def _in_precision(self, crops: Array) -> Array:
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
            made = self._descriptor(batch.to(self._descriptor.device, self._descriptor.dtype))
            return made.float().cpu().numpy().transpose(0, 2, 3, 1)


def _fading(axis: Axis, scale: int) -> list[npt.NDArray[np.float64]]:
    """For each tile along an axis its weights in the model's output; at every pixel they sum to 1."""
    middle = (np.arange(axis.tile * scale) + 0.5) / scale
    ramps = []
    for index, start in enumerate(axis.starts):
        ramp = np.ones(axis.tile * scale)
        if index > 0:
            ramp *= _rising(middle, axis.starts[index - 1] + axis.tile - start)
        if index < len(axis.starts) - 1:
            ramp *= _rising(axis.tile - middle, start + axis.tile - axis.starts[index + 1])
        ramps.append(ramp)
    total = np.zeros((axis.starts[-1] + axis.tile) * scale)
    for start, ramp in zip(axis.starts, ramps):
        total[start * scale : (start + axis.tile) * scale] += ramp
    return [ramp / total[start * scale : (start + axis.tile) * scale] for start, ramp in zip(axis.starts, ramps)]


def _rising(place: npt.NDArray[np.float64], overlap: int) -> npt.NDArray[np.float64]:
    context = min(_ONLY_CONTEXT, overlap // 3)
    return smoothstep((place - context) / max(overlap - 2 * context, 1))


def _short_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in _NO_MEMORY)


def _empty_caches() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
