"""Names of any length are shown in a bounded length, and two names never become one."""

from __future__ import annotations

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keywatch.cli.report import report
from keywatch.config.model import Config
from keywatch.engine.exposition import render, selection
from keywatch.engine.probe import Sample
from keywatch.engine.store import Key
from keywatch.metrics import groups
from keywatch.names import LONGEST, LONGEST_WORDS, cut, shortened
from keywatch.service.watch import Watch
from keywatch.web.page.page import page

LONG = "ab" * 16_383
TWINS = (f"{LONG}1", f"{LONG}2")
ODD = st.text(st.characters(), max_size=400) | st.text("ab…", min_size=100, max_size=300)


@given(ODD, ODD)
@example("x" * 100 + "…" + "0" * 40, "x" * 300)
def test_what_is_shown_is_short_and_tells_two_names_apart(one: str, other: str) -> None:
    assert len(shortened(one)) <= LONGEST
    assert (shortened(one) == shortened(other)) is (one == other)
    # Nor can somebody call a thing what another one is shown as.
    assert one == shortened(one) or shortened(one) != shortened(shortened(one))


def test_names_of_a_usual_length_are_shown_whole() -> None:
    for name in ("", "keycloak-events", "a" * 249, "ß" * LONGEST):
        assert shortened(name) == name
    assert shortened(TWINS[0])[:100] == TWINS[0][:100]


def test_words_are_cut_where_nobody_reads_on() -> None:
    assert cut("x" * LONGEST_WORDS) == "x" * LONGEST_WORDS
    assert len(cut("x" * 40_000)) == LONGEST_WORDS


def test_two_groups_of_32767_letters_stay_two_and_short_on_every_surface(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(Config.model_validate({"clusters": [{"bootstrap": ["k1:9092"]}]}))
    key = Key("kafka", "groups", "")
    samples = [Sample(groups.GROUP_UP, ("kafka", name), 0.0, f"coordinator: {name} is gone") for name in TWINS]
    samples += [Sample(groups.GROUP_LAG_RECORDS, ("kafka", name, "topic"), 1.0) for name in TWINS]
    watch.store.replace(key, samples, 0.0, 1e18)
    with caplog.at_level(logging.INFO):
        watch.incidents.observe(key, samples, 0.0)
    metrics = render(watch.store, selection([]), openmetrics=False).decode()
    text, html, found = caplog.text, page(watch, 0.0), str(report(watch)["problems"])
    for surface, most in ((metrics, 20_000), (text, 10_000), (html, 20_000), (found, 10_000)):
        assert len(surface) < most
        assert all(shortened(name) in surface for name in TWINS)
    fields = [getattr(record, "keywatch", {}).get("labels", {}).get("group") for record in caplog.records]
    assert fields == [shortened(name) for name in TWINS]
    assert {labels[1] for labels in watch.store.values(groups.GROUP_UP)} == set(TWINS)
