"""A token is fetched once for all who ask at the same moment, and nobody waits longer than may be."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from pydantic import SecretStr

from keywatch.config.secret import Secret
from keywatch.kafka.security.client_proof import SharedSecret
from keywatch.kafka.security.oauth import TokenError
from keywatch.kafka.security.token_server import TokenServer
from tests.exporter.fakes.fake_broker import listening
from tests.exporter.fakes.http_server import reply, serving
from tests.kafka import token_server


def source(url: str) -> TokenServer:
    return TokenServer(url, SharedSecret("keywatch", Secret(SecretStr("secret"), None, None)))


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


async def test_the_clients_of_librdkafka_are_handed_the_same_token_with_its_end() -> None:
    with token_server.TokenServer("keywatch", "secret", life=200.0) as server:
        tokens = source(server.url)
        token = await tokens.token(5.0)
        before = time.time()
        found, end, principal, extensions = tokens.for_client({"logicalCluster": "lkc-1"}, "")
        assert (found, principal, extensions) == (token, "", {"logicalCluster": "lkc-1"})
        assert before + 190 < end < time.time() + 200
        assert len(server.issued) == 1


def test_clients_of_librdkafka_fetch_one_token_for_all_where_none_is_at_hand() -> None:
    with token_server.TokenServer("keywatch", "secret") as server:
        tokens = source(server.url)
        found: list[str] = []
        askers = [threading.Thread(target=lambda: found.append(tokens.for_client({}, "")[0])) for _ in range(5)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(30)
        assert found == server.issued * 5
        assert asyncio.run(tokens.token(5.0)) == found[0]


def test_a_server_that_refuses_is_asked_once_for_the_clients_of_a_moment() -> None:
    with token_server.TokenServer("keywatch", "other") as server:
        tokens = source(server.url)
        for _ in range(5):
            with pytest.raises(TokenError, match=r"status 401 \(invalid_client\)"):
                tokens.for_client({}, "")
        assert server.refused == 1


async def test_scope_and_audience_are_asked_for() -> None:
    with token_server.TokenServer("keywatch", "secret") as server:
        client = SharedSecret("keywatch", Secret(SecretStr("secret"), None, None))
        await TokenServer(server.url, client, scope="kafka", audience="https://kafka/").token(5.0)
        assert server.forms == [{"grant_type": "client_credentials", "scope": "kafka", "audience": "https://kafka/"}]


async def test_a_token_that_is_still_good_outlives_a_server_that_fails() -> None:
    now = [1000.0]
    with token_server.TokenServer("keywatch", "secret", life=100.0) as server:
        client = SharedSecret("keywatch", Secret(SecretStr("secret"), None, None))
        tokens = TokenServer(server.url, client, clock=lambda: now[0])
        token = await tokens.token(5.0)
        server.secret = "other"  # noqa: S105
        now[0] += 85
        assert await tokens.token(5.0) == token
        now[0] += 20
        with pytest.raises(TokenError, match="status 401"):
            await tokens.token(5.0)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("{", "200 OK", "did not answer with a token$"),
        ("[]", "200 OK", "did not answer with a token$"),
        ('{"access_token": "x", "expires_in": "soon"}', "200 OK", "did not answer with a token$"),
        ('{"access_token": "x", "expires_in": 1e999}', "200 OK", ""),
        ('{"access_token": "x", "expires_in": NaN}', "200 OK", "with a token that has ended$"),
        ('{"access_token": "x", "expires_in": -1}', "200 OK", "with a token that has ended$"),
        ("[" * 60_000, "400 Bad Request", "status 400$"),
        (json.dumps({"error": "invalid_client"}), "401 Unauthorized", r"status 401 \(invalid_client\)$"),
        (json.dumps({"error": "hunter2"}), "401 Unauthorized", "status 401$"),
        (json.dumps({"error": {"a": 1}}), "401 Unauthorized", "status 401$"),
        (json.dumps(["error"]), "401 Unauthorized", "status 401$"),
    ],
)
async def test_an_answer_that_is_no_token_is_named_and_nothing_of_it_repeated(
    body: str, status: str, words: str
) -> None:
    async with serving({"/token": reply(body, status)}) as web:
        tokens = source(f"{web.url}/token")
        if not words:
            assert await tokens.token(5.0) == "x"
            return
        with pytest.raises(TokenError, match=words):
            await tokens.token(5.0)


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end_and_one_without_end_is_given_up() -> None:
    pieces = [b'{"access_token": ', b'"abc", ', b'"expires_in": 300}']

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write_eof()

    async with listening(serve) as endpoint:
        assert await source(f"http://{endpoint}/token").token(10.0) == "abc"
        pieces[:] = [b" " * 20_000] * 5
        with pytest.raises(TokenError, match=r"did not answer with a token$"):
            await source(f"http://{endpoint}/token").token(10.0)
