"""A thing is down after so many misses in a row and up after one answer, each reason told on both edges."""

from __future__ import annotations

from keywatch.engine.failure_counter import FailureCounter
from keywatch.engine.probe import Reason, Sample
from keywatch.engine.verdict import Verdict
from keywatch.metrics.cluster import BROKER_DOWN_REASON, BROKER_FAILURES_TOTAL, BROKER_UP

LABELS = ("kafka", "1")


def told(verdict: Verdict) -> list[Sample]:
    return verdict.samples(BROKER_UP, BROKER_DOWN_REASON, LABELS)


def test_nothing_is_said_before_there_is_a_verdict() -> None:
    verdict = Verdict(misses=2)
    assert (verdict.up, verdict.doubtful, verdict.next_decides) == (None, True, False)
    assert told(verdict) == []
    verdict.failed(Reason.REFUSED, "nobody listens")
    assert (verdict.up, verdict.doubtful, verdict.next_decides) == (None, True, True)
    assert told(verdict) == []


def test_so_many_misses_in_a_row_are_down_and_one_answer_is_up() -> None:
    verdict = Verdict(misses=2)
    verdict.answered()
    assert told(verdict) == [Sample(BROKER_UP, LABELS, 1.0)]
    verdict.failed(Reason.RESET, "closed")
    assert told(verdict) == [Sample(BROKER_UP, LABELS, 1.0)]
    verdict.answered()
    verdict.failed(Reason.RESET, "closed")
    assert verdict.up, "the miss before the answer does not count any more"
    verdict.failed(Reason.REFUSED, "nobody listens")
    assert (verdict.up, verdict.reason, verdict.doubtful) == (False, Reason.REFUSED, False)
    assert told(verdict) == [
        Sample(BROKER_UP, LABELS, 0.0, "down, refused: nobody listens"),
        Sample(BROKER_DOWN_REASON, (*LABELS, "refused"), 1.0),
    ]
    verdict.answered()
    assert told(verdict) == [Sample(BROKER_UP, LABELS, 1.0), Sample(BROKER_DOWN_REASON, (*LABELS, "refused"), 0.0)]


def test_the_reason_that_holds_is_1_and_those_that_held_are_0() -> None:
    verdict = Verdict()
    assert verdict.next_decides
    verdict.failed(Reason.REFUSED, "nobody listens")
    told(verdict)
    verdict.failed(Reason.TIMEOUT_RESPONSE, "no answer")
    samples = verdict.samples(BROKER_UP, BROKER_DOWN_REASON, LABELS, bad="records do not cross")
    assert samples[0].note == "records do not cross, timeout_response: no answer"
    assert {sample.labels[-1]: sample.value for sample in samples[1:]} == {"refused": 0.0, "timeout_response": 1.0}


def test_common_reasons_are_counted_from_0_on_the_first_call_only() -> None:
    counter = FailureCounter(BROKER_FAILURES_TOTAL, LABELS)
    first = counter.samples([Reason.DNS])
    assert first[0] == Sample(BROKER_FAILURES_TOTAL, (*LABELS, "dns"), 1.0)
    assert {sample.labels[-1] for sample in first[1:]} == {"refused", "reset", "timeout_connect", "timeout_response"}
    assert {sample.value for sample in first[1:]} == {0.0}
    assert counter.samples([]) == []


def test_what_keywatch_lacks_is_no_verdict_and_is_told_until_something_was_asked() -> None:
    verdict = Verdict()
    verdict.answered()
    for _ in range(3):
        verdict.failed(Reason.EXHAUSTED, "keywatch itself: Too many open files")
    (sample,) = told(verdict)
    assert (sample.value, sample.note) == (
        1.0,
        "could not be asked, exhausted: keywatch itself: Too many open files",
    )
    verdict.failed(Reason.REFUSED, "nobody listens")
    up, *_ = told(verdict)
    assert (up.value, up.note) == (0.0, "down, refused: nobody listens")


def test_what_hangs_still_hangs_when_its_queue_of_connections_is_full() -> None:
    verdict = Verdict(2)
    verdict.answered()
    for reason in (Reason.TIMEOUT_RESPONSE, Reason.TIMEOUT_RESPONSE, Reason.TIMEOUT_CONNECT):
        verdict.failed(reason, "no TCP connection in 1 s")
    assert verdict.reason is Reason.TIMEOUT_RESPONSE
    away = Verdict(2)
    away.answered()
    for reason in (Reason.TIMEOUT_RESPONSE, Reason.TIMEOUT_CONNECT):
        away.failed(reason, "a host that is gone answers nobody, and new connections are what tells")
    assert away.reason is Reason.TIMEOUT_CONNECT


def test_one_that_spoke_tls_and_went_silent_hangs_whatever_the_handshake_says() -> None:
    verdict = Verdict(misses=2)
    verdict.answered()
    verdict.failed(Reason.TIMEOUT_RESPONSE, "no answer")
    verdict.failed(Reason.TIMEOUT_TLS, "no handshake")
    assert verdict.reason is Reason.TIMEOUT_RESPONSE
    verdict.failed(Reason.TIMEOUT_TLS, "no handshake")
    notes = [sample.note for sample in told(verdict) if sample.note]
    assert notes == ["down, timeout_response: no handshake; it answered before, so it hangs"]


def test_the_handshake_is_to_blame_where_there_was_no_answer_or_something_else_came_between() -> None:
    fresh, restarted = Verdict(), Verdict()
    restarted.answered()
    restarted.failed(Reason.REFUSED, "nobody listens")
    for verdict in (fresh, restarted):
        verdict.failed(Reason.TIMEOUT_TLS, "no handshake")
        assert verdict.reason is Reason.TIMEOUT_TLS
