"""A real browser without a window, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.exporter.waiting import until

_DEADLINE = 30.0


def requirements_missing() -> str | None:
    """Say why there is no browser here; None when there is one."""
    return None if shutil.which("chromium") else "there is no chromium"


class Browser:
    """Chromium with one page; an asynchronous context manager that ends it and all its processes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="keywatch-browser-", ignore_cleanup_errors=True)
        self._stack = contextlib.AsyncExitStack()
        self._last = 0
        self.requested: list[str] = []
        """The address of every request that the page made."""
        self.complaints: list[str] = []
        """What the page's console said."""

    async def __aenter__(self) -> Self:
        self._stack.callback(self._folder.cleanup)
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += ["--remote-debugging-port=0", f"--user-data-dir={self._folder.name}", "about:blank"]
        null = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*command, stdout=null, stderr=null, start_new_session=True)
        self._stack.push_async_callback(self._end)
        told = Path(self._folder.name) / "DevToolsActivePort"
        await until(lambda: told.exists() and len(told.read_text().splitlines()) > 1, "the browser is there", _DEADLINE)
        port = int(told.read_text(encoding="ascii").splitlines()[0])
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"http://127.0.0.1:{port}/json") as answer:
            page = next(target for target in await answer.json() if target["type"] == "page")
        self._socket = await self._stack.enter_async_context(
            session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
        )
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self._call(f"{domain}.enable")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self._call("Page.navigate", url=url)

    async def resize(self, width: int, height: int) -> None:
        """Show the page as on a screen of this size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800}
        await self._call("Emulation.setDeviceMetricsOverride", **size)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression on the page; None while there is no page."""
        with contextlib.suppress(KeyError):
            found = await self._call("Runtime.evaluate", expression=expression, returnByValue=True)
            return found["result"].get("value")
        return None

    async def text_with(self, condition: Callable[[str], object], what: str) -> str:
        """Wait until the page's text, as a reader sees it, fulfils `condition`; the page has to renew itself."""
        end = asyncio.get_running_loop().time() + _DEADLINE
        while not condition(text := str(await self.evaluate("document.body ? document.body.innerText : ''"))):
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError(f"{what}: the page still says\n{text}")
            await asyncio.sleep(0.1)
        return text

    async def picture(self) -> bytes:
        """Return what is seen as PNG."""
        return base64.b64decode((await self._call("Page.captureScreenshot"))["data"])

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": parameters})
        while True:
            message = await asyncio.wait_for(self._socket.receive_json(), _DEADLINE)
            if message.get("id") == self._last:
                result: dict[str, Any] = message.get("result", {})
                return result
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            self.requested.append(event["params"]["request"]["url"])
        elif event.get("method") == "Log.entryAdded":
            self.complaints.append(event["params"]["entry"]["text"])

    async def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
