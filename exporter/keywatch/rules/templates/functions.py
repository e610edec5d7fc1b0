"""The functions that templates may call, with how many arguments each takes."""

from __future__ import annotations

from typing import Final

from keywatch.rules.prometheus import Prometheus, Release

_MANY: Final = 1_000_000
# Go's own, and Prometheus' own: name → the least and the most arguments.
_ARGUMENTS: Final[dict[str, tuple[int, int]]] = {
    **dict.fromkeys(("and", "or"), (1, _MANY)),
    **dict.fromkeys(("call", "html", "index", "js", "print", "println", "urlquery"), (0, _MANY)),
    "slice": (1, 4),
    "printf": (1, _MANY),
    "eq": (1, _MANY),
    **dict.fromkeys(("ge", "gt", "le", "lt", "ne"), (2, 2)),
    **dict.fromkeys(("len", "not"), (1, 1)),
    **dict.fromkeys(("externalURL", "now", "pathPrefix"), (0, 0)),
    "args": (0, _MANY),
    **dict.fromkeys(("label", "match", "sortByLabel"), (2, 2)),
    "reReplaceAll": (3, 3),
    **dict.fromkeys(
        ("humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp"), (1, 1)
    ),
    **dict.fromkeys(("first", "query", "strvalue", "value"), (1, 1)),
    **dict.fromkeys(("graphLink", "safeHtml", "stripDomain", "stripPort", "tableLink", "urlQueryEscape"), (1, 1)),
    **dict.fromkeys(("parseDuration", "title", "toDuration", "toLower", "toTime", "toUpper"), (1, 1)),
}
_SINCE: Final[dict[str, Release]] = {"now": (3, 6), "toDuration": (3, 6), "urlQueryEscape": (3, 8)}


def missing(name: str, prometheus: Prometheus) -> str | None:
    """Say why a template of that Prometheus cannot call a function; None when it can."""
    if name not in _ARGUMENTS:
        return f"the function {name} is not defined"
    since = _SINCE.get(name)
    if since and prometheus.release < since:
        return f"the function {name} is not defined, it came with {since[0]}.{since[1]}"
    return None


def takes(name: str) -> tuple[int, int]:
    """Return the least and the most arguments of a function."""
    return _ARGUMENTS[name]
