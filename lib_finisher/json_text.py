"""JSON as text that every file can hold."""

from __future__ import annotations

import json
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


def repeated_keys(text: bytes | str) -> tuple[str, ...]:
    """The keys that one object of a JSON text names more than once: readers take the last one without a word.

    Raises ValueError for what is no JSON, and RecursionError.
    """
    found: dict[str, None] = {}

    def seen(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        found.update(dict.fromkeys(key for key in keys if keys.count(key) > 1))
        return dict(pairs)

    json.loads(text, object_pairs_hook=seen)
    return tuple(found)
