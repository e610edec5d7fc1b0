"""Makes the provider jars of the tests: compiled by javac against a real Keycloak, packed, signed by jarsigner."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kafka import distribution as kafka
from tests.kafka.distribution import DistributionError
from tests.keycloak import distribution

SERVICE = "META-INF/services/org.keycloak.events.EventListenerProviderFactory"
FACTORY = "org.shop.audit.AuditListener"
ID = "audit-kafka"
STORE_PASSWORD = "changeit"  # noqa: S105 - of an invented key
_SECONDS = 300.0

LISTENER = """
package org.shop.audit;

import org.keycloak.Config;
import org.keycloak.events.*;
import org.keycloak.events.admin.AdminEvent;
import org.keycloak.models.*;

public class AuditListener implements EventListenerProviderFactory {
    @Override public String getId() { return "audit-kafka"; }
    @Override public void init(Config.Scope config) {}
    @Override public void postInit(KeycloakSessionFactory sessions) {}
    @Override public void close() {}
    @Override public EventListenerProvider create(KeycloakSession session) {
        return new EventListenerProvider() {
            @Override public void onEvent(Event event) { BODY }
            @Override public void onEvent(AdminEvent event, boolean representation) {}
            @Override public void close() {}
        };
    }
    MORE
}
"""


def listener(body: str = "", more: str = "") -> str:
    """Return the source of a listener that does `body` with each `event`, and has `more` members."""
    return LISTENER.replace("BODY", body).replace("MORE", more)


def compiled(folder: Path, home: Path, sources: Mapping[str, str], *, stubs: Sequence[Path] = ()) -> Path:
    """Compile sources by their classes' names into `folder`, those of `stubs` standing before Keycloak's classes."""
    compiler = distribution.javac()
    if compiler is None:
        raise DistributionError("there is no javac")
    paths = []
    for name, text in sources.items():
        path = folder / "src" / f"{name.replace('.', '/')}.java"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    classes = folder / "classes"
    client = next(jar for jar in kafka.jars() if jar.name.startswith("kafka-clients-"))
    before = [str(path) for path in stubs]
    places = ":".join([*before, f"{home}/lib/lib/main/*", f"{home}/lib/lib/boot/*", str(client)])
    run([compiler, "-nowarn", "-proc:none", "--release", "17", "-cp", places, "-d", str(classes), *paths])
    return classes


def packed(jar: Path, classes: Path, *, files: Mapping[str, bytes] | None = None, factory: str = FACTORY) -> Path:
    """Pack classes, the file of services and other `files` into a jar."""
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n")
        if factory:
            archive.writestr(SERVICE, f"# the listener\n{factory}\n")
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    return jar


def changed(jar: Path, to: Path, files: Mapping[str, bytes | None]) -> Path:
    """Copy a jar with other content of some `files`, new ones among them; None leaves one out."""
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            if info.filename not in files:
                target.writestr(info, source.read(info))
        for name, data in files.items():
            if data is not None:
                target.writestr(name, data)
    return to


def key_store(folder: Path, *, name: str = "CN=Audit, O=Shop", kind: str = "RSA", options: Sequence[str] = ()) -> Path:
    """Make a key with a certificate that it signed itself; `options` are keytool's."""
    store = folder / f"{kind}-{len(list(folder.iterdir()))}.p12"
    command = [
        tool("keytool"),
        "-genkeypair",
        "-alias",
        "audit",
        "-keyalg",
        kind,
        "-dname",
        name,
        "-keystore",
        str(store),
    ]
    run([*command, "-storetype", "PKCS12", "-storepass", STORE_PASSWORD, *options])
    return store


def signed(jar: Path, to: Path, store: Path, *, options: Sequence[str] = ()) -> Path:
    """Copy a jar and sign it; `options` are jarsigner's."""
    shutil.copyfile(jar, to)
    run([tool("jarsigner"), "-keystore", str(store), "-storepass", STORE_PASSWORD, *options, str(to), "audit"])
    return to


def tool(name: str) -> str:
    """Return the path of a tool that stands beside javac; raises `DistributionError`."""
    compiler = distribution.javac()
    found = compiler and shutil.which(name, path=str(Path(compiler).resolve().parent))
    if not found:
        raise DistributionError(f"there is no {name}")
    return found


def run(command: Sequence[str]) -> str:
    """Run a command and return what it said; raises `DistributionError` where it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_SECONDS, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise DistributionError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout + done.stderr
