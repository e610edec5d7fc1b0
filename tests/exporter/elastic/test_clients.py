"""The official clients keep keywatch's promises: bounds, names, one try, no document told; each loads when needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import traceback
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from keywatch.config.logs import ElasticsearchSection
from keywatch.config.secret import ApiKey
from keywatch.elastic import server
from keywatch.elastic.clients import Connect, client_of
from keywatch.elastic.product import Name
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer, HttpPeer
from tests.exporter.fakes.fake_elasticsearch import Reply, Stub, serving

PLANTED = "anna@example.org"
QUOTING = {"type": "document_parsing_exception", "reason": f"Preview of field's value: '{PLANTED}'"}
VERSIONS = {Name.ELASTICSEARCH: "9.1.0", Name.OPENSEARCH: "3.8.0"}
HITS: dict[str, Any] = {"hits": {"hits": []}}

both = pytest.mark.parametrize("product", Name)


def stub_of(product: Name, search: Reply | None = None) -> Stub:
    return Stub(product, VERSIONS[product], replies={"POST": search or Reply(200, HITS)})


@contextlib.asynccontextmanager
async def reached(stub: Stub, key: ApiKey | None = None) -> AsyncIterator[ElasticServer]:
    with serving(stub):
        made = ElasticServer(HttpPeer(stub.url, api_key=key))
        try:
            yield made
        finally:
            await made.close()


async def searched(server: ElasticServer, timeout: float = 5.0) -> object:
    return await (await server.api(timeout)).search(["logs-*"], {"size": 0})


def asked(stub: Stub) -> list[str]:
    return [f"{method} /{path.partition('?')[0]}" for method, path, _, _ in stub.asked]


@both
@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        (Reply(200, b'{"a": "' + b"x" * 17 * 1024 * 1024), Reason.PROTOCOL, "answers with more than 16777216 bytes"),
        (Reply(302, HITS, {"Location": "/elsewhere"}), Reason.PROTOCOL, "redirects to /elsewhere"),
        (Reply(400, {"error": {**QUOTING, "root_cause": [QUOTING]}}), Reason.REJECTED, "document_parsing_exception"),
        (Reply(200, f'{{"user": "{PLANTED}", '.encode()), Reason.PROTOCOL, "is not a JSON object"),
        (Reply(200, f'"{PLANTED}"'.encode()), Reason.PROTOCOL, "is not a JSON object"),
        (Reply(200, b"[" * 200_000), Reason.PROTOCOL, "is not a JSON object"),
        (Reply(200, b""), Reason.PROTOCOL, "is not a JSON object"),
        (Reply(200, PLANTED.encode(), {"Content-Type": "text/html"}), Reason.PROTOCOL, "is not a JSON object"),
        (Reply(503, {"error": QUOTING}), Reason.REJECTED, "it cannot serve now"),
        (Reply(429, {"error": QUOTING}), Reason.REJECTED, "it has too much to do"),
    ],
)
async def test_whatever_comes_is_named_asked_once_and_quoted_nowhere(
    product: Name, reply: Reply, reason: Reason, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub = stub_of(product, reply)
    async with reached(stub) as server:
        with pytest.raises(ProbeError) as caught:
            await searched(server)
    assert (caught.value.reason, words in caught.value.detail) == (reason, True)
    assert asked(stub) == ["GET /", "POST /logs-*/_search"]
    told = [*traceback.format_exception(caught.value), *_chain(caught.value), caplog.text]
    assert PLANTED not in "".join(told)


def _chain(error: BaseException | None) -> list[str]:
    """Return every error behind one, those that a traceback leaves out as well, with what they hold."""
    found = []
    while error is not None:
        found.append(f"{error!r} {vars(error)}")
        error = error.__cause__ or error.__context__
    return found


@both
async def test_nothing_that_a_server_says_beside_its_answer_is_told(
    product: Name, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    headers = {"Warning": f'299 Elasticsearch-8.19.0-x "{PLANTED}"'}
    async with reached(stub_of(product, Reply(200, HITS, headers))) as server:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert await searched(server) == HITS
    assert not [one for one in warned if PLANTED in str(one.message)]
    assert not caplog.records, "a line for each question would be thousands an hour"


@both
async def test_finding_out_who_answers_takes_of_the_questions_time(product: Name) -> None:
    stub = stub_of(product, Reply(0))
    async with reached(stub) as server:
        api = await server.api(0.4)
        with pytest.raises(ProbeError, match=r"no answer in 0\.\d+ s") as caught:
            await api.search(["logs-*"], {})
    assert caught.value.reason is Reason.TIMEOUT_RESPONSE
    assert float(caught.value.detail.split(" in ")[1].removesuffix(" s")) < 0.4


@pytest.mark.parametrize(
    ("product", "accepted"),
    [(Name.ELASTICSEARCH, "application/vnd.elasticsearch+json; compatible-with=8"), (Name.OPENSEARCH, "application/j")],
)
async def test_answers_are_asked_for_in_a_form_that_the_servers_newer_versions_keep(
    product: Name, accepted: str
) -> None:
    stub = stub_of(product)
    async with reached(stub) as server:
        await searched(server)
    assert stub.asked[-1][2]["Accept"].startswith(accepted)
    assert stub.asked[-1][2]["Content-Type"].startswith(accepted)


@both
async def test_a_key_that_changes_is_the_next_questions(product: Name, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("b25l", encoding="ascii")
    stub = stub_of(product)
    async with reached(stub, ApiKey(file=file)) as server:
        api = await server.api(5.0)
        file.write_text("YW5vdGhlcg==", encoding="ascii")
        await api.search(["logs-*"], {})
    assert [headers["Authorization"] for *_, headers, _ in stub.asked] == ["ApiKey b25l", "ApiKey YW5vdGhlcg=="]


@both
@pytest.mark.parametrize(
    "url",
    ["http://es", "https://es.example", "http://[::1]:9200", "http://[fe80::1%eth0]:9200", "http://müller:9200/es"],
)
async def test_each_url_that_a_configuration_may_give_has_a_client(product: Name, url: str) -> None:
    assert ElasticsearchSection(url=url).url == url
    asked_at = []

    class Noting(HttpPeer):
        """Notes what it is asked for."""

        async def ask(self, method: str, path: str, *_: object, **__: object) -> Answer:
            """Answer."""
            asked_at.append(f"{method} {self.url}/{path.partition('?')[0]}")
            page = {"version": {"number": "9.0.0", "distribution": product.lower()}, "tagline": "You Know, for Search"}
            return Answer(200, "", json.dumps(page).encode(), 0.0)

    await searched(ElasticServer(Noting(url)))
    assert asked_at == [f"GET {url}/", f"POST {url}/logs-*/_search"]


@both
async def test_what_lies_below_a_path_is_asked_for_there(product: Name) -> None:
    stub = stub_of(product)
    stub.replies["GET es/"] = stub.answer("GET", "", None)
    with serving(stub):
        server = ElasticServer(HttpPeer(f"{stub.url}/es"))
        try:
            assert await searched(server) == HITS
        finally:
            await server.close()
    assert asked(stub) == ["GET /es/", "POST /es/logs-*/_search"]


@pytest.mark.parametrize(
    ("page", "known"),
    [
        (Reply(403, {}), {*Name}),
        # Elasticsearch has its header on all that it answers itself.
        (Reply(404, b"<html>"), {Name.ELASTICSEARCH}),
        (Reply(200, {"cluster": "solr"}), {Name.ELASTICSEARCH}),
        (Reply(200, b"<html>"), set()),
        (Reply(302, b"", {"Location": "/login"}), set()),
    ],
)
@both
async def test_who_may_search_need_not_see_the_front_page(product: Name, page: Reply, known: set[Name]) -> None:
    stub = stub_of(product)
    stub.replies["GET "] = page
    async with reached(stub) as server:
        for _ in range(2):
            assert await searched(server) == HITS
    assert asked(stub).count("GET /") == (1 if product in known else 2)


async def test_a_front_page_that_fails_for_the_moment_is_asked_for_again() -> None:
    stub = stub_of(Name.OPENSEARCH)
    stub.replies["GET "] = Reply(503, {}, times=1)
    async with reached(stub) as server:
        for _ in range(3):
            assert await searched(server) == HITS
    assert asked(stub).count("GET /") == 2


async def test_elasticsearch_behind_a_proxy_that_takes_its_header_away_is_elasticsearch() -> None:
    bare = {"X-Elastic-Product": ""}
    page = {"version": {"number": "8.19.1"}, "tagline": "You Know, for Search", "cluster_uuid": "u"}
    stub = Stub(replies={"GET ": Reply(200, page, bare), "GET logs": Reply(200, {"indices": {}}, bare)})
    async with reached(stub) as server:
        assert str(await server.product(5.0)) == "Elasticsearch 8.19.1"
        assert await (await server.api(5.0)).lifecycle(["logs-*"]) == {"indices": {}}
        await server.same_cluster(5.0)


async def test_another_product_at_the_address_is_asked_by_its_own_client() -> None:
    stub = stub_of(Name.ELASTICSEARCH)
    async with reached(stub) as server:
        await (await server.api(5.0)).lifecycle(["logs-a"])
        stub.product = Name.OPENSEARCH
        server.drop_product()
        await (await server.api(5.0)).lifecycle(["logs-a"])
    assert asked(stub)[1::2] == ["GET /logs-a/_ilm/explain", "GET /_plugins/_ism/explain/.ds-logs-a"]


async def test_the_time_in_which_a_client_is_loaded_is_not_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def loaded_late(name: Name) -> Connect:
        await asyncio.sleep(3.2)
        return await client_of(name)

    monkeypatch.setattr(server, "client_of", loaded_late)
    async with reached(stub_of(Name.ELASTICSEARCH)) as found:
        await found.product(5.0)
        assert await (await found.api(3.0)).lifecycle(["logs-*"])


LOADS = """
import asyncio, pkgutil, sys, importlib, keywatch
ours = {"keywatch.elastic.elasticsearch_api", "keywatch.elastic.opensearch_api"}
for module in pkgutil.walk_packages(keywatch.__path__, "keywatch."):
    if module.name not in ours and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
clients = {"elasticsearch", "elastic_transport", "opensearchpy"}
print(sorted(clients & set(sys.modules)))
from keywatch.elastic.server import ElasticServer
from keywatch.net.http_peer import HttpPeer
async def ask():
    server = ElasticServer(HttpPeer(sys.argv[1]))
    await server.api(30)
    await server.close()
asyncio.run(ask())
print(sorted(clients & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("product", "loaded"),
    [(Name.ELASTICSEARCH, ["elastic_transport", "elasticsearch"]), (Name.OPENSEARCH, ["opensearchpy"])],
)
def test_no_client_is_loaded_before_its_product_answers(product: Name, loaded: list[str]) -> None:
    with serving(stub_of(product)) as stub:
        done = subprocess.run([sys.executable, "-c", LOADS, stub.url], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", str(loaded)]
