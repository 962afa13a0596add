"""How often a regular expression may look at the same letter: found from its structure, nothing is timed.

An expression is a graph of places, each of which takes one letter. The usual engine tries one way through the graph
after another, so its work is the number of ways that a text can be begun on. That number grows with the text alone
where no place that repeats can be reached, by one and the same word, from itself and from another place that repeats
(Weber and Seidl 1991). Where an expression is searched for, the search itself is a place that repeats.

Places behind which the expression has matched already do not count: there the engine stops.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

if sys.version_info >= (3, 11):
    from re import _parser as parser  # type: ignore[attr-defined]
else:  # pragma: no cover
    import sre_parse as parser

# Letters that stand for all: the first 256, one letter and one digit beyond, and a line's end beyond.
ALPHABET = (*map(chr, range(256)), "中", "\u0663", "\u2028", "ſ")
_MOST_COPIES = 4
_SEARCH = 0
_ASSERTS = ("ASSERT", "ASSERT_NOT")


@dataclass
class _Graph:
    """`takes` is what a place takes (None: nothing), `then` where it leads, True where that is certain; `begins` are
    places that only a text's beginning reaches."""

    takes: list[frozenset[str] | None] = field(default_factory=list)
    then: list[list[tuple[int, bool]]] = field(default_factory=list)
    begins: set[int] = field(default_factory=set)

    def place(self, takes: frozenset[str] | None = None) -> int:
        self.takes.append(takes)
        self.then.append([])
        return len(self.takes) - 1

    def link(self, a: int, b: int, certain: bool = True) -> None:
        self.then[a].append((b, certain))


def super_linear(pattern: re.Pattern[Any], searched: bool, whole: bool = False) -> str:
    """Why matching may take more than a time proportional to the text, "" where it may not.

    `searched`: it is looked for anywhere in a text. `whole`: it must match all of a text.
    """
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags & (re.IGNORECASE | re.DOTALL | re.MULTILINE | re.VERBOSE | re.ASCII)
    graph = _Graph()
    search, end = graph.place(frozenset(ALPHABET)), graph.place()
    first, last = _built(graph, parser.parse(source, flags), flags)
    graph.link(last, end, not whole)
    edges = _edges(graph, end)
    if searched:
        edges[search] = {search: 1, **_reached(graph, first, graph.begins)}
    return _judged(graph, edges, {place for place in edges if _sure(graph, place, end)})


def _judged(graph: _Graph, edges: dict[int, dict[int, int]], sure: set[int]) -> str:
    live = {place for place in edges if place not in sure}
    reach = {place: _closure(edges, place) & live for place in live}
    loops = [place for place in live if place in reach[place]]
    for place in loops:
        for other, ways in edges[place].items():
            if ways > 1 and other in live and place in reach[other]:
                return f"exponential: {_named(graph, place)} is repeated in two ways"
        own = {other for other in reach[place] if place in reach[other]}
        if _meets(graph, edges, (place, place), own, own, lambda a, b: a != b, back=(place, place)):
            return f"exponential: two ways around {_named(graph, place)}"
    for place in loops:
        around = {other for other in reach[place] if place in reach[other]}
        for other in loops:
            if other != place and other in reach[place]:
                beyond = {item for item in reach[other] if other in reach[item]}
                if _triple(graph, edges, place, other, around, reach[place], beyond):
                    what = "a search" if place == _SEARCH else _named(graph, place)
                    return f"quadratic: {what} and {_named(graph, other)} take the same letters"
    return ""


def _triple(
    graph: _Graph, edges: dict[int, dict[int, int]], a: int, b: int, ring_a: set[int], way: set[int], ring_b: set[int]
) -> bool:
    """Whether some word leads from a to a, from a to b and from b to b."""
    seen, waiting = {(a, a, b)}, [(a, a, b)]
    while waiting:
        x, y, z = waiting.pop()
        for i in edges[x].keys() & ring_a:
            for j in edges[y].keys() & way:
                both = (graph.takes[i] or frozenset()) & (graph.takes[j] or frozenset())
                for k in edges[z].keys() & ring_b if both else ():
                    item = (i, j, k)
                    if both & (graph.takes[k] or frozenset()) and item not in seen:
                        if item == (a, b, b):
                            return True
                        seen.add(item)
                        waiting.append(item)
    return False


def _meets(graph, edges, start, ring_a, ring_b, is_apart, back) -> bool:  # type: ignore[no-untyped-def]
    """Whether two ways by one word part after `start` and are both at `back` again."""
    seen, waiting = {(*start, False)}, [(*start, False)]
    while waiting:
        x, y, apart = waiting.pop()
        for i in edges[x].keys() & ring_a:
            for j in edges[y].keys() & ring_b:
                if not (graph.takes[i] or frozenset()) & (graph.takes[j] or frozenset()):
                    continue
                item = (i, j, apart or is_apart(i, j))
                if item == (*back, True):
                    return True
                if item not in seen:
                    seen.add(item)
                    waiting.append(item)
    return False


def _edges(graph: _Graph, end: int) -> dict[int, dict[int, int]]:
    """From each place that takes a letter, which such places come next, and in how many ways (2 is many)."""
    return {place: _reached(graph, place) for place, takes in enumerate(graph.takes) if takes is not None}


def _reached(graph: _Graph, start: int, closed: Collection[int] = ()) -> dict[int, int]:
    found: dict[int, int] = {}

    def follow(place: int, passed: frozenset[int]) -> None:
        for other, _ in graph.then[place]:
            if graph.takes[other] is not None:
                found[other] = min(2, found.get(other, 0) + 1)
            elif other not in passed and other not in closed:
                follow(other, passed | {other})

    if graph.takes[start] is not None and not graph.then[start]:
        return found
    follow(start, frozenset())
    return found


def _sure(graph: _Graph, start: int, end: int) -> bool:
    """Whether the expression has matched when a place has taken its letter."""
    seen, waiting = {start}, [start]
    while waiting:
        for other, certain in graph.then[waiting.pop()]:
            if other == end and certain:
                return True
            if certain and graph.takes[other] is None and other not in seen:
                seen.add(other)
                waiting.append(other)
    return False


def _closure(edges: dict[int, dict[int, int]], start: int) -> set[int]:
    seen: set[int] = set()
    waiting = list(edges[start])
    while waiting:
        place = waiting.pop()
        if place not in seen:
            seen.add(place)
            waiting += edges.get(place, ())
    return seen


def _named(graph: _Graph, place: int) -> str:
    letters = "".join(sorted(graph.takes[place] or ()))
    return f"a place for {letters[:30]!r}"


def _built(graph: _Graph, items: Iterable[Any], flags: int) -> tuple[int, int]:
    first = last = graph.place()
    for operator, value in items:
        begin, end = _one(graph, str(operator), value, flags)
        graph.link(last, begin)
        last = end
    return first, last


def _one(graph: _Graph, operator: str, value: Any, flags: int) -> tuple[int, int]:
    if operator in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        place = graph.place(_letters(operator, value, flags))
        return place, place
    begin, end = graph.place(), graph.place()
    if operator == "BRANCH":
        for way in value[1]:
            a, b = _built(graph, way, flags)
            graph.link(begin, a)
            graph.link(b, end)
    elif operator in ("SUBPATTERN", "ATOMIC_GROUP"):
        a, b = _built(graph, value[-1] if operator == "SUBPATTERN" else value, flags)
        graph.link(begin, a)
        graph.link(b, end)
    elif operator in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        _repeated(graph, begin, end, *value, flags)
    elif operator in _ASSERTS:
        # It looks at letters that are looked at again behind it: a way that ends nowhere.
        if value[0] > 0:
            graph.link(begin, _built(graph, value[1], flags)[0])
        graph.link(begin, end, False)
    elif operator == "AT":
        if str(value) in ("AT_BEGINNING", "AT_BEGINNING_STRING") and not flags & re.MULTILINE:
            graph.begins.add(end)
        graph.link(begin, end, False)
    else:
        raise ValueError(f"{operator} is not known here; teach this module")
    return begin, end


def _repeated(graph: _Graph, begin: int, end: int, least: int, most: Any, items: Any, flags: int) -> None:
    last = begin
    for number in range(min(max(least, 1 if most == parser.MAXREPEAT else most), _MOST_COPIES)):
        a, b = _built(graph, items, flags)
        graph.link(last, a)
        if number >= least:
            graph.link(last, end)
        last = b
        if most == parser.MAXREPEAT and number + 1 >= min(least, _MOST_COPIES):
            graph.link(b, a)
    graph.link(last, end)


def _letters(operator: str, value: Any, flags: int) -> frozenset[str]:
    return frozenset(letter for letter in ALPHABET if _takes(letter, operator, value, flags))


def _takes(letter: str, operator: str, value: Any, flags: int) -> bool:
    cases = {letter, letter.lower(), letter.upper()} if flags & re.IGNORECASE else {letter}
    if operator == "ANY":
        return bool(flags & re.DOTALL) or letter != "\n"
    if operator == "NOT_LITERAL":
        return not any(case == chr(value) for case in cases)
    if operator == "LITERAL":
        return any(case == chr(value) for case in cases)
    negated = bool(value) and str(value[0][0]) == "NEGATE"
    return negated != any(_within(case, item) for case in cases for item in value[negated:])


def _within(letter: str, item: Any) -> bool:
    kind, value = str(item[0]), item[1]
    if kind == "LITERAL":
        return letter == chr(value)
    if kind == "RANGE":
        return value[0] <= ord(letter) <= value[1] if len(letter) == 1 else False
    name = str(value)
    tests = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    plain = next(test for key, test in tests.items() if name.endswith(key))
    return bool(re.fullmatch(plain, letter)) != ("_NOT_" in name)
