"""Regular expressions from other people's presets, matched in a time that grows with the text and nothing else.

The usual engine tries one way after another, and for some expressions there are more ways than there is time. This one
follows all ways at once (Thompson 1968): characters times places of the expression.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field

MOST_PATTERN, MOST_PLACES, MOST_TEXT = 200, 600, 260
_UNBOUNDED = -1
_COUNTED = re.compile(r"\{(\d{1,3})(?:(,)(\d{1,3})?)?\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPES = "dDwWsS"


class PatternError(ValueError):
    """An expression that is not accepted. The message says which part and what is."""


@dataclass(eq=False)
class _Place:
    """A place in the expression: `test` is what takes one character, None where nothing is taken."""

    test: re.Pattern[str] | None = None
    then: list[_Place] = field(default_factory=list)


class Pattern:
    """An expression of characters, ., [...], \\d \\w \\s, groups, |, and * + ? {n,m}; case does not matter.

    It matches a whole text only. Raises PatternError for anything else.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MOST_PATTERN:
            raise PatternError(f"an expression has {MOST_PATTERN} characters at most; this one has {len(text)}")
        self._text = text.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._at = self._places = 0
        self._first, last = self._either()
        if self._at < len(self._text):
            raise self._wrong("there is no group that this closes")
        self._last = last

    def matches(self, text: str) -> bool:
        """Whether the whole text fits. One of more than 260 characters, more than a file name has, never does."""
        if len(text) > MOST_TEXT:
            return False
        current = _reached([self._first])
        for letter in text:
            taken = [place.then[0] for place in current if place.test is not None and place.test.fullmatch(letter)]
            current = _reached(taken)
            if not current:
                return False
        return self._last in current

    def _either(self) -> tuple[_Place, _Place]:
        first, last = self._place(), self._place()
        while True:
            begin, end = self._sequence()
            first.then.append(begin)
            end.then.append(last)
            if self._next() != "|":
                return first, last
            self._at += 1

    def _sequence(self) -> tuple[_Place, _Place]:
        first = last = self._place()
        while self._next() not in ("", "|", ")"):
            start = self._at
            begin, end = self._one()
            least, most = self._count()
            after = self._at
            for number in range(max(least, most, 1)):
                if number:
                    # A place belongs to one repetition only, so each is read again.
                    self._at = start
                    begin, end = self._one()
                if number >= least:
                    way = self._place()
                    way.then += [begin, end]
                    begin = way
                last.then.append(begin)
                last = end
            if most == _UNBOUNDED:
                last.then.append(begin)
            self._at = after
        return first, last

    def _one(self) -> tuple[_Place, _Place]:
        letter = self._next()
        if letter == "(":
            self._at += 3 if self._text.startswith("(?:", self._at) else 1
            if self._next() == "?":
                raise self._wrong("only ( ) and (?: ) are accepted as groups")
            inner = self._either()
            if self._next() != ")":
                raise self._wrong("a group is not closed")
            self._at += 1
            return inner
        if letter in "*+?{":
            raise self._wrong("there is nothing to repeat")
        if letter in "^$":
            raise self._wrong("an expression is for a whole name, so ^ and $ are of no use within it")
        place, end = self._place(), self._place()
        place.test, place.then = self._test(letter), [end]
        return place, end

    def _test(self, letter: str) -> re.Pattern[str]:
        part = letter
        if letter == "[":
            found = _CLASS.match(self._text, self._at)
            if found is None:
                raise self._wrong("a class [...] is not closed")
            part = found[0]
        elif letter == "\\":
            part = self._text[self._at : self._at + 2]
            if len(part) < 2 or (part[1].isalnum() and part[1] not in _ESCAPES):
                raise self._wrong(f"of letters after a backslash, only {' '.join(_ESCAPES)} are accepted")
        elif letter != ".":
            part = re.escape(letter)
        self._at += len(part) if letter in "[\\" else 1
        try:
            return _compiled(part)
        except re.error as error:
            raise self._wrong(str(error)) from error

    def _count(self) -> tuple[int, int]:
        letter = self._next()
        if letter and letter in "*+?":
            self._at += 1
            return {"*": (0, _UNBOUNDED), "+": (1, _UNBOUNDED), "?": (0, 1)}[letter]
        found = _COUNTED.match(self._text, self._at)
        if found is None:
            if letter == "{":
                raise self._wrong("after { come one or two numbers and }")
            return 1, 1
        self._at = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else _UNBOUNDED if found[2] else least
        if most != _UNBOUNDED and most < max(least, 1):
            raise self._wrong("the most is 0 or less than the least")
        return least, most

    def _place(self) -> _Place:
        self._places += 1
        if self._places > MOST_PLACES:
            raise PatternError(f"the expression {self._text[:40]!r} repeats too much; write it shorter")
        return _Place()

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _wrong(self, why: str) -> PatternError:
        return PatternError(f"{self._text!r} at character {self._at + 1}: {why}")


def _reached(places: list[_Place]) -> set[_Place]:
    """The places, and all that are reached from them without taking a character."""
    found: set[_Place] = set()
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            if place.test is None:
                waiting += place.then
    return found


@functools.lru_cache(maxsize=512)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(part, re.IGNORECASE | re.DOTALL)
