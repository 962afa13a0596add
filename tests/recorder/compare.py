"""Holds one record of a web UI against another, in words.

python tests/recorder/compare.py tests/facts/a1111-82a973c.json found.json
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

# Patterns of places, which are written "traces/txt2img/events/3 process/p/width".
MAY_DIFFER = (
    # Which host it is; what it was not asked.
    "format",
    "host/*",
    "left_out*",
    # Another engine has other samplers, and this one's count of calls depends on the model.
    "names/*",
    "sampler_counts/DPM adaptive/*",
    # Where the host's API is another generation of its web framework.
    "api/errors/a text for a number/*",
)
# What the texts are turned into differs with the model; whether there is anything is compared.
CONDITIONS = frozenset(
    {"c", "uc", "conditioning", "unconditional_conditioning", "text_cond", "text_uncond", "image_cond"}
    | {"image_conditioning"}
)
# Of latents the number of dimensions and of pictures is compared; of everything else the whole shape.
LATENTS = frozenset(
    {"x", "xi", "noise", "samples", "init_latent", "mask", "nmask", "current_latent", "blended_latent", "denoised"}
    | {"sigma", "sigma_hat"}
)
# Lists whose order says nothing.
UNORDERED = ("members/*", "names/*", "api/routes", "api/answer_keys/*")
_OBJECT = re.compile(r"<[A-Z]\w*>")
_LONGEST = 160


def differences(expected: Mapping[str, Any], found: Mapping[str, Any], also: Iterable[str] = ()) -> list[str]:
    """One line for each difference that matters.

    Left out is what MAY_DIFFER and `also` name, and what the found record itself says that it leaves out
    (`left_out`, patterns of the same kind; "traces/page *" leaves out those scenarios).
    """
    allowed = [*MAY_DIFFER, *also]
    for pattern in found.get("left_out", ()):
        allowed += [pattern, f"{pattern}/*"]
    lines = []
    for place, text in _compared(expected, found, ()):
        name = "/".join(place)
        if not any(fnmatchcase(name, pattern) for pattern in allowed):
            lines.append(f"{name}: {text}")
    return lines


_Found = Iterator[tuple[tuple[str, ...], str]]


def _compared(expected: Any, found: Any, place: tuple[str, ...]) -> _Found:
    key = place[-1] if place else ""
    if key in CONDITIONS and expected is not None and found is not None:
        return
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        yield from _tensors(expected, found, place) if "tensor" in expected else _objects(expected, found, place)
    elif isinstance(expected, list) and isinstance(found, list):
        if key == "events":
            yield from _events(expected, found, place)
        elif place[0] == "components":
            yield from _sequence(expected, found, place)
        elif any(fnmatchcase("/".join(place), pattern) for pattern in UNORDERED):
            yield from _sets(expected, found, place)
        elif len(expected) != len(found):
            yield place, f"expected {_short(expected)}, found {_short(found)}"
        else:
            for number, (one, other) in enumerate(zip(expected, found)):
                yield from _compared(one, other, (*place, str(number)))
    elif expected != found and not (_is_object(expected) and _is_object(found)):
        yield place, f"expected {_short(expected)}, found {_short(found)}"


def _objects(expected: Mapping[str, Any], found: Mapping[str, Any], place: tuple[str, ...]) -> _Found:
    for key in expected:
        if key not in found:
            yield (*place, str(key)), f"missing; expected {_short(expected[key])}"
        else:
            yield from _compared(expected[key], found[key], (*place, str(key)))
    for key in found:
        if key not in expected:
            yield (*place, str(key)), f"not expected; found {_short(found[key])}"


def _tensors(expected: Mapping[str, Any], found: Mapping[str, Any], place: tuple[str, ...]) -> _Found:
    """Tensors by shape; the type of their numbers belongs to the device."""
    one, other = expected["tensor"], found.get("tensor")
    if other is None:
        yield place, f"expected {_short(expected)}, found {_short(found)}"
    elif any(part in LATENTS for part in place[-2:]):
        if len(one) != len(other) or (len(one) > 3 and one[0] != other[0]):
            yield place, f"expected a shape like {one}, found {other}"
    elif one != other:
        yield place, f"expected the shape {one}, found {other}"


def _events(expected: Sequence[Any], found: Sequence[Any], place: tuple[str, ...]) -> _Found:
    """Traces, brought into line by the names of the hooks."""
    names = [[event["hook"] for event in events] for events in (expected, found)]
    for kind, start, end, other_start, other_end in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if kind == "equal":
            for number in range(end - start):
                one, other = expected[start + number], found[other_start + number]
                yield from _compared(one, other, (*place, f"{start + number} {one['hook']}"))
            continue
        for number in range(start, end):
            yield (*place, f"{number} {names[0][number]}"), "this event is missing"
        for number in range(other_start, other_end):
            yield (*place, f"{start} {names[1][number]}"), "this event is not expected here"


def _sequence(expected: Sequence[Any], found: Sequence[Any], place: tuple[str, ...]) -> _Found:
    """[name, kind] in an order that matters."""
    kinds, other_kinds = ({item[0]: item[1] for item in items} for items in (expected, found))
    yield from _objects(kinds, other_kinds, place)
    common = [item[0] for item in expected if item[0] in other_kinds]
    other = [item[0] for item in found if item[0] in kinds]
    if common != other:
        first = next((one for one, two in zip(common, other) if one != two), "its end")
        yield (*place, "order"), f"another order of what both have, from {first} on"


def _sets(expected: Sequence[Any], found: Sequence[Any], place: tuple[str, ...]) -> _Found:
    for item in expected:
        if item not in found:
            yield (*place, str(item)), "missing"
    for item in found:
        if item not in expected:
            yield (*place, str(item)), "not expected"


def _is_object(value: Any) -> bool:
    return isinstance(value, str) and _OBJECT.fullmatch(value) is not None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def main() -> int:
    """The command line: 0 where nothing differs that matters."""
    parser = argparse.ArgumentParser(description="Compares two records of web UIs.")
    parser.add_argument("expected", type=Path)
    parser.add_argument("found", type=Path)
    asked = parser.parse_args()
    lines = differences(*(json.loads(file.read_text(encoding="utf-8")) for file in (asked.expected, asked.found)))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
