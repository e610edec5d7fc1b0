"""Writes the objects as OpenSearch takes them, for those who read or send them themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keywatch.documents.renew import command, renew
from keywatch.elastic.objects import ObjectKind, load
from keywatch.elastic.opensearch import translate

_FOLDERS = {ObjectKind.LIFECYCLE: "ism"}


def write(folder: Path, *, check: bool) -> list[str]:
    """Write the variant beside the objects of `folder`/elasticsearch, or with `check` only name what is stale."""
    made = translate(load(folder / "elasticsearch"))
    texts = (
        (folder / "opensearch" / _FOLDERS.get(one.kind, one.kind) / f"{one.name}.json", _text(one.body)) for one in made
    )
    return renew(texts, check=check)


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(command(lambda folder, check: write(folder, check=check)))
