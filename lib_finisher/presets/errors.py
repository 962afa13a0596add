"""What can be wrong with a preset. Each message says what happened and what to do next."""

from __future__ import annotations


class PresetError(ValueError):
    """A preset that cannot be used as asked."""


class NewerSchema(PresetError):
    """The file of a newer Finisher. It is not to be touched."""


class Conflict(PresetError):
    """The preset in the store is not the one that the caller has seen; `found` is its revision, "" for none."""

    def __init__(self, text: str, found: str) -> None:
        super().__init__(text)
        self.found = found


class Locked(PresetError):
    """The preset is locked, so it is not changed."""


class Unknown(PresetError):
    """There is no preset of that name."""
