"""Runs the programs that build and restart Keycloak: without a shell or a terminal, within a time, their end shown."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from keywatch.provider.journal import ChangeError

_LINES_SHOWN: Final = 12
_MOST_SHOWN: Final = 4_000


def run(command: Sequence[str], what: str, seconds: float, *, inherits: int | None = None, ends: bool = True) -> None:
    """Run a program to its end; raises `ChangeError` where it fails or takes longer than `seconds`.

    It reads nothing: a build that asks would wait for ever. `inherits` is a descriptor that it and its children keep.
    With `ends`, all that it started is ended when it takes too long.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - what the user of the command gave
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=() if inherits is None else (inherits,),
            )
        except OSError as error:
            raise ChangeError(f"{what} cannot be run: {command[0]}: {error.strerror}") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process, group=ends)
            raise ChangeError(f"{what} was not ready within {seconds:g} s{_words(output.fileno())}") from None
        except BaseException:
            _end(process, group=ends)
            raise
        if code != 0:
            raise ChangeError(f"{what} failed with exit code {code}{_words(output.fileno())}")


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _words(output: int) -> str:
    size = os.fstat(output).st_size
    text = os.pread(output, _MOST_SHOWN, max(0, size - _MOST_SHOWN)).decode("utf-8", "replace")
    lines = text.splitlines()[-_LINES_SHOWN:]
    return "".join(f"\n  {line}" for line in lines)
