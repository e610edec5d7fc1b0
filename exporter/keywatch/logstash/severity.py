"""How much each rule of the lint weighs: what does not work, what may be lost or seen, what is a matter of taste."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Severity(IntEnum):
    """The heavier the higher: an error does not work as written, a warning loses, leaks or misleads, style is taste."""

    STYLE = 0
    WARNING = 1
    ERROR = 2


_RULES = {
    Severity.ERROR: """
        plugin-misplaced option-unknown option-type option-missing id-twice field-malformed
        condition-list condition-value condition-call condition-part condition-pattern
        output-option pipeline-files setting-value variable-undefined
    """,
    Severity.WARNING: """
        plugin-unknown key-twice condition-mixed older-logstash nesting variable-in-comment variable-malformed
        secret-literal secret-default hash-unkeyed hash-key kafka-commit kafka-reset kafka-tls
        output-tls output-credentials output-twice setting-ignored pipeline-id
        queue-memory queue-checkpoint dead-letters-off
    """,
    Severity.STYLE: """
        id-missing add-field-routing stdout json-quotes kafka-isolation kafka-create kafka-name kafka-place
        output-data-stream dataset-missing original-kept
    """,
}
RULES: Mapping[str, Severity] = {rule: severity for severity, rules in _RULES.items() for rule in rules.split()}
"""Rule → its severity; each rule of the lint is one of these."""
