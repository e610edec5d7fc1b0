"""No name from outside is obeyed by any surface, whatever it is: each is sent through all of them."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from rich.console import Console
from rich.table import Table

from keywatch import surfaces
from keywatch.cli.report import report
from keywatch.cli.report_table import cell, show
from keywatch.config.web import Log
from keywatch.engine.exposition import render
from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Sample
from keywatch.engine.store import Key, Store
from keywatch.metrics import cluster as cat
from keywatch.metrics import groups
from keywatch.patterns import Patterns
from keywatch.service import log_setup
from keywatch.service.config_file import from_data
from keywatch.service.watch import Watch
from keywatch.web.page.page import page
from tests.exporter.hostile import NAMES
from tests.exporter.layers import modules

Logged = Callable[[Log, Callable[[], object]], list[str]]
_LOG = logging.getLogger("x")
every = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


class Reading(HTMLParser):
    """What a browser makes of a page: its elements, the names of their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Take text."""
        self.text += data


def seeded(name: str) -> Watch:
    """Make a watch in which a group, a topic and a check are called so, and in trouble."""
    watch = Watch(from_data({"clusters": [{"name": "kafka", "bootstrap": ["127.0.0.1:1"]}]}, "test"))
    samples = [
        Sample(cat.CLUSTER_UP, ("kafka",), 1.0),
        Sample(cat.TOPIC_PARTITIONS, ("kafka", name), 1.0),
        Sample(groups.GROUP_LAG_RECORDS, ("kafka", name, name), 7.0),
        Sample(groups.GROUP_UP, ("kafka", name), 0.0, f"down, protocol: {name}"),
    ]
    key = Key("kafka", "groups", "")
    watch.store.replace(key, samples, 0.0, float("inf"))
    try:
        logging.disable()  # half a surrogate in what is captured is more than a report can carry
        watch.incidents.observe(key, samples, 0.0)
    finally:
        logging.disable(logging.NOTSET)
    return watch


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Log, Callable[[], object]], list[str]]]:
    """Return a function that has something logged in some form and gives the lines."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def lines(log: Log, act: Callable[[], object]) -> list[str]:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        log_setup.set_up(log)
        act()
        for handler in root.handlers:
            handler.flush()
        *written, rest = stream.getvalue().split("\n")
        assert rest == ""
        return written

    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@every
def test_a_page_shows_it_as_text(name: str) -> None:
    plain = Reading(page(seeded("plain"), 0.0))
    read = Reading(page(seeded(name), 0.0))
    assert (read.tags, read.attributes) == (plain.tags, plain.attributes)
    assert surfaces.visible(name)[:200] in read.text
    assert all(sign.isprintable() for sign in read.text.replace("\n", ""))
    page(seeded(name), 0.0).encode()


@every
def test_a_terminal_shows_it_on_one_line_and_obeys_nothing(name: str) -> None:
    console = Console(file=io.StringIO(), width=40_000, force_terminal=True, color_system="truecolor", highlight=False)
    table = Table(box=None)
    table.add_row(cell(name))
    console.print(table)
    written = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert surfaces.terminal(name).strip() in written
    assert "\x1b]" not in written
    assert re.sub(r"\x1b\[[0-9;]*m|\n", "", written).isprintable()
    assert written.count("\n") <= 2


@every
def test_the_report_of_a_look_shows_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(seeded(name))
    show(found, as_json=False)
    shown = capsys.readouterr().out
    assert "is wrong" in shown
    assert shown.replace("\n", "").isprintable()
    show(found, as_json=True)
    read = json.loads(capsys.readouterr().out)
    assert read["problems"][0]["labels"]["cluster"] == "kafka"


@every
@pytest.mark.parametrize("as_trace", [False, True], ids=["message", "trace"])
def test_a_text_log_has_one_line_of_it(name: str, logged: Logged, *, as_trace: bool) -> None:
    if as_trace:
        lines = logged(Log(format="text"), lambda: _LOG.error("failed", exc_info=ValueError(name)))
    else:
        lines = logged(Log(format="text"), lambda: _LOG.error("%s", name))
    assert [line for line in lines if re.match(r"\d\d:\d\d:\d\d ", line)] == lines[:1]
    assert all(line.startswith("    ") for line in lines[1:])
    assert all(line.isprintable() for line in lines)
    assert as_trace or len(lines) == 1


@every
def test_a_json_log_has_one_object_of_it(name: str, logged: Logged) -> None:
    told = Sample(groups.GROUP_UP, ("kafka", name), float("nan"), f"down, protocol: {name}")
    key = Key("kafka", "groups", "")
    (line,) = logged(Log(format="json"), lambda: Incidents().observe(key, [told], 0.0))
    assert line.isascii()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(line, parse_constant=refuse)
    assert read["log.level"] == "warning"
    assert read["keywatch"]["value"] == "nan"


@every
def test_a_label_holds_it_and_the_page_stays_whole(name: str) -> None:
    store = Store()
    store.replace(Key("kafka", "groups", ""), [Sample(groups.GROUP_UP, ("kafka", name), 1.0)], 0.0, float("inf"))
    store.replace(Key("kafka", "cluster", ""), [Sample(cat.CLUSTER_UP, ("kafka",), 1.0)], 0.0, float("inf"))
    for openmetrics, parse in ((False, parse_text), (True, parse_openmetrics)):
        text = render(store, lambda _: True, openmetrics=openmetrics).decode()
        families = {family.name: family for family in parse(text)}
        assert [sample.value for sample in families["keywatch_cluster_up"].samples] == [1.0]
        (sample,) = families["keywatch_group_up"].samples
        assert len(name) > 255 or sample.labels["group"] == name.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace"
        )


@every
def test_a_url_carries_it_as_one_segment_and_one_value(name: str) -> None:
    split = urlsplit(f"http://host:9200/root/{surfaces.url(name)}/_search?q={surfaces.url(name)}&size=1")
    assert split.path.count("/") == 3
    assert "/../" not in split.path
    assert (split.netloc, split.fragment) == ("host:9200", "")
    assert dict(parse_qsl(split.query, keep_blank_values=True))["size"] == "1"
    assert unquote(split.path.split("/")[2]) == name.encode("utf-8", "replace").decode()


def test_no_file_is_called_after_anything_from_outside() -> None:
    """What is written, documents and the demonstration aside, goes to descriptors, or is called as what we ship."""
    writes = re.compile(r"\.(?:write_text|write_bytes|mkdir|symlink_to)\(|open\([^)\n]*, ?[\"'][wax+]")
    found = {module for module, source in modules().items() if writes.search(source)}
    assert found <= {
        *("documents.renew", "demo.traffic", "assets.export"),
        # Folders and files that the user names, with names of our own in them.
        *("provider.installation", "provider.journal", "redrive.audit", "redrive.bundle", "redrive.claim"),
        *("redrive.folder_redrive", "redrive.textfile"),
        # As a file of that folder is called, and as a bundle calls one: held to a name in the folder itself.
        *("redrive.folder_park", "redrive.bundle_import"),
    }


@every
def test_the_pattern_that_means_everything_means_it(name: str) -> None:
    assert name in Patterns()
    assert name in Patterns((".*",))
    assert name not in Patterns((".*",), (".*",))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://a.example:9200/x", "http://a.example:9200/x"),
        ("http://user:hunter2@a.example/x", "http://**********@a.example/x"),
        ("http://a.example/x?token=hunter2", "http://a.example/x?**********"),
        ("http://a.example/x#hunter2", "http://a.example/x#**********"),
        ("user:hunter2@kafka:9092", "**********@kafka:9092"),
        ("user:hun@ter2@kafka:9092", "**********@kafka:9092"),
        ("kafka:9092", "kafka:9092"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert surfaces.without_secrets(address) == shown
