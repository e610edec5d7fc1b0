"""What a jar lacks, hides and is signed by is told; the classes here are made byte by byte."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywatch.cli.command import main
from keywatch.provider.signature_block import BlockError, verify
from tests.exporter.provider.class_maker import FACTORY, LISTENERS, keycloak, listener, made, packed

Capsys = pytest.CaptureFixture[str]
INTERFACE = LISTENERS.replace(".", "/")
SERVICES = f"META-INF/services/{LISTENERS}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return keycloak(tmp_path / "keycloak")


def jar_of(path: Path, *calls: tuple[str, str, str], **files: bytes) -> Path:
    """Write a listener's jar whose factory calls methods."""
    factory = made(FACTORY, interfaces=[INTERFACE], says="audit-kafka", calls=calls)
    return packed(path, {SERVICES: FACTORY.replace("/", ".").encode(), FACTORY: factory, **files})


def check(capsys: Capsys, jar: Path, *flags: str | Path) -> tuple[int, list[str]]:
    """Check a jar; return the exit code, and what is told but notes."""
    capsys.readouterr()
    code = main(["listener", "check", str(jar), "--json", "--java", "17", *map(str, flags)])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, [f"{one['severity']}: {one['words']}" for one in report["findings"] if one["severity"] != "note"]


def test_a_good_one(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    jar = jar_of(
        tmp_path / "a.jar", ("java/lang/String", "anything", "()V"), ("[Lx/Y;", "clone", "()Ljava/lang/Object;")
    )
    code, found = check(capsys, jar, "--keycloak", home)
    assert (code, found) == (
        1,
        ["broken: class x.Y is missing; org.shop.audit.AuditListener needs it (NoClassDefFoundError)"],
    )
    jar = jar_of(tmp_path / "b.jar", ("java/lang/String", "anything", "()V"))
    assert check(capsys, jar, "--keycloak", home) == (0, [])


def test_a_method_is_looked_for_in_all_that_stands_above(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    library = {
        "org/lib/Top": made("org/lib/Top", methods={"of": "()I"}),
        "org/lib/Face": made("org/lib/Face", methods={"by": "()V"}),
        "org/lib/Low": made("org/lib/Low", above="org/lib/Top", interfaces=["org/lib/Face"]),
    }
    packed(home / "lib" / "lib" / "main" / "lib.jar", library)
    jar = jar_of(tmp_path / "a.jar", ("org/lib/Low", "of", "()I"), ("org/lib/Low", "by", "()V"))
    assert check(capsys, jar, "--keycloak", home) == (0, [])
    # What of Java's own stands above it is not known without a runtime, so nothing is claimed.
    jar = jar_of(tmp_path / "b.jar", ("org/lib/Low", "of", "()J"))
    assert check(capsys, jar, "--keycloak", home) == (0, [])
    packed(home / "lib" / "lib" / "main" / "other.jar", {"org/lib/Bare": made("org/lib/Bare", above="")})
    jar = jar_of(tmp_path / "c.jar", ("org/lib/Bare", "of", "()J"))
    words = "method org.lib.Bare.of()J is missing; org.shop.audit.AuditListener needs it (NoSuchMethodError)"
    assert check(capsys, jar, "--keycloak", home) == (1, [f"broken: {words}"])


def test_a_class_above_that_is_missing(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    packed(home / "lib" / "lib" / "main" / "lib.jar", {"org/lib/Low": made("org/lib/Low", above="org/gone/Top")})
    code, found = check(capsys, jar_of(tmp_path / "a.jar", ("org/lib/Low", "of", "()I")), "--keycloak", home)
    assert (code, found) == (1, ["broken: class org.lib.Low cannot load: class org.gone.Top above it is missing"])


def test_classes_that_hide_keycloaks(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    whole = made("org/lib/Tool", above="org/lib/Base", methods={"old": "()V", "new": "()V"})
    base = made("org/lib/Base", above="")
    user = made("org/keycloak/User", above="org/lib/Base", calls=[("org/lib/Tool", "new", "()V")])
    files = {"org/lib/Tool": whole, "org/lib/Base": base, "org/keycloak/User": user}
    packed(home / "lib" / "lib" / "main" / "lib.jar", files)
    packed(home / "lib" / "lib" / "boot" / "boot.jar", {"org/boot/Log": made("org/boot/Log")})
    hidden, error = "the jar's class, which hides Keycloak's", "NoSuchMethodError"
    less = made("org/lib/Tool", above="org/lib/Base", methods={"old": "()V"})
    jar = jar_of(tmp_path / "a.jar", **{"org/lib/Tool": less})
    code, found = check(capsys, jar, "--keycloak", home)
    assert (code, found) == (
        1,
        [
            f"broken: method org.lib.Tool.new()V is not in {hidden}; org.keycloak.User of Keycloak needs it ({error})",
            "broken: 1 class of org.lib hide Keycloak's: leave them out of the jar",
        ],
    )
    more = made("org/lib/Tool", above="org/lib/Base", methods={"old": "()V", "new": "()V", "newer": "()V"})
    code, found = check(capsys, jar_of(tmp_path / "b.jar", **{"org/lib/Tool": more}), "--keycloak", home)
    assert code == 0
    assert "nothing that Keycloak uses is missing in them" in found[0]
    files = {"org/lib/Tool": whole, "org/boot/Log": made("org/boot/Log", methods={"x": "()V"})}
    assert check(capsys, jar_of(tmp_path / "c.jar", **files), "--keycloak", home) == (0, [])


def test_nested_jars(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    code, found = check(capsys, jar_of(tmp_path / "a.jar", **{"lib/inner.jar": b"PK"}), "--keycloak", home)
    assert (code, found) == (0, ["warning: it has jars within, which Keycloak does not look into: lib/inner.jar"])


def test_classes_that_are_in_it_twice(capsys: Capsys, tmp_path: Path) -> None:
    jar = jar_of(tmp_path / "a.jar")
    with zipfile.ZipFile(jar, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(f"{FACTORY}.class", made(FACTORY))
    code, found = check(capsys, jar)
    assert code == 1
    assert f"broken: classes are in it twice, and which is taken is not sure: {FACTORY}.class" in found


def test_what_was_built_for_another_keycloak(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    pom = b"<properties><keycloak.version>21.1.2</keycloak.version></properties>"
    jar = jar_of(tmp_path / "a.jar", **{"META-INF/maven/org.shop/audit/pom.xml": pom})
    code, found = check(capsys, jar, "--keycloak", home)
    assert (code, found) == (
        0,
        [
            "warning: it was built for Keycloak 21.1.2, as META-INF/maven/org.shop/audit/pom.xml says; this is 26.7.3",
        ],
    )


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2.0.1", "brokers of Kafka 4.0 and later refuse it"),
        ("2.8.2", "unless told otherwise acks=1 and no idempotence"),
        ("3.0.0", "idempotence is not switched on as it should be"),
        ("3.7.0", ""),
        ("4.4.0", ""),
    ],
)
def test_kafkas_client(capsys: Capsys, tmp_path: Path, home: Path, version: str, words: str) -> None:
    producer = "org/apache/kafka/clients/producer/KafkaProducer"
    files = {producer: made(producer), "kafka/kafka-version.properties": f"commitId=x\nversion={version}\n".encode()}
    jar = jar_of(tmp_path / "a.jar", (producer, "<init>", "()V"), **files)
    code, found = check(capsys, jar, "--keycloak", home)
    assert code == 0
    assert any(words in one for one in found)
    assert any("it leaves max.block.ms at 60000" in one for one in found)
    assert ("acks=1" in " ".join(found)) == (version < "3")


def key() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Audit")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
    return private, builder.not_valid_after(now + dt.timedelta(days=1)).sign(private, hashes.SHA256())


def signed(files: dict[str, bytes], *, flags: list[pkcs7.PKCS7Options]) -> dict[str, bytes]:
    """Return files with a manifest, a signature file and its block, as jarsigner makes them."""

    def digest(data: bytes) -> str:
        return base64.b64encode(hashlib.sha256(data).digest()).decode()

    main_part = b"Manifest-Version: 1.0\r\n\r\n"
    parts = [f"Name: {name}\r\nSHA-256-Digest: {digest(data)}\r\n\r\n".encode() for name, data in files.items()]
    manifest = main_part + b"".join(parts)
    lines = [f"Signature-Version: 1.0\r\nSHA-256-Digest-Manifest: {digest(manifest)}\r\n\r\n"]
    lines += [
        f"Name: {name}\r\nSHA-256-Digest: {digest(part)}\r\n\r\n" for name, part in zip(files, parts, strict=True)
    ]
    signature = "".join(lines).encode()
    private, certificate = key()
    block = pkcs7.PKCS7SignatureBuilder().set_data(signature).add_signer(certificate, private, hashes.SHA256())
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, *flags]
    return {
        "META-INF/MANIFEST.MF": manifest,
        "META-INF/AUDIT.SF": signature,
        "META-INF/AUDIT.RSA": block.sign(Encoding.DER, options),
        **files,
    }


FILES = {
    SERVICES: FACTORY.replace("/", ".").encode(),
    f"{FACTORY}.class": made(FACTORY, interfaces=[INTERFACE], says="a"),
}


_BLOCK = signed(FILES, flags=[])


@pytest.mark.parametrize("flags", [[], [pkcs7.PKCS7Options.NoAttributes]], ids=["attributes", "none"])
def test_a_signature(capsys: Capsys, tmp_path: Path, flags: list[pkcs7.PKCS7Options]) -> None:
    files = signed(FILES, flags=flags)

    def told(**changes: bytes | None) -> tuple[int, list[str]]:
        kept = {name: data for name, data in {**files, **changes}.items() if data is not None}
        path = tmp_path / "a.jar"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in kept.items():
                archive.writestr(name, data)
        return check(capsys, path)

    assert told() == (0, [])
    assert told(**{SERVICES: b"org.shop.audit.AuditListener\n"})[1] == [f"broken: changed after signing: {SERVICES}"]
    assert "added after signing" in told(extra=b"x")[1][0]
    assert told(**{SERVICES: None})[0] == 1
    manifest = files["META-INF/MANIFEST.MF"].replace(b"1.0", b"1.1")
    code, found = told(**{"META-INF/MANIFEST.MF": manifest})
    assert code == 0, found  # the main part may change where each section is signed, and its digest is not
    other = signed({**FILES, "more": b""}, flags=flags)["META-INF/AUDIT.RSA"]
    code, found = told(**{"META-INF/AUDIT.RSA": other})
    assert code == 1
    assert "META-INF/AUDIT.RSA does not fit" in found[0]
    for block in (b"", b"\x30\x80", b"\x30\x00", files["META-INF/AUDIT.RSA"][:300], bytes(2000)):
        code, found = told(**{"META-INF/AUDIT.RSA": block})
        assert code == 1
        assert found[0].startswith("broken: META-INF/AUDIT.RSA cannot be read")
    assert told(**{"META-INF/AUDIT.RSA": None})[1][0].startswith("broken: META-INF/AUDIT.SF is signed by nobody")
    code, found = told(**{"META-INF/AUDIT.SF": files["META-INF/AUDIT.SF"] + b"\r\n"})
    assert code == 1
    assert "does not fit" in found[0]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3))
def test_no_damage_to_a_block_ends_in_anything_but_a_sentence(changes: list[tuple[int, int]]) -> None:
    block = bytearray(_BLOCK["META-INF/AUDIT.RSA"])
    for at, value in changes:
        block[at % len(block)] = value
    with contextlib.suppress(BlockError):
        # A certificate's own signature is not looked at: its name may be changed, and then its fingerprint is another.
        assert len(verify(bytes(block), _BLOCK["META-INF/AUDIT.SF"]).fingerprint) == 64


def test_known_listeners_are_known_by_their_classes(capsys: Capsys, tmp_path: Path, home: Path) -> None:
    name = "com/github/snuk87/keycloak/kafka/KafkaEventListenerProviderFactory"
    files = {SERVICES: name.replace("/", ".").encode(), name: made(name, interfaces=[INTERFACE], says="kafka")}
    code, found = check(capsys, packed(tmp_path / "a.jar", files), "--keycloak", home)
    assert code == 0
    assert "warning: snuk87: it sends only REGISTER unless KAFKA_EVENTS names more" in found


def test_an_address_and_a_folder_each_once(capsys: Capsys, tmp_path: Path) -> None:
    jar = str(listener(tmp_path / "a.jar"))
    for flags, words in (
        (["--keycloak", "http://a", "--keycloak", "http://b"], "give one folder and one URL at most"),
        (["--keycloak", "http://a"], "--keycloak URL needs one of --password-file"),
        (["--keycloak", "http://a", "--password-env", "HOME"], "--username goes with"),
        (["--keycloak", "http://a", "--username", "u", "--password-env", "NO_SUCH"], "--password-env: the environment"),
        (["--keycloak", "http://a", "--username", "u", "--password-env", "HOME", "--topic", "t"], "--topic goes with"),
        (["--keycloak", str(tmp_path / "none")], "is no Keycloak distribution"),
    ):
        assert main(["listener", "check", jar, *flags]) == 2
        assert words in capsys.readouterr().err
