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
