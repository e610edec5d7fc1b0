"""Access tokens that a program prints: whatever a cloud wants of its clients, somebody has written it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from keywatch.kafka.security.oauth import TokenError, ends_at
from keywatch.kafka.security.renewed_token import RenewedToken

_LONGEST_TOKEN = 65_536


class TokenCommand(RenewedToken):
    """What the program printed last, until most of the token's life is over."""

    def __init__(self, command: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        super().__init__(command[0], self._printed, clock)
        self._command = tuple(command)

    def _printed(self, timeout: float) -> tuple[str, float]:
        token = printed(self._command, timeout)
        return token, ends_at(token)


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
