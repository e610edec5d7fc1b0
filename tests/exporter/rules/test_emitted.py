"""Series that nothing emits are told where a page, a list or a Prometheus says what exists, and never else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from tests.exporter.fakes.http_server import reply, serving

FOUND = 1
RULES = """groups:
- name: a
  rules:
  - record: job:load:sum
    expr: sum by (job) (node_load1{env="prod", absent="", other!="x"})
  - alert: A
    expr: |
      job:load:sum > 1
        and up == 1 and ALERTS{alertstate="firing"} and keywatch_broker_up
        and {__name__=~"any.*"}
    annotations:
      note: '{{ query "node_load15" }} {{ printf "node_lode1{job=%q}" $labels.job | query }}'
"""
HINT = "did you mean node_load1?"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_without_a_source_any_series_may_exist(rules: Path) -> None:
    assert main(["rules", "check", str(rules)]) == OK


def test_a_list_says_what_exists(rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "names.txt"
    names.write_text("# of the node exporter\nnode_load1\nnode_load15 # minutes\n", encoding="utf-8")
    assert main(["rules", "check", "--series", str(names), str(rules)]) == FOUND
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{rules}:12: groups[0].rules[1].annotations.note (A): nothing emits the series node_lode1; {HINT}"]
    names.write_text("node_load1\nnode_load15\nnode_lode1\n", encoding="utf-8")
    assert main(["rules", "check", "--series", str(names), str(rules)]) == OK


def test_a_page_says_what_exists_but_not_which_labels_targets_add(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.prom"
    page.write_text("node_load15 1\nnode_lode1 1\n", encoding="utf-8")
    assert main(["rules", "check", "--metrics", str(page), str(rules)]) == FOUND
    assert "5: groups[0].rules[0].expr (job:load:sum): nothing emits the series node_load1" in capsys.readouterr().out
    page.write_text("node_load1 1\nnode_load15 1\nnode_lode1 1\n", encoding="utf-8")
    assert main(["rules", "check", "--metrics", str(page), str(rules)]) == OK
    page.write_bytes(b"\xff")
    assert main(["rules", "check", "--metrics", str(page), str(rules)]) == BAD_CONFIGURATION
    assert "is not UTF-8 text" in capsys.readouterr().err


def values(*found: str) -> bytes:
    return reply(json.dumps({"status": "success", "data": found}))


def labels_path(name: str) -> str:
    return f"/prom/api/v1/labels?match%5B%5D=%7B__name__%3D%22{name}%22%7D"


async def asked(pages: dict[str, bytes | None], rules: Path) -> int:
    async with serving(pages) as server:
        return await asyncio.to_thread(main, ["rules", "check", "--prometheus.url", f"{server.url}/prom", str(rules)])


async def test_a_prometheus_says_which_series_and_labels_exist(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages: dict[str, bytes | None] = {
        "/prom/api/v1/label/__name__/values": values("node_load1", "node_load15", "node_lode1", "up"),
        labels_path("node_load1"): values("__name__", "job", "instance", "env"),
        labels_path("node_load15"): values("__name__", "job"),
        labels_path("node_lode1"): values("__name__", "job"),
        labels_path("up"): values("__name__", "job"),
    }
    assert await asked(pages, rules) == OK, capsys.readouterr()
    pages[labels_path("node_load1")] = values("__name__", "job", "instance")
    assert await asked(pages, rules) == FOUND
    words = (
        "5: groups[0].rules[0].expr (job:load:sum): no series node_load1 has the label env; they have: instance, job"
    )
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (reply("no", "503 Service Unavailable"), "is no answer of Prometheus (status 503)"),
        (reply("{}"), "is no answer of Prometheus (status 200)"),
        (reply('{"data": [1]}'), "is no answer of Prometheus (status 200)"),
        (reply("no", "401 Unauthorized"), "--prometheus.url: authentication: "),
    ],
)
async def test_a_prometheus_that_does_not_answer_is_told(
    page: bytes, says: str, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked({"/prom/api/v1/label/__name__/values": page}, rules) == BAD_CONFIGURATION
    assert says in capsys.readouterr().err


def test_flags_of_the_prometheus_are_checked(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", "--prometheus.url", "localhost:9090", str(rules)]) == BAD_CONFIGURATION
    assert "must begin with http:// or https://" in capsys.readouterr().err
    gone = ["--prometheus.username", "a", "--prometheus.password-file", "/nowhere"]
    assert main(["rules", "check", "--prometheus.url", "http://127.0.0.1:9", *gone, str(rules)]) == BAD_CONFIGURATION
    assert "/nowhere" in capsys.readouterr().err
