"""The first that runs: makes the process fit, whatever it was started with, before all else is loaded."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from keywatch.cli.hangups import HANGUPS

_STANDARD = (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["serve"]:
        HANGUPS.hold()
    open_standard_descriptors()
    from keywatch.cli.command import main as command  # noqa: PLC0415 - takes a while, in which a signal may come

    return command(given)


def open_standard_descriptors() -> None:
    """Have something at the descriptors 0, 1 and 2 that are closed, and let no name's letters end a command.

    A connection to Kafka would get one of these numbers otherwise, and what somebody writes to standard error.
    """
    for name, number, mode in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free: those below are open by now.
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - stays
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # such as a test's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # as above
