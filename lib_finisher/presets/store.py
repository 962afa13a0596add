"""The user's presets: one readable JSON file each, in a folder that several programs may use at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lib_finisher.hints import did_you_mean
from lib_finisher.presets import files
from lib_finisher.presets.errors import Conflict, Locked, NewerSchema, PresetError, Unknown
from lib_finisher.presets.lock import locked
from lib_finisher.presets.preset import MOST_BYTES, Preset, check_rules, key_of, read_preset, text_of, with_name
from lib_finisher.presets.reading import half_written, preset_in
from lib_finisher.whole_files import replace as replace_file
from lib_finisher.whole_files import sweep, write_whole

NEW = ""
"""Instead of a revision: the preset is to be a new one."""

SET_ASIDE = "set-aside"
"""The folder, within that of the presets, for files that cannot be read."""

_KEPT = 20
_STAYS = "Another program may be writing it, so it stays. Delete it if it does not become a preset."


@dataclass(frozen=True)
class Backup:
    """An earlier version: the file's name within the backups, the preset's name, and when it was replaced."""

    file: str
    name: str
    when: str


@dataclass(frozen=True)
class Stored:
    """What is in the folder: the presets by name, what is wrong with other files, and the files set aside."""

    presets: tuple[Preset, ...]
    problems: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()


class _Found(NamedTuple):
    file: Path
    preset: Preset


class PresetStore:
    """A folder of presets. Everything that changes it holds the folder's lock and writes whole files.

    A change says which revision it has seen, so that nobody overwrites what somebody else has saved in the meantime.
    Methods raise PresetError (Conflict, Locked, Unknown) and tell what the file system refuses as one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[tuple[int, int, int], Preset]] = {}

    @property
    def backups_folder(self) -> Path:
        """Where earlier and deleted versions are."""
        return self.folder / "backups"

    @property
    def aside_folder(self) -> Path:
        """Where files are put that cannot be read."""
        return self.folder / SET_ASIDE

    def load(self) -> Stored:
        """All presets. A file that is no preset is set aside and named.

        That of a newer Finisher stays where it is, and so does one that another program may be writing at the moment.
        """
        found, problems, broken = self._scan()
        for file, why in broken:
            told = f"{file.name}: {why.removesuffix('.')}."
            problems.append(f"{told} {_STAYS}" if half_written(file) else self._set_aside(file, told))
        aside = sorted(item.name for item in self.aside_folder.glob(f"*{files.SUFFIX}"))
        presets = sorted((item.preset for item in found.values()), key=lambda item: item.key)
        return Stored(tuple(presets), tuple(problems), tuple(aside))

    def get(self, name: str) -> Preset:
        """The preset of that name. Raises Unknown."""
        return self._find(name).preset

    def save(self, preset: Preset, expected: str | None) -> Preset:
        """Store a preset; what is stored, with its dates.

        `expected` is the revision that the caller has seen, NEW where there is to be none, None to replace whatever is
        there. Raises Conflict where that is not so, and Locked.
        """
        read_preset(preset.as_json())
        check_rules(preset.match)
        if len(text_of(preset).encode()) > MOST_BYTES:
            raise PresetError(f"the preset {preset.name!r} is larger than {MOST_BYTES} bytes. Make its texts shorter.")
        with self._changing():
            there = self._scan()[0].get(preset.key)
            before = self._seen(preset.name, there, expected)
            if before is not None and replace(before, changed=preset.changed, created=preset.created) == preset:
                return before
            if before is not None and before.locked:
                raise Locked(f"the preset {before.name!r} is locked. Unlock it first, or save under another name.")
            now = files.today()
            begun = before.created if before is not None else preset.created
            stored = replace(preset, created=begun or now, changed=now)
            if there is not None:
                self._back_up(there)
            self._write(there.file if there is not None else self._free(stored.name), stored)
            return stored

    def rename(self, name: str, new: str, expected: str | None = None) -> Preset:
        """Give a preset another name: at no moment are there two, or none."""
        with self._changing():
            found = self._scan()[0]
            there = self._there(name, found, expected)
            renamed = replace(with_name(there.preset, new), changed=files.today())
            if renamed.key != there.preset.key and renamed.key in found:
                taken = found[renamed.key].preset.revision
                raise Conflict(f"there is a preset {new!r} already. Take another name.", taken)
            self._back_up(there)
            self._write(there.file, renamed)
            if renamed.key != there.preset.key:
                replace_file(there.file, self._free(new))
            return renamed

    def lock(self, name: str, on: bool, expected: str | None = None) -> Preset:
        """Lock a preset, or unlock it: a locked one is neither changed nor deleted."""
        with self._changing():
            there = self._there(name, self._scan()[0], expected, even_locked=True)
            changed = replace(there.preset, locked=on)
            self._write(there.file, changed)
            return changed

    def delete(self, name: str, expected: str | None = None) -> Backup:
        """Delete a preset; `restore` brings back what is returned."""
        with self._changing():
            there = self._there(name, self._scan()[0], expected)
            target = self._backup_file(there.file)
            replace_file(there.file, target)
            self._read.pop(there.file, None)
            return Backup(target.name, there.preset.name, _when(target))

    def backups(self, name: str = "") -> tuple[Backup, ...]:
        """Earlier versions, the newest first: of one preset, or all. What cannot be read is no version."""
        found = [_backup(file) for file in self.backups_folder.glob(f"*{files.SUFFIX}")]
        wanted = [item for item in found if item is not None and (not name or key_of(item.name) == key_of(name))]
        return tuple(sorted(wanted, key=lambda item: item.when, reverse=True))

    def restore(self, file: str, expected: str | None = None) -> Preset:
        """Bring back an earlier version, in the place of what has its name now; that becomes a backup itself.

        `expected` says what may be replaced; see `save`.
        """
        if Path(file).name != file or not (self.backups_folder / file).is_file():
            raise Unknown(f"there is no backup {file!r}.")
        try:
            preset = preset_in(self.backups_folder / file)
        except OSError as error:
            raise PresetError(f"the backup {file!r} cannot be read ({error.strerror or error}).") from error
        return self.save(preset, expected)

    # -- within the lock ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self.backups_folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder):
                sweep(self.folder)
                sweep(self.backups_folder)
                yield
        except OSError as error:
            raise PresetError(f"presets cannot be written in {self.folder} ({error.strerror or error}).") from error

    def _there(self, name: str, found: dict[str, _Found], expected: str | None, even_locked: bool = False) -> _Found:
        there = found.get(key_of(name))
        if there is None:
            raise _unknown(name, found)
        self._seen(name, there, expected)
        if there.preset.locked and not even_locked:
            raise Locked(f"the preset {there.preset.name!r} is locked. Unlock it first.")
        return there

    def _seen(self, name: str, there: _Found | None, expected: str | None) -> Preset | None:
        """The preset that is there, which must be the one that the caller expects."""
        found = there.preset.revision if there is not None else NEW
        if expected is not None and expected != found:
            told = "was changed in the meantime" if expected and found else "is there already"
            told = told if found else "was deleted or renamed in the meantime"
            raise Conflict(f"the preset {name!r} {told}. Load it again, or save under another name.", found)
        return there.preset if there is not None else None

    def _write(self, file: Path, preset: Preset) -> None:
        write_whole(file, text_of(preset).encode(), synced=True)
        self._read.pop(file, None)

    def _free(self, name: str) -> Path:
        """The path for a new preset: that of its name, unless a file of another preset has it."""
        wanted = self.folder / files.file_name(name)
        number, path = 1, wanted
        while path.exists():
            number += 1
            path = wanted.with_name(f"{wanted.stem}-{number}{files.SUFFIX}")
        return path

    def _back_up(self, there: _Found) -> None:
        write_whole(self._backup_file(there.file), text_of(there.preset).encode(), synced=True)

    def _backup_file(self, file: Path) -> Path:
        """Where the next backup of a file goes; the oldest of too many are deleted."""
        earlier = sorted(self.backups_folder.glob(f"{_escaped(file.stem)}.????????-??????-??????{files.SUFFIX}"))
        for old in earlier[: max(0, len(earlier) - _KEPT + 1)]:
            old.unlink(missing_ok=True)
        return self.backups_folder / f"{file.stem}.{files.stamp()}{files.SUFFIX}"

    # -- reading --------------------------------------------------------------------------------------

    def _find(self, name: str) -> _Found:
        found = self._scan()[0]
        if key_of(name) not in found:
            raise _unknown(name, found)
        return found[key_of(name)]

    def _scan(self) -> tuple[dict[str, _Found], list[str], list[tuple[Path, str]]]:
        """The presets by their keys; what is wrong; the files that are no presets, with why."""
        found: dict[str, _Found] = {}
        problems: list[str] = []
        broken: list[tuple[Path, str]] = []
        for file in sorted(self.folder.glob(f"*{files.SUFFIX}"), key=lambda item: (len(item.name), item.name)):
            if file.name.startswith("."):
                continue
            try:
                preset = self._preset(file)
            except FileNotFoundError:
                continue
            except NewerSchema as error:
                problems.append(f"{file.name}: {error}")
            except PresetError as error:
                broken.append((file, str(error)))
            except OSError as error:
                problems.append(f"{file.name}: it cannot be read ({error.strerror or error}).")
            else:
                other = found.setdefault(preset.key, _Found(file, preset)).file
                if other != file:
                    problems.append(
                        f"{file.name}: {other.name} has its name, {preset.name!r}, too. Rename one of them."
                    )
        return found, problems, broken

    def _preset(self, file: Path) -> Preset:
        state = file.stat()
        seen = (state.st_mtime_ns, state.st_size, state.st_ino)
        known = self._read.get(file)
        if known is not None and known[0] == seen:
            return known[1]
        preset = preset_in(file)
        self._read[file] = (seen, preset)
        return preset

    def _set_aside(self, file: Path, told: str) -> str:
        try:
            with locked(self.folder):
                try:
                    # Another program may have put a good one in its place by now.
                    preset_in(file)
                    return f"{told} It has been replaced since."
                except PresetError:
                    self.aside_folder.mkdir(exist_ok=True)
                    target = self.aside_folder / f"{file.stem}.{files.stamp()}{files.SUFFIX}"
                    replace_file(file, target)
                    return f"{told} It was moved to {target.parent.name}{os.sep}{target.name}."
        except (OSError, PresetError) as error:
            return f"{told} It could not be moved away ({error})."


def _backup(file: Path) -> Backup | None:
    """The backup in a file, None where the file cannot be read."""
    try:
        name = preset_in(file).name
    except PresetError:
        name = file.stem.rpartition(".")[0]
    except OSError:
        return None
    return Backup(file.name, name, _when(file))


def _when(file: Path) -> str:
    return file.stem.rpartition(".")[2]


def _unknown(name: str, found: dict[str, _Found]) -> Unknown:
    names = sorted(item.preset.name for item in found.values())
    there = ", ".join(map(repr, names)) or "there are none yet"
    return Unknown(f"there is no preset {name!r} of yours.{did_you_mean(name, names)} Yours: {there}.")


def _escaped(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
