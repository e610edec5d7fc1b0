"""Plays Keycloak's management interface in the demonstration: it is healthy, and counts events as Keycloak does."""

from __future__ import annotations

import time

from aiohttp import web

from keywatch.demo.traffic import Traffic

_HEALTH = {"status": "UP", "checks": [{"name": "Keycloak database connections async health check", "status": "UP"}]}


class FakeKeycloak:
    """An HTTP server on a free port of the loopback; needs a running event loop."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._started = time.time()
        self._begun = time.monotonic()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Begin to serve."""
        pages = web.Application()
        for which in ("live", "ready", "started"):
            pages.router.add_get(f"/health/{which}", self._health)
        pages.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(pages, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """End it."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response(_HEALTH)

    async def _metrics(self, _: web.Request) -> web.Response:
        lines = [
            f'keycloak_user_events_total{{error="{error}",event="{event}",realm="{realm}"}} {count}'
            for (realm, event, error), count in self._traffic.counted()
        ]
        lines += [
            'http_server_active_requests{server_port="9000",url_scheme="http"} 1.0',
            f"process_start_time_seconds {self._started!r}",
            f"process_uptime_seconds {time.monotonic() - self._begun!r}",
        ]
        return web.Response(text="\n".join(lines) + "\n")
