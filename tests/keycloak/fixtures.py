"""Lets a test that needs a real Keycloak go on, or tells why it is skipped."""

from __future__ import annotations

import os

import pytest

from tests.keycloak.distribution import requirements_missing


def keycloak_required() -> None:
    """Skip the test where a real Keycloak cannot run; fail it where `KEYWATCH_REQUIRE` is `all`, as in CI."""
    if reason := requirements_missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
