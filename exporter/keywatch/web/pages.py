"""The pages: /metrics from the store alone, health, readiness, the redacted configuration and a page for people."""

from __future__ import annotations

import gzip
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from keywatch.config.endpoint import listen_address
from keywatch.config.yaml_file import ConfigError
from keywatch.engine import exposition
from keywatch.engine.incident_data import as_data
from keywatch.engine.probe import Reason, Sample
from keywatch.engine.slices import in_slices
from keywatch.engine.worker import Worker
from keywatch.metrics import exporter as exporter_metrics
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.reload import Reload
from keywatch.service.watch import Watch
from keywatch.surfaces import as_json
from keywatch.web.auth import BasicAuth
from keywatch.web.crowd import Crowd
from keywatch.web.guard import Guard
from keywatch.web.headers import page_policy
from keywatch.web.hosts import Hosts
from keywatch.web.in_force import InForce
from keywatch.web.limits import Limits, counter
from keywatch.web.page.cells import MOST_ROWS
from keywatch.web.page.page import STYLE, writing
from keywatch.web.port import Port
from keywatch.web.throttle import Throttle

_LOG = logging.getLogger(__name__)
_GZIP_LEVEL = 1  # a third of the time of the default level for a fifth more bytes
_GZIP_FROM = 1024
_GZIP_ON_THREAD_FROM = 256 * 1024
_PAGE_POLICY = page_policy(STYLE)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def port(watch: Watch, itself: OwnMetrics, limits: Limits | None = None, reload: Reload | None = None) -> Port:
    """Make the port with all that protects it; raises `ConfigError` for a web configuration that cannot be used.

    Without `reload` there is nothing that could be read anew.
    """
    in_force = InForce(watch.config.web.config_file)
    crowd = Crowd(limits or Limits())
    count = counter(watch.store)
    auth = BasicAuth(Throttle(), crowd.limits.checks)

    def samples() -> list[Sample]:
        in_force.begin()  # so that a bad file is told of although nobody asks for anything
        return [Sample(exporter_metrics.WEB_CONNECTIONS, (), len(crowd)), *in_force.samples()]

    itself.add_source(samples)
    pages = application(watch, itself, reload)

    async def close(_: web.Application) -> None:
        auth.close()

    pages.on_cleanup.append(close)
    listening = listen_address(watch.config.web.listen_address)
    guard = Guard(in_force, crowd, auth, count, Hosts(watch.config.web.hosts, listening.host))
    return Port(pages, guard, in_force, crowd, count)


def application(watch: Watch, itself: OwnMetrics, reload: Reload | None = None) -> web.Application:
    """Put the routes together; no handler touches the network or waits for a probe."""
    app = web.Application(middlewares=[_no_trace])
    routes = Routes(watch, itself, reload)

    async def close(_: web.Application) -> None:
        routes.close()

    app.on_cleanup.append(close)
    app.router.add_get("/metrics", routes.metrics)
    app.router.add_get("/-/healthy", routes.healthy)
    app.router.add_get("/-/ready", routes.ready)
    app.router.add_get("/-/config", routes.config)
    app.router.add_get("/-/incidents", routes.incidents)
    app.router.add_get("/", routes.index)
    for method in ("POST", "PUT"):  # as Prometheus takes them
        app.router.add_route(method, "/-/reload", routes.reload)
    return app


@web.middleware
async def _no_trace(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a defect into a plain 500: no traceback reaches a user."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - a defect in a page must not end the server; it is logged with its trace
        _LOG.exception("answering %s failed", request.path)
        return web.Response(status=500, text=f"{Reason.INTERNAL}: see the log\n")


class Routes:
    """The handlers."""

    def __init__(self, watch: Watch, itself: OwnMetrics, reload: Reload | None = None) -> None:
        self._watch = watch
        self._itself = itself
        self._reload = reload
        self._compressor = Worker("gzip", queued=True)  # no more wait than answers are given at once

    def close(self) -> None:
        """Let the thread end; does not wait."""
        self._compressor.end()

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer a scrape: `collect[]` filters, Accept chooses the format, Accept-Encoding gzip."""
        started = time.perf_counter()
        names = request.query.getall("collect[]", [])
        try:
            wanted = exposition.selection(names)
        except exposition.UnknownCollectorError as error:
            return web.Response(status=400, text=f"{error}\n")
        openmetrics = "application/openmetrics-text" in request.headers.get("Accept", "")
        process = self._itself.process_metrics(openmetrics=openmetrics) if not names or "exporter" in names else b""
        body = await in_slices(exposition.rendering(self._watch.store, wanted, openmetrics=openmetrics, more=process))
        headers = {
            "Content-Type": exposition.OPENMETRICS if openmetrics else exposition.TEXT,
            "Vary": "Accept, Accept-Encoding",
        }
        if len(body) >= _GZIP_FROM and _takes_gzip(request.headers.get("Accept-Encoding", "")):
            body = await self._compressed(body)
            headers["Content-Encoding"] = "gzip"
        self._itself.scraped(time.perf_counter() - started)
        return web.Response(body=body, headers=headers)

    async def _compressed(self, body: bytes) -> bytes:
        """Compress; a large body on a thread, because zlib lets go of the interpreter but not of the event loop."""
        compress = partial(gzip.compress, body, compresslevel=_GZIP_LEVEL, mtime=0)
        return compress() if len(body) < _GZIP_ON_THREAD_FROM else await self._compressor.call(compress)

    async def healthy(self, _: web.Request) -> web.Response:
        """Return whether keywatch itself is alive; not whether Kafka is, because restarting keywatch mends no Kafka."""
        still = self._watch.scheduler.standing_still()
        if still:
            names = ", ".join("/".join(part for part in key if part) for key in still)
            return web.Response(status=503, text=f"probes that stand still: {names}\n")
        return web.Response(text="keywatch is healthy\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Return whether every probe has run once, so that what is missing from /metrics is really missing."""
        waiting = self._watch.scheduler.not_yet_run()
        if waiting:
            names = ", ".join("/".join(part for part in key if part) for key in waiting)
            return web.Response(status=503, text=f"probes that have not run yet: {names}\n")
        return web.Response(text="keywatch is ready\n")

    async def config(self, _: web.Request) -> web.Response:
        """Show the configuration in force, secrets redacted."""
        data = self._watch.config.model_dump(mode="json")
        return web.Response(text=json.dumps(data, indent=2) + "\n", content_type="application/json")

    async def incidents(self, _: web.Request) -> web.Response:
        """Tell as JSON what is wrong now and what follows from it."""
        overview = await in_slices(self._watch.incidents.overview(MOST_ROWS))
        data = as_data(overview, time.time())
        return web.Response(text=f"{as_json(data, 2)}\n", content_type="application/json")

    async def index(self, _: web.Request) -> web.Response:
        """Show people what is wrong now and since when."""
        headers = {"Content-Security-Policy": _PAGE_POLICY}
        text = await in_slices(writing(self._watch, time.time()))
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def reload(self, _: web.Request) -> web.Response:
        """Have the configuration read anew, where that is allowed; the guard lets no other site's page ask for it."""
        if self._reload is None or not self._watch.config.web.enable_lifecycle:
            return web.Response(status=403, text="switched off; --web.enable-lifecycle switches it on\n")
        try:
            return web.Response(text=f"{await self._reload.now()}\n")
        except ConfigError as error:
            return web.Response(status=500, text=f"{error}\nwhat was read before stays in force\n")


def _takes_gzip(accepted: str) -> bool:
    codings = (part.replace(" ", "").lower().partition(";") for part in accepted.split(","))
    return any(coding == "gzip" and not re.fullmatch(r"q=0(\.0*)?", weight) for coding, _, weight in codings)
