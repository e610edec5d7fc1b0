"""A token for Amazon MSK carries a signature that holds as AWS documents it; what fails is named without a secret."""

from __future__ import annotations

import base64
import datetime as dt
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keywatch.kafka.connection import BrokerError, connect
from keywatch.kafka.security.aws_msk import AwsMskToken, SignerMissingError
from keywatch.kafka.security.oauth import TokenError
from keywatch.kafka.security.sasl import Exchange, OAuthBearer
from tests.exporter.fakes.fake_broker import FakeBroker, listening
from tests.exporter.kafka.security.sigv4 import EMPTY, Presigned, signing_key

# AWS's own example of keys.
KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"
ADDED_LATER = ("User-Agent",)
HANDSHAKE, AUTHENTICATE = 17, 36


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have AWS's chain find these, and ask no machine for others."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def opened(token: str) -> Presigned:
    return Presigned.parse(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())


def test_the_derived_key_is_that_of_awss_documentation() -> None:
    """Signature Version 4, "Examples of how to derive a signing key": 20150830, us-east-1, iam."""
    key = signing_key(SECRET, "20150830", "us-east-1", "iam", "aws4_request")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_the_signature_of_a_url_is_that_of_awss_documentation() -> None:
    """Amazon S3, "Authenticating requests: using query parameters": GET of test.txt, good for a day."""
    url = (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    found = Presigned.parse(url)
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's own example
    assert found.signature(secret, "UNSIGNED-PAYLOAD") == found.query["X-Amz-Signature"]


async def test_a_token_is_a_signed_url_of_the_clusters_region_that_is_good_for_a_quarter_of_an_hour() -> None:
    tokens = AwsMskToken(REGION)
    found = opened(await tokens.token(10.0))
    assert found.host == f"kafka.{REGION}.amazonaws.com"
    assert found.path == "/"
    assert found.query["Action"] == "kafka-cluster:Connect"
    assert found.query["X-Amz-Expires"] == "900"
    assert found.key_id == KEY_ID
    assert found.scope[1:] == [REGION, "kafka-cluster", "aws4_request"]
    assert found.query["X-Amz-Signature"] == found.signature(SECRET, EMPTY, ADDED_LATER)
    assert found.query["X-Amz-Signature"] != found.signature(f"{SECRET}x", EMPTY, ADDED_LATER)
    now = dt.datetime.now(dt.UTC)
    assert dt.timedelta(seconds=840) < found.good_until() - now <= dt.timedelta(seconds=900)
    token, end, _, extensions = tokens.for_client({}, "")
    assert (opened(token), end, extensions) == (found, found.good_until().timestamp(), {})


class Amazon(FakeBroker):
    """A broker that verifies a token as MSK does: whose key, for this region and service, and still good."""

    def __init__(self, secrets: dict[str, str]) -> None:
        super().__init__()
        self.secrets = secrets
        self.answers: dict[int, Callable[[bytes], bytes]] = {
            HANDSHAKE: lambda _: bytes.fromhex("0000 00000000"),
            AUTHENTICATE: self.authenticate,
        }

    def authenticate(self, body: bytes) -> bytes:
        """Answer SaslAuthenticate: 0, or SASL_AUTHENTICATION_FAILED."""
        greeting, auth, *_ = body[4:].decode().split("\x01")
        assert greeting == "n,,"
        found = opened(auth.removeprefix("auth=Bearer "))
        secret = self.secrets.get(found.key_id)
        good = (
            secret is not None
            and found.query["X-Amz-Signature"] == found.signature(secret, EMPTY, ADDED_LATER)
            and found.scope[1:] == [REGION, "kafka-cluster", "aws4_request"]
            and found.good_until() > dt.datetime.now(dt.UTC)
        )
        return (b"\0\0" if good else b"\0\x3a") + b"\xff\xff" + bytes(4) + bytes(8)


async def logs_in(broker: Amazon, region: str = REGION) -> None:
    async with listening(broker) as endpoint:
        connection = await connect(endpoint, 10.0)
        try:
            exchange = Exchange(connection, 10.0)
            await exchange.greet("OAUTHBEARER")
            await OAuthBearer(AwsMskToken(region), {}).prove(exchange)
        finally:
            connection.close()


async def test_a_broker_that_verifies_the_signature_takes_it() -> None:
    await logs_in(Amazon({KEY_ID: SECRET}))


@pytest.mark.parametrize(
    ("secrets", "region"), [({KEY_ID: "another"}, REGION), ({"AKIDOTHER": SECRET}, REGION), ({KEY_ID: SECRET}, "x-1")]
)
async def test_a_broker_that_knows_another_key_or_is_elsewhere_refuses_it(secrets: dict[str, str], region: str) -> None:
    with pytest.raises(BrokerError, match="the credentials were refused") as refused:
        await logs_in(Amazon(secrets), region)
    assert SECRET not in str(refused.value)


async def test_where_no_credentials_are_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(TokenError, match="AWS's signer found no credentials"):
        await AwsMskToken(REGION).token(10.0)


async def test_a_profile_gives_its_credentials_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    lines = "[watch]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = hush\n"
    (tmp_path / "credentials").write_text(lines, encoding="utf-8")
    found = opened(await AwsMskToken(REGION, profile="watch").token(10.0))
    assert found.key_id == "AKIDPROFILE"
    assert found.query["X-Amz-Signature"] == found.signature("hush", EMPTY, ADDED_LATER)
    with pytest.raises(TokenError, match="AWS's signer: ProfileNotFound"):
        await AwsMskToken(REGION, profile="other").token(10.0)


async def test_a_token_of_a_session_carries_what_the_session_is_known_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session/+=")
    found = opened(await AwsMskToken(REGION).token(10.0))
    assert found.query["X-Amz-Security-Token"] == "session/+="
    assert found.query["X-Amz-Signature"] == found.signature(SECRET, EMPTY, ADDED_LATER)


async def test_what_awss_library_says_of_a_signature_reaches_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await AwsMskToken(REGION).token(10.0)
    assert not [record for record in caplog.records if record.name.startswith(("boto", "urllib3"))]


def test_without_awss_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(SignerMissingError, match=r"\.\[aws\]"):
        AwsMskToken(REGION)
