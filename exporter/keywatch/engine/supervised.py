"""The one place where tasks and threads begin: what ends one by a defect is logged and counted, and nothing unseen."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import StrEnum
from typing import Any, TypeVar

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
# A defect that comes at once would come again and again, and take a processor for itself.
_AGAIN_AFTER = 1.0
_MOST_KINDS = 1000


class Part(StrEnum):
    """What a task or a thread is for: the only values of the label `part`."""

    LANE = "lane"
    """Has a probe run every period; begun anew."""
    RUN = "run"
    """One run of a probe; the runner tells of it, and of one that was given up nobody else would."""
    QUESTION = "question"
    """What a probe asks beside its run."""
    ENDING = "ending"
    """Takes a probe out of service."""
    OWN_METRICS = "own_metrics"
    """Measures the event loop and refreshes what keywatch says of itself; begun anew."""
    PORT = "port"
    """Accepts connections; begun anew."""
    CONNECTION = "connection"
    """Sets a connection to the port up."""
    PASSWORD = "password"  # noqa: S105 - what it checks, not one
    """Checks a password."""
    RELOAD = "reload"
    """Reads the configuration anew."""
    LOOKING = "looking"
    """Looks whether files changed; the next one looks again."""
    RENDERING = "rendering"
    """Writes series for /metrics: one that cannot be written is left out."""
    CANARY = "canary"
    """Writes records through a broker, or reads them; the next run of the probe begins another one."""
    TAIL = "tail"
    """A thread that reads partitions; the probe makes another one."""
    WORKER = "worker"
    """A thread for blocking calls; the next call makes another one."""
    LOG = "log"
    """The thread that writes the log."""
    CALLBACK = "callback"
    """What the event loop was asked to call."""


_counts: Counter[Part] = Counter()
_seen: set[tuple[Part, str]] = set()
_lock = threading.Lock()


def counts() -> Mapping[Part, int]:
    """Return how many defects each part had since the process began."""
    with _lock:
        return {part: _counts[part] for part in Part}


def defect(part: Part, error: BaseException, name: str = "") -> None:
    """Count a defect and log it with its trace: loudly when it is new, or else a loop would repeat it."""
    kind = (part, f"{type(error).__name__} {name}")
    with _lock:
        _counts[part] += 1
        new = kind not in _seen and len(_seen) < _MOST_KINDS
        if new:
            _seen.add(kind)
    what = f"{part} {name}".rstrip()
    _LOG.log(logging.ERROR if new else logging.DEBUG, "%s has a defect", what, exc_info=error)


def task(
    part: Part, work: Coroutine[Any, Any, _T], name: str = "", answers: tuple[type[BaseException], ...] = ()
) -> asyncio.Task[_T]:
    """Begin a task; needs a running event loop. Exceptions of the kinds `answers` are handed to whoever awaits it."""
    begun = asyncio.get_running_loop().create_task(work, name=f"{part} {name}".rstrip())

    def ended(over: asyncio.Task[_T]) -> None:
        error = None if over.cancelled() else over.exception()
        if error is not None and not isinstance(error, answers):
            defect(part, error, name)

    begun.add_done_callback(ended)
    return begun


def keep(
    part: Part, make: Callable[[], Awaitable[None]], name: str = "", again: float = _AGAIN_AFTER
) -> asyncio.Task[None]:
    """Begin a task that goes on until it is cancelled: after a defect it begins anew, `again` seconds later."""

    async def kept() -> None:
        me = asyncio.current_task()
        while True:
            try:
                await make()
            except asyncio.CancelledError as error:
                if me is None or me.cancelling():
                    raise
                defect(part, error, name)  # something that it waited for was cancelled, and nobody wants its end
            except Exception as error:  # noqa: BLE001 - told, and begun anew
                defect(part, error, name)
            else:
                return
            await asyncio.sleep(again)

    return task(part, kept(), name)


def thread(
    part: Part,
    name: str,
    work: Callable[[], None],
    failed: Callable[[BaseException], None] | None = None,
    answers: tuple[type[BaseException], ...] = (),
) -> threading.Thread:
    """Begin a daemon thread, which holds up no end; `failed` is told, on it, of what ended it.

    Exceptions of the kinds `answers` are no defects: `failed` takes them as an answer.
    """

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - nobody else would hear of it
            if not isinstance(error, answers):
                defect(part, error, name)
            if failed is not None:
                failed(error)

    begun = threading.Thread(target=run, name=name, daemon=True)
    begun.start()
    return begun


def watch_process() -> None:
    """Have told what else Python would write to standard error, and wait for whoever reads it: other threads' ends."""
    threading.excepthook = lambda args: defect(Part.CALLBACK, args.exc_value or RuntimeError(str(args.exc_type)))
    sys.unraisablehook = lambda args: defect(Part.CALLBACK, args.exc_value or RuntimeError(str(args.exc_type)))


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Have defects of the loop's callbacks told as well, and of tasks whose outcome nobody took."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError):
            defect(Part.CALLBACK, error)
        else:  # a connection that broke, or something that was not closed
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
