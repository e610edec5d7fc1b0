"""The settings that a pipeline may have in pipelines.yml, and what their values can be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

_SIZE = re.compile(r"\d+(?:\.\d+)?\s*(?:[kmgtp]i?b?|b)?", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORDS = {
    "text": "a text",
    "number": "a number",
    "positive": "a number above 0",
    "boolean": "true or false",
    "size": "a size such as 64mb",
}
_ECS = ("disabled", "v1", "v8")
KNOWN: Mapping[str, str | tuple[str, ...]] = {
    "config.debug": "boolean",
    "config.string": "text",
    "config.support_escapes": "boolean",
    "dead_letter_queue.enable": "boolean",
    "dead_letter_queue.flush_check_interval": "number",
    "dead_letter_queue.flush_interval": "number",
    "dead_letter_queue.max_bytes": "size",
    "dead_letter_queue.retain.age": "text",
    "dead_letter_queue.storage_policy": ("drop_newer", "drop_older"),
    "metric.collect": "boolean",
    "path.config": "text",
    "path.dead_letter_queue": "text",
    "path.queue": "text",
    "pipeline.batch.delay": "number",
    "pipeline.batch.metrics.sampling_mode": ("disabled", "minimal", "full"),
    "pipeline.batch.output_chunking.growth_threshold_factor": "number",
    "pipeline.batch.size": "positive",
    "pipeline.ecs_compatibility": _ECS,
    "pipeline.id": "text",
    "pipeline.ordered": ("auto", "true", "false"),
    "pipeline.plugin_classloaders": "boolean",
    "pipeline.recoverable": "boolean",
    "pipeline.reloadable": "boolean",
    "pipeline.system": "boolean",
    "pipeline.workers": "positive",
    "queue.checkpoint.acks": "number",
    "queue.checkpoint.interval": "number",
    "queue.checkpoint.retry": "boolean",
    "queue.checkpoint.writes": "number",
    "queue.compression": ("none", "speed", "balanced", "size"),
    "queue.drain": "boolean",
    "queue.max_bytes": "size",
    "queue.max_events": "number",
    "queue.page_capacity": "size",
    "queue.type": ("memory", "persisted"),
}
"""Setting → the kind of its value, or the words that it allows. Logstash refuses a pipelines.yml with any other."""
IGNORED = frozenset({"config.reload.automatic", "config.reload.interval"})
"""Settings that Logstash takes and leaves aside: they hold for the whole process only."""


def unknown(name: str) -> str:
    """Say that a pipeline has no setting of this name, and what may be meant."""
    close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.8)
    hint = f"; did you mean {close[0]}?" if close else "; what holds for the whole process stands in logstash.yml"
    return f"Logstash takes no setting {name} for a pipeline{hint}"


def wrong(name: str, value: Any) -> str | None:
    """Say what the value of a known setting should be; None when it can be that, or when a variable decides."""
    kind = KNOWN[name]
    if value is None or "${" in str(value):
        return None
    written = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, list | dict):
        good = False
    elif isinstance(kind, tuple):
        good = written in kind
    else:
        good = {
            "text": True,
            "number": _NUMBER.fullmatch(written) is not None,
            "positive": written.isdigit() and int(written) > 0,
            "boolean": written in {"true", "false"},
            "size": _SIZE.fullmatch(written) is not None,
        }[kind]
    wanted = f"one of {', '.join(kind)}" if isinstance(kind, tuple) else _WORDS[kind]
    return None if good else f"{name} must be {wanted}"
