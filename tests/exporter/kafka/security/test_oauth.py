"""A token is fetched once for all who ask at the same moment, and nobody waits longer than may be."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from pydantic import SecretStr

from keywatch.config.secret import Secret
from keywatch.kafka.security.oauth import TokenError, TokenFile, TokenSource
from tests.exporter.fakes.http_server import reply, serving


def source(url: str) -> TokenSource:
    return TokenSource(url, "keywatch", Secret(SecretStr("secret"), None, None))


async def test_who_waits_behind_a_fetch_that_hangs_waits_no_longer_than_its_own_deadline() -> None:
    async with serving({"/token": None}) as web:
        tokens = source(f"{web.url}/token")
        loop = asyncio.get_running_loop()
        ended: list[float] = []

        async def ask() -> None:
            begun = loop.time()
            with pytest.raises(TokenError, match="did not answer in"):
                await tokens.token(0.3)
            ended.append(loop.time() - begun)

        await asyncio.gather(*(ask() for _ in range(5)))
        # The second may still begin a fetch with the little that is left to it, and none waits its turn for more.
        assert max(ended) < 0.3 * 2


async def test_a_token_serves_all_who_asked_meanwhile() -> None:
    page = reply('{"access_token": "abc", "expires_in": 300}')
    async with serving({"/token": page}) as web:
        web.delay = 0.05
        tokens = source(f"{web.url}/token")
        assert await asyncio.gather(*(tokens.token(5.0) for _ in range(5))) == ["abc"] * 5
        assert len(web.asked) == 1


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
