"""Each way in which Elasticsearch refuses, fails or is none has its own name, and no secret is in any of them."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from keywatch.config.keycloak import BasicAuthSection
from keywatch.config.secret import ApiKey, SecurityError
from keywatch.config.security import TlsSection
from keywatch.elastic.errors import RefusedError, error_of
from keywatch.elastic.identity import ClusterIdentity
from keywatch.elastic.objects import ElasticObject, ObjectKind
from keywatch.elastic.product import Name
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.stored_objects import held
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer, HttpPeer
from tests.exporter.fakes.fake_elasticsearch import Reply, Stub, serving
from tests.kafka.certificates import CertificateAuthority
from tests.slowness import Stopwatch

KEY = "cGxhbnRlZDpzZWNyZXQ="  # planted, to be looked for in every message
FLOOD = (
    "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, "
    "index has read-only-allow-delete block];"
)


def error(kind: str, reason: str = "words") -> dict[str, object]:
    return {"error": {"type": kind, "reason": reason, "root_cause": []}, "status": 400}


@contextlib.asynccontextmanager
async def reached(peer: HttpPeer, retries: int = 0) -> AsyncIterator[ElasticServer]:
    server = ElasticServer(peer, retries=retries, first_pause=0.01)
    try:
        yield server
    finally:
        await server.close()


async def refused(stub: Stub, *, retries: int = 0, explain: bool = False, timeout: float = 5.0) -> ProbeError:
    """Have a search refused, or a rollover, which is about objects of ours."""
    async with reached(HttpPeer(stub.url, api_key=ApiKey(SecretStr(KEY))), retries) as server:
        api = await server.api(timeout)
        with pytest.raises(ProbeError) as caught:
            await (api.roll_over("logs") if explain else api.search(["logs"], {"size": 0}))
    assert KEY not in str(caught.value)
    assert "planted" not in str(caught.value)
    return caught.value


def searches(stub: Stub) -> int:
    return sum(method == "POST" for method, *_ in stub.asked)


@pytest.mark.parametrize("product", Name)
@pytest.mark.parametrize(
    ("status", "body", "reason", "words"),
    [
        (401, error("security_exception"), Reason.AUTHENTICATION, "the credentials are refused, or there are none"),
        (
            403,
            error("security_exception", "action [x] is unauthorized for user [planted], "
                  "this action is granted by the index privileges [read,all]"),
            Reason.AUTHORIZATION,
            "one of these rights is missing: read,all",
        ),
        (403, error("security_exception"), Reason.AUTHORIZATION, "a right is missing"),
        (404, error("index_not_found_exception"), Reason.UNSUPPORTED, "index_not_found_exception"),
        (405, {"error": "Incorrect HTTP method for uri"}, Reason.UNSUPPORTED, "there is no such thing here"),
        (409, error("version_conflict_engine_exception"), Reason.REJECTED, "somebody else changed it meanwhile"),
        (413, b"too large", Reason.REJECTED, "status 413: refused"),
        (400, error("mapper_parsing_exception", "failed to parse 'planted'"), Reason.REJECTED, "refused (mapper_p"),
        (429, error("es_rejected_execution_exception"), Reason.REJECTED, "it has too much to do"),
        (429, error("cluster_block_exception", FLOOD), Reason.STORAGE, "a disk is full (flood-stage watermark)"),
        (403, error("cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)]"),
         Reason.REJECTED, "writing is blocked"),
        (503, error("master_not_discovered_exception"), Reason.REJECTED, "it cannot serve now (master_not_discovered"),
        (502, b"<html>bad gateway</html>", Reason.REJECTED, "a gateway before it has no answer"),
        (504, b"<html>", Reason.TIMEOUT_RESPONSE, "a gateway waited in vain"),
        (500, error("null_pointer_exception"), Reason.PROTOCOL, "it failed (null_pointer_exception)"),
        (400, error("planted: no kind at all"), Reason.REJECTED, "status 400: refused"),
        (400, b"[" * 20_000, Reason.REJECTED, "status 400: refused"),
        (200, b"<html>welcome</html>", Reason.PROTOCOL, "the answer is not a JSON object"),
        (200, [1, 2], Reason.PROTOCOL, "the answer is not a JSON object"),
        (302, b"", Reason.PROTOCOL, "redirects to elsewhere"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_named(
    status: int, body: object, reason: Reason, words: str, product: Name
) -> None:
    with serving(Stub(product, replies={"POST": Reply(status, body)})) as stub:
        caught = await refused(stub)
    assert caught.reason is reason
    assert words in caught.detail


@pytest.mark.parametrize("product", Name)
async def test_the_servers_own_words_are_told_only_of_objects_of_ours(product: Name) -> None:
    body = error("illegal_argument_exception", "unknown setting [index.numbre]\x1b[31m")
    with serving(Stub(product, replies={"POST": Reply(400, body)})) as stub:
        quiet, told = await refused(stub), await refused(stub, explain=True)
    assert "unknown setting" not in quiet.detail
    assert "unknown setting [index.numbre] [31m" in told.detail
    assert "\x1b" not in told.detail


@pytest.mark.parametrize("product", Name)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_succeed_a_moment_later_is_tried_again(status: int, product: Name) -> None:
    stub = Stub(product, replies={"POST logs": Reply(status, {}, times=2), "POST": Reply(200, {"fine": True})})
    with serving(stub):
        async with reached(HttpPeer(stub.url), retries=3) as server:
            assert await (await server.api(5.0)).search(["logs"], {}) == {"fine": True}
    assert searches(stub) == 3


async def test_it_gives_up_after_its_retries_and_minds_retry_after() -> None:
    with serving(Stub(replies={"POST": Reply(429, {}, {"Retry-After": "0"})})) as stub:
        caught = await refused(stub, retries=3)
        assert searches(stub) == 4
    assert caught.reason is Reason.REJECTED


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
async def test_what_will_not_succeed_a_moment_later_is_not_tried_again(status: int) -> None:
    with serving(Stub(replies={"POST": Reply(status, {})})) as stub:
        await refused(stub, retries=3)
        assert searches(stub) == 1


async def test_a_full_disk_is_not_asked_again() -> None:
    with serving(Stub(replies={"POST": Reply(429, error("cluster_block_exception", FLOOD))})) as stub:
        await refused(stub, retries=3)
        assert searches(stub) == 1


@pytest.mark.parametrize("product", Name)
async def test_a_server_that_never_answers_costs_its_time_out(product: Name) -> None:
    with serving(Stub(product, replies={"POST": Reply(0)})) as stub:
        watch = Stopwatch()
        caught = await refused(stub, timeout=0.3)
    assert caught.reason is Reason.TIMEOUT_RESPONSE
    assert watch.excuse("the question is given up", 3)


async def test_a_server_that_is_not_there_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    async with reached(HttpPeer(url)) as server:
        with pytest.raises(ProbeError, match="connection refused") as caught:
            await server.product(1.0)
    assert caught.value.reason is Reason.REFUSED


@pytest.mark.parametrize(
    ("name", "version", "page", "words"),
    [
        ("Elasticsearch", "7.17.28", None, "Elasticsearch 7.17.28 is too old; 8.13 or newer is needed"),
        ("Elasticsearch", "8.12.2", None, "too old"),
        ("OpenSearch", "1.3.20", None, "OpenSearch 1.3.20 is too old; 2.15 or newer is needed"),
        ("OpenSearch", "2.11.0", None, "too old"),
        (
            "OpenSearch",
            "",
            {"version": {"number": "7.10.2"}, "tagline": "The OpenSearch Project: x"},
            "hides its version",
        ),
        ("OpenSearch", "", {"version": {"number": "1.0.0"}}, "neither Elasticsearch nor OpenSearch"),
        ("OpenSearch", "", {"cluster": "solr"}, "neither Elasticsearch nor OpenSearch"),
        ("OpenSearch", "", {"version": "x"}, "neither Elasticsearch nor OpenSearch"),
        ("Elasticsearch", "eight", None, "Elasticsearch does not tell its version"),
    ],
)
async def test_another_product_and_an_old_one_are_refused_by_name(
    name: str, version: str, page: object, words: str
) -> None:
    stub = Stub(name, version)
    if page is not None:
        stub.replies["GET "] = Reply(200, page)
    with serving(stub):
        async with reached(HttpPeer(stub.url)) as server:
            with pytest.raises(ProbeError) as caught:
                await server.product(2.0)
    assert words in caught.value.detail
    assert caught.value.reason in {Reason.UNSUPPORTED, Reason.PROTOCOL}


@pytest.mark.parametrize(
    ("name", "version"),
    [("Elasticsearch", "8.19.21"), ("Elasticsearch", "9.3.0"), ("OpenSearch", "2.19.1"), ("OpenSearch", "3.8.0")],
)
async def test_both_products_are_known_and_asked_once(name: str, version: str) -> None:
    with serving(Stub(name, version)) as stub:
        async with reached(HttpPeer(stub.url)) as server:
            found = [await server.product(2.0) for _ in range(3)]
        assert len(stub.asked) == 1
    assert {str(one) for one in found} == {f"{name} {version}"}


async def test_nobody_asks_who_answers_in_place_of_the_cluster_that_is_watched() -> None:
    identity, stub = ClusterIdentity(), Stub(uuid="mine", replies={"POST": Reply(200, {"hits": {"hits": []}})})
    with serving(stub):
        one, other = (ElasticServer(HttpPeer(stub.url), identity=identity) for _ in range(2))
        async with contextlib.AsyncExitStack() as closing:
            for server in (one, other):
                closing.push_async_callback(server.close)
            await one.same_cluster(20.0)
            assert await (await other.api(20.0)).search(["logs"], {"size": 0})
            stub.uuid = "another"
            with pytest.raises(ProbeError, match="the cluster another answers, but mine is watched"):
                await one.same_cluster(20.0)
            before = len(stub.asked)
            with pytest.raises(ProbeError) as refusal:
                await other.api(20.0)
            assert refusal.value.reason is Reason.OTHER_CLUSTER
            assert len(stub.asked) == before
            stub.uuid = "mine"
            await one.same_cluster(20.0)
            assert await (await other.api(20.0)).search(["logs"], {"size": 0})


@pytest.mark.parametrize("status", [403, 405])
async def test_without_its_front_page_elasticsearch_is_known_by_its_header(status: int) -> None:
    nodes = {"nodes": {"a": {"version": "8.19.21"}}}
    stub = Stub(replies={"GET ": Reply(status, {}), "GET _nodes/_local": Reply(200, nodes)})
    with serving(stub):
        async with reached(HttpPeer(stub.url)) as server:
            found = await server.product(2.0)
    assert (found.name, found.version) == (Name.ELASTICSEARCH, "8.19.21")


@pytest.mark.parametrize(
    ("peer", "header"),
    [
        ({"api_key": ApiKey(SecretStr(KEY))}, f"ApiKey {KEY}"),
        ({"api_key": ApiKey(SecretStr("id:key"))}, "ApiKey aWQ6a2V5"),
        ({"auth": BasicAuthSection(username="u", password=SecretStr("p"))}, "Basic dTpw"),
    ],
)
async def test_who_keywatch_is_goes_into_one_header(peer: dict[str, object], header: str) -> None:
    with serving(Stub()) as stub:
        async with reached(HttpPeer(stub.url, **peer)) as server:  # type: ignore[arg-type]
            await server.product(2.0)
        assert stub.asked[0][2]["Authorization"] == header
        assert stub.asked[0][2]["Accept"].startswith("application/json")


def test_what_is_no_api_key_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("planted secret\nX: y\n", encoding="utf-8")
    with pytest.raises(SecurityError, match="is no API key") as caught:
        HttpPeer("http://127.0.0.1:1", api_key=ApiKey(file=file)).prepare()
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("hosts", "trusted", "reason"),
    [
        (["127.0.0.1"], True, None),
        (["127.0.0.1"], False, Reason.TLS_UNTRUSTED),
        (["elsewhere.example"], True, Reason.TLS_HOSTNAME),
    ],
)
async def test_a_certificate_that_does_not_hold_is_named(
    hosts: list[str], trusted: bool, reason: Reason | None, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path / "ca")
    other = CertificateAuthority(tmp_path / "other")
    certificate = authority.server("es", hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    trust = TlsSection(ca_file=(authority if trusted else other).certificate)
    with serving(Stub(), context) as stub:
        async with reached(HttpPeer(stub.url, trust)) as server:
            if reason is None:
                assert (await server.product(5.0)).name is Name.ELASTICSEARCH
                return
            with pytest.raises(ProbeError) as caught:
                await server.product(5.0)
            assert caught.value.reason is reason


async def test_what_may_not_be_there_is_none_and_another_refusal_is_not() -> None:
    there, forbidden = (ElasticObject(ObjectKind.LIFECYCLE, name, {}) for name in "yx")
    with serving(Stub(replies={"GET _ilm/policy/x": Reply(403, error("security_exception"))})) as stub:
        async with reached(HttpPeer(stub.url)) as server:
            product = await server.product(2.0)
            assert await held(server, product, there, 2.0) is None
            with pytest.raises(RefusedError):
                await held(server, product, forbidden, 2.0)


_PLANTED = "Hunter2-planted"
_ERRORS = st.recursive(
    st.just(_PLANTED) | st.integers() | st.none() | st.text(max_size=5).map(lambda text: f"{text}{_PLANTED}"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "reason", "caused_by", "root_cause", "error"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(status=st.sampled_from([400, 401, 403, 404, 409, 429, 500, 503, 599]), found=_ERRORS)
def test_nothing_that_a_server_quotes_gets_into_an_error(status: int, found: object) -> None:
    body = json.dumps({"error": found}).encode()
    words = str(error_of(Answer(status, "application/json", body, 0.0), "GET x"))
    assert "planted" not in words
    assert len(words) < 200
