"""Settings that are passed to librdkafka: which keywatch sets itself, and which are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from keywatch.surfaces import HIDDEN

# What is called like this is a secret, whatever kind of value it has.
_SECRET_WORDS = ("pass", "secret", "pem", "config", "sasl.username", "jaas", "token", "credential", "assertion", "key")
# Texts that hold no secret. Any other is hidden: librdkafka has settings that hold commands, extensions and keys, and
# gets more of them.
_SHOWN_TEXTS = frozenset(
    {
        "broker.address.family",
        "broker.version.fallback",
        "check.crcs",
        "client.dns.lookup",
        "client.id",
        "client.rack",
        "compression.codec",
        "compression.type",
        "debug",
        "partitioner",
        "sasl.kerberos.service.name",
        "ssl.cipher.suites",
        "ssl.curves.list",
        "ssl.endpoint.identification.algorithm",
        "ssl.sigalgs.list",
    }
)
# Settings by which librdkafka or OpenSSL loads a library into keywatch, or runs a command as it.
_CODE = ("plugin.library.paths", "ssl.engine", "ssl.providers", "sasl.kerberos.kinit.cmd")
# What stands in the command that librdkafka has a shell run for Kerberos.
_IN_A_COMMAND = ("sasl.kerberos.principal", "sasl.kerberos.keytab", "sasl.kerberos.service.name")
_HARMLESS = re.compile(r"[A-Za-z0-9._@/:+=-]*")
# Settings of librdkafka that keywatch sets itself, and where the wish behind them belongs instead.
OWNED_SETTINGS: Mapping[str, str] = {
    "bootstrap.servers": "use bootstrap",
    "metadata.broker.list": "use bootstrap",
    "group.id": "keywatch joins no group",
    "enable.auto.commit": "keywatch commits nothing",
    "enable.partition.eof": "keywatch needs it to be told where a partition ends",
    "auto.offset.reset": "keywatch decides where reading begins",
    "isolation.level": "keywatch reads what is committed, and looks at open transactions too",
    "security.protocol": "use tls and sasl",
    "sasl.mechanism": "use sasl.mechanism of the cluster",
    "sasl.mechanisms": "use sasl.mechanism of the cluster",
    "sasl.username": "use sasl.username of the cluster",
    "sasl.password": "use sasl.password of the cluster",
    "sasl.oauthbearer.method": "use sasl.mechanism: OAUTHBEARER of the cluster",
    "sasl.oauthbearer.config": "use sasl.token_url of the cluster",
    "sasl.oauthbearer.client.id": "use sasl.client_id of the cluster",
    "sasl.oauthbearer.client.secret": "use sasl.client_secret of the cluster",
    "sasl.oauthbearer.token.endpoint.url": "use sasl.token_url of the cluster",
    "sasl.oauthbearer.scope": "use sasl.scope of the cluster",
    "sasl.oauthbearer.extensions": "use sasl.extensions of the cluster",
    "ssl.ca.location": "use tls.ca_file",
    "ssl.certificate.location": "use tls.cert_file",
    "ssl.key.location": "use tls.key_file",
    "ssl.key.password": "use tls.key_password",
    "retries": "the canary needs the broker's own answer",
    "message.send.max.retries": "the canary needs the broker's own answer",
    "acks": "the canary proves acks=all",
    "request.required.acks": "the canary proves acks=all",
}


def redacted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with secrets hidden: shown are numbers, and texts that are known to hold none."""
    return {name: value if _is_shown(name, value) else HIDDEN for name, value in settings.items()}


def without_values(words: str, settings: Mapping[str, Any]) -> str:
    """Return what librdkafka says of settings with the values hidden that are not to be shown."""
    hidden = (str(value) for name, value in settings.items() if not _is_shown(name, value))
    for value in sorted(filter(None, hidden), key=len, reverse=True):
        words = words.replace(value, HIDDEN)
    return words


def _is_shown(name: str, value: Any) -> bool:
    if isinstance(value, bool) or name in _SHOWN_TEXTS:
        return True
    return not isinstance(value, str) and not any(word in name for word in _SECRET_WORDS)


def check_code(settings: Mapping[str, Any], allowed: bool) -> None:
    """Refuse settings that load libraries or run commands unless that is `allowed`; raises `ValueError`.

    Whoever may write a configuration, or have it read anew, could have keywatch run anything otherwise.
    """
    if allowed:
        return
    for name, value in settings.items():
        if name.startswith(_CODE):
            raise ValueError(f"{name} loads a library or runs a command; --client.allow-code allows it")
        if name in _IN_A_COMMAND and not _HARMLESS.fullmatch(str(value)):
            raise ValueError(f"{name} goes to a shell; allowed: letters, digits and . _ @ / : + = -")


def _checked_setting_name(name: str) -> str:
    if name in OWNED_SETTINGS:
        raise ValueError(f"is not to be set here: {OWNED_SETTINGS[name]}")
    return name


def _checked_setting(value: Any) -> str | int | float | bool:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("must be text, a number or true/false")  # noqa: TRY004 - what pydantic makes a message of
    return value


Setting = Annotated[str, AfterValidator(_checked_setting_name)]
SettingValue = Annotated[Any, AfterValidator(_checked_setting)]
