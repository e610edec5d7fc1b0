"""Series that are kept are rendered as if they were made anew each time, and only rendered where they changed."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.exposition import render, rendering, selection
from keywatch.engine.probe import Sample
from keywatch.engine.series import Labels, LatestSeries, MetricSeries, Rows, SeriesSet, prefix
from keywatch.engine.slices import at_once
from keywatch.engine.store import Key, Store
from keywatch.metrics import cluster as cat
from keywatch.metrics.metric import Metric
from tests.exporter.fakes.states import NOW, ODD, WALL

KEY = Key("kafka", "offsets", "")
EVERYTHING = selection([])
# Topic → partition → end offset, cycle after cycle.
STATES = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "100%s", ODD]),
        st.dictionaries(st.integers(0, 4), st.one_of(st.integers(0, 3), st.floats(allow_nan=False)), min_size=1),
    ),
    max_size=6,
)


class Keeper:
    """Keeps the series of topics, as a probe does."""

    def __init__(self) -> None:
        self._topics: dict[str, LatestSeries] = {}
        self._rows: dict[tuple[str, tuple[int, ...]], Rows] = {}

    def tell(self, state: dict[str, dict[int, float]]) -> SeriesSet:
        """Return the series of a state; those that say the same are the same."""
        series = []
        for topic, ends in state.items():
            key = (topic, tuple(ends))
            rows = self._rows.setdefault(key, Rows([("kafka", topic, str(index)) for index in ends]))
            latest = self._topics.setdefault(topic, LatestSeries())
            series.append(latest.record(cat.PARTITION_END_OFFSET, rows, list(ends.values())))
            series.append(latest.record(cat.PARTITION_START_OFFSET, rows, [0] * len(ends)))
        return SeriesSet(series, [Sample(cat.CLUSTER_UP, ("kafka",), 1.0)])


def anew(state: dict[str, dict[int, float]]) -> bytes:
    store = Store()
    ends = [
        Sample(metric, ("kafka", topic, str(index)), float(end) if metric is cat.PARTITION_END_OFFSET else 0.0)
        for metric in (cat.PARTITION_END_OFFSET, cat.PARTITION_START_OFFSET)
        for topic, ends in state.items()
        for index, end in ends.items()
    ]
    store.replace(KEY, [Sample(cat.CLUSTER_UP, ("kafka",), 1.0), *ends], WALL, NOW)
    return render(store, EVERYTHING, openmetrics=False)


@given(STATES)
def test_rendering_what_changed_gives_what_rendering_everything_gives(
    states: list[dict[str, dict[int, float]]],
) -> None:
    store, keeper = Store(), Keeper()
    for state in states:
        told = keeper.tell(state)
        store.replace(KEY, told, WALL, NOW)
        assert render(store, EVERYTHING, openmetrics=False) == anew(state)
        assert len(told) == len(list(told)) == 1 + 2 * sum(len(ends) for ends in state.values())


def test_only_what_changed_is_rendered_again() -> None:
    store, keeper = Store(), Keeper()
    store.replace(KEY, keeper.tell({"a": {0: 1, 1: 1}, "b": {0: 5}}), WALL, NOW)
    render(store, EVERYTHING, openmetrics=False)
    with mock.patch("keywatch.engine.series.Rows.template", autospec=True, side_effect=Rows.template) as templates:
        store.replace(KEY, keeper.tell({"a": {0: 1, 1: 1}, "b": {0: 6}}), WALL, NOW)
        render(store, EVERYTHING, openmetrics=False)
    assert [call.args[0].labels for call in templates.call_args_list] == [(("kafka", "b", "0"),)]


def test_loose_samples_that_say_the_same_are_not_rendered_again() -> None:
    store = Store()
    up = [Sample(cat.BROKER_UP, ("kafka", "1"), 1.0)]
    store.replace(KEY, up, WALL, NOW)
    render(store, EVERYTHING, openmetrics=False)
    with mock.patch("keywatch.engine.series.Rows.template", autospec=True, side_effect=Rows.template) as templates:
        store.replace(KEY, [*up], WALL, NOW)
        render(store, EVERYTHING, openmetrics=False)
        assert not templates.called
        store.replace(KEY, [up[0]._replace(value=0.0)], WALL, NOW)
        assert b'keywatch_broker_up{cluster="kafka",broker="1"} 0\n' in render(store, EVERYTHING, openmetrics=False)


def test_there_are_other_series_for_other_rows_values_or_notes() -> None:
    latest, rows = LatestSeries(), Rows([("kafka", "a")])
    first = latest.record(cat.TOPIC_PARTITIONS, rows, [3])
    assert latest.record(cat.TOPIC_PARTITIONS, rows, [3]) is first
    assert latest.record(cat.TOPIC_PARTITIONS, rows, [4]).values == (4,)
    noted = latest.record(cat.TOPIC_PARTITIONS, rows, [4], ("worse",))
    assert list(noted.samples()) == [Sample(cat.TOPIC_PARTITIONS, ("kafka", "a"), 4.0, "worse")]
    assert latest.record(cat.TOPIC_PARTITIONS, Rows([("kafka", "b")]), [4]).notes is None


def test_noted_samples_are_found_among_many() -> None:
    quiet = MetricSeries(cat.TOPIC_PARTITIONS, Rows([("kafka", "a")]), [3])
    bad = MetricSeries(
        cat.TOPIC_PARTITIONS_OFFLINE, Rows([("kafka", "a"), ("kafka", "b")]), [0, 2], (None, "2 offline")
    )
    loose = Sample(cat.CLUSTER_UP, ("kafka",), 0.0, "down")
    assert [sample.note for sample in SeriesSet([quiet, bad], [loose]).noted()] == ["down", "2 offline"]
    assert Sample(cat.TOPIC_PARTITIONS, ("kafka", "a"), 3.0) in SeriesSet([quiet])


def test_a_scrape_tells_what_the_store_held_when_it_began() -> None:
    store, keeper = Store(), Keeper()
    store.replace(KEY, keeper.tell({"a": {0: 1}}), WALL, NOW)
    pieces = rendering(store, EVERYTHING, openmetrics=False)
    next(pieces)
    store.expire(NOW + 100)
    store.replace(KEY, keeper.tell({"b": {0: 2}}), WALL, NOW)
    assert at_once(pieces) == anew({"a": {0: 1}})


def test_no_piece_of_rendering_writes_many_lines_however_many_one_thing_has() -> None:
    store = Store()
    rows = Rows([("kafka", "wide", str(index)) for index in range(5_500)])
    wide = MetricSeries(cat.PARTITION_END_OFFSET, rows, range(5_500))
    narrow = [MetricSeries(cat.TOPIC_PARTITIONS, Rows([("kafka", f"t{index}")]), [1]) for index in range(3_000)]
    counters = [Sample(cat.BROKER_FAILURES_TOTAL, ("kafka", str(index), "reset"), 1.0) for index in range(3_000)]
    store.replace(KEY, SeriesSet([wide, *narrow], counters), WALL, NOW)
    for _ in range(3):
        written: list[int] = [0]

        def count(metric: Metric, labels: Labels, written: list[int] = written) -> str:
            written[-1] += 1
            return prefix(metric, labels)

        with (
            mock.patch("keywatch.engine.series.prefix", count),
            mock.patch("keywatch.engine.exposition._prefix", count),
        ):
            pieces = rendering(store, EVERYTHING, openmetrics=False)
            while True:
                try:
                    next(pieces)
                except StopIteration as end:
                    page = end.value
                    break
                written.append(0)
        assert max(written) <= 1_500
        assert page.count(b"\nkeywatch_partition_end_offset{") == 5_500
        assert b'keywatch_partition_end_offset{cluster="kafka",topic="wide",partition="5499"} 5499\n' in page
        assert page.count(b"\nkeywatch_topic_partitions{") == page.count(b"\nkeywatch_broker_failures_total{") == 3_000
