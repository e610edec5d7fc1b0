"""Names why Elasticsearch or OpenSearch did not do what it was asked, from the status and the kind of its error."""

from __future__ import annotations

import json
import re
from typing import Any

from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer

_KIND = re.compile(r"[a-z_]{1,60}")
# The privilege that is missing stands in the words only; nothing else of them is taken.
_GRANTED = re.compile(r"granted by the (?:cluster|index) privileges? \[([a-z_,/:* ]{1,200})\]")
_NOT_PRINTED = re.compile(r"[^\x20-\x7e]+")
_LONGEST = 400
_MOST_READ = 10_000
_UNAVAILABLE = {502: "a gateway before it has no answer", 503: "it cannot serve now", 504: "a gateway waited in vain"}
RETRIED = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed a moment later."""


class RefusedError(ProbeError):
    """It answered, and it did not do it: `status` of HTTP and the `kind` that the server gives its errors."""

    def __init__(self, reason: Reason, detail: str, status: int, kind: str) -> None:
        super().__init__(reason, detail)
        self.status = status
        self.kind = kind

    @property
    def blocked(self) -> bool:
        """Whether somebody, or a full disk, has forbidden to write; trying again does not help."""
        return self.kind == "cluster_block_exception"


def error_of(answer: Answer, what: str, *, explain: bool = False) -> RefusedError:
    """Word an answer of status 400 or more; `what` is how the request is called.

    The server's own sentence may quote documents, so it is given only when `explain` says that it is about objects of
    ours.
    """
    kind, sentence = _error(answer.body)
    status = answer.status
    reason, words = _words(status, kind, sentence)
    if explain and sentence:
        clean = _NOT_PRINTED.sub(" ", sentence)
        words = f"{words}: {clean[:_LONGEST]}{'…' if len(clean) > _LONGEST else ''}"
    return RefusedError(reason, f"{what}: {words}", status, kind)


def _words(status: int, kind: str, sentence: str) -> tuple[Reason, str]:
    if kind == "cluster_block_exception":
        if "flood-stage" in sentence:
            return Reason.STORAGE, f"status {status}: read-only, since a disk is full (flood-stage watermark)"
        return Reason.REJECTED, f"status {status}: writing is blocked (cluster_block_exception)"
    if status == 401:
        return Reason.AUTHENTICATION, "status 401: the credentials are refused, or there are none"
    if status == 403:
        granted = _GRANTED.search(sentence)
        right = f"; one of these rights is missing: {granted[1]}" if granted else "; a right is missing"
        return Reason.AUTHORIZATION, f"status 403{right}"
    if status == 429:
        return Reason.REJECTED, "status 429: it has too much to do"
    if status in _UNAVAILABLE:
        reason = Reason.TIMEOUT_RESPONSE if status == 504 else Reason.REJECTED
        return reason, f"status {status}: {_UNAVAILABLE[status]}{f' ({kind})' if kind else ''}"
    if status in {404, 405}:
        return Reason.UNSUPPORTED, f"status {status}: there is no such thing here{f' ({kind})' if kind else ''}"
    if status == 409:
        return Reason.REJECTED, f"status 409: somebody else changed it meanwhile{f' ({kind})' if kind else ''}"
    if status >= 500:
        return Reason.PROTOCOL, f"status {status}: it failed{f' ({kind})' if kind else ''}"
    return Reason.REJECTED, f"status {status}: refused{f' ({kind})' if kind else ''}"


def _error(body: bytes) -> tuple[str, str]:
    """Return the kind of an error and its sentence; empty for what is none of Elasticsearch's."""
    try:
        found: Any = json.loads(body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return "", ""
    if isinstance(found, str):
        return "", found[:_MOST_READ]
    if not isinstance(found, dict):
        return "", ""
    kind, sentence = found.get("type"), found.get("reason")
    deeper = found.get("caused_by")
    words = [str(sentence)] if sentence else []
    while isinstance(deeper, dict) and len(words) < 4:
        words.append(str(deeper.get("reason", "")))
        deeper = deeper.get("caused_by")
    return kind if isinstance(kind, str) and _KIND.fullmatch(kind) else "", "; ".join(filter(None, words))[:_MOST_READ]
