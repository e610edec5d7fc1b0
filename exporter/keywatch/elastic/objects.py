"""What Elasticsearch must hold before logs may come: policies, pipelines and templates, read from their folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from keywatch.assets.shipped import base
from keywatch.config.files import FileError, contents
from keywatch.config.yaml_file import ConfigError

_MOST_BYTES = 1024 * 1024


class ObjectKind(StrEnum):
    """Kinds of objects, in the order in which they are put: each builds on those before it. Values are folders."""

    LIFECYCLE = "ilm"
    INGEST = "ingest"
    COMPONENT = "component_templates"
    INDEX = "index_templates"


@dataclass(frozen=True, slots=True)
class ElasticObject:
    """One object; `body` is what is sent, without the digest."""

    kind: ObjectKind
    name: str
    body: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The SHA-256 of the body's canonical JSON: servers give values back in other forms than they got them."""
        text = json.dumps(self.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self) -> str:
        """Return what people call it: `ilm/logs-keycloak`."""
        return f"{self.kind}/{self.name}"


def shipped() -> Path:
    """Return the folder of the objects that come with keywatch."""
    return base() / "logstash" / "elasticsearch"


def load(folder: Path) -> list[ElasticObject]:
    """Read the objects of a folder, in the order in which they are put; raises `ConfigError`."""
    found = [
        ElasticObject(kind, path.stem, _read(path))
        for kind in ObjectKind
        for path in sorted((folder / kind).glob("*.json"))
    ]
    if not found:
        kinds = ", ".join(ObjectKind)
        raise ConfigError(f"{folder}: holds no *.json in any of the folders {kinds}")
    return found


def without_lifecycle(objects: Sequence[ElasticObject]) -> list[ElasticObject]:
    """Leave out the policies and what names them, for servers whose logs somebody else deletes."""
    return [_unmanaged(one) for one in objects if one.kind is not ObjectKind.LIFECYCLE]


def _unmanaged(one: ElasticObject) -> ElasticObject:
    template = one.body.get("template", {})
    index = template.get("settings", {}).get("index", {})
    if one.kind is not ObjectKind.COMPONENT or "lifecycle" not in index:
        return one
    kept = {key: value for key, value in index.items() if key != "lifecycle"}
    settings = {**template["settings"], "index": kept}
    return ElasticObject(one.kind, one.name, {**one.body, "template": {**template, "settings": settings}})


def _read(path: Path) -> dict[str, Any]:
    try:
        data = contents(path, _MOST_BYTES)
    except FileError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        body = json.loads(data, object_pairs_hook=_distinct, parse_constant=_refused)
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from error
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ConfigError(f"{path}: must be a mapping")
    return body


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice; the parser would keep the last one in silence."""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
