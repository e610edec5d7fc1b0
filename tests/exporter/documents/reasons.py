"""Which reasons code names, and which modules a probe stands on."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from keywatch.engine.probe import Reason
from tests.exporter.layers import imports

# What is handed over and not imported: who a module calls through a protocol.
_HANDED: Final[Mapping[str, tuple[str, ...]]] = {
    "kafka.connection": ("kafka.security.identity",),
    "probes.reconciliation.probe": ("probes.reconciliation.counters",),
    "probes.logs.log_canary": ("probes.logs.single_record",),
}


def named(source: str) -> set[Reason]:
    """Return the reasons that a module gives: those it compares with, and the sum that it declares, left out."""
    return {Reason[name] for name in _attributes(ast.parse(source))}


def _attributes(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        return
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "REASONS" for t in node.targets):
        return
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason":
        yield node.attr
    for child in ast.iter_child_nodes(node):
        yield from _attributes(child)


def below(modules: Iterable[str], sources: Mapping[str, str]) -> set[str]:
    """Return the modules and all that they stand on."""
    found: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module in found:
            continue
        found.add(module)
        names = [one.imported for one in imports(module, sources[module])]
        candidates = {*names, *(name.rpartition(".")[0] for name in names), *_HANDED.get(module, ())}
        todo += candidates & sources.keys()
    return found
