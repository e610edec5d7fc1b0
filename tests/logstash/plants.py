"""Secrets and personal data to plant in every field of every shape, and what must not be seen of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple


class Plant(NamedTuple):
    """A text to put somewhere, and the part of it that must not come out."""

    text: str
    secret: str


def shaped(word: str) -> list[Plant]:
    """Give texts that anybody can tell to be secret or personal by their shape, made of an opaque word."""
    jwt = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{word}.{word}"
    return [
        Plant(jwt, word),
        Plant(f"Authorization: Bearer {word}", word),
        Plant(f"basic {word}=", word),
        Plant(f"password={word}", word),
        Plant(f"client_secret: '{word} {word}'", word),
        Plant(f'{{"password":"{word}"}}', word),
        Plant(json.dumps(json.dumps({"credentials": [{"type": "password", "value": f'{word}"{word}'}]})), word),
        Plant(f'{{"secret":["{word}", "{word}"]}}', word),
        Plant(f"https://app.example/cb?state={word}&code={word}", word),
        Plant(f"https://ann:{word}@app.example/", word),
        Plant(f"mail to {word}@mail.example.org, please", word),
        Plant(f'username="{word}", email={word}', word),
        Plant(f"f:2f1e1a33-5a0d-4d7f-9d7c-0a5f6f1b2c3d:{word}", word),
        Plant(f"-----BEGIN PRIVATE KEY-----\n{word}\n-----END PRIVATE KEY-----", word),
        Plant("from 203.0.113.77", "203.0.113.77"),
        Plant("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]", "bbbb:cccc"),
        Plant("call +49 151 77003311", "77003311"),
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of every value within a record, the record's own left out."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))


def planted(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    """Return a copy of the record in which `put` stands at the path."""
    if not path:
        return put
    if isinstance(value, dict):
        return {key: planted(inner, path[1:], put) if key == path[0] else inner for key, inner in value.items()}
    return [planted(inner, path[1:], put) if at == path[0] else inner for at, inner in enumerate(value)]
