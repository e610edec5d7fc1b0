"""Does anything emit the series that rules ask for, as far as the user has told what exists?"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from keywatch.config.files import FileError, contents
from keywatch.config.yaml_file import ConfigError
from keywatch.rules.decoding import Field, Group, Problem, Rule
from keywatch.rules.expression import Selection, selected
from keywatch.rules.loading import Loader
from keywatch.rules.meaning import queries
from keywatch.rules.promql.parser import parsed
from keywatch.rules.promql.tree import PromqlError

Labels = frozenset[str] | None
"""The labels of a series; none when they are not known: targets and relabelling add some that a page does not show."""
_MOST_PAGE: Final = 64 * 1024 * 1024
_MOST_HINTS: Final = 20
_MOST_ALIKE: Final = 5000
_LONGER: Final = 3
_NAME: Final = re.compile(r"[^\s{#][^\s{]*")
# Prometheus makes these itself, of scrapes and of alerts.
OF_PROMETHEUS: Final = frozenset(
    {"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added"}
    | {"scrape_samples_post_metric_relabeling", "scrape_timeout_seconds", "scrape_sample_limit"}
    | {"scrape_body_size_bytes"}
)


def of_page(path: Path) -> Iterator[str]:
    """Return the series of a saved page of /metrics; raises `ConfigError`."""
    try:
        for family in text_string_to_metric_families(_text(path)):
            for sample in family.samples:
                yield sample.name
    except ValueError as error:
        raise ConfigError(f"{path}: is no page of /metrics: {error}") from None


def of_list(path: Path) -> Iterator[str]:
    """Return the names of a list, one in a line, `#` before comments; raises `ConfigError`."""
    for line in _text(path).splitlines():
        if found := _NAME.match(line.strip()):
            yield found[0]


def _text(path: Path) -> str:
    try:
        return contents(path, _MOST_PAGE).decode()
    except FileError as error:
        raise ConfigError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: byte {error.start} is wrong") from None


def asked(groups: Sequence[Group], loader: Loader) -> Iterator[tuple[Rule, str, Field, Selection]]:
    """Return each selector of the rules, with the key and text that it stands in."""
    for group in groups:
        for rule in group.rules:
            if rule.expr is not None and rule.place in loader.expressions:
                for selection in selected(loader.expressions[rule.place]):
                    yield rule, "expr", rule.expr, selection
            for section, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
                for key, value in texts.items():
                    template = loader.templates.get((*rule.place, section, key))
                    for _, text in queries(template) if template else ():
                        try:
                            tree = parsed(text, loader.prometheus)
                        except PromqlError:
                            continue
                        for selection in selected(tree):
                            yield rule, f"{section}.{key}", value, selection


class Emitted:
    """What exists."""

    def __init__(self, series: Mapping[str, Labels], recorded: Iterable[str]) -> None:
        """Know these series, and those that rules record."""
        self._series: dict[str, Labels] = {**dict.fromkeys(recorded), **dict.fromkeys(OF_PROMETHEUS), **series}
        self._hints = 0

    def problems(self, groups: Sequence[Group], loader: Loader) -> Iterator[Problem]:
        """Say which series and labels nothing emits, each once in a rule."""
        told: set[tuple[object, str]] = set()
        for rule, key, value, selection in asked(groups, loader):
            words = self._problem(selection)
            if words and (rule.place, words) not in told:
                told.add((rule.place, words))
                place = max(value.text.find(selection.name), 0)
                yield Problem(value.line_at(place), (*rule.place, *key.split(".", 1)), words, rule.name)

    def _problem(self, selection: Selection) -> str:
        name = selection.name
        if not name:
            return ""
        if name not in self._series:
            return f"nothing emits the series {name}{self._hint(name)}"
        labels = self._series[name]
        if labels is not None:
            unknown = sorted({label for label, value in selection.labels if _needs(value)} - labels)
            if unknown:
                return f"no series {name} has the label {unknown[0]}; they have: {', '.join(sorted(labels)) or 'none'}"
        return ""

    def _hint(self, name: str) -> str:
        self._hints += 1
        if self._hints > _MOST_HINTS:  # each looks through all that exists
            return ""
        alike = (known for known in self._series if known[:2] == name[:2] and abs(len(known) - len(name)) <= _LONGER)
        close = difflib.get_close_matches(name, itertools.islice(alike, _MOST_ALIKE), n=1, cutoff=0.85)
        return f"; did you mean {close[0]}?" if close else ""


def _needs(value: str) -> bool:
    """Return whether a condition certainly fails for a series without the label."""
    return value.startswith("=") and value != "="
