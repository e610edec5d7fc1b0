"""Settings that are passed to librdkafka: which keywatch sets itself, and which are secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

# What librdkafka calls a secret: passwords, keys, tokens, credentials inside longer texts.
_SECRET_SETTINGS = ("pass", "secret", "key.pem", "certificate.pem", "oauthbearer.config", "sasl.username", "jaas")
_REDACTED = "**********"
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
    """Return the settings with secrets hidden."""
    return {k: _REDACTED if any(word in k for word in _SECRET_SETTINGS) else v for k, v in settings.items()}


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
