"""`keywatch logs lint` names what the language allows and nobody wants, with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.logstash.lint import Choice, lint
from keywatch.logstash.options import known
from keywatch.logstash.release import release
from keywatch.logstash.severity import RULES, Severity
from keywatch.logstash.variables import variables
from tests.exporter.logstash.test_pipelines_file import PIPELINE_RULES
from tests.logstash.ours import ENVIRONMENT, FILES, FOLDER, HERE, PIPELINES

GOOD = (HERE / "good.conf").read_text(encoding="utf-8")
_KEYED = 'fingerprint { id => "hash" source => ["[user]"] method => "SHA256" key => "${KEY}" }'

# Rule → line at which it is found, what is replaced in the good file, by what, and words of the message.
BROKEN: list[tuple[str, int, str, str, str]] = [
    ("id-missing", 19, '    id => "original"\n', "", "filter mutate has no id"),
    ("id-twice", 25, 'id => "level"', 'id => "original"', "the id original is taken at "),
    ("id-twice", 15, 'plain { charset => "UTF-8" }', 'plain { id => "in" }', "the id in is taken at "),
    ("plugin-unknown", 44, "drop { id", "dorp { id", "no filter plugin dorp; did you mean drop?"),
    ("plugin-misplaced", 44, "drop { id", "stdin { id", "stdin is an input plugin, no filter"),
    ("option-unknown", 7, "group_id", "group", "kafka has no option group; did you mean group_id?"),
    ("option-unknown", 15, "charset", "charsets", "plain has no option charsets; did you mean charset?"),
    (
        "option-unknown",
        52,
        'data_stream => "true"',
        'data_stream => "true" cacert => "x"',
        "calls it ssl_certificate_auth",
    ),
    ("option-type", 44, "percentage => 40", 'percentage => "many"', "percentage must be a number"),
    ("option-type", 9, "=> false\n    auto_off", '=> "no"\n    auto_off', "enable_auto_commit must be true or false"),
    ("option-type", 13, "=> basic", "=> all", "decorate_events must be one of none, basic, extended"),
    ("option-type", 21, '["[event][original]"]', '{ "a" => "b" }', "remove_field must be a list or a text"),
    ("option-type", 31, '["[level]"]', "{ }", "lowercase must be a list or a text"),
    ("option-missing", 41, 'match => ["[time]", "UNIX_MS"] ', "", "date needs match"),
    ("option-type", 7, 'client_id => "c"', 'group_id => "h"', "group_id must be a text"),
    ("option-type", 44, "percentage => 40", 'percentage => "040"', "percentage must be a number"),
    ("option-type", 27, "rename => {", 'rename => ["a", "b", "c"] convert => {', "a list of pairs"),
    ("key-twice", 29, "bb =>", "'[log][level]' =>", "[log][level] stands twice; the last one holds"),
    ("plugin-unknown", 15, 'plain { charset => "UTF-8" }', "jsonn", "no codec plugin jsonn; did you mean json?"),
    ("plugin-misplaced", 15, 'plain { charset => "UTF-8" }', "stdin", "stdin is an input plugin, no codec"),
    ("field-malformed", 28, '"[log][level]"', '"[log][level"', "[log][level is no field"),
    ("field-malformed", 29, '"[c]"', '"[c]d"', "[c]d is no field"),
    ("field-malformed", 21, '["[event][original]"]', '["[event][original"]', "[event][original is no field"),
    ("field-malformed", 41, '"[time]"', '"time]"', "time] is no field"),
    ("field-malformed", 53, "%{[event][id]}", "%{[event][id}", "%{[event][id} names no field"),
    ("field-malformed", 53, "%{[event][id]}", "%{[event][id]", "%{[event][id] names no field"),
    ("add-field-routing", 22, "replace =>", "add_field =>", "use replace"),
    ("condition-list", 24, '["ERROR", "WARN"]', '["ERROR" "WARN"]', "a list needs commas"),
    ("condition-list", 24, '["ERROR", "WARN"]', '["ERROR"]', "two entries at least"),
    ("condition-call", 43, "[count] != -2", "now(1) == 2", "now(…)"),
    ("condition-value", 43, "[count] != -2", '"[count]"', "a value alone never changes"),
    ("condition-pattern", 33, "[message] =~", '"message" =~', "left of =~ stands no field"),
    ("condition-pattern", 33, "[message] =~", "[message] in", "in takes a pattern for a text"),
    ("condition-part", 43, "[count] != -2", "[count] != [-2, -3]", "with the first of the list only"),
    ("condition-mixed", 33, '"c$/ {', '"c$/ and [a] {', "use parentheses"),
    ("nesting", 44, "drop {", "if [a] { " * 101 + "} " * 101 + "drop {", "Logstash may run out of its stack"),
    ("older-logstash", 28, '"[level]"\n', '"[level]" # moved\n', "before Logstash 8.15 refused: two entries"),
    ("variable-malformed", 51, "${ES_KEY}", "${ES_KEY", "${ES_KEY is no variable"),
    ("variable-malformed", 51, "${ES_KEY}", "${ES-KEY}", "${ES-KEY} is no variable"),
    ("secret-literal", 51, "${ES_KEY}", "id:key", "api_key is a secret in a file"),
    ("secret-literal", 50, "https://es", "https://me:pw@es", "hosts holds a password"),
    (
        "secret-literal",
        14,
        "security_protocol",
        "sasl_jaas_config => \"x username='u' password='p';\"\n security_protocol",
        "holds a pass",
    ),
    ("secret-default", 51, "${ES_KEY}", "${ES_KEY:changeme}", "the variable has a secret for default"),
    ("stdout", 48, "  elasticsearch {", '  stdout { id => "show" }\n  elasticsearch {', "stdout writes whole events"),
    ("json-quotes", 15, 'plain { charset => "UTF-8" }', "json { }", "the codec json quotes"),
    ("json-quotes", 15, 'plain { charset => "UTF-8" }', "json_lines", "the codec json_lines quotes"),
    ("json-quotes", 44, "drop {", 'json { id => "j" source => "a" }\n drop {', "skip_on_invalid_json"),
    ("hash-unkeyed", 44, "drop {", f"{_KEYED.replace('key =>', 'target =>')}\n drop {{", "can be undone"),
    ("hash-unkeyed", 44, "drop {", f"{_KEYED.replace('${KEY}', '')}\n drop {{", "can be undone"),
    ("hash-key", 44, "drop {", f"{_KEYED.replace('${KEY}', '${KEY:x}')}\n drop {{", "a variable without default"),
    ("hash-key", 44, "drop {", f"{_KEYED.replace('${KEY}', 'pepper')}\n drop {{", "a variable without default"),
    (
        "kafka-commit",
        9,
        "enable_auto_commit => false",
        "enable_auto_commit => true",
        "needs enable_auto_commit => false",
    ),
    ("kafka-commit", 3, "    enable_auto_commit => false\n", "", "needs enable_auto_commit => false"),
    ("kafka-reset", 10, '"earliest"', '"latest"', "needs auto_offset_reset => earliest"),
    ("kafka-isolation", 11, '"read_committed"', '"read_uncommitted"', "needs isolation_level => read_committed"),
    ("kafka-create", 3, "    auto_create_topics => false\n", "", "needs auto_create_topics => false"),
    ("kafka-name", 3, '    group_id => "g"\n', "", "kafka needs group_id"),
    ("kafka-place", 3, "    decorate_events => basic\n", "", "needs decorate_events => basic"),
    ("kafka-tls", 3, "${KAFKA_SECURITY_PROTOCOL:SSL}", "SASL_PLAINTEXT", "needs security_protocol SSL or SASL_SSL"),
    ("output-data-stream", 48, '    data_stream => "true"\n', "", "says what is meant"),
    (
        "output-option",
        52,
        'data_stream => "true"',
        'data_stream => "true" index => "x"',
        "refuses index with data streams",
    ),
    ("output-option", 52, 'data_stream => "true"', 'data_stream => "true" ilm_policy => "x"', "refuses ilm_policy"),
    ("output-option", 52, 'data_stream => "true"', 'data_stream => "true" action => "index"', "action => create only"),
    ("output-tls", 50, "https://es", "http://es", "without TLS"),
    ("output-tls", 48, 'data_stream => "true"', 'data_stream => "true" ssl_verification_mode => "none"', "without TLS"),
    ("output-credentials", 48, '    api_key => "${ES_KEY}"\n', "", "has no credentials"),
    ("original-kept", 3, "[event][original]", "[event][other]", "no filter removes [event][original]"),
    (
        "dataset-missing",
        48,
        '"[data_stream][dataset]" =>',
        '"[event][dataset]" =>',
        "nothing sets [data_stream][dataset]",
    ),
    ("output-twice", 48, '    document_id => "%{[event][id]}"\n', "", "is stored twice"),
]


def _lint(path: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    report = lint([path], {}, environment)
    assert report.refused == []
    assert all(line.split(": ")[1] in RULES for line in report.found)
    return report.found


def test_our_pipelines_break_no_rule(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert main(["logs", "lint", str(PIPELINES), *map(str, FILES), "--severity", "style"]) == OK
    assert re.fullmatch(rf"good: {len(FILES)} files, \d+ plugins\n", capsys.readouterr().out)


def test_the_guide_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KEYWATCH_LOGSTASH", str(FOLDER))
    assert main(["logs", "lint", str(PIPELINES)]) == OK
    text = (FOLDER.parent / "docs" / "guides" / "logs.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() in text


def test_the_file_that_the_table_changes_breaks_no_rule() -> None:
    assert _lint(HERE / "good.conf") == []


@pytest.mark.parametrize(("rule", "line", "old", "new", "says"), BROKEN, ids=lambda value: str(value)[:24])
def test_a_broken_rule_is_named_with_its_line(
    rule: str, line: int, old: str, new: str, says: str, tmp_path: Path
) -> None:
    assert GOOD.count(old) == 1, old
    path = tmp_path / "changed.conf"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    found = [words for words in _lint(path) if words.startswith(f"{path}:{line}: {rule}: ")]
    assert any(says in words for words in found), _lint(path)


def test_every_rule_is_in_the_guide_with_its_severity() -> None:
    text = (FOLDER.parent / "docs" / "guides" / "logs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z].*?) \| (error|warning|style) \|", text, re.MULTILINE)
    told = {rule: severity for rules, severity in rows for rule in re.findall(r"`([a-z-]+)`", rules)}
    assert told == {rule: severity.name.lower() for rule, severity in RULES.items()}


def test_every_rule_is_broken_by_a_test() -> None:
    assert {rule for rule, *_ in BROKEN} | set(PIPELINE_RULES) == set(RULES)


def test_with_an_environment_each_variable_must_be_in_it_or_have_a_default() -> None:
    assert [words.partition(": ")[2] for words in _lint(HERE / "good.conf", {})] == [
        "variable-undefined: ${ES_KEY} is not defined: Logstash does not start"
    ]
    assert _lint(HERE / "good.conf", {"ES_KEY": ""}) == []


def test_our_pipelines_name_no_variable_that_the_readme_does_not_tell() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", text, re.MULTILINE))
    files = [*FILES, *(FOLDER / "config").glob("*.yml")]
    named = {variable for file in files for variable in variables(file.read_text(encoding="utf-8"))}
    assert {name for name, _ in named} == set(told)
    for name, default in named:
        # A default of one file is that of all files.
        wanted = "**required**" if default is None else f"`{default}`" if default else "none"
        assert told[name] == wanted, name


def test_exit_codes_tell_good_from_found_from_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, found, refused = HERE / "good.conf", tmp_path / "found.conf", tmp_path / "refused.conf"
    found.write_text(GOOD.replace('"earliest"', '"latest"'), encoding="utf-8")
    refused.write_text(GOOD.replace("output {", "output"), encoding="utf-8")
    assert main(["logs", "lint", str(good)]) == OK
    assert capsys.readouterr() == ("good: 1 files, 7 plugins\n", "")
    assert main(["logs", "lint", str(found)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{found}:10: kafka-reset: ")
    assert err == ""
    assert main(["logs", "lint", str(found), "--skip", "kafka-reset"]) == OK
    capsys.readouterr()
    assert main(["logs", "lint", str(found), str(refused)]) == BAD_CONFIGURATION
    out, err = capsys.readouterr()
    assert out.startswith(f"{found}:10: kafka-reset: ")
    assert err.startswith(f"{refused}:48: column 3: expected '{{'")


def test_findings_are_chosen_by_rule_severity_and_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.conf"
    path.write_text("filter { " + "drop { } " * 15 + 'mutate { rename => { "[a" => "b" } } }', encoding="utf-8")
    lines = [f"{path}:1: id-missing: filter drop has no id; metrics could not name it"]
    assert main(["logs", "lint", str(path)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in out[:-1]] == ["field-malformed"]
    assert out[-1] == "2 lighter findings are not shown (--severity style)"
    assert main(["logs", "lint", str(path), "--skip", "field-malformed"]) == OK
    assert "2 lighter findings" in capsys.readouterr().out
    assert main(["logs", "lint", "--only", "id-missing", "key-twice", "--skip", "stdout", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[:1] == lines
    assert main(["logs", "lint", str(path), "--skip", "field-malformed,id-missing", "--severity", "style"]) == OK
    path.write_text("filter {\n" + "drop { }\n" * 15 + "}", encoding="utf-8")
    capsys.readouterr()
    assert main(["logs", "lint", str(path), "--only", "id-missing"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert (len(out), out[-1]) == (11, f"{path}: id-missing: 5 more")
    assert main(["logs", "lint", str(path), "--only", "id-missing", "--most", "0"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 15


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--skip", "id-mising"], "--skip: there is no rule id-mising; did you mean id-missing?"),
        (["--only", "nothing"], "--only: there is no rule nothing"),
        (["--logstash", "7.17"], "--logstash: Logstash 7.17 is too old"),
        (["--logstash", "new"], "--logstash: 'new' is no release of Logstash"),
    ],
)
def test_flags_that_mean_nothing_are_refused(flags: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "lint", str(HERE / "good.conf"), *flags]) == BAD_CONFIGURATION
    assert says in capsys.readouterr().err
    assert main(["logs", "lint"]) == BAD_CONFIGURATION
    assert "give a file" in capsys.readouterr().err


def test_a_release_decides_which_options_there_are(tmp_path: Path) -> None:
    path = tmp_path / "old.conf"
    path.write_text(GOOD.replace('data_stream => "true"', 'data_stream => "true" cacert => "x"'), encoding="utf-8")
    for written, good in (("8.14", True), ("8", True), ("8.19.3", True), ("9", False), ("9.0", False)):
        report = lint([path], {}, choice=Choice(release=release(written)))
        assert (report.found == []) == good, written


def test_a_lighter_finding_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = tmp_path / "light.conf"
    path.write_text("filter { drop { } }", encoding="utf-8")
    assert lint([path], {}, choice=Choice(least=Severity.WARNING)) == ([], [], 1, 1, 1)
    assert lint([path], {}, choice=Choice(skip=["id-missing"])) == ([], [], 1, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        # What stood in other people's files and Logstash takes.
        'filter { grok { match => { "message" => "%{IP:[source][ip]} %{WORD:[a][b]:int}" } } }',
        'filter { grok { match => ["message", "%{IP:[source][ip]}"] pattern_definitions => ["A", "%{B:[c]}"] } }',
        'input { stdin { codec => multiline { pattern => "^%{X:[y]}" what => previous } } }',
        'filter { dissect { mapping => { "message" => "%{?a} %{+[b][c]} %{&d->} %{}" } } }',
        'filter { mutate { convert => ["a", "integer"] rename => ["[a]", "b", "c", "d"] add_field => ["e", "f"] } }',
        'filter { date { match => [["time", "ISO8601"]] target => ["t"] } drop { percentage => [40] } }',
        'filter { grok { match => { "a" => "x" } match => { "b" => "y" } match => ["c", "z"] } }',
        "filter { translate { field => aa destination => bb yaml_load_strategy => one_shot dictionary => [c1, d1] } }",
        "input { beats { port => 5044 ecs_compatibility => v8 include_codec_tag => true ssl_handshake_timeout => 1} }",
        'input { http { ssl_keystore_type => "jks" ssl_truststore_path => "/x" ssl_truststore_password => "${P}" } }',
        'input { syslog { facility_labels => ["a"] severity_labels => ["b"] service_type => "x" } }',
        'input { kafka { decorate_events => true sasl_iam_jar_paths => ["/x"] schema_registry_validation => skip } }',
        'output { kafka { topic_id => "t" schema_registry_url => "r1" sasl_oauthbearer_scope_claim_name => "s" } }',
        "input { generator { ecs_compatibility => v1 } heartbeat { ecs_compatibility => v1 } }",
        'filter { xml { source => "a" target => "b" anything => good } aggregate { task_id => "%{a}" code => "%{" } }',
        'filter { if "${DEBUG:no}" == "yes" { drop { } } }',
        "input { stdin { codec => cef } tcp { port => 1 codec => netflow { versions => [5, 9] } } }",
        'filter { mutate { add_field => { "[@metadata][x]" => "1" } } }',
        'input { file { path => "/x" add_field => { "[data_stream][dataset]" => "a" } } }',
        "# ${NOT_ASKED_FOR}\n",
        'filter { if [a] == "x" or [b] in ["y", "z"] { throttle { key => "%{a}" } } }',
        'output { elasticsearch { hosts => "https://e" api_key => "${K}" index => "%{+YYYY}" ilm_enabled => false } }',
    ],
)
def test_what_is_good_has_no_finding(text: str, tmp_path: Path) -> None:
    path = tmp_path / "good.conf"
    path.write_text(text, encoding="utf-8")
    loud = {
        "id-missing",
        "kafka-name",
        "kafka-commit",
        "kafka-reset",
        "kafka-isolation",
        "kafka-create",
        "kafka-place",
        "kafka-tls",
    }
    assert lint([path], {}, choice=Choice(skip=loud))[:2] == ([], [])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('input { stdin { codec => multiline { pattern => "^x" } } }', "option-missing"),
        ('filter { mutate { replace => { "a" => "%{IP:[source][ip]}" } } }', "field-malformed"),
        ('filter { mutate { rename => ["[a", "b"] } }', "field-malformed"),
        ('filter { mutate { convert => ["a"] } }', "option-type"),
        ('filter { date { match => ["a", "b"] target => ["b", "c"] } }', "option-type"),
        ('filter { if foo([a]) == "x" { drop { } } }', "condition-call"),
        ('output { http { url => "http://x" http_method => "post" } xml { } }', "plugin-misplaced"),
    ],
)
def test_what_does_not_work_is_found(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(text, encoding="utf-8")
    assert f"{path}:1: {rule}: " in "\n".join(lint([path], {}, choice=Choice(only=[rule])).found)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("none.conf", None, "cannot be read: No such file or directory"),
        ("latin.conf", b"# caf\xe9\n", "is not UTF-8 text"),
        ("brace.conf", b"}", "1: column 1: expected input filter output"),
        ("pipelines.yml", b"a: 1\n", "is no list of pipelines"),
        ("pipelines.yml", b"- [\n", "is not YAML"),
    ],
)
def test_what_cannot_be_read_is_refused(
    name: str, text: bytes | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text)
    assert main(["logs", "lint", str(path)]) == BAD_CONFIGURATION
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(str(path))
    assert says in err


@given(data=st.data())
def test_whatever_the_reader_accepts_can_be_judged(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, _, old, new, _ = data.draw(st.sampled_from(BROKEN))
    text = GOOD.replace(old, new)
    values = [
        "[]",
        "{ }",
        "5",
        "word",
        "'[a][b'",
        '{ "a" => [{ "${B" => 1 }] }',
        "json { }",
        '["x", {"y" => "%{z"}]',
        "-1.",
    ]
    at = [found.end() for found in re.finditer(r"=> ", text)]
    for place in sorted(data.draw(st.lists(st.sampled_from(at), max_size=4, unique=True)), reverse=True):
        text = text[:place] + data.draw(st.sampled_from(values)) + " " + re.sub(r"\A\S+", "", text[place:], count=1)
    path = tmp_path_factory.getbasetemp() / "any.conf"
    path.write_text(text, encoding="utf-8")
    report = lint([path], {}, {})
    assert report.refused or report.found or report.plugins


@given(data=st.data())
def test_no_message_shows_a_secret_of_the_file(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    word = "Qswordfish7"
    rule, _, old, new, _ = data.draw(st.sampled_from(BROKEN))
    text = GOOD.replace(old, new).replace(
        "${ES_KEY}", data.draw(st.sampled_from([word, f"${{ES_KEY:{word}", f"x:{word}"]))
    )
    text = text.replace("https://es", f"https://me:{word}@es")
    jaas = f"sasl_jaas_config => \"x password='{word}';\"\n    topics"
    text = text.replace("    topics", f"    {jaas}", 1)
    at = text.index(word) + data.draw(st.integers(-30, 15))
    text = text[:at] + data.draw(st.sampled_from(['"', " ", "}", "=>", "#", ""])) + text[at:]
    path = tmp_path_factory.getbasetemp() / "secret.conf"
    path.write_text(text, encoding="utf-8")
    report = lint([path], {}, {})
    assert report.found or report.refused
    assert not any(part in line for line in (*report.found, *report.refused) for part in (word, word[4:], word[:7])), (
        rule
    )


def test_an_environment_is_read_from_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logstash.env"
    path.write_text("# for Logstash\n\nexport ES_KEY='id:key'\n", encoding="utf-8")
    assert main(["logs", "lint", str(HERE / "good.conf"), "--environment", str(path)]) == OK
    path.write_text("ES_KEY\n", encoding="utf-8")
    assert main(["logs", "lint", str(HERE / "good.conf"), "--environment", str(path)]) == BAD_CONFIGURATION
    assert capsys.readouterr().err == f"{path}:1: is not NAME=value\n"


def test_every_plugin_of_the_table_has_types_that_are_known() -> None:
    words = {"string", "number", "boolean", "hash", "array", "path", "password", "uri", "field", "codec", "any"}
    for plugins in known().values():
        for options in plugins.values():
            for option in options.values():
                assert isinstance(option.type, tuple) or option.type in words
