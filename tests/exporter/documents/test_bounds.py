"""The table of bounds in docs/security.md says what the code does, and no bound of the code is missing in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import reduce
from importlib import import_module

import pytest

from keywatch.config.cluster import TopicsSection
from keywatch.config.events import EventsSection
from keywatch.config.groups import GroupsSection
from keywatch.config.security import Section
from tests.exporter.documents.tree import ROOT
from tests.exporter.layers import modules

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[Section]] = {"groups": GroupsSection, "topics": TopicsSection, "events": EventsSection}
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
CODE = {row[3].strip("`"): row[1] for row in ROWS if len(row) == 4 and row[3].startswith("`")}
KEYS = {row[0].strip("`"): row[1] for row in ROWS if len(row) == 3 and row[0].startswith("`")}
_BOUND = re.compile(r"_?(?:[A-Z]+_)*(?:MOST|MAX|LONGEST|KEPT|REMEMBERED)(?:_[A-Z]+)*|_?[A-Z_]+_PER_REQUEST")
# What is called so and bounds nothing that comes from outside.
OTHERWISE = {
    "assets.export._MOST_BYTES": "a file of keywatch's own",
    "cli.tables._KEPT": "letters of an id on a terminal",
    "config.yaml_file._MOST_SHOWN": "mistakes in one's own configuration that are shown at once",
    "config.events._LONGEST_TOPIC": "one's own configuration",
    "config.events._LONGEST_REALM": "one's own configuration",
    "kafka.security.client_proof._MOST_RSA_BITS": "one's own key",
    "engine.slices._LONGEST": "seconds of a piece of work",
    "probes.dead_letters.files.listing._MOST_MISSED": "looks at a folder",
    "probes.reconciliation.probe._MOST_AHEAD": "seconds of a clock",
    "probes.reconciliation.account._MOST_AHEAD": "seconds of a clock",
    "probes.logs.log_lag._MOST_LOOKED_UP": "records looked up in a run",
    "probes.logs.log_lag._MOST_RECORDS": "records looked up in a run",
    "probes.cluster.cluster._LONGEST": "seconds between two looks",
    "probes.groups.start_offsets._LONGEST": "cycles between two looks",
    "probes.keycloak.probe._MOST_OPEN": "questions of keywatch's own",
    "elastic.wire._LONGEST_PAUSE": "seconds between two tries",
    "elastic.stored_as._MOST": "documents asked for",
    "elastic.event_search._MOST_REMEMBERED": "a command of one's own",
    "elastic.event_search._MOST_AT_ONCE": "a command of one's own",
    "elastic.event_search._MOST_PAGES": "a command of one's own",
    "elastic.inspection._MOST_SHOWN": "a command of one's own",
    "elastic.difference._MOST_SHOWN": "a command of one's own",
    "elastic.objects._MOST_BYTES": "files of one's own",
    "logstash.lint._MOST_REFUSALS": "mistakes of one file that are shown",
    "logstash.regex._LONGEST": "digits of a number that Ruby reads as a group",
    "logstash.regex._MOST_REPEATS": "what Ruby allows",
    "redrive.bundle._MOST_MANIFEST": "a command of one's own",
    "redrive.bundle._LONGEST_LINE": "a command of one's own",
    "redrive.claim._LONGEST": "a command of one's own",
    "redrive.decision._LONGEST_REASON": "a command of one's own",
    "redrive.folder_redrive._MOST_NAMES": "a command of one's own",
    "redrive.queue._LONGEST": "a command of one's own",
    "redrive.transform._LONGEST_SHOWN": "a command of one's own",
    "redrive.transform._MOST_RULES": "a command of one's own",
    "provider.archive._LONGEST_END": "what the format allows",
    "provider.distribution._MOST_JARS": "a Keycloak of one's own",
    "provider.distribution._MOST_VERSION_BYTES": "a Keycloak of one's own",
    "provider.finding._MOST_OF_A_KIND": "names that a command shows",
    "provider.java_runtime._MOST_RELEASE_BYTES": "a Java of one's own",
    "provider.jimage._MOST_CLASS_BYTES": "a Java of one's own",
    "provider.jimage._MOST_INDEX_BYTES": "a Java of one's own",
    "provider.jimage._MOST_LOCATIONS": "a Java of one's own",
    "provider.journal._MOST_BYTES": "files of one's own",
    "provider.programs._MOST_SHOWN": "a command of one's own",
    "provider.real_event._MOST_BYTES": "an answer that a command of one's own asks for",
    "provider.real_event._MOST_RECORDS": "records taken at once",
    "cli.listener_install._LONGEST": "seconds of a command",
    "rules.shape._LONGEST": "a command of one's own",
    "rules.emitted._MOST_ALIKE": "a command of one's own",
    "rules.emitted._MOST_HINTS": "a command of one's own",
    "rules.emitted._MOST_PAGE": "a command of one's own",
    "rules.go_literals._LONGEST_MILLISECONDS": "a command of one's own",
    "rules.judge.MOST_TOLD": "a command of one's own",
    "rules.judge._MOST_FILE": "a command of one's own",
    "rules.promql.durations._LONGEST": "a command of one's own",
    "rules.regex._MOST_REPEATS": "a command of one's own",
    "service.memory_use._ARENA_MAX": "an option of malloc",
    "cli.check._LONGEST": "seconds of a command",
    "cli.demo._LONGEST": "seconds of a command",
    "cli.dlq_dry_run._MOST_DIFFERENCES": "letters that a command shows",
    "cli.dlq_list._MOST": "letters that a command shows",
    "cli.dlq_queue._LONGEST": "seconds of a command",
    "cli.dlq_replay._MOST_AT_ONCE": "a command of one's own",
    "cli.logs_lint._MOST": "findings that a command shows",
    "cli.logs_search._MOST": "a command of one's own",
    "cli.logs_server._LONGEST": "seconds of a command",
    "cli.prometheus_server._MOST_ASKED": "a command of one's own",
    "cli.prometheus_server._MOST_LABELS": "a command of one's own",
    "cli.prometheus_server._MOST_NAMES": "a command of one's own",
}


def declared() -> Iterator[str]:
    """Name every constant at the top of a module that is called like a bound, and all of `bounds`."""
    for module, source in modules().items():
        for node in ast.parse(source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                    name = one.id if isinstance(one, ast.Name) else ""
                    number = not isinstance(getattr(node, "value", None), ast.Call)
                    if name and number and (module in {"bounds", "names"} or _BOUND.fullmatch(name)):
                        yield f"{module}.{name}"


@pytest.mark.parametrize("where", CODE)
def test_a_bound_is_what_the_code_says(where: str) -> None:
    parts = where.split(".")
    cut = next(index for index, part in enumerate(parts) if part.strip("_")[:1].isupper())
    value = reduce(getattr, parts[cut:], import_module(f"keywatch.{'.'.join(parts[:cut])}"))
    assert CODE[where] == f"{value:,}"


@pytest.mark.parametrize("key", KEYS)
def test_a_bound_that_is_configured_has_the_default_that_is_told(key: str) -> None:
    section, _, name = key.partition(".")
    assert KEYS[key] == f"{SECTIONS[section].model_fields[name].default:,.0f}"


def test_every_bound_of_the_configuration_is_told() -> None:
    keys = {f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields if key[:4] == "max_"}
    assert keys <= set(KEYS)


def test_no_bound_of_the_code_is_missing() -> None:
    private = {name for name in declared() if name.startswith("names._")}
    assert set(declared()) - private - set(CODE) == set(OTHERWISE)
