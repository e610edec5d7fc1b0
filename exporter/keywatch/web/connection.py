"""One connection to keywatch's own port: aiohttp's, with a deadline for everything that its other end has to do."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from aiohttp import web

from keywatch.web.crowd import Crowd, Stage
from keywatch.web.headers import dress
from keywatch.web.limits import Count, Refusal
from keywatch.web.tls import names_of

_LOG = logging.getLogger(__name__)
_LONGEST_LINE = 8190


class ClientConnection(web.RequestHandler):
    """An aiohttp connection whose stage is known; the middleware tells of the stages that it cannot see itself."""

    def __init__(
        self, server: web.Server, crowd: Crowd, count: Count, address: str, allowed_names: frozenset[str] | None
    ) -> None:
        self._limits = crowd.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # aiohttp's own way to have none
            keepalive_timeout=self._limits.idle + 60,  # ours comes first
            lingering_time=0,  # no page reads a body: one that is still to come ends the connection
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        self.address = address
        self.stage = Stage.HANDSHAKE
        self.since = crowd.clock()
        self.trusted = False
        self.greeting: asyncio.Task[None] | None = None
        """What sets the connection up, until it is made."""
        self._crowd = crowd
        self._count = count
        self._allowed_names = allowed_names
        self._carrier: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._ended = False

    @property
    def made(self) -> bool:
        """Whether the connection was set up, which tells `connection_lost` about its end."""
        return self._carrier is not None

    def enter(self, stage: Stage) -> None:
        """Begin a stage, and with it its deadline."""
        if self._ended:
            return
        self.stage = stage
        self.since = self._crowd.clock()
        self._unanswered = 0
        seconds, refusal = {
            Stage.READING: (self._limits.request, Refusal.SLOW_REQUEST),
            Stage.IDLE: (self._limits.idle, None),
        }.get(stage, (self._limits.answer, Refusal.SLOW_READER))
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.end, refusal)

    def end(self, refusal: Refusal | None) -> None:
        """End the connection at once, whatever is still to be sent."""
        if self._ended:
            return
        self._ended = True
        if refusal is not None:
            self._count(refusal)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._carrier is not None:
            self._carrier.abort()
        elif self.greeting is not None:
            self.greeting.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the client's certificate names nobody who may come."""
        carrier = cast(asyncio.Transport, transport)  # what TCP and TLS give; uvloop's are of no class of asyncio's
        self._carrier = carrier
        allowed = self._allowed_names
        if self._ended:
            carrier.abort()
        elif allowed is not None and not allowed & names_of(transport.get_extra_info("peercert")):
            self.end(Refusal.CLIENT_CERTIFICATE)
        else:
            self.enter(Stage.READING)
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless too much came that is no request."""
        if self._ended:
            return
        if data and self.stage is Stage.IDLE:
            self.enter(Stage.READING)
        if self.stage is Stage.READING:
            self._unanswered += len(data)
            if self._unanswered > self._limits.request_bytes:
                self.end(Refusal.TOO_LARGE)
                return
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Clear up."""
        self._ended = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is no HTTP, without quoting it; anything else that comes here is a defect and is logged."""
        del message
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("gone before the answer was complete") from exc
        if status == web.HTTPBadRequest.status_code:
            self._count(Refusal.BAD_REQUEST)
            text = "bad request"
        else:
            _LOG.error("answering failed", exc_info=exc)
            text = "internal error: see the log"
        response = web.Response(status=status, text=f"{text}\n")
        dress(response)
        response.force_close()
        return response
