"""The weights in an upscaler's file, looked at before anything is made of them.

Spandrel and torch run nothing of a file, but a few hundred bytes can keep them for ever, or have them make a network
that no memory holds.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib_finisher.pickle_machine import Check, Refused
from lib_finisher.torch_archive import BROKEN, LARGEST_PICKLE, MAGIC, pickle_of

MOST_BYTES = 2 << 30
_PICKLED = (".pth", ".pt", ".ckpt")
# Torch before 2020 wrote a number, a version, facts of the system, the weights, and the order of what follows.
_OLD_PICKLES = 5
# A network that is kept twice, in half precision; and what is shared by small models.
_TIMES_STORED, _BYTES_FOR_ALL = 4, 64 << 20
# Layers are numbered; those without weights leave gaps.
_GAPS = 50


class StateError(ValueError):
    """A file that is not handed on. The message goes on after "could not be read: "."""


def checked_state(file: Path, spandrel: Any) -> Mapping[str, Any]:
    """The weights by name, on the CPU. Raises StateError, and whatever spandrel and torch raise."""
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise StateError(f"it has {size / 2**30:.1f} GiB, upscalers at most {MOST_BYTES >> 30}")
    if file.suffix.lower() in _PICKLED:
        _check_pickles(file, size)
    if file.suffix.lower() == ".pt":
        # Spandrel would take such a file for a TorchScript program first, and run it.
        import torch

        state = spandrel.canonicalize_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    else:
        state = spandrel.ModelLoader(device="cpu").load_state_dict_from_file(file)
    check_state(state, size)
    return state


def check_state(state: Mapping[str, Any], size: int) -> None:
    """That weights ask for no more memory than a file of `size` bytes can hold. Raises StateError."""
    if not isinstance(state, Mapping) or not state:
        raise StateError("it holds no weights")
    asked, most = 0, _TIMES_STORED * size + _BYTES_FOR_ALL
    highest = _GAPS + _GAPS * len(state)
    for name, value in state.items():
        # A tensor may repeat one number as often as its shape says.
        asked += int(value.numel()) * 4 if hasattr(value, "numel") else 0
        numbers = (part for part in str(name).split(".") if part.isascii() and part.isdigit())
        if any(len(number) > 9 or int(number) > highest for number in numbers):
            raise StateError(f"its {len(state)} weights are numbered beyond {highest}")
    if asked > most:
        raise StateError(f"its weights take {asked >> 20} MiB, and the file has {size >> 20}")


def _check_pickles(file: Path, size: int) -> None:
    try:
        with file.open("rb") as stream:
            if stream.read(len(MAGIC)) == MAGIC:
                with zipfile.ZipFile(stream) as archive:
                    Check().run(pickle_of(archive, size)[0])
                return
            stream.seek(0)
            # A file's own `read` makes room for all that it is asked for, whether that is there or not.
            start = io.BytesIO(stream.read(min(size, LARGEST_PICKLE)))
            for _ in range(_OLD_PICKLES):
                Check().run(start)
    except Refused as refused:
        raise StateError(f"it wants {refused}") from refused
    except BROKEN as error:
        raise StateError(f"its pickle is damaged: {error}") from error
