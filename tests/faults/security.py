"""Certificates that do not hold, credentials and rights that were taken away: H07 to H09."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from functools import partial

from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AlterConfigOpType,
    ConfigResource,
    ResourceType,
)

from tests.faults.access import PASSWORD, TLS, USER
from tests.faults.bed import Bed
from tests.faults.brokers import down, victim
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done
from tests.faults.partitions import alter
from tests.kafka import acls, admin
from tests.kafka.acls import Right
from tests.kafka.certificates import CertificateAuthority

_DAY = dt.timedelta(days=1)
_STORE = f"listener.name.{TLS.lower()}.ssl.keystore.location"
_GROUPS, _TOPICS = Right("Describe", "Group", "*"), Right("Read", "Topic", "*")


def faults() -> list[Fault]:
    """Return the faults of this family."""
    clock = "from the change of the running broker's certificate; connections that stand stay good"
    kinds = {"expired": "expired", "hostname": "of another host", "untrusted": "of a strange authority"}
    return [
        *(
            Fault(f"H07 {kind}", f"a broker's certificate is {words}", partial(certificate, kind), "tls", clock=clock)
            for kind, words in kinds.items()
        ),
        Fault("H08", "keywatch's credentials revoked", revoked, "users", lasting=True),
        Fault("H09 group", "the right to describe groups revoked", partial(denied, _GROUPS, "groups"), "users"),
        Fault("H09 topic", "the right to read topics revoked", partial(denied, _TOPICS, "topics"), "users"),
    ]


def certificate(kind: str, bed: Bed, chance: random.Random) -> Case:
    """Have one broker show a certificate that does not hold, without a restart."""
    node = victim(bed, chance)
    folder = bed.kafka.folder / "certificates"
    authority = bed.kafka.authority
    if authority is None or kind == "untrusted":
        authority = CertificateAuthority(folder / "stranger")
    host = "kafka.example" if kind == "hostname" else node.host
    issued = authority.server(f"bad-{node.id}", [host], ends_in=-_DAY if kind == "expired" else 7 * _DAY)
    broker = ConfigResource(ResourceType.BROKER, str(node.id))

    def change(operation: AlterConfigOpType) -> Callable[[], float]:
        return lambda: alter(bed, broker, operation, (_STORE, str(issued.bundle)))

    return Case((down(bed, node, f"tls_{kind}"),), change(AlterConfigOpType.SET), change(AlterConfigOpType.DELETE))


def revoked(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one user
    """Delete the user's SCRAM credentials."""
    bootstrap = bed.kafka.bootstrap
    return Case(
        (Page("KafkaAuthenticationFailed", {"cluster": bed.cluster}),),
        lambda: done(lambda: admin.revoke_scram_password(bootstrap, USER)),
        lambda: done(lambda: admin.set_scram_password(bootstrap, USER, PASSWORD)),
    )


def denied(right: Right, probe: str, bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one user
    """Take a right from the user; other probes that need it may page as well."""
    bootstrap = bed.kafka.bootstrap
    alert = "KafkaAuthorizationFailed"
    return Case(
        (Page(alert, {"cluster": bed.cluster, "probe": probe}),),
        lambda: done(lambda: acls.revoke(bootstrap, USER, [right])),
        lambda: done(lambda: acls.allow(bootstrap, USER, [right])),
        beside=frozenset({alert}),
    )
