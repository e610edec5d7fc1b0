r"""The names of Unicode's classes that regular expressions know in `\p{…}`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from keywatch.rules.prometheus import Prometheus


def known_class(name: str, prometheus: Prometheus) -> bool:
    """Return whether the regular expressions of a Prometheus have a class of that name, exactly as it is written."""
    names = _names()
    if name == "Any" or name in names["categories"] or name in names["scripts"]:
        return True
    if name in names["newer_scripts"]:
        return prometheus.since(2, 50)
    return name in names["newer_categories"] and prometheus.since(3, 6)


@cache
def _names() -> dict[str, frozenset[str]]:
    text = files("keywatch.rules").joinpath("unicode_classes.yml").read_text(encoding="utf-8")
    return {kind: frozenset(words.split()) for kind, words in yaml.safe_load(text).items()}
