"""Lengths of time as flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def seconds(longest: float) -> Callable[[str], float]:
    """Return a reader of lengths of time above 0 and up to `longest` seconds; it raises `ArgumentTypeError`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
        if not 0 < value <= longest:  # nor is NaN
            raise argparse.ArgumentTypeError(f"{text} is out of range; allowed: more than 0, at most {longest:g}")
        return value

    return read
