"""What a listener is known to do badly, told by who made it or by the settings that stand in its code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from keywatch.provider import code
from keywatch.provider.archive import ArchiveError
from keywatch.provider.class_file import ClassFile, ClassFormatError
from keywatch.provider.finding import Finding, note, warning
from keywatch.provider.jar import Jar

_SUBJECT = "listener"
_LONG_BLOCK_MS: Final = 2_000
_MOST_SETTINGS: Final = 200
_SECURITY: Final = ("security.protocol", "sasl.", "ssl.")


class Known(NamedTuple):
    """A listener of the field: its name in keywatch's configuration, and what is known of it beyond its settings."""

    listener: str
    words: tuple[str, ...]


_KNOWN: Final[Mapping[str, Known]] = {
    "org/scriptonbasestar/kcexts/": Known(
        "scriptonbasestar",
        (
            "it counts an event as sent before Kafka has it: its counters and dead letters show no loss by Kafka",
            "settings with dots (bootstrap.servers) are lost as --spi options: it writes to localhost:9092 then",
        ),
    ),
    "com/github/snuk87/keycloak/kafka/": Known(
        "snuk87",
        (
            "it sends only REGISTER unless KAFKA_EVENTS names more",
            "its producer is never flushed or closed: what waits when Keycloak stops is lost",
        ),
    ),
    "com/redhat/": Known("redhatinsights", ("each event waits up to 30 s for Kafka in the thread of the login",)),
}


def producer_settings(jar: Jar, own: set[str]) -> dict[str, str]:
    """Return the settings of Kafka's client that the listener's own code puts with a plain value."""
    found: dict[str, str] = {}
    for name in sorted(own):
        try:
            for setting, value in code.settings(ClassFile(jar.read(name))):
                if len(found) < _MOST_SETTINGS:
                    found[setting] = value
        except (ClassFormatError, ArchiveError):
            continue
    return found


def known(own: set[str]) -> Known | None:
    """Return which listener of the field it is, by its classes; None for another."""
    return next((known for prefix, known in _KNOWN.items() if any(name.startswith(prefix) for name in own)), None)


def weaknesses(
    which: Known | None, settings: Mapping[str, str], texts: set[str], *, uses_kafka: bool
) -> Iterator[Finding]:
    """Return what is weak: `texts` are those of the listener's own classes."""
    if which is not None:
        for words in which.words:
            yield warning(_SUBJECT, f"{which.listener}: {words}")
    if not uses_kafka:
        return
    acks = settings.get("acks", "")
    if acks in {"0", "1"}:
        lost = "a planned election loses acknowledged events" if acks == "1" else "nobody knows what arrived"
        yield warning(_SUBJECT, f"its code sets acks={acks}: {lost}")
    elif settings.get("enable.idempotence") == "false":
        yield warning(
            _SUBJECT, "its code sets enable.idempotence=false: retries may write an event twice and out of order"
        )
    blocks = settings.get("max.block.ms", "")
    if blocks.isdigit() and int(blocks) > _LONG_BLOCK_MS:
        yield warning(
            _SUBJECT,
            f"its code sets max.block.ms={blocks}: without Kafka each login takes {int(blocks) / 1000:g} s longer",
        )
    elif not blocks and "max.block.ms" not in texts:
        yield warning(
            _SUBJECT,
            "it leaves max.block.ms at 60000: while Kafka is never reached, each login may take a minute",
        )
    if not any(text.startswith(_SECURITY) for text in texts):
        yield note(
            _SUBJECT, "no setting of TLS or SASL stands in its code: it can use them only if it passes on any setting"
        )
