"""`keywatch logs lint` reads a pipelines.yml with its files, its texts and its logstash.yml as Logstash does."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.logstash.lint import lint
from tests.logstash.ours import HERE

GOOD = (HERE / "good.conf").read_text(encoding="utf-8")
PIPELINE_RULES = (
    "variable-in-comment",
    "variable-undefined",
    "pipeline-id",
    "pipeline-files",
    "setting-ignored",
    "setting-value",
    "queue-memory",
    "queue-checkpoint",
    "dead-letters-off",
)
_ENTRY = """- pipeline.id: one
  path.config: "${FOLDER}/{good,other}.conf"
  queue.type: persisted
  queue.checkpoint.writes: 1
  dead_letter_queue.enable: true
"""


@pytest.mark.parametrize(
    ("rule", "line", "old", "new", "says"),
    [
        ("queue-memory", 1, "  queue.type: persisted\n", "", "one needs queue.type: persisted"),
        ("queue-checkpoint", 1, "writes: 1\n", "writes: 1024\n", "one needs queue.checkpoint.writes: 1"),
        ("dead-letters-off", 1, "enable: true", "enable: false", "one needs dead_letter_queue.enable: true"),
        (
            "setting-value",
            3,
            "queue.type: persisted",
            "queue.type: disk",
            "queue.type must be one of memory, persisted",
        ),
        ("setting-value", 2, "pipeline.id: one\n", "pipeline.id: one\n  pipeline.workers: 0\n", "a number above 0"),
        ("setting-value", 5, "enable: true", "enable: 'on'", "dead_letter_queue.enable must be true or false"),
        (
            "setting-ignored",
            6,
            "enable: true\n",
            "enable: true\n  config.reload.automatic: true\n",
            "ignores config.rel",
        ),
        ("pipeline-files", 2, "{good,other}", "{good,another}", "there is no file "),
        ("pipeline-files", 1, '  path.config: "${FOLDER}/{good,other}.conf"\n', "", "has no path.config"),
        ("pipeline-id", 1, "- pipeline.id: one\n ", "-", "has no pipeline.id"),
        ("variable-undefined", 2, "${FOLDER}", "${NOWHERE}", "${NOWHERE} is not defined"),
    ],
)
def test_a_pipelines_file_is_checked_with_its_files(
    rule: str, line: int, old: str, new: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "good.conf").write_text(GOOD, encoding="utf-8")
    (tmp_path / "other.conf").write_text('filter { drop { id => "other" } }\n', encoding="utf-8")
    path = tmp_path / "pipelines.yml"
    path.write_text(_ENTRY, encoding="utf-8")
    assert lint([path], {"FOLDER": str(tmp_path)}) == ([], [], 2, 8, 0)
    assert _ENTRY.count(old) == 1
    path.write_text(_ENTRY.replace(old, new), encoding="utf-8")
    found = lint([path], {"FOLDER": str(tmp_path)}).found
    assert any(words.startswith(f"{path}:{line}: {rule}: ") and says in words for words in found), found


@pytest.mark.parametrize(
    ("line", "old", "new", "says"),
    [
        (3, "queue.type", "queue.typ", "takes no setting queue.typ for a pipeline; did you mean queue.type?"),
        (3, "queue.type", "pipeline.unsafe_shutdown", "no setting pipeline.unsafe_shutdown"),
        (3, "queue.type", "pipeline.separate_logs", "no setting pipeline.separate_logs"),
        (3, "queue.type", "pipeline.buffer.type", "no setting pipeline.buffer.type"),
        (3, "queue.type", "modules", "no setting modules for a pipeline; what holds for the whole process"),
        (3, "queue.type: persisted", "queue: {type: persisted}", "no setting queue"),
        (6, "enable: true\n", "enable: true\n" + _ENTRY, "the pipeline one stands twice"),
        (
            6,
            "enable: true\n",
            "enable: true\n- queue.type: memory\n- pipeline.id: main\n",
            "pipeline main stands twice",
        ),
        (2, "queue.type", 'config.string: "input { }"\n  queue.type', "path.config and config.string are both given"),
    ],
)
def test_a_pipelines_file_that_logstash_refuses_is_refused(
    line: int, old: str, new: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pipelines.yml"
    entry = _ENTRY.replace("${FOLDER}/{good,other}.conf", str(HERE / "good.conf"))
    assert entry.count(old) == 1
    path.write_text(entry.replace(old, new), encoding="utf-8")
    assert main(["logs", "lint", str(path)]) == BAD_CONFIGURATION
    err = capsys.readouterr().err
    assert says in err
    assert f"{path}:{line + (line == 6 and 'main' in new)}: " in err


def test_settings_that_logstash_has_are_good(tmp_path: Path) -> None:
    path = tmp_path / "pipelines.yml"
    more = "  pipeline.recoverable: true\n  dead_letter_queue.flush_check_interval: 1000\n  queue.compression: speed\n"
    more += '  pipeline.batch.size: "125"\n  pipeline.ordered: false\n  queue.max_bytes: 4gb\n'
    more += "  pipeline.workers: '${N}'\n"
    path.write_text(_ENTRY.replace("${FOLDER}/{good,other}.conf", str(HERE / "good.conf")) + more, encoding="utf-8")
    assert lint([path], {}) == ([], [], 1, 7, 0)


_STRING = """- pipeline.id: one
  queue.type: persisted
  config.string: |
    # a comment
    input { heartbeat { id => "beat" } }
    filter { mutate { id => "m" remove_field => "[event][original]" } }
    output { file { id => "out" path => "/tmp/x" } }
"""


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("input {", "input", "5: ", "one: column 11: expected '{'"),
        ("mutate {", "mutate", "6: ", "column 21: expected '{'"),
        ('"m"', "08", "6: ", "08 is no number"),
        ("|\n    # a comment\n    input {", '"input"\n  xx: |\n   ', "3: ", "one: line 1, column 6: expected '{'"),
    ],
)
def test_the_text_of_a_pipeline_in_the_file_is_read(old: str, new: str, place: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "pipelines.yml"
    path.write_text(_STRING, encoding="utf-8")
    assert lint([path], {}) == ([], [], 1, 3, 0)
    assert _STRING.count(old) == 1
    path.write_text(_STRING.replace(old, new), encoding="utf-8")
    refused = lint([path], {}).refused
    assert any(words.startswith(f"{path}:{place}") and says in words for words in refused), refused


def test_the_text_of_a_pipeline_in_the_file_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "pipelines.yml"
    path.write_text(_STRING.replace("a comment", "${A} ${B:b}").replace("mutate", "mutato"), encoding="utf-8")
    found = lint([path], {}).found
    assert f"{path}:6: plugin-unknown: Logstash brings no filter plugin mutato; did you mean mutate?" in found
    [comment] = [words for words in found if "variable-in-comment" in words]
    assert comment.startswith(f"{path}:4: variable-in-comment: ${{A}} stands in a comment")
    folded = _STRING.replace("|", ">").replace('"m"', "${M}")
    path.write_text(folded.replace("mutate", "mutato").replace("# a comment", ""), encoding="utf-8")
    assert f"{path}:3: plugin-unknown: " in "".join(lint([path], {"M": "mm"}).found)


def test_the_settings_beside_a_pipelines_file_are_read_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipelines, settings, environment = (tmp_path / name for name in ("pipelines.yml", "logstash.yml", "logstash.env"))
    pipelines.write_text(_STRING.replace("  queue.type: persisted\n", ""), encoding="utf-8")
    settings.write_text('queue: {type: persisted}\napi:\n  auth.basic.password: "${PW}"\n', encoding="utf-8")
    environment.write_text("OTHER=1\n", encoding="utf-8")
    assert main(["logs", "lint", str(pipelines)]) == OK
    assert main(["logs", "lint", str(pipelines), "--environment", str(environment)]) == 1
    wanted = f"{settings}:3: variable-undefined: ${{PW}} is not defined: Logstash does not start\n"
    assert wanted in capsys.readouterr().out
    assert main(["logs", "lint", str(settings), "--environment", str(environment)]) == 1
    assert capsys.readouterr().out == wanted
    settings.write_text("- a\n", encoding="utf-8")
    assert main(["logs", "lint", str(settings)]) == BAD_CONFIGURATION
    assert capsys.readouterr().err == f"{settings}: is no table of settings\n"


def test_what_files_lack_together_is_said_of_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "good.conf").write_text(GOOD.replace("[event][original]", "x"), encoding="utf-8")
    (tmp_path / "other.conf").write_text('filter { drop { id => "other" } }\n', encoding="utf-8")
    path = tmp_path / "pipelines.yml"
    path.write_text(_ENTRY, encoding="utf-8")
    [words] = lint([path], {"FOLDER": str(tmp_path)}).found
    assert words.startswith(f"{path}:1: original-kept: one: no filter removes")


def test_an_id_may_stand_in_two_pipelines_and_not_twice_in_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.conf").write_text('filter { drop { id => "same" } }', encoding="utf-8")
    path = tmp_path / "pipelines.yml"
    entry = "- pipeline.id: {0}\n  path.config: {1}\n  queue.type: persisted\n"
    path.write_text(entry.format("one", tmp_path / "one.conf") + entry.format("two", tmp_path / "two.conf"), "utf-8")
    assert lint([path], {}).found == []
    path.write_text(entry.format("both", f"{tmp_path}/*.conf"), encoding="utf-8")
    assert [line.split(": ")[1] for line in lint([path], {}).found] == ["id-twice"]
    assert [line.split(": ")[1] for line in lint(sorted(tmp_path.glob("*.conf")), {}).found] == ["id-twice"]
