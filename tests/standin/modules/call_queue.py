"""One generation at a time, first come first served."""

from __future__ import annotations

import collections
import html
import threading
import time
from functools import wraps

from modules import errors, progress, shared


class FIFOLock:
    """Cannot be taken twice by one thread."""

    def __init__(self):
        self._lock, self._inner = threading.Lock(), threading.Lock()
        self._waiting = collections.deque()

    def acquire(self, blocking=True):
        with self._inner:
            if self._lock.acquire(False):
                return True
            if not blocking:
                return False
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        return self._lock.acquire()

    def release(self):
        with self._inner:
            self._lock.release()
            if self._waiting:
                self._waiting.popleft().set()

    __enter__ = acquire

    def __exit__(self, *told):
        self.release()


queue_lock = FIFOLock()


def wrap_queued_call(func):
    def f(*args, **kwargs):
        with queue_lock:
            return func(*args, **kwargs)

    return f


def wrap_gradio_gpu_call(func, extra_outputs=None):
    @wraps(func)
    def f(*args, **kwargs):
        named = bool(args) and isinstance(args[0], str) and args[0].startswith("task(") and args[0].endswith(")")
        task = args[0] if named else None
        if named:
            progress.add_task_to_queue(task)
        with queue_lock:
            shared.state.begin(job=task)
            progress.start_task(task)
            try:
                done = func(*args, **kwargs)
                progress.record_results(task, done)
            finally:
                progress.finish_task(task)
            shared.state.end()
        return done

    return wrap_gradio_call(f, extra_outputs=extra_outputs, add_stats=True)


def wrap_gradio_call(func, extra_outputs=None, add_stats=False):
    @wraps(func)
    def f(*args, **kwargs):
        state = shared.state
        try:
            return func(*args, **kwargs)
        finally:
            state.skipped = state.interrupted = state.stopping_generation = False
            state.job, state.job_count = "", 0

    return wrap_gradio_call_no_job(f, extra_outputs, add_stats)


def wrap_gradio_call_no_job(func, extra_outputs=None, add_stats=False):
    @wraps(func)
    def f(*args, extra_outputs_array=extra_outputs, **kwargs):
        begun = time.perf_counter()
        try:
            done = list(func(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (the page shows it)
            errors.report("Error completing request", exc_info=True)
            message = html.escape(f"{type(error).__name__}: {error}")
            done = [*([None, ""] if extra_outputs_array is None else extra_outputs_array)]
            done.append(f"<div class='error'>{message}</div>")
        if add_stats:
            taken = time.perf_counter() - begun
            done[-1] += f"<div class='performance'><p class='time'>Time taken: {taken:.1f} sec.</p></div>"
        return tuple(done)

    return f
