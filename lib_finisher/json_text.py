"""JSON as text that every file can hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any


def json_text(data: Any, indent: int | None = None) -> str:
    """Data as JSON that can be written as UTF-8; names of files and texts of a page need not have such a form."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, or a byte of a name that is no letter.
        return json.dumps(data, indent=indent)
    return text


def read_json(text: bytes | str, parse_constant: Callable[[str], Any] | None = None) -> tuple[Any, tuple[str, ...]]:
    """JSON data, and a note for each key that one of its objects names more than once: the last one counts.

    `parse_constant` is as for `json.loads`. Raises ValueError for what is no JSON, and RecursionError.
    """
    repeated: dict[str, None] = {}

    def seen(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.update(dict.fromkeys(key for key in counts if counts[key] > 1))
        return data

    data = json.loads(text, object_pairs_hook=seen, parse_constant=parse_constant)
    return data, tuple(f"the key {key[:80]!r} is there twice; the last one counts" for key in repeated)
