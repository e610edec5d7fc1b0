"""Judges a jar's signature: every entry against the manifest, the manifest against its signature, that by its key.

`jarsigner -verify` passes a jar to which somebody added a class after it was signed; here that is as bad as a change.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keywatch.provider.archive import Archive
from keywatch.provider.finding import Finding, broken, listed, note, warning
from keywatch.provider.manifest import MANIFEST, Section, sections

if TYPE_CHECKING:
    from keywatch.provider.signature_block import Signer

_SUBJECT = "signature"
_OF_SIGNING: Final = re.compile(r"META-INF/(?:MANIFEST\.MF|[^/]+\.(?:SF|RSA|DSA|EC)|SIG-[^/]*)", re.IGNORECASE)
_DIGEST: Final = re.compile(r"(sha-?(?:1|256|384|512))-digest(-manifest(?:-main-attributes)?)?")
_MOST_SIGNERS: Final = 10


@dataclass
class Signed:
    """What is known of a jar's signature."""

    signers: list[Signer] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether somebody signed it and nothing was changed or added since."""
        return bool(self.signers) and not self.changed and not self.added


def signature(archive: Archive, now: dt.datetime) -> Signed:
    """Judge the signature; raises `ArchiveError` for a jar that cannot be read."""
    found = Signed()
    files = [name for name in archive.entries if re.fullmatch(r"META-INF/[^/]+\.SF", name, re.IGNORECASE)]
    if not files:
        found.findings.append(note(_SUBJECT, "it is not signed"))
        return found
    if MANIFEST not in archive.entries:
        found.findings.append(broken(_SUBJECT, "it is signed, and has no manifest that the signature could be of"))
        return found
    manifest = list(sections(archive.read(MANIFEST)))
    named = {section.attributes["name"]: section for section in manifest[1:] if "name" in section.attributes}
    covered: set[str] = set()
    for name in sorted(files)[:_MOST_SIGNERS]:
        found.findings += _of_one(archive, name, manifest, named, covered, found, now)
    _content(archive, named, covered, found)
    return found


def _of_one(
    archive: Archive,
    name: str,
    manifest: list[Section],
    named: dict[str, Section],
    covered: set[str],
    found: Signed,
    now: dt.datetime,
) -> Iterator[Finding]:
    """Judge one signature file and its block; `covered` takes the entries whose sections it signs rightly."""
    try:
        from keywatch.provider.signature_block import BlockError, verify  # noqa: PLC0415 - it needs the extra
    except ModuleNotFoundError:
        verify = None  # type: ignore[assignment] # told below
    data = archive.read(name)
    stem = name.rpartition(".")[0]
    block = next((f"{stem}.{kind}" for kind in ("RSA", "DSA", "EC") if f"{stem}.{kind}" in archive.entries), None)
    if block is None:
        yield broken(_SUBJECT, f"{name} is signed by nobody: there is no file {stem}.RSA, .DSA or .EC")
        return
    if verify is None:
        yield warning(
            _SUBJECT, "who signed it cannot be told: install keywatch with its extra, `pip install '.[listener]'`"
        )
    else:
        try:
            signer = verify(archive.read(block), data)
        except BlockError as error:
            yield broken(_SUBJECT, f"{block} {error}")
            return
        found.signers.append(signer)
        yield from _judged(signer, now)
    parts = list(sections(data))
    main = parts[0].attributes if parts else {}
    whole = b"".join(section.raw for section in manifest)
    if _matches(main, "-manifest", whole) is True:
        covered |= set(named)
        return
    if _matches(main, "-manifest-main-attributes", manifest[0].raw) is False:
        yield broken(_SUBJECT, f"the main attributes of {MANIFEST} were changed after signing")
    for part in parts[1:]:
        entry = part.attributes.get("name", "")
        if entry in named and _matches(part.attributes, "", named[entry].raw) is True:
            covered.add(entry)
        else:
            found.changed.append(entry)


def _judged(signer: Signer, now: dt.datetime) -> Iterator[Finding]:
    who = f"{signer.subject} (SHA-256 of the certificate: {signer.fingerprint})"
    yield note(
        _SUBJECT, f"it is signed by {who}{', which nobody vouches for: self-signed' if signer.self_signed else ''}"
    )
    if signer.ends < now:
        stamp = "; the signature has a time stamp, which is not checked here" if signer.time_stamped else ""
        yield warning(_SUBJECT, f"the certificate of {signer.subject} ended on {signer.ends:%Y-%m-%d}{stamp}")
    elif signer.begins > now:
        yield warning(_SUBJECT, f"the certificate of {signer.subject} begins on {signer.begins:%Y-%m-%d} only")
    if signer.weak:
        yield warning(_SUBJECT, f"the signature rests on {signer.weak}")


def _content(archive: Archive, named: dict[str, Section], covered: set[str], found: Signed) -> None:
    for name in archive.entries:
        if _OF_SIGNING.fullmatch(name):
            continue
        section = named.get(name)
        if section is None or name not in covered:
            if name not in found.changed:
                found.added.append(name)
        elif _matches(section.attributes, "", archive.read(name)) is not True:
            found.changed.append(name)
    if gone := [name for name in covered if name not in archive.entries]:
        found.findings.append(broken(_SUBJECT, f"signed entries are gone: {listed(gone, 4)}"))
    if found.changed:
        found.findings.append(broken(_SUBJECT, f"changed after signing: {listed(set(found.changed), 4)}"))
    if found.added:
        found.findings.append(
            broken(_SUBJECT, f"added after signing, which `jarsigner -verify` passes: {listed(set(found.added), 4)}")
        )


def _matches(attributes: dict[str, str], what: str, data: bytes) -> bool | None:
    """Return whether all digests of a kind fit; None where there is none that is known."""
    verdict: bool | None = None
    for name, value in attributes.items():
        match = _DIGEST.fullmatch(name)
        if match is None or (match[2] or "") != what:
            continue
        try:
            wanted = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return False
        if hashlib.new(match[1].replace("-", ""), data).digest() != wanted:
            return False
        verdict = True
    return verdict
