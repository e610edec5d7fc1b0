"""What a command says: lines and JSON on standard output, words about what is wrong on standard error."""

from __future__ import annotations

import os
import sys
from typing import Any

from keywatch.surfaces import as_json, terminal


def say(words: str) -> None:
    """Print a result, line by line; what a terminal would obey is made visible."""
    for line in words.split("\n"):
        print(terminal(line), flush=True)  # noqa: T201 - the command's result


def say_json(data: Any, indent: int | None = None) -> None:
    """Print a result as JSON."""
    print(as_json(data, indent), flush=True)  # noqa: T201 - the command's result


def complain(words: str) -> None:
    """Print what is wrong, line by line; where that cannot be written either, the exit code alone tells."""
    try:
        for line in words.split("\n"):
            print(terminal(line), file=sys.stderr, flush=True)  # noqa: T201 - a command's words
    except OSError:
        # What is held back goes nowhere, or Python would try to write it at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
