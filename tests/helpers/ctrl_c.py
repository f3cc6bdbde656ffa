"""Processes that heed Ctrl-C, whatever started the tests."""

import sys

_HEED = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


def heeding(*command: str) -> list[str]:
    """The command of a process that is to be interrupted.

    What runs in the background of a shell ignores Ctrl-C, and so does all that it starts.
    """
    return [sys.executable, "-c", _HEED, *command]
