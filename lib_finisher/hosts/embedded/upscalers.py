"""Upscaler model files outside a web UI: found in a folder, loaded once through spandrel, run in tiles."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lib_finisher.hosts.embedded.upscaler_tiles import TiledModel
from lib_finisher.hosts.port import Array, HostError, UpscalerFacts, Watch
from lib_finisher.hosts.upscaler_file import KnownModels, loaded, missing_packages

_EXTENSIONS = frozenset({".pth", ".pt", ".ckpt", ".safetensors"})
_MOST_LOADED = 2


class UpscalerFolder:
    """The spandrel-supported models of a folder; `known` is a file that keeps what theirs say about themselves."""

    def __init__(self, folder: Path | None, known: Path | None = None) -> None:
        self._folder = folder
        self._known = KnownModels(known)
        self._loaded: dict[str, TiledModel] = {}
        self._hashes: dict[tuple[str, int, int], str] = {}

    def missing_packages(self) -> tuple[str, ...]:
        """Packages that are needed to run a model and are not installed."""
        return missing_packages()

    def files(self) -> dict[str, Path]:
        """Model files by name, in alphabetical order."""
        if self._folder is None or not self._folder.is_dir():
            return {}
        found = (
            file for file in sorted(self._folder.iterdir()) if file.suffix.lower() in _EXTENSIONS and file.is_file()
        )
        return {file.stem: file for file in found}

    def facts(self) -> tuple[UpscalerFacts, ...]:
        """What is here, as the files themselves say; each is loaded once to ask it."""
        if self.missing_packages():
            return ()
        return tuple(self._facts(name, file) for name, file in self.files().items())

    def _facts(self, name: str, file: Path) -> UpscalerFacts:
        facts = self._known.of(file)
        return UpscalerFacts(name, facts.scale, self._identity(file), facts.problem)

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
        return self._model(name)(pixels, watch)

    def _model(self, name: str) -> TiledModel:
        files = self.files()
        if name not in files:
            raise HostError(f"There is no upscaler {name!r}. Upscalers here: {', '.join(files) or 'none'}.")
        identity = self._identity(files[name])
        if identity not in self._loaded:
            model = TiledModel(name, _loaded(files[name]))
            while len(self._loaded) >= _MOST_LOADED:
                self._loaded.pop(next(iter(self._loaded)))
            self._loaded[identity] = model
        return self._loaded[identity]


def _loaded(file: Path) -> Any:
    """The model of a file on the device that it will run on. Raises HostError."""
    descriptor = loaded(file)
    import torch

    if torch.cuda.is_available():
        descriptor.to("cuda")
        # Half precision is slower on a CPU, or not there at all.
        if descriptor.supports_half:
            descriptor.half()
    elif not any(isinstance(part, (torch.nn.Linear, torch.nn.LayerNorm)) for part in descriptor.model.modules()):
        # A third faster for convolutions on a CPU; transformers take their tensors apart in the usual order.
        descriptor.model.to(memory_format=torch.channels_last)
    return descriptor
