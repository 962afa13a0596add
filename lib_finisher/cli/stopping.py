"""What asks a run to stop: Ctrl-C, whoever ends the program, a terminal that is closed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lib_finisher.cli.console import warn
from lib_finisher.events import Control

# Windows has no terminal that hangs up.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def stopped_by_signals(control: Control) -> Iterator[None]:
    """The first signal lets the run end cleanly, Ctrl-C after it raises KeyboardInterrupt; the others may come twice
    for one event. One that whoever started the program has switched off, as `nohup` does, stays so."""

    def stop(number: int, current: FrameType | None) -> None:
        if control.interrupted:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        control.interrupt()
        warn("\nfinisher: stopping; what is complete is saved (Ctrl-C again to stop at once)")

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was not set from Python, and cannot be put back from there.
            if handler is not None:
                signal.signal(number, handler)
