"""JSON as text that every file can hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

MOST_LEVELS = 64
"""What Finisher writes has ten; Python's own way through data ends at some hundreds, wherever it is then."""

_SHOWN = 60


class JsonError(ValueError):
    """A text that is no JSON, or none that is read. The message says why."""


def json_text(data: Any, indent: int | None = None) -> str:
    """Data as JSON that can be written as UTF-8; names of files and texts of a page need not have such a form."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, or a byte of a name that is no letter.
        return json.dumps(data, indent=indent)
    return text


def parse_json(text: bytes | str) -> Any:
    """JSON data. Raises JsonError for what is none, and for what is nested deeper than MOST_LEVELS."""
    return _parsed(text)


def read_json(text: bytes | str, parse_constant: Callable[[str], Any] | None = None) -> tuple[Any, tuple[str, ...]]:
    """JSON data, and a note for each key that one of its objects names more than once: the last one counts.

    `parse_constant` is as for `json.loads`. Raises JsonError as `parse_json`, and what `parse_constant` raises.
    """
    repeated: dict[str, None] = {}

    def seen(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.update(dict.fromkeys(key for key in counts if counts[key] > 1))
        return data

    data = _parsed(text, object_pairs_hook=seen, parse_constant=parse_constant)
    return data, tuple(f"the key {key[:80]!r} is there twice; the last one counts" for key in repeated)


def _parsed(text: bytes | str, **how: Any) -> Any:
    try:
        data = json.loads(text, **how)
    except RecursionError as error:
        raise _too_deep() from error
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError(str(error)) from error
    if not is_shallow(data):
        raise _too_deep()
    return data


def is_shallow(data: Any) -> bool:
    """Whether lists and objects stand in each other no deeper than MOST_LEVELS. Never goes deeper itself."""
    level, depth = [data], 0
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        if depth > MOST_LEVELS:
            return False
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def shown(value: Any) -> str:
    """A value as a message repeats it: short, whatever it is."""
    try:
        text = repr(value[:_SHOWN] if isinstance(value, (str, bytes)) else value)
    except (RecursionError, ValueError):
        # Nested too deep, or a number of thousands of digits.
        return f"this {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _too_deep() -> JsonError:
    return JsonError(f"it is nested deeper than {MOST_LEVELS} levels")
