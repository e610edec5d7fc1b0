"""Each link in a document leads somewhere, and each file of ours that a document names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.exporter.documents.tree import ROOT, files

DOCUMENTS = list(files("*.md"))
# Here files are named by the end of their path, in backticks.
NAMING = [ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "adr").glob("*.md"))]
PATHS = [f"/{path.relative_to(ROOT).as_posix()}" for path in files("*.py")]
_CODE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_SHOWN = re.compile(r"\[`([\w./-]+\.\w+)`\]\(([^)\s]+)\)")
_NAMED = re.compile(r"(?<![\w/.-])([\w./-]+\.py)\b")


def links(text: str) -> Iterator[str]:
    """Return what a document links to, examples of code left out."""
    plain = _SPAN.sub("code", _CODE.sub("", text))
    for match in _LINK.finditer(plain):
        yield match[1] or match[2]


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for match in _HEADING.finditer(_CODE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        while (again := anchor if number == 1 else f"{anchor}-{number - 1}") in found:
            number += 1
        found.add(again)
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def broken(document: Path, text: str) -> list[str]:
    """Return the links of a document that lead nowhere within the tree."""
    found = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = unquote(link).partition("#")
        target = (document.parent / place) if place else document
        if not target.exists():
            found.append(f"{link}: there is no such file")
        elif anchor and target.suffix == ".md":
            read = text if target == document else target.read_text(encoding="utf-8")
            if anchor not in anchors(read):
                found.append(f"{link}: it has no such heading")
    return found


def misnamed(text: str) -> list[str]:
    """Return the files that a link shows by another name than they have."""
    shown = [(name, link.partition("#")[0]) for name, link in _SHOWN.findall(_CODE.sub("", text))]
    return [name for name, place in shown if not f"/{place}".endswith(f"/{name.removeprefix('docs/')}")]


def unknown(text: str) -> list[str]:
    """Return the Python files that a document names in backticks and that are not there."""
    named = [name for span in _SPAN.finditer(_CODE.sub("", text)) for name in _NAMED.findall(span[0])]
    return [name for name in named if not any(path.endswith(f"/{name}") for path in PATHS)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    assert broken(document, document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(document: Path) -> None:
    assert unknown(document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_shown_by_its_own_name(document: Path) -> None:
    assert misnamed(document.read_text(encoding="utf-8")) == []


def test_the_documents_that_people_begin_with_are_read() -> None:
    read = {str(path.relative_to(ROOT)) for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "alerts/README.md", "logstash/README.md", "docs/probes/README.md"} <= read


@pytest.mark.parametrize(
    ("planted", "says"),
    [
        ("[a](docs/nowhere.md)", "docs/nowhere.md: there is no such file"),
        ("[a\nb](docs/nowhere.md)", "docs/nowhere.md: there is no such file"),
        ("![a](docs/img/nothing.png)", "docs/img/nothing.png: there is no such file"),
        ("[a]: docs/nowhere.md", "docs/nowhere.md: there is no such file"),
        ("[`a`](docs/metrics.md#nothing)", "docs/metrics.md#nothing: it has no such heading"),
        ("# Here\n[a](#there)", "#there: it has no such heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(planted: str, says: str) -> None:
    assert broken(ROOT / "README.md", planted) == [says]


@pytest.mark.parametrize(
    "good",
    [
        "[a](docs/metrics.md#broker)",
        "[a](https://example.org/nothing.md)",
        "# `probes`: who asks what\n[a](#probes-who-asks-what)",
        "# Twice\n# Twice\n[a](#twice-1)",
        "`[a](docs/nowhere.md)`",
        "```\n[a](docs/nowhere.md)\n```",
    ],
)
def test_a_good_link_is_good(good: str) -> None:
    assert broken(ROOT / "README.md", good) == []


def test_a_file_that_is_gone_is_told() -> None:
    assert unknown("`lag_index.py`, `kafka/memory.py`; `python tests/alerts/table.py`") == [
        "lag_index.py",
        "kafka/memory.py",
    ]
    assert unknown("`kafka/errors.py`, `errors.py`, lag_index.py without backticks") == []
    assert unknown("`rrors.py`") == ["rrors.py"]


def test_a_file_that_is_shown_by_a_former_name_is_told() -> None:
    assert misnamed("[`lag_index.py`](../exporter/keywatch/probes/groups/index.py)") == ["lag_index.py"]
    assert misnamed("[`index.py`](../exporter/keywatch/probes/groups/index.py), [here](x.py)") == []
