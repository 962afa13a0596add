"""The layout of the web UIs' infotext, read as they read it but in a time that grows with its length alone.

Prompt, "Negative prompt: ...", and a last line of at least three "Key: value" pairs. Some programs write further lines
behind that one, which the web UIs then take for the prompt; here they are lines behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lib_finisher.json_text import JsonError, parse_json

FEWEST_PAIRS = 3
MOST_CHARACTERS = 4_000_000
"""What is read of an infotext; a longer one is a text without pairs."""
NEGATIVE = "Negative prompt:"
_QUOTED = re.compile(r'"(?:\\.|[^\\"])+"(?=,|$)')
_OF_KEY = frozenset(" -/")
# A line of pairs that is not the last one must have two of these, so that no prompt is taken for it.
_SURE = frozenset({"Steps", "Sampler", "Seed", "CFG scale", "Size"})


@dataclass(frozen=True)
class Infotext:
    """An infotext's lines: those `before` the line of pairs, that `line` ("" for none), and those `behind` it."""

    before: tuple[str, ...] = ()
    line: str = ""
    behind: tuple[str, ...] = ()

    @property
    def pairs(self) -> dict[str, str]:
        """The pairs of the line, quotation marks taken off; of a key that stands twice the last value."""
        return {key: unquoted(value) for key, value in pairs_of(self.line)}

    @property
    def prompts(self) -> tuple[str, str]:
        """(prompt, negative prompt)."""
        texts: tuple[list[str], list[str]] = ([], [])
        negative = False
        for line in (line.strip() for line in self.before):
            if line.startswith(NEGATIVE):
                negative, line = True, line[len(NEGATIVE) :].strip()
            texts[negative].append(line)
        return "\n".join(texts[False]).strip(), "\n".join(texts[True]).strip()


def read_layout(text: str) -> Infotext:
    """The lines of an infotext, which may be any text; of one that is too long no line is taken for pairs."""
    lines = text.rstrip().split("\n") if text.strip() else []
    for number in range(len(lines) - 1, -1, -1) if len(text) <= MOST_CHARACTERS else ():
        keys = [key for key, _ in pairs_of(lines[number])]
        last = number == len(lines) - 1
        if len(keys) >= FEWEST_PAIRS and (last or len(_SURE & set(keys)) > 1):
            return Infotext(tuple(lines[:number]), lines[number], tuple(lines[number + 1 :]))
    return Infotext(tuple(lines))


def pairs_of(line: str) -> Iterator[tuple[str, str]]:
    """The "Key: value" pairs of a line as the web UIs' expression finds them, one pass from left to right.

    A value is a JSON string, or all up to the next comma.
    """
    at = 0
    while (colon := line.find(":", at)) >= 0:
        start = colon
        while start > at and (line[start - 1].isalnum() or line[start - 1] == "_" or line[start - 1] in _OF_KEY):
            start -= 1
        key = line[start:colon].lstrip(" -/")
        if len(key) < 2:
            at = colon + 1
            continue
        begin = colon + 1
        while begin < len(line) and line[begin].isspace():
            begin += 1
        quoted = _QUOTED.match(line, begin)
        end = quoted.end() if quoted else line.find(",", begin)
        end = len(line) if end < 0 else end
        yield key, line[begin:end]
        at = end + 1


def unquoted(value: str) -> str:
    """A value without its quotation marks, if it is in any."""
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    try:
        text = parse_json(value)
    except JsonError:
        return value
    return text if isinstance(text, str) else value


def is_json(text: str) -> bool:
    """Whether a text is one JSON object, as SwarmUI and Fooocus write where the web UIs have their infotext."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(parse_json(text), dict)
    except JsonError:
        return False
