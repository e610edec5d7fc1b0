"""What each folder of keywatch may import, and what in its imports breaks that."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final, NamedTuple

import keywatch

ROOT: Final = Path(keywatch.__file__).parent

_PROBE: Final = (
    *("kafka", "net", "listeners", "engine", "metrics", "patterns", "names", "bounds", "surfaces"),
    "config.endpoint",
)
# A place may import its own folder and those named here; the longest place that fits a module counts. `*`: all.
ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "__main__": ("cli",),
    "cli": ("*",),
    "demo": ("web", "service", "metrics", "config", "surfaces"),
    "web": ("service", "engine", "metrics", "config", "names", "surfaces"),
    "documents": ("probes", "elastic", "kafka.rights", "rules", "config", "engine", "metrics"),
    "service": (
        *("probes", "elastic", "kafka", "net", "listeners", "config", "engine", "metrics", "patterns"),
        *("bounds", "surfaces"),
    ),
    "redrive": (
        *("probes.dead_letters", "kafka", "config", "engine", "metrics", "bounds", "names", "surfaces", "patterns"),
    ),
    "probes": (),  # the folder itself
    "probes.canary": _PROBE,
    "probes.cluster": _PROBE,
    "probes.groups": _PROBE,
    "probes.events": _PROBE,
    "probes.keycloak": _PROBE,
    "probes.reconciliation": (*_PROBE, "probes.events"),
    "probes.dead_letters": _PROBE,
    "probes.logs": (*_PROBE, "elastic"),
    "assets": (),
    "elastic": ("assets", "kafka.wire", "kafka.records", "net", "listeners", "config", "engine", "surfaces"),
    "kafka": ("net", "config", "engine", "names", "bounds", "patterns", "surfaces"),
    "kafka.wire": ("engine",),
    "net": ("config", "engine", "surfaces"),
    "provider": ("kafka", "net", "listeners", "config", "engine", "surfaces"),
    "rules": ("config", "metrics"),
    "logstash": ("config",),
    "config": ("listeners", "patterns", "bounds", "surfaces"),
    "engine": ("metrics", "names", "surfaces"),
    "listeners": ("patterns",),
    "metrics": (),
    "patterns": ("names", "bounds"),
    "names": (),
    "bounds": (),
    "surfaces": (),
}
# Who alone may use a name: import it, call it, or ask for it as an attribute.
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "import service.wiring": ("service",),
    "call Consumer": ("kafka.client", "demo"),
    "call Producer": ("kafka.client", "demo"),
    "call AdminClient": ("kafka.client", "demo"),
    "call store.replace": ("engine.runner", "service.own_metrics"),
    "call store.degrade": ("engine.runner",),
    "call store.account": ("engine.runner",),
    "call store.accumulate": ("engine.runner", "service.own_metrics", "web.limits"),
    # What begins a task or a thread without supervision dies unseen.
    **dict.fromkeys(
        ("call create_task", "call ensure_future", "call Thread", "call Timer", "call ThreadPoolExecutor"),
        ("engine.supervised", "demo"),
    ),
    # asyncio's own pool is the resolver's, whose threads hang while a name server does.
    **dict.fromkeys(("call to_thread", "call run_in_executor"), ("demo",)),
    # Each client is heavy, and is loaded when its product answers; both are kept to one module's promises.
    "import elastic_transport": ("elastic.elasticsearch_api",),
    "import elasticsearch": ("elastic.elasticsearch_api",),
    "import opensearchpy": ("elastic.opensearch_api",),
    **dict.fromkeys(("import elastic.elasticsearch_api", "import elastic.opensearch_api"), ("elastic.clients",)),
    "name gaierror": ("net.failures",),
    "name ConnectionRefusedError": ("net.failures",),
    "name SSLCertVerificationError": ("net.failures",),
}


class Import(NamedTuple):
    """One name that a module imports: `keywatch.` is left out of both."""

    module: str
    line: int
    imported: str


def modules() -> dict[str, str]:
    """Return the source of each module by its dotted name below `keywatch`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if len(parts) > 1 or parts[0] != "__init__":
            found[name] = path.read_text(encoding="utf-8")
    return found


def imports(module: str, source: str) -> Iterator[Import]:
    """Return all imports of a module, those inside of functions as well."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield Import(module, getattr(node, "lineno", 0), name.removeprefix("keywatch."))


def uses(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Return what a module does that one place alone may do, with its line."""
    for one in imports(module, source):
        yield one.line, f"import {one.imported}"
        yield one.line, f"import {one.imported.rpartition('.')[0]}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            parts = ast.unparse(node.func).rsplit(".", 2)[-2:]
            yield node.lineno, f"call {parts[-1]}"
            yield node.lineno, f"call {'.'.join(parts).removeprefix('_')}"
        elif isinstance(node, ast.Name | ast.Attribute):
            yield node.lineno, f"name {node.id if isinstance(node, ast.Name) else node.attr}"


def _within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def _is_ours(name: str) -> bool:
    return any(_within(name, place.partition(".")[0]) for place in ALLOWED)


def violations(module: str, source: str) -> list[str]:
    """Say which imports of a module its place forbids."""
    place = max((place for place in ALLOWED if _within(module, place)), key=len, default=None)
    if place is None:
        return [f"{module}: stands in no folder of the house"]
    found = []
    for one in imports(module, source):
        where = f"{module}:{one.line}: imports {one.imported}"
        if _is_ours(one.imported):
            allowed = ALLOWED[place]
            if "*" not in allowed and not any(_within(one.imported, name) for name in (place, *allowed)):
                found.append(f"{where}; {place} may import {', '.join(allowed) or 'nothing of ours'}")
        elif place in {"metrics", "patterns", "names", "bounds", "surfaces", "assets"} and not _standard(one.imported):
            found.append(f"{where}; {place} may import the standard library only")
    for line, use in uses(module, source):
        users = _ONLY.get(use)
        if users is not None and not any(_within(module, user) for user in users):
            found.append(f"{module}:{line}: {use}; that is for {', '.join(users)}")
    return found


def _standard(name: str) -> bool:
    return name.partition(".")[0] in {*sys.stdlib_module_names, "__version__"}


def circle(sources: Mapping[str, str]) -> list[str]:
    """Return modules that import each other in a circle, or nothing."""
    graph = {
        module: {known for one in imports(module, source) if (known := _module(one.imported, sources)) != module}
        for module, source in sources.items()
    }
    try:
        TopologicalSorter({module: below - {""} for module, below in graph.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module(imported: str, sources: Mapping[str, str]) -> str:
    if imported in sources:
        return imported
    parent = imported.rpartition(".")[0]
    return parent if parent in sources else ""
