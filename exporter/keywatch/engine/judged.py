"""Adds to a probe's samples what is wrong by their values alone: gauges beyond a bound, counters that rose lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from keywatch.engine.probe import Sample
from keywatch.engine.series import Labels, SeriesSet
from keywatch.metrics.metric import Metric
from keywatch.metrics.trouble import COUNTERS, GAUGES, Counted

# A window is kept as so many sums, not as each rise.
_PARTS = 15


class RecentRises:
    """How much the counters of one probe rose within their windows."""

    def __init__(self) -> None:
        self._rises: dict[tuple[Metric, Labels], deque[tuple[float, float]]] = {}
        self._notes: dict[tuple[Metric, Labels], str] = {}
        """What was said of the newest rise."""

    def add(self, sample: Sample, counted: Counted, now: float) -> None:
        """Take a counter's increment; `now` in Unix time."""
        if sample.value <= 0 or (counted.only is not None and sample.labels[-1] not in counted.only):
            return
        if sample.note is not None:
            self._notes[sample.metric, sample.labels] = sample.note
        rises = self._rises.setdefault((sample.metric, sample.labels), deque())
        if rises and 0 <= now - rises[-1][0] < counted.window / _PARTS:
            rises[-1] = (rises[-1][0], rises[-1][1] + sample.value)
        else:
            rises.append((now, sample.value))

    def samples(self, now: float) -> Iterator[Sample]:
        """Return, with its note, the sum of what each rose by within its window."""
        for key, rises in list(self._rises.items()):
            counted = COUNTERS[key[0]]
            while rises and not 0 <= now - rises[0][0] < counted.window:  # also when the clock was set back
                rises.popleft()
            if not rises:
                del self._rises[key]
                self._notes.pop(key, None)
                continue
            total = sum(count for _, count in rises)
            words = counted.words(key[1], total)
            yield Sample(*key, total, f"{words}; {self._notes[key]}" if key in self._notes else words)


def noted(samples: Collection[Sample], rises: RecentRises, now: float) -> Iterator[Sample]:
    """Return the samples that mean trouble, whether their probe says so or their values do; adds to `rises`."""
    loose: Collection[Sample] = samples
    if isinstance(samples, SeriesSet):
        loose = samples.loose
        for one in samples.series:
            if one.metric in GAUGES:
                yield from filter(None, (_judged(sample, now) for sample in one.samples()))
            elif one.notes is not None:
                yield from one.noted()
    for sample in loose:
        counted = COUNTERS.get(sample.metric)
        if counted is not None:
            rises.add(sample, counted, now)
        elif (found := _judged(sample, now)) is not None:
            yield found
    yield from rises.samples(now)


def _judged(sample: Sample, now: float) -> Sample | None:
    judge = GAUGES.get(sample.metric)
    words = judge(sample.labels, sample.value, now) if judge is not None else None
    if words is None:
        return sample if sample.note is not None else None
    return sample._replace(note=words if sample.note is None else f"{sample.note}; {words}")
