"""Prints tables: on a terminal as wide as it is, elsewhere a line a row, with nothing folded, cut or padded."""

from __future__ import annotations

import re
import sys
from typing import Final

from rich.console import Console, RenderableType

from keywatch.cli.out import say

_WIDEST: Final = 1_000_000
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{20,}")
_KEPT: Final = 8


def on_terminal() -> bool:
    """Return whether a person looks at standard output, and no program or file takes it."""
    return sys.stdout.isatty()


def show(what: RenderableType) -> None:
    """Print a table, or text of rich's."""
    if on_terminal():
        Console(highlight=False).print(what)
        return
    console = Console(highlight=False, width=_WIDEST, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    for line in captured.get().splitlines():
        say(line.rstrip())


def short(name: str) -> str:
    """Write a UUID or a digest by its beginning where a person looks, as whole as it is elsewhere."""
    return f"{name[:_KEPT]}…" if on_terminal() and _ID.fullmatch(name) else name
