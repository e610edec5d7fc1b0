"""The functions of PromQL: what they take, what they give, and since when."""

from __future__ import annotations

from typing import Final, NamedTuple

from keywatch.rules.prometheus import Prometheus, Release
from keywatch.rules.promql.tree import Kind

_KINDS: Final[dict[str, Kind]] = {"v": "instant vector", "m": "range vector", "s": "scalar", "t": "string"}
ANY_NUMBER: Final = -1


class Function(NamedTuple):
    """One function."""

    takes: tuple[Kind, ...]
    gives: Kind = "instant vector"
    more: int = 0
    """How many arguments may stand beyond all but the last of `takes`, of the last one's kind; `ANY_NUMBER`."""
    since: Release = (2, 0)
    stable: Release | None = (2, 0)
    """Since when without the flag of experimental functions; none: never yet."""
    until: Release | None = None

    def known(self, prometheus: Prometheus) -> bool:
        """Return whether that Prometheus has it, with a flag or without."""
        return self.since <= prometheus.release and (self.until is None or prometheus.release < self.until)

    def allowed(self, prometheus: Prometheus) -> bool:
        """Return whether that Prometheus takes it as it was started."""
        return prometheus.flagged(self.since, self.stable)


def _of(takes: str, gives: str = "v", more: int = 0) -> Function:
    return Function(tuple(_KINDS[sign] for sign in takes), _KINDS[gives], more)


def _named(names: str, function: Function) -> dict[str, Function]:
    return dict.fromkeys(names.split(), function)


def _experimental(function: Function, since: Release) -> Function:
    return function._replace(since=since, stable=None)


_MATH = (
    "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_count histogram_sum ln log10 "
    "log2 rad sgn sin sinh sort sort_desc sqrt tan tanh timestamp"
)
_TIME = "day_of_month day_of_week day_of_year days_in_month hour minute month year"
_OVER_TIME = (
    "absent_over_time avg_over_time changes count_over_time delta deriv idelta increase irate last_over_time "
    "max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time"
)

FUNCTIONS: Final[dict[str, Function]] = {
    **_named(_MATH, _of("v")),
    **_named(_TIME, _of("v", more=1)),
    **_named(_OVER_TIME, _of("m")),
    **_named("clamp_max clamp_min", _of("vs")),
    **_named("pi time", _of("", "s")),
    "clamp": _of("vss"),
    "histogram_fraction": _of("ssv"),
    "histogram_quantile": _of("sv"),
    "label_join": _of("vttt", more=ANY_NUMBER),
    "label_replace": _of("vtttt"),
    "predict_linear": _of("ms"),
    "quantile_over_time": _of("sm"),
    "round": _of("vs", more=1),
    "scalar": _of("v", "s"),
    "vector": _of("s"),
    "holt_winters": _of("mss")._replace(until=(3, 0)),
    "histogram_avg": _of("v")._replace(since=(2, 51), stable=(2, 51)),
    **_named("histogram_stddev histogram_stdvar", _of("v")._replace(since=(2, 47), stable=(2, 47))),
    "first_over_time": _of("m")._replace(since=(3, 7), stable=(3, 14)),
    "double_exponential_smoothing": _experimental(_of("mss"), (3, 0)),
    "mad_over_time": _experimental(_of("m"), (2, 49)),
    **_named("sort_by_label sort_by_label_desc", _experimental(_of("vt", more=ANY_NUMBER), (2, 49))),
    "info": _experimental(_of("vv", more=1), (2, 55)),
    **_named("ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time", _experimental(_of("m"), (3, 5))),
    "ts_of_first_over_time": _experimental(_of("m"), (3, 7)),
    "histogram_quantiles": _experimental(_of("vtss", more=9), (3, 11)),
    **_named("end range start step", _experimental(_of("", "s"), (3, 12))),
    **_named("max_of min_of", _experimental(_of("ss", "s"), (3, 13))),
    "start_timestamp": _experimental(_of("v"), (3, 14)),
    "integral": _experimental(_of("ms", more=1), (3, 16)),
}

AGGREGATIONS: Final[dict[str, Kind | None]] = {
    **dict.fromkeys(("sum", "avg", "count", "min", "max", "group", "stddev", "stdvar")),
    **dict.fromkeys(("topk", "bottomk", "quantile", "limitk", "limit_ratio"), "scalar"),
    "count_values": "string",
}
"""Aggregation → the kind of its parameter, if it has one."""
EXPERIMENTAL_AGGREGATIONS: Final[dict[str, Release]] = {"limitk": (2, 54), "limit_ratio": (2, 54)}
