"""Gives tests an interpreter for the scripts, or the reason why they are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.logstash.ruby import Ruby, required


@pytest.fixture(scope="session")
def ruby() -> Iterator[Ruby]:
    """Return one interpreter for all tests: it takes seconds to start."""
    required()
    one = Ruby()
    yield one
    one.close()
