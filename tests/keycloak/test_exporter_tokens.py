"""A real Keycloak gives keywatch tokens for a real Kafka: by a secret, by a key of its own, by another's word."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.keycloak.driver import Driver
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.server import KeycloakServer

pytestmark = pytest.mark.keycloak

REALM, CLIENT, GROUP = "kafka", "keywatch", "siem"
AUDIENCE = "kafka-brokers"
MALFORMED = "keywatch_events_malformed_total"


class Key:
    """A client's key, and its file."""

    def __init__(self, file: Path) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.file = file
        self.pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        file.write_text(self.pem, encoding="utf-8")

    @property
    def public(self) -> str:
        """The public half as Keycloak takes it: PEM without its first and last line."""
        text = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return "".join(text.splitlines()[1:-1])


@pytest.fixture(scope="module")
def keycloak() -> Iterator[KeycloakServer]:
    keycloak_required()
    with KeycloakServer() as made:
        yield made


@pytest.fixture(scope="module")
def key(keycloak: KeycloakServer, tmp_path_factory: pytest.TempPathFactory) -> Key:
    """Make a client that proves itself by a key, and one by a secret; tokens of both are for Kafka."""
    made = Key(tmp_path_factory.mktemp("key") / "key.pem")
    driver = Driver(keycloak)
    driver.make_realm(REALM, listeners=("jboss-logging",))
    for client in (
        {
            "clientId": CLIENT,
            "clientAuthenticatorType": "client-jwt",
            "attributes": {"jwt.credential.public.key": made.public, "token.endpoint.auth.signing.alg": "RS256"},
        },
        {"clientId": "secretive", "clientAuthenticatorType": "client-secret", "secret": "hush"},
    ):
        mapper = {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": AUDIENCE, "access.token.claim": "true"},
        }
        rest = {"serviceAccountsEnabled": True, "standardFlowEnabled": False, "protocolMappers": [mapper]}
        driver.admin("POST", f"/{REALM}/clients", {**client, **rest}, expect=201)
    driver.close()
    return made


@pytest.fixture(scope="module")
def kafka(keycloak: KeycloakServer, key: Key) -> Iterator[KafkaCluster]:
    """Make a Kafka that verifies Keycloak's signature, the issuer and the audience."""
    del key  # the realm has to be there
    certificates = f"{keycloak.url}/realms/{REALM}/protocol/openid-connect/certs"
    bearer = "listener.name.in.oauthbearer.sasl"
    extra = {
        f"{bearer}.oauthbearer.jwks.endpoint.url": certificates,
        f"{bearer}.oauthbearer.expected.issuer": f"{keycloak.url}/realms/{REALM}",
        f"{bearer}.oauthbearer.expected.audience": AUDIENCE,
        f"{bearer}.server.callback.handler.class": (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
    }
    jvm = (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={certificates}",)
    with KafkaCluster(1, listeners=["IN:SASL_PLAINTEXT"], extra=extra, jvm=jvm) as made:
        admin.create_topic(made.bootstrap, scene.EVENTS, partitions=2, replicas=1)
        admin.produce(made.bootstrap, scene.EVENTS, 10)
        admin.commit(made.bootstrap, GROUP, {(scene.EVENTS, 0): 1})
        yield made


def config(keycloak: KeycloakServer, kafka: KafkaCluster, **sasl: Any) -> dict[str, Any]:
    url = f"{keycloak.url}/realms/{REALM}/protocol/openid-connect/token"
    return scene.config(
        kafka.bootstrap_for("IN"),
        sasl={"mechanism": "OAUTHBEARER", "token_url": url, "client_id": CLIENT, **sasl},
        groups={"watch": [GROUP]},
        events=[{"listener": "scriptonbasestar", "topics": {"user": [scene.EVENTS]}}],
    )


def sees_everything(exporter: ExporterProcess, kafka: KafkaCluster) -> None:
    """Wait until raw connections work, and librdkafka's clients, which read events, have read new ones."""
    before = exporter.until(well, 120, "everything is well").total(MALFORMED)
    admin.produce(kafka.bootstrap, scene.EVENTS, 7)
    exporter.until(lambda s: s.total(MALFORMED) == before + 7, 30, "records are read that are no events")


def well(scrape: Scrape) -> bool:
    return (
        scrape.value("keywatch_broker_up", broker="1") == 1
        and scrape.value("keywatch_canary_up", broker="1") == 1
        and scrape.value("keywatch_group_up", group=GROUP) == 1
        and scrape.value("keywatch_events_up", listener="scriptonbasestar") == 1
    )


def down_for_authentication(scrape: Scrape) -> bool:
    return scrape.total("keywatch_broker_down_reason", reason="authentication") == 1


def test_a_key_of_its_own_signs_who_keywatch_is_and_one_that_is_not_known_is_refused_by_name(
    keycloak: KeycloakServer, kafka: KafkaCluster, key: Key, tmp_path: Path
) -> None:
    with ExporterProcess(config(keycloak, kafka, client_key_file=str(key.file))) as exporter:
        sees_everything(exporter, kafka)
        log = exporter.log.read_text(encoding="utf-8")
    assert not any(line in log for line in key.pem.splitlines()[1:-1])
    stranger = Key(tmp_path / "stranger.pem")
    with ExporterProcess(config(keycloak, kafka, client_key_file=str(stranger.file))) as exporter:
        exporter.until(down_for_authentication, 30, "it is refused")
        assert "answered with status 400 (invalid_client)" in exporter.log.read_text(encoding="utf-8")


def test_a_word_of_anothers_in_a_file_is_sent_as_it_is_renewed(
    keycloak: KeycloakServer, kafka: KafkaCluster, key: Key, tmp_path: Path
) -> None:
    file = tmp_path / "assertion"
    issuer = f"{keycloak.url}/realms/{REALM}"

    def renew(life: float) -> None:
        now = int(time.time())
        claims = {"iss": CLIENT, "sub": CLIENT, "aud": issuer, "jti": uuid.uuid4().hex, "exp": int(now + life)}
        new = file.with_suffix(".new")
        new.write_text(jwt.encode(claims, key.pem, "RS256"), encoding="utf-8")
        new.replace(file)

    renew(-60.0)
    with ExporterProcess(config(keycloak, kafka, client_assertion_file=str(file))) as exporter:
        exporter.until(down_for_authentication, 30, "what has ended is refused")
        renew(50.0)
        sees_everything(exporter, kafka)


def test_a_secret_and_a_scope_do_as_well_and_a_wrong_audience_is_kafkas_to_refuse(
    keycloak: KeycloakServer, kafka: KafkaCluster
) -> None:
    secret = {"client_id": "secretive", "client_secret": "hush", "scope": "email"}
    with ExporterProcess(config(keycloak, kafka, **secret)) as exporter:
        sees_everything(exporter, kafka)
    with ExporterProcess(config(keycloak, kafka, **secret | {"scope": "no-such-scope"})) as exporter:
        exporter.until(down_for_authentication, 30, "it is refused")
        assert "answered with status 400 (invalid_scope)" in exporter.log.read_text(encoding="utf-8")
