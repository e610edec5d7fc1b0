"""Manifests for Kubernetes that hold rules: PrometheusRule, alone or in a list, one document or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from keywatch.config.messages import Place
from keywatch.rules.yaml_nodes import YamlNode

_RULES: Final = "PrometheusRule"
_LISTS: Final = frozenset({"List", "PrometheusRuleList"})


class Spec:
    """The rules of one manifest, and where they stand."""

    def __init__(self, node: YamlNode, place: Place) -> None:
        """Take what stands below `spec`."""
        self.node = node
        self.place = place


def is_manifest(root: YamlNode | None) -> bool:
    """Return whether a document is for Kubernetes, of whatever kind."""
    if root is None or root.meant.kind != "map":
        return False
    return root.get("apiVersion") is not None and root.get("kind") is not None and root.get("groups") is None


def specs(roots: Sequence[YamlNode | None]) -> Iterator[Spec]:
    """Return the rules of all documents; other kinds than PrometheusRule have none."""
    for number, root in enumerate(roots):
        if root is not None:
            before: Place = () if len(roots) == 1 else (number,)
            yield from _specs(root.meant, before)


def _specs(node: YamlNode, place: Place) -> Iterator[Spec]:
    kind = _value(node, "kind")
    if kind == _RULES:
        spec = node.get("spec")
        yield Spec(spec if spec is not None else YamlNode("map", node.line), (*place, "spec"))
    elif kind in _LISTS:
        items = node.get("items")
        for index, item in enumerate(items.content if items is not None and items.kind == "list" else ()):
            if item.meant.kind == "map":
                given = item.meant
                if kind == "PrometheusRuleList" and given.get("kind") is None:
                    spec = given.get("spec")
                    if spec is not None:
                        yield Spec(spec, (*place, "items", index, "spec"))
                else:
                    yield from _specs(given, (*place, "items", index))


def _value(node: YamlNode, key: str) -> str:
    found = node.get(key) if node.kind == "map" else None
    return found.value if found is not None and found.kind == "text" else ""
