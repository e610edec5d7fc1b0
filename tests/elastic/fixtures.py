"""Lets a test that needs a real OpenSearch or Elasticsearch go on, or tells why it is skipped."""

from __future__ import annotations

import os

import pytest

from tests.elastic.distribution import Distribution


def required(distribution: Distribution) -> None:
    """Skip the test where it cannot run; fail it where `KEYWATCH_REQUIRE` is `all`, as in CI."""
    if reason := distribution.requirements_missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
