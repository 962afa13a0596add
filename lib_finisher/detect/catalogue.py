"""Which detectors there are, and loading each of them once."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib_finisher.detect import known
from lib_finisher.detect.calibration import Calibrated
from lib_finisher.detect.detection import Detection, Detector, DetectorError
from lib_finisher.detect.known import KNOWN, calibration_of, find_known, stem
from lib_finisher.detect.listing import FETCH_COMMAND, Listed, files_in, listed_of, pickled
from lib_finisher.detect.mediapipe_here import available
from lib_finisher.detect.remembering import Remembering
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.detect.yunet import YuNet
from lib_finisher.imaging.arrays import Pixels

Makers = Mapping[str, Callable[[], Detector]]

BUILT_IN: Makers = {YuNet.name: YuNet}
_MOST_NAMED = 12


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
        return listed_of(*self._here())

    def _here(self) -> tuple[Makers, dict[str, Path]]:
        """The makers and the files that there are now. What was made of a file that is gone is forgotten."""
        makers = {**BUILT_IN, **_mediapipe_makers()} if self._makers is None else self._makers
        files = files_in(self.folders, makers)
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


def _mediapipe_makers() -> Makers:
    if not available():
        return {}
    from lib_finisher.detect import mediapipe_models

    return mediapipe_models.MAKERS


def _unreadable(name: str, error: OSError) -> DetectorError:
    return DetectorError(f"The file of the detector {name!r} cannot be read ({error.strerror or error}); put it anew.")


def _resolved(asked: str, names: Sequence[str]) -> str | None:
    """The name that is meant: as it is spelled, else in another case, else that of a file without its ending."""
    if asked in names:
        return asked
    folded = asked.casefold()
    same = [name for name in names if name.casefold() == folded]
    # Where there is an export beside it, people mean the original.
    same += sorted((name for name in names if stem(name) == folded), key=lambda name: not pickled(name))
    return same[0] if same else None
