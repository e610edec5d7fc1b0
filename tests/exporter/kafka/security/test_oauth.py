"""A token is fetched once for all who ask at the same moment, and nobody waits longer than may be."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from keywatch.config.secret import Secret
from keywatch.kafka.security.oauth import TokenError, TokenSource
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
