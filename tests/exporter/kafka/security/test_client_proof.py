"""What a client signs is what RFC 7523 says, by the key that stands in its file; a key that does not do is named."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from pydantic import SecretStr

from keywatch.config.secret import Secret
from keywatch.kafka.security.client_proof import (
    GivenAssertion,
    KeyUnusableError,
    SharedSecret,
    SignedAssertion,
    signing_key,
)

URL = "https://login.example.com/token"
KINDS: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode())


def signed(key: str, **more: Any) -> SignedAssertion:
    return SignedAssertion("keywatch", Secret(SecretStr(key)), URL, **more)


@pytest.mark.parametrize("algorithm", KINDS)
def test_what_is_signed_says_who_for_whom_and_for_how_long_and_is_good_once(algorithm: str) -> None:
    key = KINDS[algorithm]()
    client = signed(pem(key), key_id="key-1")
    proofs = [client.proof() for _ in range(2)]
    assert not proofs[0].headers
    assert proofs[0].form["client_id"] == "keywatch"
    assert proofs[0].form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    words = [one.form["client_assertion"] for one in proofs]
    claims = [jwt.decode(word, key.public_key(), [algorithm], audience=URL, issuer="keywatch") for word in words]
    assert jwt.get_unverified_header(words[0]) == {"alg": algorithm, "kid": "key-1", "typ": "JWT"}
    assert claims[0]["sub"] == "keywatch"
    assert claims[0]["exp"] - claims[0]["iat"] == 60
    assert abs(claims[0]["iat"] - time.time()) < 30
    assert claims[0]["jti"] != claims[1]["jti"]


def test_the_algorithm_may_be_chosen_where_the_key_has_several() -> None:
    key = KINDS["RS256"]()
    word = signed(pem(key), algorithm="PS384").proof().form["client_assertion"]
    assert jwt.decode(word, key.public_key(), ["PS384"], audience=URL)["iss"] == "keywatch"


@pytest.mark.parametrize(
    ("key", "algorithm", "words"),
    [
        ("hunter2", None, "holds no private key in PEM's form"),
        (pem(KINDS["ES256"](), BestAvailableEncryption(b"hunter2")), None, "holds a key with a password"),
        (pem(KINDS["ES256"]()), "RS256", "holds a key on secp256r1, which does not sign by RS256; allowed: ES256"),
        (pem(rsa.generate_private_key(65537, 1024)), None, "an RSA key of 1024 bits; allowed: 2048 to 8192"),  # noqa: S505
        (pem(dsa.generate_private_key(2048)), None, "a key that no JWT is signed with"),
        (pem(ec.generate_private_key(ec.SECP256K1())), None, "a key that no JWT is signed with"),
    ],
)
def test_a_key_that_does_not_do_is_named_and_nothing_of_it_shown(key: str, algorithm: str | None, words: str) -> None:
    with pytest.raises(KeyUnusableError, match=words) as caught:
        signing_key(key, algorithm)
    assert not any(line in str(caught.value) for line in key.splitlines())


def test_without_the_libraries_that_sign_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(KeyUnusableError, match=r"\.\[jwt\]"):
        signed(pem(KINDS["ES256"]()))


def test_a_key_that_was_replaced_signs_from_then_on_and_a_bad_one_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [KINDS["ES256"]() for _ in range(2)]
    file = tmp_path / "key.pem"
    file.write_text(pem(keys[0]), encoding="utf-8")
    secret = Secret(None, file)
    client = SignedAssertion("keywatch", secret, URL)
    file.write_text("half a key, hunter2", encoding="utf-8")
    secret.look()
    assert client.version == 1
    word = client.proof().form["client_assertion"]
    assert jwt.decode(word, keys[0].public_key(), ["ES256"], audience=URL)
    assert "the last good key stays in force" in caplog.text
    assert "hunter2" not in caplog.text
    file.write_text(pem(keys[1]), encoding="utf-8")
    secret.look()
    word = client.proof().form["client_assertion"]
    assert jwt.decode(word, keys[1].public_key(), ["ES256"], audience=URL)


def test_anothers_word_is_the_one_that_stood_in_the_file_when_it_was_last_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text("one\n", encoding="utf-8")
    secret = Secret(None, file)
    client = GivenAssertion("keywatch", secret)
    assert client.proof().form["client_assertion"] == "one"
    file.write_text("another\n", encoding="utf-8")
    secret.look()
    assert client.proof().form["client_assertion"] == "another"
    assert client.version == 0, "the token that one gave is still good"


def test_a_secret_goes_as_a_header() -> None:
    proof = SharedSecret("keywatch", Secret(SecretStr("hush"))).proof()
    assert proof.headers == {"Authorization": "Basic a2V5d2F0Y2g6aHVzaA=="}
    assert not proof.form
