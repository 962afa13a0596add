"""What is wrong with a request, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lib_finisher.controls import SettingsError
from lib_finisher.hints import MOST_HINTS, did_you_mean
from lib_finisher.json_text import shown as shown

_LONGEST_KEY = 80


@dataclass(frozen=True)
class Problem:
    """One field of a request and what is wrong with it. Items of a list are counted from 1: "images.2"."""

    field: str
    text: str


class RequestError(ValueError):
    """A request that cannot be answered. `problems` has one entry for each field that is wrong."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{item.field}: {item.text}" for item in self.problems))


def told(problems: Iterable[Problem]) -> dict[str, Any]:
    """The body of an answer that refuses."""
    return {"detail": [{"field": item.field, "problem": item.text} for item in problems]}


def from_settings(error: SettingsError, where: str) -> list[Problem]:
    """The lines of a SettingsError, each as a field below `where`."""
    found = []
    for line in error.problems:
        key, _, text = line.partition(": ")
        found.append(Problem(key if key == where or key.startswith(f"{where}.") else f"{where}.{key}", text))
    return found


def unknown_keys(data: Mapping[str, Any], known: Sequence[str]) -> list[Problem]:
    """A problem for each key of a request that nobody reads."""
    found: list[Problem] = []
    for key in data:
        if key not in known:
            accepted = f" Accepted here: {', '.join(known)}." if len(found) < MOST_HINTS else ""
            hint = did_you_mean(key, known, told=len(found))
            found.append(Problem(key[:_LONGEST_KEY], f"there is no such field.{hint}{accepted}"))
    return found
