"""What answers that hurt cost in the process itself: CPU seconds, and the longest piece that holds the event loop."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable

from keywatch.engine.slices import Pieces
from keywatch.kafka.wire.codec import Reader, WireError, Writer
from keywatch.kafka.wire.requests import read_metadata
from keywatch.probes.reconciliation.balance import Reconciliation
from keywatch.probes.reconciliation.counters import EventSeries, counts, reading_counts
from keywatch.probes.reconciliation.tally import CountKey
from tests.bench.figures import Figure

_CLOCK = b"process_start_time_seconds 100.5\nprocess_uptime_seconds 20.25\n"
_SERIES = 90_000
_BROKERS = 2_000_000
_AHEAD = 3 * 365 * 86_400.0


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Feed each parser what took longest before it was linear or bounded, and the balance what nobody expects."""
    say("a page of Keycloak's with one long word")
    word = _took(lambda: counts(_CLOCK + b"keycloak_user_events_total{" + b"a" * 32_000 + b"} 1\n", 0.0, 0.0))
    line = b"keycloak_user_events_total{" + b"a" * 8_000_000 + b"} 1\n"
    whole = _took(lambda: counts(_CLOCK + line, 0.0, 0.0))
    say("a page of Keycloak's with very many series")
    series = (b'keycloak_user_events_total{error="",event="login",realm="realm%d",} 1.0\n' % i for i in range(_SERIES))
    page, known = _CLOCK + b"".join(series), dict[bytes, EventSeries]()
    longest, spent = _pieces(reading_counts(page, 0.0, 0.0, known))
    again = _took(lambda: counts(page, 0.0, 0.0))
    say("metadata with two million brokers")
    broker = Writer().int32(1).string("k").int32(9092).string(None).done()
    reply = Writer().int32(0).int32(_BROKERS).done() + broker * _BROKERS
    brokers = _took(lambda: _refused(reply))
    say("events of a clock that is years ahead, and kinds in which nothing happens")
    ahead = _ahead()
    few, many = _kinds(1000, 50), _kinds(5000, 50)
    return [
        Figure(
            "a word of 32 kB, and one of 8 MB, among the labels of Keycloak's metrics",
            "≤ 10 ms, ≤ 0.5 s of CPU",
            f"{word * 1e3:.1f} ms, {whole * 1e3:.0f} ms",
            word <= 0.01 and whole <= 0.5,
        ),
        Figure(
            f"a page of Keycloak's metrics with {_SERIES:,} series of events, {len(page) / 1e6:.1f} MB",
            "longest piece ≤ 20 ms",
            f"longest piece {longest * 1e3:.0f} ms, {spent:.2f} s of CPU at first, {again:.2f} s in one piece",
            longest <= 0.02,
        ),
        Figure(
            f"metadata that names {_BROKERS:,} brokers, {len(reply) / 1e6:.0f} MB",
            "refused in ≤ 1 ms",
            f"{brokers * 1e3:.2f} ms",
            brokers <= 0.001,
        ),
        Figure(
            "a sample of the reconciliation after 100,000 events of a clock that is three years ahead",
            "≤ 50 ms of CPU, none of them kept",
            f"{ahead[0] * 1e3:.0f} ms, {ahead[1]} kept; the next one {ahead[2] * 1e3:.2f} ms",
            ahead[0] <= 0.05 and not ahead[1],
        ),
        Figure(
            "sample and judgement of 1,000 and 5,000 kinds of events, 50 of which happen",
            "≤ 5 ms of CPU; five times the kinds ≤ three times as much",
            f"{few * 1e3:.2f} ms, {many * 1e3:.2f} ms",
            many <= 0.005 and many <= 3 * few,
        ),
    ]


def _took(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _pieces(work: Pieces[object]) -> tuple[float, float]:
    """Return the longest piece and the sum of all, in CPU seconds; without what collecting this process costs."""
    taken = []
    gc.disable()
    try:
        begun = time.process_time()
        for _ in work:
            now = time.process_time()
            taken.append(now - begun)
            begun = now
    finally:
        gc.enable()
    return max(taken), sum(taken)


def _refused(reply: bytes) -> None:
    with contextlib.suppress(WireError):
        read_metadata(Reader(reply))


def _ahead() -> tuple[float, int, float]:
    kind = CountKey("r", "login", "success")
    balance = Reconciliation(10.0, 60.0)
    balance.sample(0.0, 0.0, 0.0, {kind: 0}, 0)
    for _ in range(100_000):
        balance.arrived(kind, _AHEAD)
    first = _took(lambda: balance.sample(1.0, 1.0, 1.0, {kind: 100_000}, 0))
    left = balance._beyond
    return first, left, _took(lambda: balance.sample(2.0, 2.0, 2.0, {kind: 100_000}, 0))


def _kinds(every: int, busy: int) -> float:
    """Return the CPU seconds of one second of the balance, after a hundred of them."""
    kinds = [CountKey(f"r{number % 100}", f"e{number}", "success") for number in range(every)]
    balance, counted = Reconciliation(10.0, 60.0), dict.fromkeys(kinds, 0)

    def second(now: float) -> None:
        for kind in kinds[:busy]:
            counted[kind] += 1
            balance.arrived(kind, now - 0.5)
        balance.sample(now, now, now, counted, 0)
        balance.judge(now, 0.0)

    for now in range(100):
        second(float(now))
    return min(_took(lambda now=now: second(float(now))) for now in range(100, 110))  # type: ignore[misc]
