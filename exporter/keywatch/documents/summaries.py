"""Writes an alert's summary for documents, where it has no labels yet."""

from __future__ import annotations

import re

from keywatch.rules.rule_file import Rule

_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def in_general(rule: Rule) -> str:
    """Return the summary with the names of labels, emphasised, where their values will stand."""
    return _LABEL.sub(r"*\1*", str(rule.data["annotations"]["summary"]))
