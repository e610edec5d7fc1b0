"""Asks a URL of Keycloak for its status alone, as a test does that waits for it."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request


def status_of(url: str, timeout: float = 2.0) -> int:
    """Return the status that `url` answers with, 0 for none within `timeout` seconds; certificates are not checked."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=timeout, context=context) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException):
        return 0
