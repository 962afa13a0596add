"""The exit statuses of the command line."""

FINISHED, SOME_FAILED, NOT_USABLE, INTERRUPTED = 0, 1, 2, 130
