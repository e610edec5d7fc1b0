"""Checks a provider jar without running it, against a Keycloak and a Java, and joins what was found into a report."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from keywatch.provider.archive import Archive, ArchiveError
from keywatch.provider.class_path import ClassPath
from keywatch.provider.distribution import Distribution
from keywatch.provider.finding import Finding, Severity, broken, listed, note, warning
from keywatch.provider.jar import Jar
from keywatch.provider.java_runtime import JavaRuntime
from keywatch.provider.kafka_client import KafkaClient, implied, kafka_client
from keywatch.provider.linkage import Linkage, follow
from keywatch.provider.services import LISTENERS, Provider, providers
from keywatch.provider.shadows import shadows
from keywatch.provider.signature import Signed, signature
from keywatch.provider.weaknesses import Known, known, producer_settings, weaknesses

_CHUNK: Final = 1024 * 1024
_MOST_POM_BYTES: Final = 1024 * 1024
_BUILT_FOR: Final = re.compile(
    rb"<(?:version\.)?keycloak(?:[.-]version)?>\s*(\d[\w.-]{0,40})\s*<|"
    rb"<groupId>org\.keycloak</groupId>\s*<artifactId>[\w.-]{1,80}</artifactId>\s*<version>\s*(\d[\w.-]{0,40})\s*<"
)


class JarError(Exception):
    """A file is no jar that can be checked; the message names it."""


@dataclass(frozen=True)
class Wanted:
    """What a jar must be beyond fit: its SHA-256, and the SHA-256 of the certificate that it is signed by."""

    sha256: str = ""
    signer: str = ""


@dataclass
class Report:
    """What is known of a jar; `findings` are told the worst first."""

    jar: Path
    sha256: str
    size: int
    java: str
    keycloak: str
    providers: list[Provider] = field(default_factory=list)
    signed: Signed = field(default_factory=Signed)
    client: KafkaClient | None = None
    listener: Known | None = None
    settings: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was found that breaks."""
        return all(finding.severity is not Severity.BROKEN for finding in self.findings)

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings; the worst stand first."""
        order = list(Severity)
        self.findings = sorted([*self.findings, *findings], key=lambda one: order.index(one.severity))

    def as_data(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "jar": str(self.jar),
            "good": self.good,
            "sha256": self.sha256,
            "bytes": self.size,
            "java": self.java,
            "keycloak": self.keycloak,
            "providers": [{"service": one.service, "class": one.name, "id": one.id} for one in self.providers],
            "listener": self.listener.listener if self.listener else None,
            "kafka_client": {"version": self.client.version, "jar": self.client.jar} if self.client else None,
            "settings": self.settings,
            "signature": {
                "whole": self.signed.whole,
                "signers": [
                    {"subject": one.subject, "sha256": one.fingerprint, "ends": one.ends.isoformat()}
                    for one in self.signed.signers
                ],
            },
            "findings": [{"severity": one.severity, "check": one.subject, "words": one.words} for one in self.findings],
        }


def check(path: Path, keycloak: Distribution | None, java: JavaRuntime, wanted: Wanted) -> Report:
    """Check a jar; raises `JarError`, and `DistributionError` where Keycloak's folder cannot be read."""
    try:
        jar = Jar(path, java.release)
    except ArchiveError as error:
        raise JarError(f"{path}: {error}") from None
    except OSError as error:
        raise JarError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return _checked(path, jar, keycloak, java, wanted)
    except ArchiveError as error:
        raise JarError(f"{path}: {error}") from None
    except OSError as error:
        raise JarError(f"{path}: cannot be read: {error.strerror}") from None
    finally:
        jar.close()


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal; raises `OSError`."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while data := file.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def _checked(path: Path, jar: Jar, keycloak: Distribution | None, java: JavaRuntime, wanted: Wanted) -> Report:
    version = f"Keycloak {keycloak.version} in {keycloak.home}" if keycloak is not None else ""
    report = Report(path, sha256_of(path), jar.archive.size, str(java), version)
    ways = ClassPath(jar, keycloak, java)
    report.signed = signature(jar.archive, dt.datetime.now(dt.UTC))
    report.providers, found = providers(jar, ways, keycloak_known=keycloak is not None)
    found += [finding for one in report.providers for finding in one.findings]
    factories = [one.name.replace(".", "/") for one in report.providers]
    linkage = follow(jar, factories, ways, keycloak_known=keycloak is not None)
    report.client = kafka_client(jar, keycloak.provider_jars if keycloak is not None and linkage.uses_kafka else [])
    report.listener = known(linkage.own)
    report.settings = producer_settings(jar, linkage.own)
    found += _sums(report, wanted)
    found += _shape(jar.archive, jar)
    found += _version(linkage, java)
    found += linkage.findings
    found += _built_for(jar.archive, keycloak)
    if keycloak is not None:
        found += shadows(jar, keycloak, ways)
        found += _ids(report.providers, keycloak, java)
    else:
        found.append(
            note("linking", "what it refers to is not checked: --keycloak DIR gives the classes to compare with")
        )
    found += implied(report.client)
    found += weaknesses(report.listener, report.settings, linkage.texts, uses_kafka=linkage.uses_kafka)
    report.add([*report.signed.findings, *found])
    return report


def _sums(report: Report, wanted: Wanted) -> Iterator[Finding]:
    if wanted.sha256 and wanted.sha256.lower() != report.sha256:
        yield broken("sha256", f"is {report.sha256}, not {wanted.sha256.lower()} as wanted")
    if wanted.signer:
        signer = wanted.signer.replace(":", "").lower()
        if not any(one.fingerprint == signer for one in report.signed.signers):
            yield broken("signature", f"it is not signed by the certificate with SHA-256 {signer}")


def _shape(archive: Archive, jar: Jar) -> Iterator[Finding]:
    nested = [name for name in archive.entries if name.lower().endswith((".jar", ".zip"))]
    if nested:
        yield warning("jar", f"it has jars within, which Keycloak does not look into: {listed(nested, 4)}")
    if classes := {name for name in archive.duplicates if name.endswith(".class")}:
        yield broken("jar", f"classes are in it twice, and which is taken is not sure: {listed(classes, 4)}")
    if jar.multi_release:
        versions = {match[1] for name in archive.entries if (match := re.match(r"META-INF/versions/(\d{1,3})/", name))}
        releases = ", ".join(sorted(versions, key=int))
        yield note(
            "jar",
            f"it is a multi-release jar, with classes of their own for Java {releases}"
            if releases
            else "it says that it is a multi-release jar, and has no classes for single releases",
        )


def _version(linkage: Linkage, java: JavaRuntime) -> Iterator[Finding]:
    for name, release in linkage.newest.items():
        called = name.replace("/", ".")
        if release > java.release:
            yield broken(
                "bytecode", f"{called} needs Java {release}, and {java} is older (UnsupportedClassVersionError)"
            )
        else:
            yield note("bytecode", f"it runs on Java {release} and newer")


def _built_for(archive: Archive, keycloak: Distribution | None) -> Iterator[Finding]:
    """Tell the Keycloak whose API it was compiled against, where a pom in it says so."""
    for name, entry in archive.entries.items():
        if name.startswith("META-INF/maven/") and name.endswith("/pom.xml") and entry.size <= _MOST_POM_BYTES:
            match = _BUILT_FOR.search(archive.read(name))
            if match is None:
                continue
            built = (match[1] or match[2]).decode("ascii", "replace")
            words = f"it was built for Keycloak {built}, as {name} says"
            other = keycloak is not None and built.split(".")[0] != keycloak.version.split(".")[0]
            yield (warning if other else note)(
                "keycloak", f"{words}{f'; this is {keycloak.version}' if keycloak else ''}"
            )
            return
    yield note("keycloak", "for which Keycloak it was built is written nowhere in it")


def _ids(offered: list[Provider], keycloak: Distribution, java: JavaRuntime) -> Iterator[Finding]:
    """Tell where another provider beside it has the same id."""
    ids = {one.id for one in offered if one.service == LISTENERS and one.id}
    for path in keycloak.provider_jars:
        try:
            other = Jar(path, java.release)
        except (ArchiveError, OSError):
            continue
        try:
            theirs, _ = providers(other, ClassPath(other, None, java), keycloak_known=False)
        except ArchiveError:
            continue
        finally:
            other.close()
        for one in theirs:
            if one.service == LISTENERS and one.id in ids:
                yield broken(
                    "provider", f"providers/{path.name} has a listener {one.id} too: only one of them is taken"
                )
