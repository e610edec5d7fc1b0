"""`keywatch listener check` on jars that are compiled, packed and signed here, against a real Keycloak's classes."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keywatch.cli.command import main
from tests.keycloak import provider_jars as jars
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.preparation import prepared

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(600)]

KAFKA_STUB = """
package org.apache.kafka.clients.producer;
public class KafkaProducer {
    public KafkaProducer(java.util.Map<String, Object> settings) {}
    public void send(String value) {}
}
"""


@pytest.fixture(scope="module")
def home() -> Path:
    keycloak_required()
    return prepared()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jars")


@pytest.fixture(scope="module")
def good(home: Path, room: Path) -> Path:
    """Return a jar that nothing is wrong with: it calls methods that classes inherit, and lambdas."""
    body = """
        java.util.function.Supplier<String> said = () -> event.getType().name() + event.getTime();
        new com.fasterxml.jackson.databind.ObjectMapper().getFactory().setCodec(null);
        System.out.println(said.get() + new String[] {"a"}.clone().length + session.getContext().getRealm().getName());
    """
    classes = jars.compiled(room / "good", home, {jars.FACTORY: jars.listener(body)})
    return jars.packed(room / "good.jar", classes)


def check(capsys: pytest.CaptureFixture[str], jar: Path, *flags: str | Path) -> tuple[int, dict[str, Any]]:
    """Check a jar and return the exit code and the report."""
    capsys.readouterr()
    code = main(["listener", "check", str(jar), "--json", *map(str, flags)])
    return code, json.loads(capsys.readouterr().out)


def told(report: dict[str, Any], severity: str, subject: str = "") -> list[str]:
    """Return the words of findings."""
    return [one["words"] for one in report["findings"] if one["severity"] == severity and subject in {"", one["check"]}]


Capsys = pytest.CaptureFixture[str]


def test_a_good_jar_is_good(capsys: Capsys, good: Path, home: Path) -> None:
    code, report = check(capsys, good, "--keycloak", home)
    assert (code, told(report, "broken"), told(report, "warning")) == (0, [], [])
    service = "org.keycloak.events.EventListenerProviderFactory"
    assert report["providers"] == [{"service": service, "class": jars.FACTORY, "id": jars.ID}]
    assert report["keycloak"].startswith("Keycloak 26.7.3 in ")
    assert "it runs on Java 17 and newer" in told(report, "note", "bytecode")


def test_the_table_says_the_same(capsys: Capsys, good: Path, home: Path) -> None:
    assert main(["listener", "check", str(good), "--keycloak", str(home)]) == 0
    out = capsys.readouterr().out
    assert f"{good}: good; 0 broken, 0 warnings" in out
    assert f"{jars.ID} ({jars.FACTORY})" in out


def test_a_missing_class_of_its_own(capsys: Capsys, home: Path, room: Path) -> None:
    helper = "package org.shop.audit; public class Names { public static String of(Object o) { return null; } }"
    sources = {jars.FACTORY: jars.listener("Names.of(event);"), "org.shop.audit.Names": helper}
    classes = jars.compiled(room / "class", home, sources)
    jar = jars.packed(room / "class.jar", classes)
    assert check(capsys, jar, "--keycloak", home)[0] == 0
    lacking = jars.changed(jar, room / "lacking.jar", {"org/shop/audit/Names.class": None})
    code, report = check(capsys, lacking, "--keycloak", home)
    assert code == 1
    needs = "class org.shop.audit.Names is missing; org.shop.audit.AuditListener$1 needs it (NoClassDefFoundError)"
    assert told(report, "broken", "linking") == [needs]


def test_methods_and_fields_that_keycloak_no_longer_has_are_told_by_descriptor(
    capsys: Capsys, home: Path, room: Path
) -> None:
    event = """
        package org.keycloak.events;
        public class Event {
            public static String TENANT;
            public int getTime() { return 0; }
            public String getTenant() { return null; }
            public String getUserId() { return null; }
        }
    """
    stubs = jars.compiled(room / "stubs", home, {"org.keycloak.events.Event": event})
    body = "int at = event.getTime(); event.getTenant(); event.getUserId(); String of = Event.TENANT;"
    classes = jars.compiled(room / "method", home, {jars.FACTORY: jars.listener(body)}, stubs=[stubs])
    code, report = check(capsys, jars.packed(room / "method.jar", classes), "--keycloak", home)
    user = "org.shop.audit.AuditListener$1 needs it"
    assert (code, told(report, "broken")) == (
        1,
        [
            f"field org.keycloak.events.Event.TENANT of type Ljava/lang/String; is missing; {user} (NoSuchFieldError)",
            f"method org.keycloak.events.Event.getTenant()Ljava/lang/String; is missing; {user} (NoSuchMethodError)",
            f"method org.keycloak.events.Event.getTime()I is missing; {user} (NoSuchMethodError)",
        ],
    )


def test_a_class_that_hides_keycloaks_and_lacks_what_it_needs(
    capsys: Capsys, home: Path, room: Path, good: Path
) -> None:
    old = """
        package com.fasterxml.jackson.annotation;
        import java.lang.annotation.*;
        @Retention(RetentionPolicy.RUNTIME)
        public @interface JsonProperty { String value() default ""; }
    """
    stubs = jars.compiled(room / "jackson", home, {"com.fasterxml.jackson.annotation.JsonProperty": old})
    name = "com/fasterxml/jackson/annotation/JsonProperty.class"
    jar = jars.changed(good, room / "shadow.jar", {name: (stubs / name).read_bytes()})
    code, report = check(capsys, jar, "--keycloak", home)
    assert code == 1
    words = told(report, "broken", "shadowing")
    method = "method com.fasterxml.jackson.annotation.JsonProperty.required()Z is not in the jar's class"
    assert any(one.startswith(method) and "jackson.databind" in one and "NoSuchMethodError" in one for one in words)
    assert "1 class of com.fasterxml.jackson hide Keycloak's: leave them out of the jar" in words


def test_a_class_that_hides_keycloaks_and_has_all_it_needs(capsys: Capsys, home: Path, room: Path, good: Path) -> None:
    library = next((home / "lib" / "lib" / "main").glob("*jackson-annotations-*.jar"))
    name = "com/fasterxml/jackson/annotation/JsonProperty.class"
    with zipfile.ZipFile(library) as archive:
        same = archive.read(name)
    code, report = check(capsys, jars.changed(good, room / "same.jar", {name: same}), "--keycloak", home)
    assert code == 0
    assert any("byte for byte the same" in one for one in told(report, "note", "shadowing"))
    other = jars.changed(good, room / "other.jar", {name: same[:7] + b"\x3c" + same[8:]})  # compiled for Java 16
    code, report = check(capsys, other, "--keycloak", home)
    assert code == 0
    assert any("nothing that Keycloak uses is missing" in one for one in told(report, "warning", "shadowing"))
    assert check(capsys, other, "--keycloak", home, "--strict")[0] == 1


def test_bytecode_for_a_newer_java(capsys: Capsys, home: Path, room: Path, good: Path) -> None:
    name = f"{jars.FACTORY.replace('.', '/')}.class"
    with zipfile.ZipFile(good) as archive:
        newer = archive.read(name)
    jar = jars.changed(good, room / "newer.jar", {name: newer[:6] + b"\x00\x45" + newer[8:]})  # 69: Java 25
    code, report = check(capsys, jar, "--keycloak", home, "--java", "21")
    assert code == 1
    assert [one.partition(" (")[0] for one in told(report, "broken", "bytecode")] == [
        "org.shop.audit.AuditListener needs Java 25, and Java 21"
    ]
    assert check(capsys, jar, "--keycloak", home, "--java", "25")[0] == 0


def test_a_multi_release_jar_is_read_as_the_java_in_use_reads_it(
    capsys: Capsys, home: Path, room: Path, good: Path
) -> None:
    name = f"{jars.FACTORY.replace('.', '/')}.class"
    with zipfile.ZipFile(good) as archive:
        newer = archive.read(name)
    files = {
        "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n",
        f"META-INF/versions/21/{name}": newer[:6] + b"\x00\x45" + newer[8:],
    }
    jar = jars.changed(good, room / "multi.jar", files)
    assert check(capsys, jar, "--keycloak", home, "--java", "17")[0] == 0
    code, report = check(capsys, jar, "--keycloak", home, "--java", "21")
    assert code == 1
    assert told(report, "broken", "bytecode")
    assert "it is a multi-release jar, with classes of their own for Java 21" in told(report, "note", "jar")


def test_files_of_services_that_name_no_listener(capsys: Capsys, home: Path, room: Path, good: Path) -> None:
    for content, words in (
        (b"org.shop.audit.Gone\n", "org.shop.audit.Gone, which nobody has: Keycloak does not start"),
        (b"not a class\n", "'not a class', which is no class"),
        (b"org.shop.audit.AuditListener$1\n", "org.shop.audit.AuditListener$1 has no constructor without arguments"),
        (b"# nothing\n", "Keycloak finds no provider in it"),
    ):
        jar = jars.changed(good, room / "services.jar", {jars.SERVICE: content})
        code, report = check(capsys, jar, "--keycloak", home)
        assert code == 1
        assert any(words in one for one in told(report, "broken", "provider")), (words, report["findings"])


def test_a_listener_with_the_id_of_another_provider(capsys: Capsys, home: Path, room: Path, good: Path) -> None:
    other = room / "other-home"
    (other / "providers").mkdir(parents=True)
    (other / "lib").symlink_to(home / "lib")
    (other / "providers" / "old.jar").write_bytes(good.read_bytes())
    code, report = check(capsys, good, "--keycloak", other)
    assert code == 1
    assert f"providers/old.jar has a listener {jars.ID} too: only one of them is taken" in told(report, "broken")


def test_a_shaded_jar_that_lacks_parts_of_libraries(capsys: Capsys, home: Path, room: Path) -> None:
    producer = KAFKA_STUB.replace("org.apache", "org.shop.audit.shaded.org.apache").replace(
        "{}\n    public void", "{ com.github.luben.zstd.Zstd.level(); org.lost.Part.of(); }\n    public void"
    )
    lost = {
        "com.github.luben.zstd.Zstd": (
            "package com.github.luben.zstd; public class Zstd { public static void level() {} }"
        ),
        "org.lost.Part": "package org.lost; public class Part { public static void of() {} }",
        "kotlin.jvm.internal.Marker": "package kotlin.jvm.internal; public class Marker {}",
    }
    stubs = jars.compiled(room / "lost", home, lost)
    body = "new org.shop.audit.shaded.org.apache.kafka.clients.producer.KafkaProducer(null);"
    sources = {
        jars.FACTORY: jars.listener(body),
        "org.shop.audit.shaded.org.apache.kafka.clients.producer.KafkaProducer": producer,
    }
    classes = jars.compiled(room / "shaded", home, sources, stubs=[stubs])
    code, report = check(capsys, jars.packed(room / "shaded.jar", classes), "--keycloak", home)
    assert code == 0, report["findings"]
    assert "org.shop.audit would need org.lost.Part, which nobody has" in told(report, "warning", "linking")
    assert any("compression.type=zstd fails" in one for one in told(report, "note", "linking"))
    kotlin = jars.listener("new kotlin.jvm.internal.Marker();")
    classes = jars.compiled(room / "kotlin", home, {jars.FACTORY: kotlin}, stubs=[stubs])
    code, report = check(capsys, jars.packed(room / "kotlin.jar", classes), "--keycloak", home)
    assert code == 1
    assert any("kotlin.jvm.internal.Marker is missing" in one for one in told(report, "broken", "linking"))


def test_settings_that_lose_events(capsys: Capsys, home: Path, room: Path) -> None:
    body = """
        java.util.Map<String, Object> settings = new java.util.HashMap<>();
        settings.put("bootstrap.servers", event.getClientId());
        settings.put(org.apache.kafka.clients.producer.ProducerConfig.ACKS_CONFIG, "1");
        settings.put("max.block.ms", 30000);
        new org.apache.kafka.clients.producer.KafkaProducer<String, String>(settings);
    """
    classes = jars.compiled(room / "settings", home, {jars.FACTORY: jars.listener(body)})
    jar = jars.packed(room / "settings.jar", classes)
    code, report = check(capsys, jar, "--keycloak", home)
    assert code == 0  # the client is among the providers of this Keycloak
    assert report["settings"] == {"acks": "1", "max.block.ms": "30000"}
    assert report["kafka_client"] == {"version": "4.4.0", "jar": "kafka-clients-4.4.0.jar"}
    words = told(report, "warning", "listener")
    assert "its code sets acks=1: a planned election loses acknowledged events" in words
    assert "its code sets max.block.ms=30000: without Kafka each login takes 30 s longer" in words
    assert any("no setting of TLS or SASL" in one for one in told(report, "note", "listener"))


@pytest.fixture(scope="module")
def store(room: Path) -> Path:
    return jars.key_store(room)


@pytest.fixture(scope="module")
def signed(good: Path, room: Path, store: Path) -> Path:
    return jars.signed(good, room / "signed.jar", store)


def verified(jar: Path) -> int:
    """Return what jarsigner's plain verification says."""
    return subprocess.run([jars.tool("jarsigner"), "-verify", str(jar)], capture_output=True, check=False).returncode


def test_a_signed_jar(capsys: Capsys, signed: Path, good: Path) -> None:
    code, report = check(capsys, signed)
    assert (code, report["signature"]["whole"]) == (0, True)
    (signer,) = report["signature"]["signers"]
    assert signer["subject"] == "CN=Audit,O=Shop"
    assert any("self-signed" in one for one in told(report, "note", "signature"))
    assert check(capsys, signed, "--signer", signer["sha256"])[0] == 0
    code, report = check(capsys, signed, "--signer", "ab" * 32)
    assert (code, told(report, "broken")) == (1, [f"it is not signed by the certificate with SHA-256 {'ab' * 32}"])
    assert check(capsys, good, "--signer", signer["sha256"])[0] == 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [("EC", []), ("Ed25519", []), ("RSA", ["-sigalg", "RSASSA-PSS"])],
)
def test_keys_of_every_kind(capsys: Capsys, good: Path, room: Path, kind: str, options: list[str]) -> None:
    store = jars.key_store(room, kind=kind, options=[one for one in options if one not in {"-sigalg", "RSASSA-PSS"}])
    sign = options if "-sigalg" in options else []
    jar = jars.signed(good, room / f"{kind}.jar", store, options=sign)
    code, report = check(capsys, jar)
    assert (code, report["signature"]["whole"]) == (0, True), report["findings"]
    changed = jars.changed(jar, room / f"{kind}-changed.jar", {jars.SERVICE: b"org.shop.audit.AuditListener"})
    assert check(capsys, changed)[0] == 1


def test_a_signed_jar_that_was_changed(capsys: Capsys, signed: Path, room: Path) -> None:
    jar = jars.changed(signed, room / "changed.jar", {jars.SERVICE: b"org.shop.audit.AuditListener\n"})
    code, report = check(capsys, jar)
    assert (code, report["signature"]["whole"]) == (1, False)
    assert f"changed after signing: {jars.SERVICE}" in told(report, "broken", "signature")
    assert verified(jar) != 0


def test_a_file_that_was_added_after_signing(capsys: Capsys, signed: Path, room: Path) -> None:
    jar = jars.changed(signed, room / "added.jar", {"org/shop/audit/Extra.class": b"\xca\xfe\xba\xbe"})
    code, report = check(capsys, jar)
    assert code == 1
    assert any(one.startswith("added after signing") for one in told(report, "broken", "signature"))
    assert verified(jar) == 0, "jarsigner's plain verification passes it"


def test_a_signed_file_that_is_gone(capsys: Capsys, signed: Path, room: Path) -> None:
    jar = jars.changed(signed, room / "gone.jar", {"org/shop/audit/AuditListener$1.class": None})
    code, report = check(capsys, jar)
    assert code == 1
    assert "signed entries are gone: org/shop/audit/AuditListener$1.class" in told(report, "broken", "signature")


def test_a_signature_that_is_of_other_bytes(capsys: Capsys, signed: Path, room: Path) -> None:
    with zipfile.ZipFile(signed) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".SF"))
        data = archive.read(name)
    jar = jars.changed(signed, room / "sf.jar", {name: data.replace(b"Created-By", b"Created-by")})
    code, report = check(capsys, jar)
    assert code == 1
    assert any("the signature file was changed after it was signed" in one for one in told(report, "broken"))


def test_a_block_that_is_no_block(capsys: Capsys, signed: Path, room: Path) -> None:
    with zipfile.ZipFile(signed) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".RSA"))
        data = archive.read(name)
    for block in (b"", b"\x30\x80", data[: len(data) // 2], data[:40] + bytes(40) + data[80:]):
        code, report = check(capsys, jars.changed(signed, room / "block.jar", {name: block}))
        assert (code, report["signature"]["signers"]) == (1, [])
        assert told(report, "broken", "signature")


def test_an_expired_certificate(capsys: Capsys, good: Path, room: Path) -> None:
    store = jars.key_store(room, options=["-startdate", "-800d", "-validity", "30"])
    code, report = check(capsys, jars.signed(good, room / "expired.jar", store))
    assert (code, report["signature"]["whole"]) == (0, True)
    assert any("ended on" in one for one in told(report, "warning", "signature"))


def test_the_sum_of_a_jar(capsys: Capsys, good: Path) -> None:
    _, report = check(capsys, good)
    assert check(capsys, good, "--sha256", report["sha256"].upper())[0] == 0
    code, report = check(capsys, good, "--sha256", "0" * 64)
    assert code == 1
    assert any("as wanted" in one for one in told(report, "broken", "sha256"))


def test_a_java_that_is_given(capsys: Capsys, good: Path, home: Path, tmp_path: Path) -> None:
    java = Path(jars.tool("javac")).parent.parent
    code, report = check(capsys, good, "--keycloak", home, "--java", java)
    assert (code, report["java"]) == (0, f"Java 17 in {java}") or report["java"].endswith(str(java))
    assert main(["listener", "check", str(good), "--java", str(tmp_path)]) == 2
    assert f"--java {tmp_path}: is no Java runtime" in capsys.readouterr().err


def test_no_keycloak(capsys: Capsys, good: Path, tmp_path: Path) -> None:
    assert main(["listener", "check", str(good), "--keycloak", str(tmp_path)]) == 2
    assert "is no Keycloak distribution" in capsys.readouterr().err
    (tmp_path / "lib" / "lib" / "main").mkdir(parents=True)
    (tmp_path / "lib" / "lib" / "main" / "torn.jar").write_bytes(b"PK")
    assert main(["listener", "check", str(good), "--keycloak", str(tmp_path)]) == 2
    assert "torn.jar: is no zip file" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _clean(room: Path) -> Iterator[None]:
    yield
    (room / "services.jar").unlink(missing_ok=True)
