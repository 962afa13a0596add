"""The text of an EXIF UserComment, in whatever way a program has written it.

EXIF 2.32, 4.6.5: eight bytes name the character code, the rest is the text. Which byte of UTF-16 comes first the
standard leaves open: the web UIs write the higher one first whatever the file's order is, exiftool that of the file.
"""

from __future__ import annotations

_CODE_BYTES = 8
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_JAPANESE = ("iso2022_jp", "shift_jis", "euc_jp")
_PLAIN_CONTROLS = frozenset("\t\n\r\f\x0b")


def user_comment(raw: bytes, little_endian: bool = False) -> str:
    """The text, or "" where these bytes are none that is certain: never one with letters wrong or missing.

    `little_endian` is the order of the file, which decides where the text itself does not tell.
    """
    code = raw[:_CODE_BYTES].rstrip(b"\0 ").upper()
    body = raw[_CODE_BYTES:]
    if code == b"JIS":
        return next((text for text in (_decoded(body, name) for name in _JAPANESE) if text), "")
    if code in (b"UNICODE", b"ASCII") or (not code and body):
        return _text(body, little_endian)
    return _text(raw, little_endian)


def _text(body: bytes, little_endian: bool) -> str:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], encoding)
    plain = body.strip(b"\0")
    if b"\0" not in plain:
        # What is valid as UTF-8 is no UTF-16 of a length that matters.
        text = _decoded(plain, "utf-8")
        if text:
            return text
    by_file = ("utf-16-le", "utf-16-be") if little_endian else ("utf-16-be", "utf-16-le")
    # An infotext has spaces, colons and digits, whose high byte is 0; read the wrong way round it has none.
    high_first, low_first = body[0::2].count(0), body[1::2].count(0)
    if high_first != low_first:
        by_file = ("utf-16-be", "utf-16-le") if high_first > low_first else ("utf-16-le", "utf-16-be")
    return next((text for text in (_decoded(_even(body), name) for name in by_file) if text), "")


def _even(body: bytes) -> bytes:
    """Without a single byte 0 at the end, which some programs put behind any text."""
    return body[:-1] if len(body) % 2 and body.endswith(b"\0") else body


def _decoded(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding).strip("\0").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return ""
    return text if all(_is_of_text(letter) for letter in set(text)) else ""


def _is_of_text(letter: str) -> bool:
    return (letter >= " " and not "\x7f" <= letter <= "\x9f" and letter not in "\ufffd\ufffe\uffff") or (
        letter in _PLAIN_CONTROLS
    )
