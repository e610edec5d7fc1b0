"""Series that are made once and rendered once: those of a metric that say the same stay the same object."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from keywatch.engine.distribution import Distribution
from keywatch.engine.probe import Sample
from keywatch.engine.slices import Pieces, at_once
from keywatch.metrics.metric import Metric
from keywatch.names import shortened
from keywatch.surfaces import label

Labels = tuple[str, ...]
Value = float | int
Notes = tuple[str | None, ...]
Observations = tuple[Metric, Labels, Distribution]
_ROWS_PER_PIECE = 1000


class Rows:
    """The labels of many series, made once; so is each metric's text around the values, where values change."""

    __slots__ = ("_templates", "labels", "widths")

    def __init__(self, labels: Sequence[Labels]) -> None:
        self.labels = tuple(labels)
        self.widths = frozenset(map(len, self.labels))
        """How many labels each of them has: one number, or somebody made a mistake."""
        self._templates: dict[tuple[Metric, int], str | None] = {}

    def template(self, metric: Metric, start: int = 0) -> str:
        """Return the metric's lines with `%s` in place of each value: those of one piece, from row `start` on."""
        key = metric, start
        found = self._templates.get(key)
        if found is None:
            rows = self.labels[start : start + _ROWS_PER_PIECE]
            found = "%s\n".join([*[prefix(metric, labels).replace("%", "%%") for labels in rows], ""])
            # Kept from the second time on: most series of a large cluster never change, and the text is half of it.
            self._templates[key] = found if key in self._templates else None
        return found


class MetricSeries:
    """The values of one gauge, one a row, with a note where a value means trouble; never changed once it is made."""

    __slots__ = ("_rendered", "metric", "notes", "rows", "values")

    def __init__(self, metric: Metric, rows: Rows, values: Sequence[Value], notes: Notes | None = None) -> None:
        """Raises `ValueError` when labels, values and notes do not fit together: who made them has the defect."""
        if not rows.widths <= {len(metric.labels)} or len(values) != len(rows.labels):
            found = "/".join(map(str, rows.widths))
            raise ValueError(f"{metric}: {found} labels in place of {len(metric.labels)}, {len(values)} values")
        if notes is not None and len(notes) != len(values):
            raise ValueError(f"{metric}: {len(notes)} notes for {len(values)} values")
        self.metric = metric
        self.rows = rows
        self.values = tuple(values)
        self.notes = notes
        self._rendered: bytes | None = None

    @property
    def is_rendered(self) -> bool:
        """Whether its lines are known, so that rendering costs nothing."""
        return self._rendered is not None

    def render(self) -> bytes:
        """Return the lines of the text format, which both formats share for gauges."""
        return at_once(self.rendering())

    def rendering(self) -> Pieces[bytes]:
        """Render as `render` does, in pieces: of one topic or group there may be a hundred thousand partitions."""
        if self._rendered is None:
            parts: list[bytes] = []
            for start in range(0, len(self.values), _ROWS_PER_PIECE):
                if start:
                    yield
                # Almost all values are whole, and told as such by the probes that have many.
                values = self.values[start : start + _ROWS_PER_PIECE]
                written = tuple([value if type(value) is int else number(value) for value in values])
                parts.append((self.rows.template(self.metric, start) % written).encode())
            self._rendered = b"".join(parts)
        return self._rendered

    def samples(self) -> Iterator[Sample]:
        """Return the samples one by one."""
        for index, (labels, value) in enumerate(zip(self.rows.labels, self.values, strict=True)):
            yield Sample(self.metric, labels, float(value), self.notes[index] if self.notes else None)

    def noted(self) -> Iterator[Sample]:
        """Return the samples that mean trouble."""
        for labels, value, note in zip(self.rows.labels, self.values, self.notes or (), strict=False):
            if note is not None:
                yield Sample(self.metric, labels, float(value), note)


class LatestSeries:
    """The series of one thing, such as a group or a topic: of each metric those last made."""

    __slots__ = ("_series",)

    def __init__(self) -> None:
        self._series: dict[Metric, MetricSeries] = {}

    def record(self, metric: Metric, rows: Rows, values: Sequence[Value], notes: Notes | None = None) -> MetricSeries:
        """Return series that say this: those before if they say the same, so that they are not rendered again."""
        known = self._series.get(metric)
        values = tuple(values)
        if known is not None and known.rows is rows and known.values == values and known.notes == notes:
            return known
        made = self._series[metric] = MetricSeries(metric, rows, values, notes)
        return made


class SeriesSet(Collection[Sample]):
    """What a probe of many series tells: series of gauges, and loose samples; to others a collection of samples.

    Beside them stand histograms' `distributions`: observations too many to be a sample each.
    """

    def __init__(
        self, series: Sequence[MetricSeries], loose: Sequence[Sample] = (), distributions: Sequence[Observations] = ()
    ) -> None:
        self.series = tuple(series)
        self.loose = tuple(loose)
        self.distributions = tuple(distributions)

    def __iter__(self) -> Iterator[Sample]:
        """Return every sample; whoever can deal with series need not."""
        return chain(self.loose, chain.from_iterable(one.samples() for one in self.series))

    def __len__(self) -> int:
        return len(self.loose) + sum(len(one.values) for one in self.series)

    def __contains__(self, sample: object) -> bool:
        return any(sample == one for one in self)

    def noted(self) -> Iterator[Sample]:
        """Return the samples that mean trouble."""
        loose = (sample for sample in self.loose if sample.note is not None)
        return chain(loose, chain.from_iterable(one.noted() for one in self.series if one.notes is not None))

    def metrics(self) -> set[Metric]:
        """Return what it tells about."""
        return {sample.metric for sample in self.loose} | {one.metric for one in self.series}

    def joined_by(self, *samples: Sample) -> SeriesSet:
        """Return it with more loose samples."""
        return SeriesSet(self.series, (*self.loose, *samples), self.distributions)


def check(samples: Collection[Sample]) -> None:
    """Refuse samples that could not be told: too few labels or too many, or what is no text or number.

    One such sample would end the page of all of them. Raises `TypeError` or `ValueError`, whose text names the metric.
    """
    for metric, labels, value, _ in samples.loose if isinstance(samples, SeriesSet) else samples:
        _check(metric, labels)
        try:
            0.0 + value
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{metric}: {type(value).__name__} that is no number for a series") from None
    for metric, labels, _ in samples.distributions if isinstance(samples, SeriesSet) else ():
        _check(metric, labels)


def _check(metric: Metric, labels: Labels) -> None:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric}: {len(labels)} labels in place of {len(metric.labels)}")
    try:
        "".join(labels)
    except TypeError:
        raise TypeError(f"{metric}: a label that is no text") from None


def number(value: Value) -> str:
    """Write a value; whole numbers without a fraction, because they are the most and shorter."""
    if math.isfinite(value):
        return str(int(value)) if value == int(value) else repr(value)
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def prefix(metric: Metric, labels: Labels) -> str:
    """Write a series' line up to its value."""
    written = pairs(metric, labels)
    return f"{metric.name}{{{written}}} " if written else f"{metric.name} "


def pairs(metric: Metric, labels: Labels) -> str:
    """Write the labels between the braces."""
    return ",".join(
        [f'{name}="{_escape(shortened(value))}"' for name, value in zip(metric.labels, labels, strict=True)]
    )


def shown(metric: Metric, labels: Labels) -> dict[str, str]:
    """Return the labels as people see them, by name."""
    return {name: shortened(value) for name, value in zip(metric.labels, labels, strict=True)}


def _escape(value: str) -> str:
    return label(value)
