"""The flags that say which dead letters a command of `keywatch dlq` works at, on which cluster, and as whom."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException

from keywatch.cli import source
from keywatch.cli.exit_codes import INTERRUPTED
from keywatch.cli.out import complain
from keywatch.cli.seconds import seconds
from keywatch.config.dead_letters import DlqSection
from keywatch.config.model import Cluster
from keywatch.config.secret import SecurityError
from keywatch.config.yaml_file import ConfigError, validated
from keywatch.engine.probe import ProbeError
from keywatch.kafka.client import Clients
from keywatch.kafka.security.identity import ClusterSecurity
from keywatch.redrive.audit import AuditFile
from keywatch.redrive.errors import BadInputError, RedriveError, SessionLostError, words_of
from keywatch.redrive.ledger import Ledger
from keywatch.redrive.pace import Pace
from keywatch.redrive.queue import Queue, queue_of
from keywatch.redrive.work import Limits, Surroundings
from keywatch.service import log_setup

_LONGEST: Final = 600.0


@dataclass(slots=True)
class Desk:
    """All that a command works with."""

    cluster: Cluster
    clients: Clients
    ledger: Ledger
    queues: tuple[Queue, ...]
    audit: AuditFile
    state: Path
    timeout: float
    stopped: bool = False

    def around(self, *, pace: Pace | None = None, limits: Limits | None = None) -> Surroundings:
        """Return what a run is given; SIGINT and SIGTERM end it after its batch from now on."""

        def end(_: int, __: object) -> None:
            if self.stopped:  # asked for twice
                os._exit(INTERRUPTED)
            self.stopped = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        found = limits or Limits()
        found.timeout = self.timeout
        topic = self.cluster.redrive.audit_topic or ""
        return Surroundings(self.state, self.audit, topic, found, pace or Pace(), lambda: self.stopped)


def add_flags(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    """Declare them; with `needed` a queue must be named where there are several."""
    words = "the queue, as `dlq` of the configuration calls it"
    parser.add_argument("queue", nargs="?", metavar="NAME", help=words + ("" if needed else " [all]"))
    at = parser.add_argument_group("which dead letters")
    at.add_argument("--topic", metavar="TOPIC", help="a dead-letter topic, or one of the queue's, in place of NAME")
    at.add_argument("--folder", type=Path, metavar="FOLDER", help="a folder of dead letters, in place of NAME")
    at.add_argument("--files", metavar="PATTERN", help="whole names of its files [the listener's]")
    at.add_argument("--cluster", metavar="NAME", help="of the configuration, where it has several")
    source.add_flags(parser)
    parser.add_argument(
        "--timeout", type=seconds(_LONGEST), default=10.0, metavar="SECONDS", help="longest wait for an answer [10]"
    )
    parser.add_argument("--audit", type=Path, metavar="FILE", help="append audit lines there")


def run(options: argparse.Namespace, work: Callable[[Desk], int]) -> int:
    """Have `work` done and give its exit code, or that of what ended it, with its words; raises `ConfigError`."""
    try:
        return work(_desk(options))
    except RedriveError as error:
        complain(str(error))
        return error.code
    except SessionLostError as error:
        complain(f"no transaction could be committed: {error}")
        return RedriveError.code
    except ProbeError as error:
        complain(f"{error.reason}: {error.detail}")
        return RedriveError.code
    except KafkaException as error:
        complain(words_of(error))
        return RedriveError.code


def one(desk: Desk) -> Queue:
    """Return the one queue that is meant; raises `BadInputError` for none or several."""
    if len(desk.queues) != 1:
        names = ", ".join(queue.name for queue in desk.queues)
        raise BadInputError(f"there are several queues; give one of {names}")
    return desk.queues[0]


def agreed(question: str) -> bool:
    """Ask whoever sits at the terminal; raises `BadInputError` when nobody does."""
    if not sys.stdin.isatty():
        raise BadInputError("nobody can be asked here: give --yes, or --dry-run to see what would be done")
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _desk(options: argparse.Namespace) -> Desk:
    config = source.configuration(options)
    if options.log_level is None:
        config = config.model_copy(update={"log": config.log.model_copy(update={"level": "error"})})
    log_setup.set_up(config.log)
    cluster = _cluster(config.clusters, options.cluster)
    try:
        clients = Clients(",".join(cluster.bootstrap), cluster.client, ClusterSecurity(cluster))
    except SecurityError as error:
        raise ConfigError(str(error)) from error
    _check_id(clients, cluster, options.timeout)
    sections = _sections(options, cluster)
    state = cluster.redrive.state_folder or _state()
    audit = options.audit or cluster.redrive.audit_file or state / "dlq-audit.jsonl"
    queues = tuple(queue_of(section, clients, options.timeout) for section in sections)
    ledger = Ledger(clients, cluster.redrive.ledger)
    return Desk(cluster, clients, ledger, queues, AuditFile(audit), state, options.timeout)


def _cluster(clusters: tuple[Cluster, ...], name: str | None) -> Cluster:
    found = [cluster for cluster in clusters if name in (None, cluster.name)]
    if not found:
        raise ConfigError(f"--cluster: no cluster {name!r}; allowed: {', '.join(one.name for one in clusters)}")
    if len(found) > 1:
        raise ConfigError(f"several clusters are configured; give --cluster, one of {', '.join(c.name for c in found)}")
    return found[0]


def _sections(options: argparse.Namespace, cluster: Cluster) -> tuple[DlqSection, ...]:
    if options.files is not None and options.folder is None:
        raise ConfigError("--files goes with --folder")
    if options.folder is not None and (options.queue or options.topic):
        raise ConfigError("give either NAME, --topic or --folder")
    if options.folder is not None:
        name = options.folder.resolve().name or "folder"
        data: dict[str, Any] = {"name": name, "folder": str(options.folder.resolve()), "files": options.files}
        known = next(
            (one for one in cluster.dlq if one.folder and one.folder.resolve() == options.folder.resolve()), None
        )
        return (known or validated(DlqSection, _given(data), "flags", {}),)
    chosen = tuple(one for one in cluster.dlq if options.queue in (None, one.name))
    if options.topic is not None:
        named = [one for one in chosen if options.queue or options.topic in one.named_topics]
        base = named[0].model_dump(exclude_unset=True) if named else {"name": "flags"}
        base.pop("folder", None)
        return (validated(DlqSection, {**base, "topics": [options.topic]}, "flags", {}),)
    if not chosen:
        known_names = ", ".join(one.name for one in cluster.dlq) or "none"
        what = f"no queue {options.queue!r}" if options.queue else "no dlq is configured"
        raise ConfigError(f"{what}; configured: {known_names}; or give --topic or --folder")
    return chosen


def _given(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _check_id(clients: Clients, cluster: Cluster, timeout: float) -> None:
    """Raise `RedriveError` when another cluster answers than the one that is meant, or none."""
    consumer = clients.stretch()
    try:
        found = consumer.list_topics("__consumer_offsets", timeout=timeout).cluster_id
    except KafkaException as error:
        raise RedriveError(f"Kafka does not answer: {words_of(error)}") from error
    finally:
        consumer.close()
    if cluster.cluster_id and found != cluster.cluster_id:
        raise RedriveError(f"another cluster answers: {found}, not {cluster.cluster_id} (cluster_id)")


def _state() -> Path:
    """Return the folder for what a user's commands remember."""
    if named := os.environ.get("XDG_STATE_HOME"):
        return Path(named) / "keywatch"
    try:
        return Path.home() / ".local" / "state" / "keywatch"
    except RuntimeError:  # no home
        return Path(f"/var/tmp/keywatch-{os.getuid()}")  # noqa: S108 - made for this user alone, mode 700
