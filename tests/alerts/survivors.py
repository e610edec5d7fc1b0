"""Why some mutants survive: changes after which the rule means the same."""

from __future__ import annotations

from typing import Final

EXPLAINED: Final[dict[str, str]] = {}
