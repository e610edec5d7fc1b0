"""What cannot be learnt is said once, and again when it could be in between, or for another reason."""

from __future__ import annotations

import pytest

from keywatch.engine.probe import Reason
from keywatch.engine.unknowable import Unknowable
from tests.exporter.fakes.scripted import Scripted


def test_it_is_said_once_for_each_reason_until_it_was_learnt(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    unknowable, probe = Unknowable("how full disks are"), Scripted("log_dirs")
    for _ in range(3):
        unknowable.say(probe, Reason.UNSUPPORTED, "broker 1 lacks request 35")
    said = "unsupported: broker 1 lacks request 35: it is not told how full disks are, and nobody is called for it"
    assert [record.getMessage() for record in caplog.records] == [f"cluster=kafka probe=log_dirs: {said}"]
    unknowable.say(probe, Reason.AUTHORIZATION, "Describe on the cluster is missing")
    assert len(caplog.records) == 2
    unknowable.over()
    unknowable.say(probe, Reason.UNSUPPORTED, "broker 1 lacks request 35")
    assert len(caplog.records) == 3
