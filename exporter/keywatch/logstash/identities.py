"""Rule: every plugin has an id of its own, since metrics are told apart by it."""

from __future__ import annotations

from collections.abc import Iterator

from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import PipelineFile, codecs


def problems(config: PipelineFile, seen: dict[str, str], source: str) -> Iterator[LintFinding]:
    """Say which plugins have no id or one that is taken; `seen` holds the ids of the files before."""
    for kind, plugin in config.plugins():
        for what, one in ((kind, plugin), *(("codec", codec) for codec in codecs(plugin))):
            identity = one.text("id")
            if identity is None:
                if what != "codec":
                    yield LintFinding(one.line, "id-missing", f"{what} {one.name} has no id; metrics could not name it")
                continue
            here = f"{source}:{one.line}"
            if identity in seen:
                yield LintFinding(one.line, "id-twice", f"the id {identity} is taken at {seen[identity]}")
            seen.setdefault(identity, here)
