"""The gate that every request passes: not too many, from somebody who may ask, and answered no slower than others wait.

The order is that of Prometheus' exporters: the rate limit, then headers (by which name, from whose page), then the
password; nothing is exempt.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

from keywatch.web.auth import Admission, BasicAuth
from keywatch.web.config import RateLimitSection, WebConfig
from keywatch.web.connection import ClientConnection
from keywatch.web.crowd import Crowd, Stage
from keywatch.web.headers import dress
from keywatch.web.hosts import Hosts, is_foreign
from keywatch.web.in_force import InForce
from keywatch.web.limits import Count, Refusal
from keywatch.web.throttle import Bucket

_LOG = logging.getLogger(__name__)
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_CHUNK = 256 * 1024
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_STATUS = {
    Refusal.CROWDED: 503,
    Refusal.RATE_LIMITED: 429,
    Refusal.THROTTLED: 429,
    Refusal.TOO_LARGE: 413,
    Refusal.UNAUTHORIZED: 401,
    Refusal.FOREIGN_HOST: 421,
    Refusal.FOREIGN_PAGE: 403,
}
_WORDS = {
    Refusal.CROWDED: "too many requests at once",
    Refusal.RATE_LIMITED: "too many requests",
    Refusal.THROTTLED: "too many wrong passwords from this address",
    Refusal.TOO_LARGE: "the request is too large",
    Refusal.UNAUTHORIZED: "unauthorized",
    Refusal.FOREIGN_HOST: "keywatch is not asked by this name; web.hosts names those by which it may be",
    Refusal.FOREIGN_PAGE: "not for pages of other sites",
}


class Guard:
    """Decides about each request by what is in force at that moment."""

    def __init__(
        self, in_force: InForce, crowd: Crowd, auth: BasicAuth, count: Count, hosts: Hosts | None = None
    ) -> None:
        self._in_force = in_force
        self._hosts = hosts or Hosts()
        self._crowd = crowd
        self._auth = auth
        self._count = count
        self._limit: tuple[RateLimitSection, Bucket] | None = None

    def around(self, handler: Handler) -> Handler:
        """Guard what answers requests; routing and all else of aiohttp is behind it."""

        async def guarded(request: web.BaseRequest) -> web.StreamResponse:
            return await self._answer(request, handler)

        return guarded

    async def _answer(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        """Answer a request, and send the answer here, where it is seen when it has been taken."""
        connection = cast("ClientConnection", request.protocol)
        connection.enter(Stage.CHECKING)
        try:
            config = (await self._in_force.fresh()).config
            admission = await self._judge(request, config, connection)
            response: web.StreamResponse
            if admission.refusal:
                response = _refused(admission.refusal, admission.again_after)
                self._count(admission.refusal)
            else:
                response = await _handled(request, handler)
            dress(response, config.http_server_config.headers.given())
            return await _send(request, response)
        finally:
            connection.enter(Stage.IDLE)

    async def _judge(self, request: web.BaseRequest, config: WebConfig, connection: ClientConnection) -> Admission:
        if wait := self._over_the_rate(config.rate_limit):
            return Admission(Refusal.RATE_LIMITED, wait)
        headers = request.headers
        host = headers.get("Host")
        # With TLS or a password a page of another site has neither the certificate nor the password for its own name.
        held_otherwise = config.tls_server_config is not None or bool(config.basic_auth_users)
        if (self._hosts.configured or not held_otherwise) and not self._hosts.allow(host):
            return Admission(Refusal.FOREIGN_HOST)
        if request.method not in _READING and is_foreign(
            host, headers.get("Origin"), headers.get("Sec-Fetch-Site"), headers.get("Referer")
        ):
            _LOG.warning("a page of another site had a browser ask for %s %s", request.method, request.path)
            return Admission(Refusal.FOREIGN_PAGE)
        if config.basic_auth_users:
            header = request.headers.get("Authorization", "")
            admission = await self._auth.judge(config.basic_auth_users, header, connection.address)
            if admission.refusal:
                return admission
        connection.trusted = True
        if (request.content_length or 0) > self._crowd.limits.request_bytes:
            return Admission(Refusal.TOO_LARGE)
        if not self._crowd.may_be_answered():
            return Admission(Refusal.CROWDED, 1.0)
        connection.enter(Stage.ANSWERING)
        return Admission(None)

    def _over_the_rate(self, section: RateLimitSection) -> float:
        if not section.interval:
            return 0.0
        now = self._crowd.clock()
        if self._limit is None or self._limit[0] != section:
            self._limit = section, Bucket(section.burst, section.interval, now)
        return self._limit[1].acquire(now)


def _refused(refusal: Refusal, again_after: float) -> web.Response:
    response = web.Response(status=_STATUS[refusal], text=f"{_WORDS[refusal]}\n")
    if refusal is Refusal.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="keywatch", charset="UTF-8"'
    if again_after:
        response.headers["Retry-After"] = str(math.ceil(again_after))
    return response


async def _handled(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:  # such as 404, 405 and 417
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return web.Response(status=error.status, text=f"{error.reason}\n", headers=allow)


async def _send(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Send an answer, a large one in pieces, so that who takes it slowly holds it once and not twice."""
    body = response.body if isinstance(response, web.Response) else None
    try:
        if not isinstance(body, bytes) or len(body) <= _CHUNK or request.method == "HEAD":
            await response.prepare(request)
            await response.write_eof()
            return response
        response, whole = web.StreamResponse(status=response.status, headers=response.headers), memoryview(body)
        response.content_length = len(body)
        await response.prepare(request)
        for start in range(0, len(body), _CHUNK):
            await response.write(whole[start : start + _CHUNK])
        await response.write_eof()
    except ConnectionError:
        _LOG.debug("%s went before its answer was complete", request.remote)
    return response
