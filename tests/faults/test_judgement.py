"""What counts as missed, late, false or wrongly named, without a bed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.faults.catalogue import catalogue
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


def test_another_alert_another_label_and_a_page_before_the_fault_are_false() -> None:
    right = notice(2)
    assert outcome(right, notice(3, "KafkaCanaryFailing")).false == ["KafkaCanaryFailing{broker=2} after 3.0 s"]
    assert outcome(right, notice(3, broker="3")).false == ["KafkaBrokerDown{broker=3} after 3.0 s"]
    assert outcome(right, notice(-1)).false == ["KafkaBrokerDown{broker=2} after -1.0 s"]


def test_the_picture_shows_the_share_of_runs_in_which_each_alert_paged() -> None:
    row = Row(FAULT, [outcome(notice(2)), outcome(notice(2), notice(3, "KafkaCanaryFailing"))])
    alerts, shares, allowed = matrix([row])
    assert (alerts, shares, allowed) == (["KafkaBrokerDown", "KafkaCanaryFailing"], [[1, 0.5]], [[True, False]])
    texts = [element.text for element in ET.fromstring(draw(["H01 <&>"], alerts, shares, allowed)).iter()]  # noqa: S314 - our own
    assert {"H01 <&>", "100", "50", "KafkaCanaryFailing"} <= set(texts)


def test_every_hard_fault_of_the_catalogue_is_made() -> None:
    ids = [fault.id for fault in catalogue()]
    assert len(ids) == len(set(ids))
    assert {one.split()[0] for one in ids} == {f"H{number:02}" for number in range(1, 23)}
