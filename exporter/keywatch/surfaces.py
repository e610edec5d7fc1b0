"""Names and words from outside, written so that each surface shows them and obeys none: one function a surface.

A consumer group, a topic, a check of Keycloak's or a host may be called anything: markup, a line break, an escape
sequence. Whoever writes one to a page, a terminal, a log, a label or a URL does so by the function of that surface.
No file is called after any of them.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
HIDDEN = "**********"
"""What stands in place of a secret."""


def visible(words: str) -> str:
    r"""Write what cannot be seen, or moves what is seen, as `\n`, `\x1b`, `\u202e`; what can be read stays as it is."""
    if words.isprintable():
        return words
    return "".join([sign if sign.isprintable() else _SHORT.get(sign) or _numbered(sign) for sign in words])


def _numbered(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def page(words: str) -> str:
    """Write words in HTML: as text, or as the value of an attribute in quotes."""
    return html.escape(visible(words))


def terminal(words: str) -> str:
    """Write one line on a terminal. What reads markup, such as rich, must be given it as text beside."""
    return visible(words)


def log_text(words: str) -> str:
    """Write the one line of a log in plain text: nothing in it can look like another line."""
    return visible(words)


def log_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Make what is logged fit for JSON: NaN and the infinities are no numbers there; texts are escaped by JSON."""
    return {str(name): _json(value) for name, value in fields.items()}


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return log_json(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_json(one) for one in value]
    return value


def as_json(data: Any, indent: int | None = None) -> str:
    """Write a command's or a page's result as JSON, of ASCII alone, so that no terminal obeys it either."""
    return json.dumps(_json(data), indent=indent)


def label(value: str) -> str:
    """Write the value of a label between its quotes, as both formats of Prometheus want it.

    Half of a surrogate pair, which JSON may hold and UTF-8 cannot, becomes a question mark in a lozenge: one of them
    would make the page unreadable as a whole.
    """
    if not value.isascii():
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def url(part: str) -> str:
    """Write one segment of a URL's path, or one value of its query."""
    if part in {".", ".."}:  # which whoever reads the path would go up by
        return part.replace(".", "%2E")
    return quote(part, safe="", errors="replace")


def without_secrets(address: str) -> str:
    """Write a URL or an address as people may see it: without a user, a password, and the values of its query."""
    rest, fragment, _ = address.partition("#")
    rest, query, _ = rest.partition("?")
    before, at, host = rest.rpartition("@")
    scheme = before.partition("://")[0] + "://" if "://" in before else ""
    shown = f"{scheme}{HIDDEN}@{host}" if at else rest
    return shown + (f"?{HIDDEN}" if query else "") + (f"#{HIDDEN}" if fragment else "")
