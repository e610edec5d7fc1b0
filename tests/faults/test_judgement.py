"""What counts as missed, late, false or wrongly named, without a bed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.faults import strain
from tests.faults.behind import Look, returns
from tests.faults.calm import Calm, unexpected
from tests.faults.catalogue import catalogue
from tests.faults.disturbances import Expected
from tests.faults.document import calm_text
from tests.faults.fault import Case, Fault, Page
from tests.faults.picture import draw
from tests.faults.receiver import PAGER, Notice
from tests.faults.report import Row, matrix
from tests.faults.run import Outcome, judge

INJECTED = 100.0
CASE = Case((Page("KafkaBrokerDown", {"broker": "2"}, "refused"),), lambda: INJECTED, lambda: INJECTED)
FAULT = Fault("H01", "broker killed", lambda *_: CASE)


def notice(after: float, alert: str = "KafkaBrokerDown", broker: str = "2", words: str = "refused") -> Notice:
    return Notice(
        INJECTED + after, PAGER, firing=True, labels={"alertname": alert, "broker": broker}, description=words
    )


def outcome(*notices: Notice, resolved: float | None = 3.0) -> Outcome:
    return judge(FAULT, CASE, INJECTED, resolved, notices)


def test_the_right_page_in_time_is_as_promised() -> None:
    found = outcome(notice(2.5))
    assert found.slowest == 2.5
    assert found.complaints == []


def test_what_is_not_as_promised_is_said() -> None:
    assert outcome().complaints == ["KafkaBrokerDown{broker=2} did not come"]
    assert outcome(notice(5.1)).complaints == ["came after 5.10 s instead of 5 s"]
    assert outcome(notice(2, words="timeout")).complaints == ["KafkaBrokerDown{broker=2} does not say refused: timeout"]
    assert outcome(notice(2), resolved=None).complaints == ["did not resolve"]
    assert outcome(notice(2), resolved=11.0).complaints == ["resolved after 11.00 s"]


def test_what_came_late_is_told_with_how_long_the_machine_held_it_up() -> None:
    late = replace(outcome(notice(5.1)), waits={"for a core": 1.25, "for a disk": 2.0})
    told = "the machine had processes wait meanwhile: for a core 1.2 s, for a disk 2.0 s"
    assert late.complaints == ["came after 5.10 s instead of 5 s", told]
    assert replace(outcome(notice(2.5)), waits={"for a disk": 2.0}).complaints == []


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells")
def test_how_long_processes_waited_is_counted_from_a_moment_on() -> None:
    before = strain.waited()
    assert before["for the host"] >= 0
    earlier = {what: value - 2 for what, value in before.items()}
    assert all(2 <= seconds < 2 + 60 for seconds in strain.since(earlier).values())


def test_another_alert_another_label_and_a_page_before_the_fault_are_false() -> None:
    right = notice(2)
    assert outcome(right, notice(3, "KafkaCanaryFailing")).false == ["KafkaCanaryFailing{broker=2} after 3.0 s"]
    assert outcome(right, notice(3, broker="3")).false == ["KafkaBrokerDown{broker=3} after 3.0 s"]
    assert outcome(right, notice(-1)).false == ["KafkaBrokerDown{broker=2} after -1.0 s"]


def test_what_two_instances_page_each_is_a_double() -> None:
    def by(instance: str, broker: str = "2") -> Notice:
        one = notice(2, broker=broker)
        return Notice(one.at, one.path, one.firing, {**one.labels, "instance": instance}, one.description)

    assert outcome(by("a"), by("b")).false == ["KafkaBrokerDown twice, once for each instance"]
    assert outcome(by("a"), by("a")).false == []


def test_without_a_fault_only_what_was_announced_may_page_and_only_then() -> None:
    page = Page("KafkaBrokerDown", {"broker": "2"})
    expected = [Expected(page, INJECTED, INJECTED + 10)]
    assert unexpected([notice(1), notice(14)], expected) == []
    assert len(unexpected([notice(-1), notice(16), notice(1, broker="3"), notice(1, "KeywatchDown")], expected)) == 4


def test_a_group_that_went_back_is_behind_and_told() -> None:
    ends = {("events", 0): 300, ("events", 1): 7}
    before, after = Look(1, {("events", 0): 298, ("events", 1): -1}, ends), Look(2, {("events", 0): 124}, ends)
    assert (before.records, after.records) == (2, 176)
    assert returns([before, after]) == ["events/0 from 298 to 124, of 300"]
    assert returns([after, before]) == []


def test_what_came_of_a_run_without_faults_is_told() -> None:
    calm = Calm(60.0, {"all cores busy": 7}, 3, ["all cores busy: KeywatchDown"], ["a visit: 176 records behind"])
    text = calm_text(asdict(calm))
    assert text.startswith("60 minutes")
    assert "| all cores busy | 7 |" in text
    assert "- all cores busy: KeywatchDown" in text
    assert "really was behind, as Kafka itself said:\n\n- a visit: 176 records behind" in text


def test_the_picture_shows_the_share_of_runs_in_which_each_alert_paged() -> None:
    row = Row(FAULT, [outcome(notice(2)), outcome(notice(2), notice(3, "KafkaCanaryFailing"))])
    alerts, shares, allowed = matrix([row])
    assert (alerts, shares, allowed) == (["KafkaBrokerDown", "KafkaCanaryFailing"], [[1, 0.5]], [[True, False]])
    texts = [element.text for element in ET.fromstring(draw(["H01 <&>"], alerts, shares, allowed)).iter()]  # noqa: S314 - our own
    assert {"H01 <&>", "100", "50", "KafkaCanaryFailing"} <= set(texts)


def test_every_hard_fault_of_the_catalogue_is_made() -> None:
    ids = [fault.id for fault in catalogue()]
    assert len(ids) == len(set(ids))
    numbers = [*range(1, 24), *range(25, 29)]
    assert {one.split()[0] for one in ids} == {*(f"H{number:02}" for number in numbers), "H06b"}
