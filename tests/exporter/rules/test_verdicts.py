"""What Prometheus refuses is refused, and nothing else: verdicts of promtool 2.42 and of Prometheus 3.16's loader."""

from __future__ import annotations

import pytest

from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql.parser import parsed as parsed_promql
from keywatch.rules.promql.tree import PromqlError
from keywatch.rules.templates.lexer import TemplateError
from keywatch.rules.templates.parser import parsed as parsed_template
from tests.exporter.rules.verdicts import EXPERIMENTAL, FOR_THE_OPERATOR, NEW, OLD, handed, read, refusals


def test_files_and_expressions_get_the_real_verdict() -> None:
    wrong = []
    for name, data, prometheus, loads in handed():
        found = refusals(data, prometheus)
        if bool(found) == loads and name not in FOR_THE_OPERATOR:
            wrong.append(f"{name} for {prometheus}: {found or 'is not refused'}")
    assert wrong == []


def test_every_kind_of_value_gets_the_real_verdict_at_every_key() -> None:
    cases = read("values")
    wrong = []
    for value, verdicts in cases["values"].items():
        for key, signs in verdicts.items():
            data = cases["files"][key].replace("@", value).encode()
            for prometheus, sign in zip((OLD, NEW), signs, strict=True):
                found = refusals(data, prometheus)
                if bool(found) != (sign == "-"):
                    wrong.append(f"{key}: {value!r} for {prometheus}: {found or 'is not refused'}")
    assert wrong == []


def test_more_expressions_get_the_real_verdict() -> None:
    wrong = []
    for text, signs in read("more-expressions").items():
        for prometheus, sign in zip((OLD, NEW, EXPERIMENTAL), signs, strict=True):
            try:
                parsed_promql(text, prometheus)
                found = ""
            except PromqlError as error:
                found = str(error)
            if bool(found) != (sign == "-"):
                wrong.append(f"{text!r} for {prometheus}: {found or 'is not refused'}")
    assert wrong == []


def test_templates_get_the_real_verdict() -> None:
    wrong = []
    for text, signs in read("templates").items():
        for prometheus, sign in zip((OLD, NEW), signs, strict=True):
            try:
                parsed_template(text, prometheus)
                found = ""
            except TemplateError as error:
                found = str(error)
            if bool(found) != (sign == "-"):
                wrong.append(f"{text!r} for {prometheus}: {found or 'is not refused'}")
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "before", "since"),
    [
        ("up[5m * 2]", (3, 13), (3, 14)),
        ("rate(up[5m] anchored)", (3, 15), (3, 16)),
        ("up > 5m", (2, 53), (2, 54)),
        ("histogram_avg(up)", (2, 50), (2, 51)),
        ("first_over_time(up[5m])", (3, 13), (3, 14)),
        ('{"a.b"}', (2, 55), (3, 0)),
        ("up </ 5", (3, 10), (3, 11)),
    ],
)
def test_what_a_release_brought_is_refused_before_it(
    text: str, before: tuple[int, int], since: tuple[int, int]
) -> None:
    with pytest.raises(PromqlError):
        parsed_promql(text, Prometheus(before))
    parsed_promql(text, Prometheus(since))


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf# nothing\n",
        "groups: []\n".encode("utf-16"),
        b"",
        b"groups:\n- name: a\n  rules: [~]\n",
        b"---\n...\n",
        b"groups: &a [{name: x}]\n",
        b"groups:\n# a\n\t# with a tab\n\t\n\t# again\n- name: x\n",
        b"groups: []\n---\n- name: [\n",
    ],
)
def test_files_without_rules_load(data: bytes) -> None:
    assert refusals(data, NEW) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"groups: [{name: x, labels: &a {<<: *a}}]\n", "holds itself"),
        (b"groups: *a\n", "unknown anchor 'a'"),
        (b"groups: []\n\xef\xbb\xbf# a mark within\n", "is not YAML"),
        (b"%YAML 1.2\n---\ngroups: []\n", "reads YAML 1.1 only"),
        (b"groups: " + b"[" * 300, "nests deeper than"),
        (b"groups: []\n--- @x\n", "is not YAML"),
        (b"groups: [\xff]\n", "is not YAML"),
        (b"groups:\n\t# a tab\n- name: x\n", "is not YAML"),
        (b"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n", "unknown key a"),
    ],
)
def test_files_that_cannot_be_read_are_refused(data: bytes, words: str) -> None:
    assert any(words in found for found in refusals(data, NEW))


def test_aliases_that_multiply_are_refused_and_not_built() -> None:
    rules = ", ".join(["{alert: A, expr: up}"] * 100)
    some, many = ("".join(f"- {{name: g{index}, rules: *l}}\n" for index in range(number)) for number in (3, 1000))
    text = f"groups:\n- name: x\n  rules: &l [{rules}]\n"
    assert refusals((text + some).encode(), NEW) == []
    assert any("aliases multiply" in words for words in refusals((text + many).encode(), NEW))


def test_deep_nesting_is_read_up_to_a_bound() -> None:
    parsed_promql("(" * 1500 + "up" + ")" * 1500, NEW)
    parsed_promql("abs(" * 900 + "up" + ")" * 900, NEW)
    parsed_promql(" or ".join(["up"] * 3000), NEW)
    parsed_promql("-" * 1500 + "up", NEW)
    with pytest.raises(PromqlError, match="nests deeper"):
        parsed_promql("(" * 5000 + "up" + ")" * 5000, NEW)
    parsed_template("{{ if true }}" * 900 + "{{ end }}" * 900, NEW)
    with pytest.raises(TemplateError, match="nests deeper"):
        parsed_template("{{ if true }}" * 5000 + "{{ end }}" * 5000, NEW)
