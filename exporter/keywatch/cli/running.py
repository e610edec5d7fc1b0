"""What the keywatch that runs here knows and one look cannot: what is missing since yesterday, what came in between."""

from __future__ import annotations

import json
from typing import Any

from keywatch.config.endpoint import listen_address
from keywatch.config.model import Config
from keywatch.engine.probe import ProbeError
from keywatch.net.http_peer import HttpPeer
from keywatch.surfaces import without_secrets

_MOST_BYTES = 4_000_000
_TIMEOUT = 2.0
_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on
_LACKS = "What one look cannot know, such as events missing since yesterday, is not told."
_FIELDS = (("metric", str), ("labels", dict), ("what", str))


async def running(config: Config, url: str | None) -> dict[str, Any]:
    """Ask the running keywatch for its incidents: at `url`, or where the configuration has it listen.

    Returns `url`, `answer` (in words, why there is none) and `incidents`, as `/-/incidents` gives them.
    """
    if url is None:
        if config.web.config_file is not None:
            words = "The keywatch that runs here was not asked, as its port has users or TLS: give --exporter URL."
            return {"url": "", "answer": f"{words} {_LACKS}", "incidents": []}
        listening = listen_address(config.web.listen_address)
        host = "127.0.0.1" if listening.host in _ANY else listening.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.port}"
    shown, incidents, why = without_secrets(url), None, "it is another program, or an older keywatch"
    peer = HttpPeer(url)
    try:
        answer = await peer.get("-/incidents", _TIMEOUT, _MOST_BYTES, last=True)
        incidents = _read(answer.body) if answer.status == 200 else None
    except ProbeError as error:
        why = error.detail
    finally:
        await peer.close()
    asked = f"The keywatch that runs at {shown} was asked too."
    words = (
        asked if incidents is not None else f"No keywatch told anything at {shown}: {without_secrets(why)}. {_LACKS}"
    )
    return {"url": shown, "answer": words, "incidents": incidents or []}


def _read(body: bytes) -> list[dict[str, Any]] | None:
    try:
        data = json.loads(body)
        found = data["incidents"]
        return [
            one for one in found if _formed(one) and (not one.get("follows_from") or _formed(one["follows_from"], 2))
        ]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _formed(one: dict[str, Any], fields: int = len(_FIELDS)) -> bool:
    """Return whether it has what an incident has, or the first two of it, by which one is named."""
    return all(isinstance(one[name], kind) for name, kind in _FIELDS[:fields])
