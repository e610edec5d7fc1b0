"""The reader accepts what Logstash accepts, refuses what it refuses, and says where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logstash_pipeline_parser import Pipeline

from keywatch.logstash.cursor import LanguageError
from keywatch.logstash.language import parse
from keywatch.logstash.tree import (
    Branch,
    Call,
    Chain,
    Comparison,
    Field,
    Holds,
    Not,
    Number,
    Parentheses,
    Pattern,
    Table,
    Text,
)
from tests.logstash.ours import FILES, HERE

GOOD = (HERE / "good.conf").read_text(encoding="utf-8")

# What is replaced in the good file by what, and line and column at which the reader stops.
DEFECTS: dict[str, tuple[str, str, str]] = {
    "a section's brace is not opened": ("input {", "input", "3:3"),
    "a section's brace is not closed": (
        '    document_id => "%{[event][id]}"\n  }\n',
        '    document_id => "%{[event][id]}"\n',
        "",
    ),
    "a section has another name": ("filter {", "filters {", "18:7"),
    "a section has no name": ("output {", "{", "47:1"),
    "text stands between sections": ("output {", "and output {", "47:1"),
    "a plugin's brace is not opened": ("  kafka {", "  kafka", "4:5"),
    "a plugin's brace is closed twice": (
        'codec => plain { charset => "UTF-8" }\n  }',
        'codec => plain { charset => "UTF-8" }\n  }}',
        "17:1",
    ),
    "a plugin has no name": ("  kafka {", "  {", "3:3"),
    "a plugin's name has a dot": ("  kafka {", "  kaf.ka {", "3:6"),
    "an arrow is an equals sign": ('group_id => "g"', 'group_id = "g"', "7:14"),
    "an arrow is missing": ('group_id => "g"', 'group_id "g"', "7:14"),
    "an arrow is a colon": ('group_id => "g"', 'group_id: "g"', "7:13"),
    "an arrow's halves stand apart": ('group_id => "g"', 'group_id = > "g"', "7:14"),
    "a setting has no value": ('group_id => "g"', "group_id =>", "8:15"),
    "a setting has two values": ('group_id => "g"', 'group_id => "g" "h"', "8:5"),
    "a comma stands between settings": ('group_id => "g"', 'group_id => "g",', "7:20"),
    "nothing stands between settings": ('group_id => "g"\n    client', 'group_id => "g"client', "7:20"),
    "a semicolon ends a setting": ('group_id => "g"', 'group_id => "g";', "7:20"),
    "a string is not closed": ('group_id => "g"', 'group_id => "g', ""),
    "a string mixes its quotes": ("'b'", "'b\"", ""),
    "a string ends with a backslash": ('group_id => "g"', 'group_id => "g\\"', ""),
    "a pattern ends with a backslash": ('/^a\\/b"c$/', "/^a\\/", ""),
    "a word has one letter only": ('group_id => "g"', "group_id => g", "7:17"),
    "a word has a hyphen": ("decorate_events => basic", "decorate_events => ba-sic", ""),
    "a value is a path without quotes": ('group_id => "g"', "group_id => /etc/g", "7:17"),
    "a number has two dots": ("percentage => 40", "percentage => 4.0.0", "44:42"),
    "a number has a unit": ("percentage => 40", "percentage => 40s", "44:41"),
    "a number has a plus": ("percentage => 40", "percentage => +40", "44:39"),
    "a list has no comma": ("[\"a\", 'b']", "[\"a\" 'b']", "6:20"),
    "a list ends with a comma": ("[\"a\", 'b']", "[\"a\", 'b',]", ""),
    "a list begins with a comma": ("[\"a\", 'b']", "[, 'b']", "6:16"),
    "a list is not closed": ("[\"a\", 'b']", "[\"a\", 'b'", ""),
    "a list has round brackets": ("[\"a\", 'b']", "(\"a\", 'b')", "6:15"),
    "a table has colons": ('"[log][level]" => "[level]"', '"[log][level]": "[level]"', ""),
    "a table has a comma": ('=> "[level]"\n', '=> "[level]",\n', "28:36"),
    "a table has a key without value": ('bb => "[c]"', "bb", ""),
    "a table's key has one letter and no quotes": ('"[log][level]" => "[level]"', 'a => "[level]"', ""),
    "a condition is empty": ("if [count] >= 3.5 and [count] != -2 {", "if {", ""),
    "a condition's brace is not opened": ("if [count] >= 3.5 and [count] != -2 {", "if [count] >= 3.5", ""),
    "a condition joins by &&": ("3.5 and", "3.5 &&", "43:21"),
    "a condition compares by one equals sign": ("[count] != -2", "[count] = -2", ""),
    "a condition compares by ===": ("[count] != -2", "[count] === -2", ""),
    "a condition names a field without brackets": ("if [count] >=", "if count >=", ""),
    "a condition's field has a comma": ("if [count] >=", "if [count,a] >=", ""),
    "a condition's field is not closed": ("if [count] >=", "if [count >=", ""),
    "a condition's parenthesis is not closed": ("!([tags])", "!([tags]", ""),
    "a condition's parenthesis is closed twice": ("!([tags])", "!([tags]))", "24:53"),
    "a condition ends with and": ("[count] != -2 {", "[count] != -2 and {", ""),
    "a pattern has a flag": ('/^a\\/b"c$/', '/^a\\/b"c$/i', "33:57"),
    "a pattern's slash is not escaped": ('/^a\\/b"c$/', '/^a/b"c$/', "33:51"),
    "a pattern stands right of ==": ("[message] =~ /", "[message] =~ == /", ""),
    "a pattern is a number": ("[message] =~ /", "[message] =~ 5 /", "33:47"),
    "not stands before a field": ("!([tags])", "not [tags]", "24:48"),
    "not stands alone": ('"x" not in', '"x" not', ""),
    "not has an exclamation mark before it": ('"x" not in [tags]', '!"x" in [tags]', "33:14"),
    "elsif instead of else if": ("} else if", "} elsif", "33:11"),
    "else stands without if": ("  if [count] >= 3.5 and [count] != -2 {", "  else {", "44:10"),
    "else has a condition": ("  } else {", "  } else [a] {", "40:10"),
    "else stands twice": ("  } else {", "  } else { } else {", ""),
    "a comment is one of another language": ("# A pipeline", "// A pipeline", "1:1"),
    "a comment ends with a carriage return alone": ("language has.\n", "language has.\r", "1:1"),
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_our_files_are_accepted(file: Path) -> None:
    assert parse(file.read_text(encoding="utf-8")).sections


@pytest.mark.parametrize("file", [*FILES, HERE / "good.conf"], ids=lambda file: file.name)
def test_a_second_parser_finds_the_same_plugins_and_settings(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    # It refuses strings over several lines and \/ in patterns, which are good.
    other = Pipeline(text.replace("\\/", "_").replace("\"\n        event.set('a', 1) # in Ruby\n      \"", '"x"'))
    other.remove_type("path")
    ours: list[tuple[str, tuple[str, ...]]] = []
    for _, plugin in parse(text).plugins():
        ours.append((plugin.name, tuple(setting.name for setting in plugin.settings)))
    assert _plugins(other.parse()) == ours


def _plugins(tree: Any) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    for _, steps in tree:
        found += _steps(steps)
    return found


def _steps(steps: Any) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, inner in steps:
        if name == "else":
            found += _steps(inner)
        elif name in {"if", "else if"}:
            found += _steps(inner[-1][0])  # before it stands the condition
        else:
            found.append((name, tuple(setting for setting, _ in inner)))
    return found


def test_there_are_enough_defects_to_trust_the_reader() -> None:
    assert parse(GOOD).sections
    assert len(DEFECTS) >= 45


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_refused_where_it_stands(defect: str) -> None:
    old, new, place = DEFECTS[defect]
    assert GOOD.count(old) == 1, old
    with pytest.raises(LanguageError) as refused:
        parse(GOOD.replace(old, new))
    assert not place or f"{refused.value.line}:{refused.value.column}" == place


def test_text_without_a_section_is_refused() -> None:
    with pytest.raises(LanguageError, match="expected input filter output"):
        parse("}")


def test_what_newer_ones_read_only_is_told_with_its_place() -> None:
    table = 'filter { mutate { add_field => {\n"a" => "b"\n # why\n "c" => "d" "e" => "f" } } }\n'
    assert [(at.line, at.column) for at in parse(table).newer] == [(2, 11)]
    assert [(at.line, at.column) for at in parse(f"{table}# the end").newer] == [(2, 11), (5, 1)]
    assert parse(table.replace(" # why\n", "")).newer == ()
    assert parse("# nothing\n").newer == ()
    assert parse("").sections == ()


@pytest.mark.parametrize(
    "text",
    [
        'filter{mutate{"add_field"=>{1=>2 "a"=>[]}}}',
        "input { stdin { codec => json } }\ninput { stdin { codec => 'json' } }",
        "filter { iffy { } if [a]in[b]{ } }",
        'filter { if "a" { drop { } } }',
        "filter { if ![a] and !( [b] or [c][d] ) xor [e] nand now(1, [f]) == 2 { } }",
        "filter { mutate { add_field => { } } \r\n # a comment\r\n }",
        "output { stdout { codec => rubydebug { metadata => true } } }",
        'filter { if [a] in ["b"] and [c] == "it\\"s" { } }',
        'filter { if [a] =~ "text" { } }',
        "filter { x { y => -3. z => [[1], { a1 => b1 }] } }",
        "filter { mutate { } mutate{} # both\n }",
    ],
)
def test_what_others_refuse_and_logstash_does_not_is_accepted(text: str) -> None:
    assert parse(text).sections


def test_strings_are_kept_as_they_stand_and_lines_are_known() -> None:
    [section] = parse('filter {\n\n  grok {\n    match => { "message" => "\\s+\\[%{IP}\n\\]" }\n }\n}\n').sections
    [plugin] = [step for step in section.body if not isinstance(step, Branch)]
    [setting] = plugin.settings
    assert isinstance(setting.value, Table)
    assert setting.value.entries == ((Text("message", 4), Text("\\s+\\[%{IP}\n\\]", 4)),)
    assert (section.line, plugin.line, setting.line) == (1, 3, 4)


def test_conditions_become_trees() -> None:
    [section] = parse('filter { if [a][b] == 1 and ("x" not in [t] or ![c]) or [d] =~ /e\\/f/ { } }').sections
    [branch] = section.body
    assert isinstance(branch, Branch)
    [case] = branch.cases
    assert case.condition == Chain(
        (
            Comparison("==", Field("[a][b]", 1), Number("1", 1), 1),
            Parentheses(
                Chain(
                    (Comparison("not in", Text("x", 1), Field("[t]", 1), 1), Not(Holds(Field("[c]", 1), 1), 1)),
                    ("or",),
                    1,
                ),
                1,
            ),
            Comparison("=~", Field("[d]", 1), Pattern("e\\/f", 1), 1),
        ),
        ("and", "or"),
        1,
    )


def test_a_single_entry_in_brackets_is_a_field_as_it_is_to_logstash() -> None:
    [condition] = parse('filter { if [a] in ["b"] { } }').conditions()
    assert condition == Comparison("in", Field("[a]", 1), Field('["b"]', 1), 1)
    [condition] = parse("filter { if now(1) { } }").conditions()
    assert condition == Holds(Call("now", (Number("1", 1),), 1), 1)


def test_comments_are_kept_with_their_lines() -> None:
    assert parse("# a\ninput { } # b\n").comments == ((1, "# a"), (2, "# b"))


def test_what_is_nested_without_end_is_refused_and_does_not_crash() -> None:
    for text in ("filter { " + "if [a] { " * 5000, "filter { x { y => " + "[" * 5000, "filter { if " + "(" * 5000):
        with pytest.raises(LanguageError, match="nested too deeply"):
            parse(text)


@given(st.data())
def test_any_change_of_a_good_file_is_accepted_or_refused_with_a_place(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD)))
    size = data.draw(st.integers(0, 12))
    put = data.draw(st.text(st.sampled_from("{}[]()\"'=>!~/#,.-\\ \n\tabif10€"), max_size=6))
    text = GOOD[:at] + put + GOOD[at + size :]
    refused: LanguageError | None = None
    try:
        assert parse(text).depth >= 0
    except LanguageError as error:
        refused = error
    if refused is not None:
        assert 1 <= refused.line <= text.count("\n") + 1
        assert refused.column >= 1
        assert refused.problem
