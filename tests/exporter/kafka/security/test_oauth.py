"""A token of a file is the one that stood there when it was last looked at, until it ends by its own word."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from keywatch.config.secret import Secret
from keywatch.kafka.security.oauth import TokenFile


def written(claims: dict[str, object]) -> str:
    return f"e30.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


@pytest.mark.parametrize(
    ("token", "end"),
    [
        (written({"exp": 10}), 10.0),
        (written({"exp": 4e9}), None),
        (written({}), None),
        (written({"exp": "soon"}), None),
        ("opaque", None),
        ("a.?.c", None),
        ("a." + "x" * 50_000 + ".c", None),
    ],
)
def test_a_token_of_a_file_is_good_until_it_ends_or_is_looked_at_again(
    tmp_path: Path, token: str, end: float | None
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{token}\n", encoding="utf-8")
    now = time.time()
    found, until, principal, extensions = TokenFile(Secret(None, file)).for_client({"logicalCluster": "lkc-1"}, "")
    assert (found, principal, extensions) == (token, "", {"logicalCluster": "lkc-1"})
    assert until == end or (end is None and now + 50 < until < now + 70)


async def test_a_token_of_a_file_is_the_one_that_stands_there_when_it_was_last_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old", encoding="utf-8")
    secret = Secret(None, file)
    tokens = TokenFile(secret)
    file.with_suffix(".new").write_text("new", encoding="utf-8")
    file.with_suffix(".new").replace(file)
    assert await tokens.token(1.0) == "old"
    secret.look()
    tokens.drop()
    assert await tokens.token(1.0) == "new"
