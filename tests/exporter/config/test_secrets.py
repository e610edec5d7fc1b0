"""No secret that stands where it should not is quoted in a message or shown, and nothing loads code unasked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keywatch.config.client import redacted
from keywatch.config.model import Config
from keywatch.config.yaml_file import ConfigError
from keywatch.service.config_file import from_data

SECRET = "hunter2"  # noqa: S105 - what must not be found


def data(**cluster: Any) -> dict[str, Any]:
    return {"clusters": [{"bootstrap": ["k:1"], **cluster}]}


@pytest.mark.parametrize(
    "cluster",
    [
        {"bootstrap": [f"user:{SECRET}@kafka:9092"]},
        {"bootstrap": [f"{SECRET}@kafka:9092"]},
        {"bootstrap": [f"sasl_ssl://user:{SECRET}@kafka:9092"]},
        {"bootstrap": [f"kafka:9092?password={SECRET}"]},
        {"bootstrap": [f"kafka:9092#{SECRET}"]},
        {"keycloaks": [{"name": "k", "url": f"http://user:{SECRET}@k:9000"}]},
        {"keycloaks": [{"name": "k", "url": f"http://k:9000/?token={SECRET}"}]},
        {"keycloaks": [{"name": "k", "url": f"http://k:9000/#{SECRET}"}]},
        {"keycloaks": [{"name": "k", "url": f"http://user:{SECRET}\\@k:9000"}]},
        {"logs": {"elasticsearch": {"url": f"https://e:9200?api_key={SECRET}"}}},
        {"logs": {"logstash": [{"name": "l", "url": f"http://{SECRET}@l:9600"}]}},
        {"sasl": {"mechanism": f"PLAIN:{SECRET}@x", "username": "u", "password": SECRET}},
        {"sasl": {"mechanism": "PLAIN", "username": "u", "password": {"x": SECRET}}},
        {
            "sasl": {
                "mechanism": "OAUTHBEARER",
                "client_id": "c",
                "client_secret": SECRET,
                "token_url": f"ftp://{SECRET}",
            }
        },
        {"client": {"sasl.kerberos.kinit.cmd": f"echo {SECRET} | kinit"}},
        {"client": {"sasl.kerberos.principal": f"u; echo {SECRET}"}},
        {"client": {"plugin.library.paths": f"/tmp/{SECRET}.so"}},  # noqa: S108
        {"client": {"socket.timeout.ms": SECRET}},
        {"client": {"ssl.key.pem": [SECRET]}},
    ],
    ids=str,
)
def test_no_message_quotes_a_secret(cluster: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        from_data(data(**cluster), "test")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"sasl.oauthbearer.extensions": f"a={SECRET}"},
        {"sasl.oauthbearer.assertion.private.key.passphrase": SECRET},
        {"ssl.key.pem": SECRET},
        {"ssl.keystore.password": SECRET},
        {"ssl.keystore.password": 4711},
        {"something.of.tomorrow": SECRET},
    ],
    ids=str,
)
def test_settings_are_shown_without_secrets(settings: dict[str, Any]) -> None:
    assert redacted(settings) == dict.fromkeys(settings, "**********")


def test_settings_that_hold_no_secret_are_shown() -> None:
    settings = {"client.id": "x", "debug": "broker", "socket.timeout.ms": 5, "socket.keepalive.enable": True}
    assert redacted(settings) == settings


def test_what_is_in_force_is_shown_without_the_query_of_a_url() -> None:
    sasl = {
        "mechanism": "OAUTHBEARER", "client_id": "c", "client_secret": SECRET, "token_url": f"https://t/x?p={SECRET}"
    }  # fmt: skip
    config = from_data(data(sasl=sasl, client={"sasl.oauthbearer.assertion.private.key.passphrase": SECRET}), "test")
    shown = json.dumps(config.model_dump(mode="json"))
    assert SECRET not in shown
    assert "https://t/x?**********" in shown
    assert config.clusters[0].sasl is not None
    assert config.clusters[0].sasl.token_url == f"https://t/x?p={SECRET}"


CODE = [
    {"plugin.library.paths": "/tmp/evil.so"},  # noqa: S108
    {"ssl.engine.location": "/tmp/evil.so"},  # noqa: S108
    {"ssl.engine.id": "dynamic"},
    {"ssl.providers": "default,/tmp/evil"},
    {"sasl.kerberos.kinit.cmd": "touch /tmp/evil"},
    {"sasl.kerberos.principal": "u $(touch /tmp/evil)"},
    {"sasl.kerberos.keytab": "/etc/k.keytab; touch /tmp/evil"},
    {"sasl.kerberos.service.name": "kafka`touch /tmp/evil`"},
]


@pytest.mark.parametrize("settings", CODE, ids=str)
def test_a_configuration_alone_loads_no_library_and_runs_no_command(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=rf"clusters\[0\].client: {name} "):
        from_data(data(client=settings), "test")


@pytest.mark.parametrize("settings", CODE, ids=str)
def test_who_starts_it_may_allow_that(settings: dict[str, Any]) -> None:
    Config.model_validate(data(client=settings), context={"code": True})
