"""What an ONNX file says of itself: its input's shape and its notes, read without the package onnx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Field numbers of ONNX's messages, and protocol buffers' ways of writing a field.
_GRAPH, _NOTES = 7, 14
_INITIALIZER, _INPUT = 5, 11
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_FLOAT16 = 10


@dataclass(frozen=True)
class Header:
    """The first input's shape (0 where it is not fixed), whether it is float16, and the notes by name."""

    input_shape: tuple[int, ...]
    half: bool
    metadata: Mapping[str, str]


def read_header(data: bytes) -> Header:
    """The header of an ONNX file. Raises ValueError or IndexError where it is none."""
    notes: dict[str, str] = {}
    shape: tuple[int, ...] = ()
    half = False
    for field, value in _fields(memoryview(data)):
        if field == _NOTES:
            pair = {number: bytes(part).decode() for number, part in _parts(value)}
            notes[pair.get(1, "")] = pair.get(2, "")
        elif field == _GRAPH:
            shape, half = _first_input(value)
    if not shape:
        raise ValueError("it has no input with a shape")
    return Header(shape, half, notes)


def _first_input(graph: int | memoryview) -> tuple[tuple[int, ...], bool]:
    weights, inputs = set(), []
    for field, value in _parts(graph):
        if field == _INITIALIZER:
            weights |= {bytes(name) for number, name in _parts(value) if number == 8}
        elif field == _INPUT:
            inputs.append(dict(_parts(value)))
    for described in inputs:
        # Files of older exporters list their weights among the inputs.
        if bytes(described.get(1, b"")) in weights:
            continue
        for number, kind in _parts(described.get(2, memoryview(b""))):
            if number == 1:
                tensor = dict(_fields(kind))
                dimensions = [
                    dict(_fields(part)) for number, part in _parts(tensor.get(2, memoryview(b""))) if number == 1
                ]
                return tuple(_length(one.get(1, 0)) for one in dimensions), tensor.get(1) == _FLOAT16
    return (), False


def _length(value: int | memoryview) -> int:
    return value if isinstance(value, int) else 0


def _parts(value: int | memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that have a length: texts, bytes and messages."""
    for field, part in _fields(value):
        if isinstance(part, memoryview):
            yield field, part


def _fields(value: int | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: the field's number, and a number or bytes."""
    if isinstance(value, int):
        raise ValueError("a message is missing")
    at = 0
    while at < len(value):
        tag, at = _number(value, at)
        field, way = tag >> 3, tag & 7
        if way == _VARINT:
            number, at = _number(value, at)
            yield field, number
            continue
        if way == _LENGTH:
            length, at = _number(value, at)
        elif way in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if way == _EIGHT_BYTES else 4
        else:
            raise ValueError("it is not written as protocol buffers are")
        if at + length > len(value):
            raise ValueError("it is cut short")
        yield field, value[at : at + length]
        at += length


def _number(value: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = value[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, at
        if shift > 63:
            raise ValueError("a number in it has no end")
