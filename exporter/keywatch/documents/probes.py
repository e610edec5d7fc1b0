"""Writes a page for each probe: its question, what it needs, its series, reasons, alerts and keys."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from types import ModuleType
from typing import Final

from pydantic import BaseModel

from keywatch.config.model import Config
from keywatch.documents.probe_alerts import EVERY, alerts, read, silenced
from keywatch.documents.reference import GENERATED, keys, sections, series
from keywatch.documents.renew import command, renew
from keywatch.documents.summaries import in_general
from keywatch.engine.about import About
from keywatch.probes.canary import about as canary_about
from keywatch.probes.canary import probe as canary
from keywatch.probes.cluster import about as cluster_about
from keywatch.probes.cluster import broker, cluster, configs, log_dirs, offsets, quorum, topics
from keywatch.probes.dead_letters import about as dead_letters_about
from keywatch.probes.dead_letters import folder as dead_letters_folder
from keywatch.probes.dead_letters import topics as dead_letters_topics
from keywatch.probes.events import about as events_about
from keywatch.probes.events import probe as events
from keywatch.probes.groups import about as groups_about
from keywatch.probes.groups import probe as groups
from keywatch.probes.groups import retention
from keywatch.probes.keycloak import about as keycloak_about
from keywatch.probes.keycloak import probe as keycloak
from keywatch.probes.logs import about as logs_about
from keywatch.probes.logs import elasticsearch, log_canary, log_lag, logstash
from keywatch.probes.reconciliation import about as reconciliation_about
from keywatch.probes.reconciliation import probe as reconciliation
from keywatch.rules.rule_file import Rule

MODULES: Final[Mapping[str, tuple[ModuleType, ...]]] = {
    "broker": (broker,),
    "cluster": (cluster,),
    "quorum": (quorum,),
    "log_dirs": (log_dirs,),
    "topics": (topics,),
    "configs": (configs,),
    "offsets": (offsets,),
    "groups": (groups,),
    "retention": (retention,),
    "canary": (canary,),
    "events": (events,),
    "keycloak": (keycloak,),
    "reconciliation": (reconciliation,),
    "dlq": (dead_letters_topics, dead_letters_folder),
    "logstash": (logstash,),
    "elasticsearch": (elasticsearch,),
    "log_lag": (log_lag,),
    "log_canary": (log_canary,),
}
"""The modules of each probe, in the order of the index."""
ABOUT: Final[Mapping[str, About]] = {
    **cluster_about.ABOUT,
    **groups_about.ABOUT,
    **canary_about.ABOUT,
    **events_about.ABOUT,
    **keycloak_about.ABOUT,
    **reconciliation_about.ABOUT,
    **dead_letters_about.ABOUT,
    **logs_about.ABOUT,
}
_OF_A_PROBE = re.compile(r"Probes? ((?:`\w+`(?:, | and )?)+)")


def questions(name: str) -> Iterator[tuple[str, str, str]]:
    """Return for each module of a probe its path below keywatch, its question, and how it asks."""
    for module in MODULES[name]:
        question, _, how = cleandoc(module.__doc__ or "").partition("?")
        yield module.__name__.removeprefix("keywatch.").replace(".", "/") + ".py", f"{question}?", how.strip()


def page(name: str, rules: Sequence[Rule], guides: Path) -> str:
    """Write the page of a probe, with the alerts among the rules and the titles of the guides."""
    about = ABOUT[name]
    lines = [f"# Probe `{name}`\n", GENERATED]
    for path, question, how in questions(name):
        asked = f"**{question}** {how}".rstrip()
        lines.append(f"{asked} [`{path}`](../../exporter/keywatch/{path})\n")
    lines += ["## What it needs\n", _linked(cleandoc(about.needs)), ""]
    if about.rights:
        lines.append("| right | without it |\n|---|---|")
        lines += [*(f"| {right} | {without} |" for right, without in about.rights), ""]
    lines += [
        "## Series\n",
        f"`/metrics?collect[]={name}` has these alone; `health` marks those of `collect[]=health`.",
        f'Beside these it has the [series of every probe](../metrics.md#{EVERY}), with `probe="{name}"`.\n',
        *series(name),
        "\n## Reasons\n",
        "What its series, the log and the page for people may name as the reason of a failure:\n",
        "| reason | meaning |\n|---|---|",
        *(f"| `{reason}` | {reason.meaning} |" for reason in about.all_reasons),
        "\n## Alerts\n",
        *_alerts(name, rules),
        "\n## Configuration\n",
        *_configuration(name),
    ]
    if about.guides:
        lines.append(f"\nGuides: {', '.join(_guide(guides / guide) for guide in about.guides)}.")
    return "\n".join(lines) + "\n"


def _linked(text: str) -> str:
    return re.sub(r"probe `(\w+)`", r"probe [`\1`](\1.md)", text)


def _guide(path: Path) -> str:
    title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    return f"[{title}](../guides/{path.name})"


def _alerts(name: str, rules: Sequence[Rule]) -> Iterator[str]:
    found = alerts(rules, name)
    if found:
        yield "| alert | severity | what it says |\n|---|---|---|"
        yield from map(_row, found)
        yield ""
    every = ", ".join(map(_runbook, alerts(rules, EVERY)))
    yield f"{'Of every probe' if found else 'None of its own; of every probe'}: {every}."
    if found := silenced(rules, name):
        silent = ", ".join(map(_runbook, found))
        yield f"\nIts series keep these silent, as the cause or as proof of the contrary: {silent}."


def _row(rule: Rule) -> str:
    return f"| {_runbook(rule)} | {rule.data['labels']['severity']} | {in_general(rule)} |"


def _runbook(rule: Rule) -> str:
    return f"[{rule.alert}](../../alerts/runbooks/{rule.alert}.md)"


def _configuration(name: str) -> Iterator[str]:
    """Return the tables of the sections that say that they are of this probe, and of what stands in these."""
    known = dict(sections(Config))
    for own in (path for path, model in known.items() if name in _named(model)):
        above, _, key = own.removesuffix("[]").rpartition(".")
        beside = [other for other in known[above].model_fields if other.startswith(f"{key}_")]
        if beside:
            yield f"### `{above}`, in part\n"
            yield from (*keys(above, known[above], beside.__contains__), "")
        for path, model in known.items():
            if path == own or (path.startswith(f"{own}.") and not _named(model)):
                yield f"### `{path}`\n"
                yield from (*keys(path, model), "")
    yield "The whole of it: [Configuration](../configuration.md)."


def _named(model: type[BaseModel]) -> list[str]:
    """Return the probes that a section says it is of."""
    found = _OF_A_PROBE.match(model.__doc__ or "")
    return re.findall(r"\w+", found[1].replace(" and ", " ")) if found else []


def index() -> str:
    """Write the list of all probes."""
    lines = [
        "# Probes\n",
        GENERATED,
        "A probe asks one question under a deadline, again and again, and answers with series, or with the reason why",
        "it could not. A page for each: what it needs, its series, reasons, alerts and keys.\n",
        "| probe | question |\n|---|---|",
    ]
    for name in MODULES:
        asked = " ".join(question for _, question, _ in questions(name))
        lines.append(f"| [`{name}`]({name}.md) | {asked} |")
    lines.append("\nWhat keywatch says of itself is no probe: [`exporter`](../metrics.md#exporter).")
    return "\n".join(lines) + "\n"


def write(docs: Path, *, check: bool) -> list[str]:
    """Write the pages, or with `check` only name those that are stale or belong to no probe.

    The alert rules are read from beside `docs`.
    """
    folder, rules = docs / "probes", read(docs.parent / "alerts" / "rules")
    wanted = {folder / f"{name}.md": page(name, rules, docs / "guides") for name in MODULES}
    wanted[folder / "README.md"] = index()
    return renew(wanted.items(), check=check, among=folder.glob("*"))


def main() -> int:
    """Write the pages into the folder given first; with `--check` exit 1 when one is stale."""
    return command(lambda folder, check: write(folder, check=check))


if __name__ == "__main__":
    sys.exit(main())
