"""Makes the interpreter of scripts known to all tests of this folder."""

from __future__ import annotations

from tests.logstash.fixtures import ruby

__all__ = ["ruby"]
