"""Access tokens that a program prints: whatever a cloud wants of its clients, somebody has written it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from keywatch.engine.threads import Threads
from keywatch.kafka.security.oauth import TokenError, ends_at

_LONGEST_TOKEN = 65_536
# What a client of librdkafka waits for, which asks on a thread of its own.
_WITHIN = 10.0
_SLACK = 0.1  # so that it is the program that is blamed, with what it did
_RENEW_AT = 0.8
# How long after one run the next may begin: each broker asks again and again while it refuses, or the program fails.
_RUN_AGAIN_AFTER = 1.0
# How long a token is kept that does not say when it ends.
_GOOD_FOR = 60.0
_RUN_DAILY = 86_400.0


class TokenCommand:
    """What the program printed last, until most of the token's life is over; it is run for one who asks at a time."""

    def __init__(self, command: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._command = tuple(command)
        self._clock = clock
        self._token = ""
        self._renew_at = self._ends_at = float("-inf")
        self._run_again_at = float("-inf")
        self._failure = ""
        self._lock = threading.Lock()
        self._threads = Threads(1)

    async def token(self, timeout: float) -> str:
        """Return a token that is good now, within `timeout` seconds; raises `TokenError`."""
        if self._clock() < self._renew_at:
            return self._token
        try:
            return await asyncio.wait_for(self._threads.call(lambda: self._renewed(timeout)), timeout + _SLACK)
        except TimeoutError:
            raise TokenError(f"{self._command[0]} printed no token in {timeout:.3g} s") from None
        except OSError as error:
            raise TokenError(f"{self._command[0]}: no thread for it: {error.strerror}") from None

    def drop(self) -> None:
        """Drop the token at hand, because a broker refused it."""
        self._renew_at = self._ends_at = float("-inf")

    def for_client(self, extensions: Mapping[str, str], _: str) -> tuple[str, float, str, dict[str, str]]:
        """Return it as librdkafka asks for it: with the Unix time of its end, the principal, and extensions."""
        return self._renewed(_WITHIN), self._ends_at, "", dict(extensions)

    def _renewed(self, timeout: float) -> str:
        """Return the token at hand, or run the program; one that fails leaves in force what is still good."""
        with self._lock:
            if self._clock() >= max(self._renew_at, self._run_again_at):
                self._run(timeout)
            if self._failure and self._clock() >= self._ends_at:
                raise TokenError(self._failure)
            return self._token

    def _run(self, timeout: float) -> None:
        try:
            token, self._failure = printed(self._command, timeout), ""
        except TokenError as error:
            self._failure = str(error)
        else:
            now, end = self._clock(), ends_at(token)
            life = min(end - now, _RUN_DAILY) if end < float("inf") else _GOOD_FOR
            self._token, self._ends_at = token, now + life
            self._renew_at = now + life * _RENEW_AT
        self._run_again_at = self._clock() + _RUN_AGAIN_AFTER


def printed(command: Sequence[str], timeout: float) -> str:
    """Run a program and return what it printed, one line; raises `TokenError`, which says nothing of what it printed.

    It is given no shell and no input. After `timeout` seconds it is killed.
    """
    program, until = command[0], time.monotonic() + timeout
    try:
        process = subprocess.Popen(  # noqa: S603 - whoever writes the configuration may run programs as keywatch
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise TokenError(f"{program}: {getattr(error, 'strerror', None) or 'cannot be run'}") from None
    with process:
        try:
            data = _read(process, until)
            code = process.wait(max(until - time.monotonic(), 0.001)) if len(data) <= _LONGEST_TOKEN else 0
        except (TimeoutError, subprocess.TimeoutExpired):
            raise TokenError(f"{program} printed no token in {timeout:.3g} s") from None
        finally:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
    token = data.decode("latin-1").strip()
    if code:
        raise TokenError(f"{program} ended with exit code {code}")
    if len(data) > _LONGEST_TOKEN or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(f"{program} did not print a token: one line is wanted, without spaces")
    return token


def _read(process: subprocess.Popen[bytes], until: float) -> bytes:
    """Read what a program prints until it closes its output, a byte more than a token may be long at most."""
    data = b""
    if process.stdout is None:
        return data
    while len(data) <= _LONGEST_TOKEN:
        ready, _, _ = select.select([process.stdout], [], [], max(until - time.monotonic(), 0.0))
        if not ready:
            raise TimeoutError
        if not (piece := os.read(process.stdout.fileno(), _LONGEST_TOKEN + 1 - len(data))):
            return data
        data += piece
    return data
