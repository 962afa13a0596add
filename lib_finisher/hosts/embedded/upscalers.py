"""Upscaler model files outside a web UI: found in a folder, loaded once through spandrel, run in tiles."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from lib_finisher.hosts.embedded.upscaler_tiles import TiledModel
from lib_finisher.hosts.port import Array, HostError, UpscalerFacts, Watch
from lib_finisher.stages.upscaler_names import scale_told

_EXTENSIONS = frozenset({".pth", ".pt", ".ckpt", ".safetensors"})
_NEEDED = ("torch", "torchvision", "spandrel")
# A name that tells no scale is nearly always that of a 4x model.
_USUAL_SCALE = 4
_MOST_LOADED = 2


class UpscalerFolder:
    """The spandrel-supported models of a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._loaded: dict[str, TiledModel] = {}
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
        return tuple(
            UpscalerFacts(name, scale_told(name) or _USUAL_SCALE, self._identity(file))
            for name, file in self.files().items()
        )

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
    try:
        import spandrel
        import torch
    # A torch and a torchvision that do not fit each other fail in many ways.
    except Exception as error:
        raise HostError(f"Upscaler models cannot be run here: spandrel does not import ({error}).") from error
    try:
        if file.suffix.lower() == ".pt":
            # Spandrel would take such a file for a TorchScript program first, and run it.
            state = spandrel.canonicalize_state_dict(torch.load(file, map_location="cpu", weights_only=True))
            descriptor = spandrel.ModelLoader(device="cpu").load_from_state_dict(state)
        else:
            descriptor = spandrel.ModelLoader(device="cpu").load_from_file(file)
    # spandrel and torch raise many kinds for a file that is no model; all mean the same to the user.
    except Exception as error:
        raise HostError(f"{file.name} is not an upscaler that spandrel can load ({error}).") from error
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or descriptor.input_channels != 3:
        raise HostError(f"{file.name} is no upscaler of colour pictures.")
    descriptor.eval()
    if torch.cuda.is_available():
        descriptor.to("cuda")
        # Half precision is slower on a CPU, or not there at all.
        if descriptor.supports_half:
            descriptor.half()
    elif not any(isinstance(part, (torch.nn.Linear, torch.nn.LayerNorm)) for part in descriptor.model.modules()):
        # A third faster for convolutions on a CPU; transformers take their tensors apart in the usual order.
        descriptor.model.to(memory_format=torch.channels_last)
    return descriptor


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
