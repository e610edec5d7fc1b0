"""Tells how long the machine itself had the bed wait, so that what came late can be told from what was held up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Kind of waiting, the file of the kernel's pressure stall information (PSI), and the line of it.
_PRESSURES = (("for a core", "cpu", "some"), ("for a disk", "io", "full"))
_TAKEN = "for the host"


def waited() -> dict[str, float]:
    """Return the seconds that processes waited since boot, by what for; what this kernel does not count is left out.

    For a core: at least one process did. For a disk: all that had something to do did. For the host: summed over the
    cores, the host had given them to others (`steal` of /proc/stat).
    Source: the kernel's Documentation/accounting/psi.rst and proc(5).
    """
    found: dict[str, float] = {}
    for what, file, wanted in _PRESSURES:
        for line in _lines(Path("/proc/pressure") / file):
            kind, *fields = line.split()
            if kind == wanted:
                found[what] = int(fields[-1].removeprefix("total=")) / 1e6
    for line in _lines(Path("/proc/stat"))[:1]:
        found[_TAKEN] = int(line.split()[8]) / os.sysconf("SC_CLK_TCK")
    return found


def since(before: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds that processes waited since `before` was taken."""
    return {what: round(value - before[what], 3) for what, value in waited().items() if what in before}


def words(waits: Mapping[str, float]) -> str:
    """Say how long processes waited, and for what; empty when nothing is known."""
    told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in waits.items())
    return f"the machine had processes wait meanwhile: {told}" if told else ""


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
