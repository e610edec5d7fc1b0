"""Verifies what Signature Version 4 signs in a URL, step by step as AWS documents it, with nothing of AWS's code."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import urllib.parse
from dataclasses import dataclass

EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Presigned:
    """A URL that is signed in its query."""

    host: str
    path: str
    query: dict[str, str]

    @classmethod
    def parse(cls, url: str) -> Presigned:
        """Take a URL apart; a parameter that comes twice is an error."""
        split = urllib.parse.urlsplit(url)
        pairs = urllib.parse.parse_qsl(split.query, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return cls(split.netloc, split.path, dict(pairs))

    @property
    def key_id(self) -> str:
        """Whose key it is signed by."""
        return self.query["X-Amz-Credential"].split("/")[0]

    @property
    def scope(self) -> list[str]:
        """Date, region, service and `aws4_request`."""
        return self.query["X-Amz-Credential"].split("/")[1:]

    def good_until(self) -> dt.datetime:
        """Return when it ends."""
        begun = dt.datetime.strptime(self.query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        return begun + dt.timedelta(seconds=int(self.query["X-Amz-Expires"]))

    def signature(self, secret: str, payload: str, left_out: tuple[str, ...] = ()) -> str:
        """Reckon the signature of a GET; `left_out` are parameters that are added after signing."""
        without = {"X-Amz-Signature", *left_out}
        query = sorted((_written(key), _written(value)) for key, value in self.query.items() if key not in without)
        canonical = "\n".join(
            (
                "GET",
                urllib.parse.quote(self.path, safe="/-_.~"),
                "&".join(f"{key}={value}" for key, value in query),
                f"host:{self.host}\n",
                self.query["X-Amz-SignedHeaders"],
                payload,
            )
        )
        to_sign = "\n".join(
            (
                "AWS4-HMAC-SHA256",
                self.query["X-Amz-Date"],
                "/".join(self.scope),
                hashlib.sha256(canonical.encode()).hexdigest(),
            )
        )
        return hmac.new(signing_key(secret, *self.scope), to_sign.encode(), hashlib.sha256).hexdigest()


def signing_key(secret: str, *scope: str) -> bytes:
    """Derive the key for a date, a region, a service and `aws4_request`."""
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _written(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")
