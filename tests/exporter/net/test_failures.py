"""What keywatch itself lacks is told apart from what the other side does."""

from __future__ import annotations

import errno
import os

import pytest

from keywatch.engine.probe import Reason
from keywatch.net.failures import connection_error


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_what_the_process_lacks_is_its_own(number: int) -> None:
    reason, words = connection_error(OSError(number, os.strerror(number)))
    assert reason is Reason.EXHAUSTED
    assert words == f"keywatch itself: {os.strerror(number)}"


def test_memory_that_is_out_is_its_own() -> None:
    assert connection_error(MemoryError())[0] is Reason.EXHAUSTED


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ECONNREFUSED, Reason.REFUSED), (errno.ENETUNREACH, Reason.UNREACHABLE), (errno.EIO, Reason.RESET)],
)
def test_what_the_other_side_does_is_not(number: int, reason: Reason) -> None:
    assert connection_error(OSError(number, os.strerror(number)))[0] is reason
