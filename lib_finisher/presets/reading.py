"""Reading one preset's file, and telling whether it is only half written."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path

from lib_finisher.plain_files import opened_file
from lib_finisher.presets.errors import PresetError
from lib_finisher.presets.migrations import to_current
from lib_finisher.presets.preset import MOST_BYTES, Preset, parse, read_preset
from lib_finisher.presets.repairing import repaired

_MOST_IN_A_FILE = MOST_BYTES * 2
_BEGUN_SECONDS = 2.0


def preset_in(file: Path) -> Preset:
    """The preset in a file, without what is wrong in it, which it says. Raises PresetError and OSError."""
    with opened_file(file) as stream:
        data = stream.read(_MOST_IN_A_FILE)
    if len(data) >= _MOST_IN_A_FILE:
        raise PresetError(f"it is larger than {_MOST_IN_A_FILE} bytes")
    said, twice = parse(data)
    good, notes = repaired(to_current(said, file.stem))
    good.setdefault("name", file.stem)
    return replace(read_preset(good, file.stem), left_out=(*twice, *notes))


def half_written(file: Path) -> bool:
    """Whether another program may have begun to write the file: it is empty, or it is new and not valid JSON."""
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode):
            return False
        if state.st_size == 0:
            return True
        if abs(time.time() - state.st_mtime) > _BEGUN_SECONDS or state.st_size >= _MOST_IN_A_FILE:
            return False
        parse(file.read_bytes())
    except PresetError:
        return True
    except OSError:
        return False
    return False
