"""What goes wrong inside an extension is told in the log, and the host goes on."""

from __future__ import annotations

import logging

logger = logging.getLogger("standin")


def report(message: str, *, exc_info: bool = False) -> None:
    logger.error("*** %s", message, exc_info=exc_info)


def display(e: Exception, task: str, *, full_traceback: bool = False) -> None:
    logger.error("%s: %s", task or "error", type(e).__name__, exc_info=e)
