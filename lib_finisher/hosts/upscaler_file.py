"""What an upscaler model's file says about itself: its scale and its channels, never guessed from its name."""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from lib_finisher.checked_json import kept_in, write_checked
from lib_finisher.hosts.port import HostError
from lib_finisher.hosts.upscaler_state import checked_state

logger = logging.getLogger(__name__)

PACKAGES = ("torch", "torchvision", "spandrel")

_GREY, _COLOUR, _WITH_ALPHA = 1, 3, 4
# Spandrel's words for models that take any picture and give back the same, larger or cleaner.
_PURPOSES = ("SR", "Restoration")


@dataclass(frozen=True)
class ModelFacts:
    """`scale` (1 or more) and `channels` (1, 3 or 4) of a model; `problem` says why it is no upscaler of pictures, ""
    where it is one. `unreadable`: spandrel does not know such a file, so the two numbers mean nothing."""

    scale: int
    channels: int
    problem: str = ""
    unreadable: bool = False


class KnownModels:
    """The facts of model files, each read once: `file` keeps them for other runs, as JSON; None keeps them in memory.

    Reading one loads it, a third of a second for 64 MB. Several threads may ask.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, ModelFacts] | None = None
        self._lock = threading.Lock()

    def of(self, model: Path) -> ModelFacts:
        """The facts of a file as it is now. Raises OSError where it cannot be looked at."""
        status = model.stat()
        key = f"{model}:{status.st_size}:{status.st_mtime_ns}"
        with self._lock:
            known = self._read()
            if key not in known:
                try:
                    spandrel = _spandrel()
                except HostError as error:
                    # That is no property of the file, so it is not kept.
                    return ModelFacts(1, _COLOUR, str(error).removesuffix("."), unreadable=True)
                known[key] = _facts(model, spandrel)
                self._keep(known)
            return known[key]

    def _read(self) -> dict[str, ModelFacts]:
        if self._known is None:
            data = kept_in(self._file) if self._file is not None else {}
            try:
                self._known = {key: ModelFacts(**value) for key, value in data.items()}
            except TypeError as error:
                logger.debug("%s was kept by another version of Finisher: %s", self._file, error)
                self._known = {}
        return self._known

    def _keep(self, known: dict[str, ModelFacts]) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_checked(self._file, {key: asdict(value) for key, value in known.items()})
        except OSError as error:
            logger.debug("What is known of upscaler files cannot be kept: %s", error)


def missing_packages() -> tuple[str, ...]:
    """Packages that are needed to read or run a model and are not installed."""
    return tuple(name for name in PACKAGES if not _installed(name))


def loaded(file: Path) -> Any:
    """Spandrel's descriptor of a model file, on the CPU. Nothing in the file is run. Raises HostError where the file
    is no upscaler of pictures."""
    descriptor = _descriptor(file, _spandrel())
    problem = _problem(descriptor)
    if problem:
        raise HostError(f"{file.name} {problem}.")
    descriptor.eval()
    return descriptor


def _facts(file: Path, spandrel: Any) -> ModelFacts:
    try:
        descriptor = _descriptor(file, spandrel)
    except HostError as error:
        return ModelFacts(1, _COLOUR, str(error).removesuffix("."), unreadable=True)
    problem = _problem(descriptor)
    channels = int(getattr(descriptor, "input_channels", _COLOUR))
    return ModelFacts(int(descriptor.scale), channels, f"{file.name} {problem}" if problem else "")


def _spandrel() -> Any:
    try:
        import spandrel
    # A torch and a torchvision that do not fit each other fail in many ways.
    except Exception as error:
        raise HostError(f"Upscaler models cannot be run here: spandrel does not import ({error}).") from error
    return spandrel


def _descriptor(file: Path, spandrel: Any) -> Any:
    try:
        return spandrel.ModelLoader(device="cpu").load_from_state_dict(checked_state(file, spandrel))
    # spandrel and torch raise many kinds for a file that is no model; all mean the same to the user.
    except Exception as error:
        raise HostError(f"{file.name} is not an upscaler that spandrel can load ({error}).") from error


def _problem(descriptor: Any) -> str:
    """Why a model is no upscaler of any picture, to go on after its name; "" where it is one."""
    if descriptor.purpose not in _PURPOSES:
        return f"is no upscaler of pictures: it is made for {descriptor.purpose}"
    given, made = int(descriptor.input_channels), int(descriptor.output_channels)
    if given not in (_GREY, _COLOUR, _WITH_ALPHA) or (made != _GREY if given == _GREY else made < _COLOUR):
        return f"is no upscaler of colour or grey pictures: it makes {made} channels of {given}"
    return ""


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
