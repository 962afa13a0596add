"""Upscaler model files outside a web UI: found in a folder, loaded once through spandrel, run in tiles."""

from __future__ import annotations

import hashlib
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from lib_finisher.hosts.port import Array, HostError, OutOfMemory, UpscalerFacts, Watch

_EXTENSIONS = frozenset({".pth", ".pt", ".safetensors"})
_NEEDED = ("torch", "torchvision", "spandrel")
_TILE = 256
_CONTEXT = 32


class UpscalerFolder:
    """The spandrel-supported models of a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._loaded: dict[str, Any] = {}
        self._hashes: dict[tuple[str, int, int], str] = {}

    def missing_packages(self) -> tuple[str, ...]:
        """Packages that are needed to run a model and are not installed."""
        return tuple(name for name in _NEEDED if not _installed(name))

    def files(self) -> dict[str, Path]:
        """Model files by name, in alphabetical order."""
        if self._folder is None or not self._folder.is_dir():
            return {}
        found = (
            file for file in sorted(self._folder.iterdir()) if file.suffix.lower() in _EXTENSIONS and file.is_file()
        )
        return {file.stem: file for file in found}

    def facts(self) -> tuple[UpscalerFacts, ...]:
        """What can be run here, without loading any."""
        if self.missing_packages():
            return ()
        return tuple(UpscalerFacts(name, _scale_in(name), self._identity(file)) for name, file in self.files().items())

    def _identity(self, file: Path) -> str:
        """The hash of a file's contents, worked out again only when the file has changed."""
        facts = file.stat()
        key = (str(file), facts.st_size, facts.st_mtime_ns)
        if key not in self._hashes:
            with file.open("rb") as stream:
                result = hashlib.blake2b(digest_size=8)
                while block := stream.read(1 << 20):
                    result.update(block)
            self._hashes[key] = result.hexdigest()
        return self._hashes[key]

    def upscale(self, name: str, pixels: Array, watch: Watch) -> Array:
        """`pixels` (height, width, 3) enlarged by the model's own scale. Raises HostError and OutOfMemory."""
        descriptor = self._load(name)
        import torch

        scale = int(descriptor.scale)
        height, width = pixels.shape[:2]
        result = np.empty((height * scale, width * scale, 3), dtype=np.float32)
        places = [(y, x) for y in range(0, height, _TILE) for x in range(0, width, _TILE)]
        for number, (top, left) in enumerate(places, 1):
            bottom, right = min(top + _TILE, height), min(left + _TILE, width)
            y0, x0 = max(0, top - _CONTEXT), max(0, left - _CONTEXT)
            y1, x1 = min(height, bottom + _CONTEXT), min(width, right + _CONTEXT)
            crop = torch.from_numpy(np.ascontiguousarray(pixels[y0:y1, x0:x1].transpose(2, 0, 1)))[None]
            try:
                with torch.inference_mode():
                    enlarged = descriptor(crop)[0].numpy().transpose(1, 2, 0)
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise OutOfMemory(f"The upscaler {name} ran out of memory.") from error
            rows = slice((top - y0) * scale, (bottom - y0) * scale)
            columns = slice((left - x0) * scale, (right - x0) * scale)
            result[top * scale : bottom * scale, left * scale : right * scale] = enlarged[rows, columns]
            watch.step(number, len(places))
        return np.clip(result, 0.0, 1.0)

    def _load(self, name: str) -> Any:
        if name in self._loaded:
            return self._loaded[name]
        files = self.files()
        if name not in files:
            raise HostError(f"There is no upscaler {name!r}. Upscalers here: {', '.join(files) or 'none'}.")
        try:
            import spandrel
        # A torch and a torchvision that do not fit each other fail in many ways.
        except Exception as error:
            raise HostError(f"Upscaler models cannot be run here: spandrel does not import ({error}).") from error
        try:
            descriptor = spandrel.ModelLoader(device="cpu").load_from_file(files[name])
        # spandrel and torch raise many kinds for a file that is no model; all mean the same to the user.
        except Exception as error:
            raise HostError(f"{files[name].name} is not an upscaler that spandrel can load ({error}).") from error
        if not isinstance(descriptor, spandrel.ImageModelDescriptor) or descriptor.input_channels != 3:
            raise HostError(f"{files[name].name} is no upscaler of colour pictures.")
        self._loaded[name] = descriptor.eval()
        return self._loaded[name]


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _scale_in(name: str) -> int:
    """The scale that a model's file name tells by custom ("4x-UltraSharp", "RealESRGAN_x4"); 4 where it tells none."""
    found = re.search(r"(?:^|[^0-9])([1-8])x|x([1-8])(?![0-9])", name, flags=re.IGNORECASE)
    return int(next(group for group in found.groups() if group)) if found else 4
