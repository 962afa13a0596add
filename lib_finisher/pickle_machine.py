"""Following a pickle's instructions as data: nothing is run, imported, constructed or looked up.

The machine knows only how to build plain values. Where a pickle would import a name, call it or make an object, it
writes down that it wanted to, as `Name`, `Call` and `Made`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple

MOST_STEPS = 1_000_000
"""Instructions, values copied and values walked through; large detectors need 80,000."""

_MARK = object()
_LONGEST_NAME = 120
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


class Refused(Exception):
    """What the file wanted and will not get, in words that follow "wants"."""


class TooMuch(ValueError):
    """Data that would take more steps or more memory than any file of its kind needs."""


class Budget:
    """How much may still be done; `what` it counts is for the message."""

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what, self.spent = most, what, 0

    def spend(self, amount: int = 1) -> None:
        """Count. Raises TooMuch where that is more than there is."""
        self.spent += amount
        if self.spent > self._most:
            raise TooMuch(f"it asks for more than {self._most} {self._what}")


class Name(NamedTuple):
    """Something that a pickle would import: a module, and a name in it. Nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:_LONGEST_NAME]


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


class Machine:
    """Follows a pickle's instructions and makes plain values of them; runs once, in at most MOST_STEPS steps."""

    def __init__(self, allowed: Collection[Name], called: Collection[Name]) -> None:
        self._budget = Budget(MOST_STEPS, "steps")
        self._allowed = allowed
        self._called = called
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, pickled: bytes | BytesIO) -> Any:
        """The value that the pickle describes; a stream is read no further than it goes.

        Raises Refused, TooMuch, or ValueError and its like where it is broken.
        """
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "STOP":
                return self._stack.pop()
            self._budget.spend()
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
        if not self._may_name(wanted):
            raise Refused(repr(str(wanted)))
        self._stack.append(wanted)

    def _may_name(self, wanted: Name) -> bool:
        return wanted in self._allowed

    def _may_call(self, wanted: Name) -> bool:
        return wanted in self._called

    def _copied(self, values: Any) -> Any:
        """What is taken over item by item, which the pickle may ask for again and again."""
        self._budget.spend(len(values))
        return values

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
        if not self._may_call(function):
            raise Refused(f"to call {function}")
        if function == ("collections", "OrderedDict"):
            made: Any = {}
            for key, value in self._copied(arguments[0]) if arguments else ():
                made[_key(key)] = value
        elif function == ("builtins", "set"):
            made = {_key(item) for item in (self._copied(arguments[0]) if arguments else ())}
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


class Check(Machine):
    """Finds out whether somebody else's unpickler may be given a pickle: the names are that one's affair.

    What takes it for ever, keys that are nested, is refused here, and what is larger than any model.
    """

    def __init__(self) -> None:
        super().__init__((), ())

    def _may_name(self, wanted: Name) -> bool:
        return True

    def _may_call(self, wanted: Name) -> bool:
        return True

    def _new(self, _: Any) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        self._stack.append(Call(kind, arguments))

    def _build(self, _: Any) -> None:
        self._stack.pop()

    def _persistent(self, _: Any) -> None:
        self._stack.append(Stored(Name("torch", "storage"), str(type(self._stack.pop())), 0))


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
