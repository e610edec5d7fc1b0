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
_FIELDS = (("metric", str), ("labels", dict), ("what", str))


async def running(config: Config, url: str | None) -> dict[str, Any]:
    """Ask the running keywatch for its incidents: at `url`, or where the configuration has it listen.

    Returns `url`, `answer` (in words, why there is none) and `incidents`, as `/-/incidents` gives them.
    """
    if url is None:
        if config.web.config_file is not None:
            words = "not asked, because its port has users or TLS: give --exporter URL, with a user if it wants one"
            return {"url": "", "answer": words, "incidents": []}
        listening = listen_address(config.web.listen_address)
        host = "127.0.0.1" if listening.host in _ANY else listening.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.port}"
    peer = HttpPeer(url)
    try:
        answer = await peer.get("-/incidents", _TIMEOUT, _MOST_BYTES, last=True)
        incidents = _read(answer.body) if answer.status == 200 else None
        other = f"no keywatch of this version answers there, status {answer.status}"
        words = "asked" if incidents is not None else other
    except ProbeError as error:
        incidents, words = None, f"none runs there: {error.reason}"
    finally:
        await peer.close()
    return {"url": without_secrets(url), "answer": words, "incidents": incidents or []}


def _read(body: bytes) -> list[dict[str, Any]] | None:
    try:
        data = json.loads(body)
        found = data["incidents"]
        return [one for one in found if all(isinstance(one[name], kind) for name, kind in _FIELDS)]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
