"""The trail grows by whole lines only, and says before anything is done that it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywatch.redrive.audit import AuditFile, event
from keywatch.redrive.claim import Claim
from keywatch.redrive.errors import CannotWriteError
from keywatch.redrive.refusal import Refusal
from keywatch.redrive.tally import Tally


def test_a_line_says_who_did_what(tmp_path: Path) -> None:
    trail = AuditFile(tmp_path / "new" / "audit.jsonl")
    trail.check()
    tally = Tally(put=3)
    tally.refused[Refusal.TOO_LARGE] = 1
    told = event("replay", "siem-dlq", Claim(), tally, ranges={"0": [1, 4]}, digest="x")
    trail.write(told)
    trail.write(event("show", "siem-dlq", Claim(), reveal=True))
    lines = trail.path.read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    assert first["event"]["action"] == "dlq-replay"
    assert first["keywatch"]["redrive"]["replayed"] == 3
    assert first["keywatch"]["redrive"]["refused"] == {"too_large": 1}
    assert first["user"]["name"]
    assert len(lines) == 2
    assert trail.path.stat().st_mode & 0o777 == 0o600
    assert trail.holds(told)
    assert not trail.holds(event("replay", "siem-dlq", Claim(), tally))


@pytest.mark.parametrize("place", ["/dev/full", "folder/x", "link"])
def test_what_cannot_be_written_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").write_text("", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    trail = AuditFile(tmp_path / place if not place.startswith("/") else Path(place))
    with pytest.raises(CannotWriteError, match="the audit trail cannot be written"):
        trail.write(event("show", "x", Claim()))
