"""Reading PyTorch's pickled files as data: nothing in the file is run, imported, constructed or looked up.

The pickle's instructions are followed by a machine of our own that knows only how to build plain values. Where a pickle
would import a name, call it or make an object, the machine writes down that it wanted to, as `Name`, `Call` and `Made`.
What is made of these is the caller's to decide, from a list of exact names.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lib_finisher.detect.detection import DetectorError

_MAGIC = b"PK\x03\x04"
_LARGEST_PICKLE = 64 << 20
_BROKEN = (
    zipfile.BadZipFile, EOFError, IndexError, KeyError, NotImplementedError, OverflowError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
_MARK = object()
_SIMPLE = (str, int, float, bool, bytes, type(None))
_MODULES_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_PUSHED = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE",
    "BINUNICODE", "BINUNICODE8",
})  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}


class UnsafeModel(DetectorError):
    """A model file that wants more than Finisher lets a file do. The message says what, and how to allow this file."""

    def __init__(self, file: str, wanted: str, sha256: str) -> None:
        super().__init__(
            f"{file} was not loaded, because it wants {wanted}. A model file that is given such a thing can run any "
            "program with your rights. If you trust whoever made it, allow this one file: put its sha256 into the "
            f'setting "Finisher: trusted model files (sha256)", or give --trust-model {sha256}'
        )
        self.wanted = wanted
        self.sha256 = sha256


class Refused(Exception):
    """What the file wanted and will not get, in words that follow "wants"."""


class Name(NamedTuple):
    """Something that a pickle would import: a module, and a name in it. Nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Call:
    """A function that a pickle would call. Nothing is called."""

    function: Name
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(eq=False)
class Made:
    """An object that a pickle would make without arguments and fill with `state`. Nothing is made."""

    kind: Name
    state: Any = None


@dataclass(frozen=True)
class Stored:
    """Numbers that lie in a record of the archive: their storage class, the record's key, and how many."""

    kind: Name
    key: str
    count: int


@dataclass(frozen=True)
class Archive:
    """A PyTorch file: its pickle as plain values, `Name`, `Call`, `Made` and `Stored`, and its records by key."""

    root: Any
    records: Mapping[str, bytes]


def read_archive(data: bytes, file: str, sha256: str, allowed: Collection[Name], called: Collection[Name]) -> Archive:
    """A file as torch.save writes it, wherever its pickle names nothing but `allowed` and calls nothing but `called`.

    Raises UnsafeModel where it wants anything else, and DetectorError where it is no such file or broken.
    """
    if not data.startswith(_MAGIC):
        raise _unchecked(data, file, sha256)
    try:
        pickled, records = _records(data)
        return Archive(Machine(allowed, called).run(pickled), records)
    except Refused as refused:
        raise UnsafeModel(file, str(refused), sha256) from None
    except _BROKEN as error:
        raise DetectorError(f"{file} cannot be read as a PyTorch file: {error}. Fetch it again.") from error


def _unchecked(data: bytes, file: str, sha256: str) -> DetectorError:
    if data[:1] == b"\x80":
        return UnsafeModel(file, "to be read as PyTorch files were before 2020, which cannot be checked", sha256)
    return DetectorError(f"{file} is not a PyTorch file. Fetch it again, or use its ONNX export.")


def _records(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the records under data/, by key. Raises ValueError where the archive is not torch.save's."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = {entry.filename for entry in entries}
        if len(names) != len(entries):
            raise ValueError("two of its records have one name")
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
            raise ValueError("its records are compressed or encrypted")
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("its records are larger than the file")
        tops = {name.partition("/")[0] for name in names}
        top = next(iter(tops), "")
        if len(tops) != 1 or f"{top}/data.pkl" not in names:
            raise ValueError("it has no data.pkl in one folder")
        if f"{top}/constants.pkl" in names:
            raise ValueError("it is a TorchScript program, which is not supported: export it as ONNX")
        if f"{top}/byteorder" in names and archive.read(f"{top}/byteorder") != b"little":
            raise ValueError("its numbers are big-endian")
        if archive.getinfo(f"{top}/data.pkl").file_size > _LARGEST_PICKLE:
            raise ValueError("its data.pkl is too large")
        within = f"{top}/data/"
        records = {name[len(within) :]: archive.read(name) for name in names if name.startswith(within)}
        return archive.read(f"{top}/data.pkl"), records


class Machine:
    """Follows a pickle's instructions and makes plain values of them; runs once."""

    def __init__(self, allowed: Collection[Name], called: Collection[Name]) -> None:
        self._allowed = allowed
        self._called = called
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, pickled: bytes) -> Any:
        """The value that the pickle describes. Raises Refused, or ValueError and its like where it is broken."""
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "STOP":
                return self._stack.pop()
            self._step(opcode.name, argument)
        raise ValueError("its pickle has no end")

    def _step(self, opcode: str, argument: Any) -> None:
        stack = self._stack
        if opcode in _PUSHED:
            stack.append(argument)
        elif opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode])
        elif opcode in _TUPLES:
            self._tuple(_TUPLES[opcode])
        elif opcode in _EMPTY:
            stack.append(_EMPTY[opcode]())
        elif opcode in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[int(argument)])
        elif opcode in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[int(argument)] = stack[-1]
        elif opcode == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif opcode == "MARK":
            stack.append(_MARK)
        elif opcode not in ("PROTO", "FRAME"):
            act = _ACTS.get(opcode)
            if act is None:
                raise Refused(f"the pickle instruction {opcode}")
            act(self, argument)

    def _tuple(self, length: int) -> None:
        if length > len(self._stack):
            raise IndexError("its pickle takes more than there is")
        at = len(self._stack) - length
        self._stack[at:] = [tuple(self._stack[at:])]

    def _marked(self) -> list[Any]:
        """What was pushed since the last mark, and the mark itself, taken off."""
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("its pickle has no mark")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _name(self, module: str, name: str) -> None:
        wanted = Name(_MODULES_OF_PYTHON_2.get(module, module), name)
        if wanted not in self._allowed:
            raise Refused(repr(str(wanted)))
        self._stack.append(wanted)

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Refused("a name that is computed")
        self._name(module, name)

    def _reduce(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise Refused("to call what is computed")
        if function not in self._called:
            raise Refused(f"to call {function}")
        if function == ("collections", "OrderedDict"):
            made: Any = {}
            for key, value in arguments[0] if arguments else ():
                made[_key(key)] = value
        elif function == ("builtins", "set"):
            made = {_key(item) for item in (arguments[0] if arguments else ())}
        else:
            made = Call(function, arguments)
        self._stack.append(made)

    def _new(self, _: Any) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, Name):
            raise Refused("to make an object of what is computed")
        if arguments != ():
            raise Refused(f"to make a {kind} with arguments of its own")
        self._stack.append(Made(kind))

    def _build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, (Made, Call)):
            if target.state is not None:
                raise Refused("to fill one object twice")
            target.state = state
        elif not isinstance(target, dict):
            raise Refused(f"to change a {type(target).__name__}")

    def _persistent(self, _: Any) -> None:
        what = self._stack.pop()
        if not isinstance(what, tuple) or len(what) != 5 or what[0] != "storage":
            raise Refused("a stored thing that is not a tensor's numbers")
        _, kind, key, _, count = what
        if not (isinstance(kind, Name) and isinstance(key, str) and isinstance(count, int)):
            raise Refused("a stored thing of an unknown kind")
        self._stack.append(Stored(kind, key, count))

    def _list(self, _: Any) -> None:
        self._stack.append(self._marked())

    def _marked_tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._marked()))

    def _dict(self, _: Any) -> None:
        items = self._marked()
        self._stack.append({_key(key): value for key, value in zip(items[::2], items[1::2])})

    def _frozen_set(self, _: Any) -> None:
        self._stack.append({_key(item) for item in self._marked()})

    def _append(self, _: Any) -> None:
        value = self._stack.pop()
        _is(self._stack[-1], list).append(value)

    def _appends(self, _: Any) -> None:
        items = self._marked()
        _is(self._stack[-1], list).extend(items)

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        _is(self._stack[-1], dict)[_key(key)] = value

    def _set_items(self, _: Any) -> None:
        items = self._marked()
        target = _is(self._stack[-1], dict)
        for key, value in zip(items[::2], items[1::2]):
            target[_key(key)] = value

    def _add_items(self, _: Any) -> None:
        items = self._marked()
        _is(self._stack[-1], set).update(_key(item) for item in items)

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _twice(self, _: Any) -> None:
        self._stack.append(self._stack[-1])


_ACTS: Mapping[str, Callable[[Machine, Any], None]] = {
    "GLOBAL": Machine._global, "STACK_GLOBAL": Machine._stack_global, "REDUCE": Machine._reduce,
    "NEWOBJ": Machine._new, "BUILD": Machine._build, "BINPERSID": Machine._persistent, "LIST": Machine._list,
    "TUPLE": Machine._marked_tuple, "DICT": Machine._dict, "FROZENSET": Machine._frozen_set,
    "APPEND": Machine._append, "APPENDS": Machine._appends, "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items, "ADDITEMS": Machine._add_items, "POP": Machine._pop,
    "POP_MARK": Machine._pop_mark, "DUP": Machine._twice,
}  # fmt: skip


def _key(value: Any) -> Any:
    """A dictionary's key or a set's item. Only simple ones: a nested tuple takes exponential time to hash."""
    if not isinstance(value, _SIMPLE):
        raise Refused(f"a {type(value).__name__} as a key")
    return value


def _is(target: Any, kind: type) -> Any:
    if not isinstance(target, kind):
        raise Refused(f"to change a {type(target).__name__}")
    return target
