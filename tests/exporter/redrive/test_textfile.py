"""What a run did stands in a file that Prometheus can read, whole at every moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keywatch.metrics.redrive import METRICS
from keywatch.redrive.errors import CannotWriteError
from keywatch.redrive.refusal import Refusal
from keywatch.redrive.tally import Tally
from keywatch.redrive.textfile import TextFile


def test_every_series_is_there_with_the_numbers_of_the_run(tmp_path: Path) -> None:
    file = tmp_path / "redrive.prom"
    tally = Tally(put=7, parked=2, returned=1)
    tally.refused[Refusal.TOO_LARGE] = 3
    TextFile(file, 'a"b', "siem").write(tally, running=True)
    families = {one.name: one for one in text_string_to_metric_families(file.read_text(encoding="utf-8"))}
    assert list(families) == [metric.name for metric in METRICS]
    values = {
        (name, sample.labels.get("reason", "")): sample.value
        for name, one in families.items()
        for sample in one.samples
    }
    assert values["keywatch_redrive_running", ""] == 1
    assert values["keywatch_redrive_replayed", ""] == 7
    assert values["keywatch_redrive_parked", ""] == 2
    assert values["keywatch_redrive_died_again", ""] == 1
    assert values["keywatch_redrive_refused", "too_large"] == 3
    assert values["keywatch_redrive_refused", "malformed"] == 0
    assert {sample.labels["cluster"] for one in families.values() for sample in one.samples} == {'a"b'}
    assert [path.name for path in tmp_path.iterdir()] == ["redrive.prom"]


def test_a_place_that_takes_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotWriteError, match="cannot be written"):
        TextFile(tmp_path / "none" / "x.prom", "c", "d").write(Tally(), running=False)
