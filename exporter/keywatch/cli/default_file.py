"""Where the configuration stands when no flag says so, so that no command needs to be told twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "KEYWATCH_CONFIG"
PLACE: Final = "/etc/keywatch/keywatch.yml"
WORDS: Final = f"{PLACE} is read where it exists, or the file that {VARIABLE} names"
"""For help and messages."""


def default_file() -> Path | None:
    """Return the file that the environment names, or else the usual one where something stands there."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    try:
        os.stat(PLACE)  # noqa: PTH116 - the place is a text that a test may put elsewhere
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # such as a folder that may not be entered: whoever reads the file says why it cannot
    return Path(PLACE)
