"""The exit codes of the `keywatch` command."""

from __future__ import annotations

from typing import Final

OK: Final = 0
SOMETHING_DOWN: Final = 1
SOMETHING_STAYS: Final = 1
"""Of `dlq`: letters were refused, or nobody agreed."""
BAD_CONFIGURATION: Final = 2
CANNOT_WRITE: Final = 74
"""As sysexits.h has it: the disk is full, or standard output takes nothing."""
INTERRUPTED: Final = 130
NOBODY_READS = 141
"""As a shell tells of a program that SIGPIPE ended."""
