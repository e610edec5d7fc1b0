"""Brings the dashboards into a Grafana over its API: looks at all, then writes all, or puts everything back."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from keywatch import __version__
from keywatch_dashboards.server import Server, ServerError

Json = dict[str, Any]

# Grafana gives these itself; a newer one lifts dashboards of before to its own form.
_OWN_KEYS = {"id", "version", "iteration"}


@dataclass(frozen=True)
class Change:
    """One dashboard as it should be, and as it is there: none when it is new."""

    wanted: Json
    there: Json | None
    folder: str
    moves_from: str | None = None

    @property
    def uid(self) -> str:
        """The dashboard's uid."""
        return str(self.wanted["uid"])

    def lines(self) -> list[str]:
        """Return what changes as lines of a unified diff; nothing when nothing does."""
        before, after = ([], _text(self.wanted)) if self.there is None else _comparable(self.there, self.wanted)
        names = f"{self.uid} in Grafana", f"{self.uid} of keywatch {__version__}"
        return list(difflib.unified_diff(before, after, *names, n=2, lineterm=""))

    def summary(self) -> str:
        """Say in a line what happens to the dashboard."""
        if self.there is None:
            return f"{self.uid}: is new"
        found = ["changes"] if self.lines() else []
        if self.moves_from is not None:
            found.append("moves to another folder")
        return f"{self.uid}: {' and '.join(found) or 'stays as it is'}"

    def is_needed(self) -> bool:
        """Return whether something must be written."""
        return self.there is None or self.moves_from is not None or bool(self.lines())


@dataclass
class Plan:
    """What is to be written; `new_folder` is the title of a folder that has to be made first."""

    changes: Sequence[Change]
    new_folder: str | None = None
    notes: Sequence[str] = ()
    tried: list[Change] = field(default_factory=list)

    def needed(self) -> list[Change]:
        """Return the dashboards that differ from what is there."""
        return [change for change in self.changes if change.is_needed()]


def plan(server: Server, files: Mapping[str, str], folder: str | None, datasource: str | None) -> Plan:
    """Look at everything and write nothing; raises `ServerError` when something could not be written later.

    `folder` is a folder's title; without one, new dashboards come to the top and others stay where they are.
    """
    notes = [] if datasource is None else _look_at_datasource(server, datasource)
    uid = None if folder is None else _folder(server, folder)
    changes = []
    for text in files.values():
        wanted = json.loads(text)
        found = server.get(f"/api/dashboards/uid/{wanted['uid']}")
        if found is None:
            changes.append(Change(wanted, None, uid or ""))
            continue
        there, meta = _parts(found, wanted["uid"])
        if meta.get("provisioned"):
            raise ServerError(f"{wanted['uid']}: is provisioned from files there; change those, or take them away")
        if meta.get("canSave") is False:
            raise ServerError(f"{wanted['uid']}: the token may not write this dashboard")
        now = str(meta.get("folderUid") or "")
        goal = now if folder is None else uid
        changes.append(Change(wanted, there, goal or "", None if goal == now else now))
    return Plan(changes, folder if folder is not None and uid is None else None, notes)


def apply(server: Server, planned: Plan) -> None:
    """Write what is needed; when a part fails, all is put back as it was. Raises `ServerError`.

    What got no answer may have been written, and is put back as well.
    """
    made = None
    if planned.new_folder is not None:
        made = _made_folder(server, planned.new_folder)
    try:
        for change in planned.needed():
            planned.tried.append(change)
            _save(server, change.wanted, made or change.folder, f"keywatch {__version__}")
    except (ServerError, KeyboardInterrupt) as error:
        refused = isinstance(error, ServerError) and error.status is not None
        left = _undo(server, planned.tried[:-1] if refused else planned.tried, made)
        words = "nothing was changed" if not left else f"these could not be put back: {', '.join(left)}"
        raise ServerError(f"{str(error) or 'interrupted'}; {words}") from None


def _save(server: Server, dashboard: Json, folder: str, message: str) -> None:
    body = {"dashboard": {**dashboard, "id": None}, "folderUid": folder, "overwrite": True, "message": message}
    answer = server.post("/api/dashboards/db", body)
    if not isinstance(answer, dict) or answer.get("uid") != dashboard["uid"]:
        raise ServerError(f"{dashboard['uid']}: Grafana does not say that it was written")


def _undo(server: Server, tried: Sequence[Change], folder: str | None) -> list[str]:
    """Put everything back; returns what could not be."""
    left = []
    for change in reversed(tried):
        try:
            if change.there is None:
                server.delete(f"/api/dashboards/uid/{change.uid}")
            else:
                before = change.folder if change.moves_from is None else change.moves_from
                _save(server, change.there, before, "put back by keywatch")
        except ServerError:
            left.append(change.uid)
    if folder is not None and not left:
        try:
            server.delete(f"/api/folders/{quote(folder, safe='')}")
        except ServerError:
            left.append(f"folder {folder}")
    return left


def _look_at_datasource(server: Server, uid: str) -> list[str]:
    """Raise `ServerError` when it does not exist or is no Prometheus; returns a note when the token may not know."""
    try:
        found = server.get(f"/api/datasources/uid/{uid}")
    except ServerError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return [f"--datasource {uid}: not checked, since the token may not read datasources"]
    if found is None:
        raise ServerError(f"--datasource {uid}: there is no datasource with this uid")
    if isinstance(found, dict) and found.get("type") != "prometheus":
        raise ServerError(f"--datasource {uid}: is of type {found.get('type')}, not prometheus")
    return []


def _folder(server: Server, title: str) -> str | None:
    found = server.get("/api/folders?limit=1000")
    if not isinstance(found, list):
        raise ServerError("GET /api/folders: the answer is no list; is this a Grafana?")
    return next((str(entry["uid"]) for entry in found if entry.get("title") == title), None)


def _made_folder(server: Server, title: str) -> str:
    answer = server.post("/api/folders", {"title": title})
    if not isinstance(answer, dict) or not answer.get("uid"):
        raise ServerError(f"folder {title!r}: Grafana does not say that it was made")
    return str(answer["uid"])


def _parts(found: Any, uid: str) -> tuple[Json, Json]:
    if isinstance(found, dict) and isinstance(found.get("dashboard"), dict) and isinstance(found.get("meta"), dict):
        return found["dashboard"], found["meta"]
    raise ServerError(f"{uid}: what Grafana has there is no dashboard")


def _comparable(there: Json, wanted: Json) -> tuple[list[str], list[str]]:
    """Give both as lines, without what Grafana changes of its own accord: its numbers, its form, and empty values."""
    kept = {key: value for key, value in there.items() if key not in _OWN_KEYS}
    if isinstance(kept.get("schemaVersion"), int) and kept["schemaVersion"] > wanted["schemaVersion"]:
        kept["schemaVersion"] = wanted["schemaVersion"]
    return _text(_pruned(kept, wanted)), _text(_pruned(wanted, kept))


def _pruned(data: Any, other: Any) -> Any:
    """Leave out keys with empty values that the other does not have."""
    if isinstance(data, dict) and isinstance(other, dict):
        return {
            key: _pruned(value, other.get(key))
            for key, value in data.items()
            if key in other or value not in (None, "", [], {}, False, 0)
        }
    if isinstance(data, list) and isinstance(other, list) and len(data) == len(other):
        return [_pruned(one, another) for one, another in zip(data, other, strict=True)]
    return data


def _text(data: Json) -> list[str]:
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
