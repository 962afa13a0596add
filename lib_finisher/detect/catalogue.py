"""Which detectors there are, and loading each of them once."""

from __future__ import annotations

import difflib
import importlib.util
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib_finisher.detect import known
from lib_finisher.detect.calibration import Calibrated
from lib_finisher.detect.detection import Detection, Detector, DetectorError
from lib_finisher.detect.known import KNOWN, MODEL_SUFFIXES, Known, calibration_of, find_known, stem
from lib_finisher.detect.remembering import Remembering
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.yunet import YuNet
from lib_finisher.imaging.arrays import Pixels
from lib_finisher.named_files import named_files

Makers = Mapping[str, Callable[[], Detector]]

BUILT_IN: Makers = {YuNet.name: YuNet}
FETCH_COMMAND = 'finisher detectors fetch "{name}"'

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_NAMED = 12


@dataclass(frozen=True)
class Listed:
    """A detector as lists show it. Texts are "" and `size` is 0 where nobody knows.

    `present` says that it can be asked for; `why_not` why it would fail or is not here. `size` is that of the file here
    or, where it is not here, of the file to fetch, in bytes; `sha256` is what a fetched file must have: the one here
    may be another version. `fetchable` says that Finisher can fetch the file.
    """

    name: str
    target: str
    style: str
    trade_off: str
    present: bool
    why_not: str
    size: int
    source: str
    sha256: str
    licence: str
    fetchable: bool


@dataclass(frozen=True)
class _Made:
    name: str
    detector: Calibrated
    path: Path | None


class Detectors:
    """Detectors by name, each loaded when it is first asked to detect and kept until `free`.

    There are those of `makers`, which are Finisher's own and MediaPipe's where it is installed, and every .pt and .onnx
    file of `folders` by its file name; the folders are looked at again whenever names are asked for. `device` is where
    YOLO runs ("cpu", "cuda"). `trusted` are sha256 of files that may run code of their own when they are loaded.
    `fetch_with` says in messages how a file is fetched here, with "{name}" in it.
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        device: str = "cpu",
        trusted: Collection[str] = (),
        makers: Makers | None = None,
        fetch_with: str = FETCH_COMMAND,
    ) -> None:
        self.folders = tuple(folders)
        self._device = device
        self._trusted = frozenset(item.lower() for item in trusted)
        self._makers = makers
        self._fetch_with = fetch_with
        self._made: dict[str, _Made] = {}
        self._making = threading.Lock()
        self._remembered = Remembering()

    def names(self) -> tuple[str, ...]:
        """Every detector that can be asked for: those that need no file first."""
        makers, files = self._here()
        return (*makers, *files)

    def __contains__(self, name: object) -> bool:
        """Whether `detect` would find a detector of that name, however it is spelled."""
        return isinstance(name, str) and _resolved(name, self.names()) is not None

    def detect(self, name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """What the named detector finds, at least that sure (0..1), the surest first, nothing twice.

        With a `confidence` of 0 it is as sure as this detector has to be by itself.
        A name's case does not matter, nor does a missing ".pt". Raises DetectorError where there is none of that name
        or it cannot load.
        """
        detector = self._named(name)
        try:
            return self._remembered(detector, pixels, confidence, search)
        except OSError as error:
            raise _unreadable(name, error) from error

    def identity(self, name: str, search: Search = ORDINARY) -> str:
        """Changes with all that the findings of a detector depend on: its model file, its settings and the search.

        Loads no model. Raises DetectorError where there is no detector of that name or its file is missing.
        """
        detector = self._named(name)
        try:
            return f"{detector.identity}/{search.identity}"
        except OSError as error:
            raise _unreadable(name, error) from error

    def free(self) -> None:
        """Forget every model that is loaded. A detector that is asked again loads its model again."""
        self._remembered.forget()
        for made in list(self._made.values()):
            made.detector.free()

    def listed(self) -> tuple[Listed, ...]:
        """Every detector that is here, then every other one that Finisher knows of."""
        makers, files = self._here()
        here = [_listed_here(name, None) for name in makers]
        here += [_listed_here(name, path) for name, path in files.items()]
        folded = {item.name.casefold() for item in here}
        return (*here, *(_listed_elsewhere(item) for item in KNOWN if item.name.casefold() not in folded))

    def _here(self) -> tuple[Makers, dict[str, Path]]:
        """The makers and the files that there are now. What was made of a file that is gone is forgotten."""
        makers = {**BUILT_IN, **_mediapipe_makers()} if self._makers is None else self._makers
        taken = {name.casefold() for name in makers}
        files = {
            name: path
            for name, path in named_files(self.folders, MODEL_SUFFIXES).items()
            if name.casefold() not in taken
        }
        with self._making:
            for asked, made in list(self._made.items()):
                if made.path is not None and files.get(made.name) != made.path:
                    del self._made[asked]
        return makers, files

    def least(self, name: str) -> float:
        """What a finding of the named detector scores at least where no confidence is named.

        Raises DetectorError where there is none of that name.
        """
        return self._named(name).calibration.least

    def _named(self, asked: str) -> Calibrated:
        made = self._made.get(asked)
        if made is not None and (made.path is None or made.path.is_file()):
            return made.detector
        makers, files = self._here()
        name = _resolved(asked, (*makers, *files))
        if name is None:
            raise DetectorError(self._missing(asked, (*makers, *files)))
        with self._making:
            if name not in self._made:
                path = files.get(name)
                detector = makers[name]() if path is None else self._of_file(name, path)
                self._made[name] = _Made(name, Calibrated(detector, calibration_of(name)), path)
            self._made[asked] = self._made[name]
            return self._made[name].detector

    def _of_file(self, name: str, path: Path) -> Detector:
        from lib_finisher.detect.yolo import Yolo

        return Yolo(path, device=self._device, name=name, trusted=self._trusted)

    def _missing(self, asked: str, names: Sequence[str]) -> str:
        entry = find_known(asked)
        if entry is not None and entry.needs == known.MEDIAPIPE:
            return f"{entry.name!r} needs the Python package mediapipe, which is not installed here."
        if entry is not None:
            how = "fetch it with: " + self._fetch_with.format(name=entry.name)
            if not entry.fetchable:
                how = f"take it from {entry.source} and put it into a folder of detectors"
            return f"The detector {entry.name!r} is not here; {how}."
        spelled = {stem(name): name for name in (*(item.name for item in KNOWN), *names)}
        near = [spelled[item] for item in difflib.get_close_matches(stem(asked), spelled, n=3)]
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"There is no detector {asked!r}.{hint} Detectors here: {', '.join(names[:_MOST_NAMED])}{more}."


def trusted_hashes(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """(the sha256 in a text, separated by spaces or commas, in lower case; the words of it that are none)."""
    words = [word.lower() for word in re.split(r"[\s,;]+", text) if word]
    return frozenset(filter(_SHA256.fullmatch, words)), tuple(word for word in words if not _SHA256.fullmatch(word))


def _mediapipe_makers() -> Makers:
    from lib_finisher.detect import mediapipe_models

    return mediapipe_models.MAKERS if mediapipe_models.available() else {}


def _unreadable(name: str, error: OSError) -> DetectorError:
    return DetectorError(f"The file of the detector {name!r} cannot be read ({error.strerror or error}); put it anew.")


def _resolved(asked: str, names: Sequence[str]) -> str | None:
    """The name that is meant: as it is spelled, else in another case, else that of a file without its ending."""
    if asked in names:
        return asked
    folded = asked.casefold()
    same = [name for name in names if name.casefold() == folded]
    # Where there is an export beside it, people mean the original.
    same += sorted((name for name in names if stem(name) == folded), key=lambda name: not _pickled(name))
    return same[0] if same else None


def _listed_here(name: str, path: Path | None) -> Listed:
    entry = find_known(name) or _exported(name)
    size = 0
    if path is not None:
        try:
            size = path.stat().st_size
        except OSError:
            return _listed(entry, name, True, "its file cannot be read", entry.size)
    return _listed(entry, name, True, _lacks(entry), size)


def _listed_elsewhere(entry: Known) -> Listed:
    if not entry.is_file:
        return _listed(entry, entry.name, False, _lacks(entry) or "not here", entry.size)
    reasons = ["not here" if entry.fetchable else "not here; put the file into a folder of detectors", _lacks(entry)]
    return _listed(entry, entry.name, False, ", ".join(filter(None, reasons)), entry.size)


def _listed(entry: Known, name: str, present: bool, why_not: str, size: int) -> Listed:
    return Listed(
        name, entry.target, entry.style, entry.trade_off, present, why_not, size, entry.source, entry.sha256,
        entry.licence, entry.fetchable,
    )  # fmt: skip


def _exported(name: str) -> Known:
    """What is known of a file that is nobody's by its name: an ONNX export is for what its original is for."""
    original = None if _pickled(name) else find_known(stem(name))
    if original is None:
        return Known(name, "", "", "", known.ULTRALYTICS if _pickled(name) else "", "", "")
    return replace(original, name=name, needs="", url="", size=0, sha256="")


def _pickled(name: str) -> bool:
    return name.casefold().endswith(".pt")


def _lacks(entry: Known) -> str:
    return f"needs {entry.needs}" if entry.needs and importlib.util.find_spec(entry.needs) is None else ""
