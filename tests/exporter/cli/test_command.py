"""Bad usage ends with 2 and one clear message before anything starts; results go to standard output."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from keywatch import __version__
from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.documents import reference
from keywatch.metrics import catalogue
from keywatch.service.config_file import load
from tests.exporter.commands import keywatch

GOOD = "clusters: [{name: a, bootstrap: ['127.0.0.1:1']}, {name: b, bootstrap: ['127.0.0.1:2']}]\n"
BAD = "clusters:\n- bootstrap: ['127.0.0.1:1']\n  broker: {perod: 1}\n"
NO_PORT = "'kafka' is not host:port (an IPv6 address goes in brackets: [::1]:9092)"


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.yml"
    path.write_text(GOOD, encoding="utf-8")
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.yml"
    path.write_text(BAD, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--config.file GOOD --kafka 127.0.0.1:1", "give either --config.file FILE or --kafka HOST:PORT"),
        ("--kafka kafka", f"flags: clusters[0].bootstrap[0]: {NO_PORT}"),
        ("--kafka 127.0.0.1:1,kafka", f"flags: clusters[0].bootstrap[1]: {NO_PORT}"),
        ("--kafka 127.0.0.1:0", "flags: clusters[0].bootstrap[0]: port 0 is out of range; allowed: 1 to 65535"),
        ("--kafka ,", "flags: clusters[0].bootstrap: needs at least 1 entry"),
        ("--config.file /nowhere/k.yml", "/nowhere/k.yml: cannot be read: No such file or directory"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(
    command: str, flags: str, says: str, good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *flags.replace("GOOD", good).split()]) == BAD_CONFIGURATION
    assert capsys.readouterr() == ("", f"{says}\n")


def test_a_flag_is_blamed_for_its_own_mistake_and_not_the_file(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--config.file", good, "--web.listen-address", "here"]) == BAD_CONFIGURATION
    assert capsys.readouterr() == ("", "flags: web.listen_address: 'here' is not host:port or :port\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--kafka", "k:1", "--log.level", "loud"], "argument --log.level: invalid choice: 'loud'"),
        (["check", "--kafka", "k:1", "--within", "soon"], "argument --within: 'soon' is not a number of seconds"),
        (["check", "--kafka", "k:1", "--within", "0"], "argument --within: 0 is out of range; allowed: more than 0"),
        (["check", "--kafka", "k:1", "--within", "nan"], "argument --within: nan is out of range"),
        (["demo", "--seconds", "-1"], "argument --seconds: -1 is out of range"),
        (["watch"], "invalid choice: 'watch'"),
        (["config"], "the following arguments are required: ACTION"),
    ],
)
def test_a_flag_that_cannot_be_read_is_refused(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == BAD_CONFIGURATION
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == BAD_CONFIGURATION
    assert "watch clusters and serve /metrics" in capsys.readouterr().out


def test_a_good_file_is_called_good(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", good]) == OK
    told = capsys.readouterr()
    assert told.out == f"{good}: good; clusters: a, b\n"
    assert all(": warning: " in line for line in told.err.splitlines())


def test_a_bad_file_is_refused_by_every_command_alike(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    says = (
        f"{bad}:3: clusters[0].broker.perod: unknown key; did you mean period?"
        " (allowed: check_id, expected, forget_after, misses, period, renew_after, timeout)\n"
    )
    for arguments in (["config", "check", bad], ["serve", "--config.file", bad], ["check", "--config.file", bad]):
        assert main(arguments) == BAD_CONFIGURATION
        assert capsys.readouterr() == ("", says)


def test_the_example_that_is_printed_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "example"]) == OK
    path = tmp_path / "example.yml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load(path).clusters[0].name == "production"


def test_the_metrics_that_are_printed_are_those_of_the_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--markdown"]) == OK
    assert capsys.readouterr().out == reference.metrics_markdown()
    assert main(["metrics"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(catalogue.METRICS) + 1, "a line a metric where no terminal is"
    for line, metric in zip(lines[1:], catalogue.METRICS, strict=True):
        assert line.split()[0] == metric.name
        assert line.endswith(metric.help)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == OK
    assert capsys.readouterr().out == f"keywatch {__version__}\n"


def test_a_process_with_a_bad_configuration_says_one_line_and_ends(bad: str) -> None:
    # Had anything been started before, the log would say so on standard error as well.
    done = keywatch("serve", "--config.file", bad)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (BAD_CONFIGURATION, "", 1)
    assert done.stderr.startswith(f"{bad}:3: clusters[0].broker.perod: unknown key")


def test_a_demo_on_a_bad_address_is_refused() -> None:
    done = keywatch("demo", "--kafka", "kafka")
    assert (done.returncode, done.stdout) == (BAD_CONFIGURATION, "")
    assert done.stderr == f"--kafka: clusters[0].bootstrap[0]: {NO_PORT}\n"


def test_a_port_that_is_taken_is_bad_configuration() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = keywatch("serve", "--kafka", "127.0.0.1:1", "--web.listen-address", address)
    assert (done.returncode, done.stdout) == (BAD_CONFIGURATION, "")
    assert f"web.listen_address: cannot listen on {address}: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "check"])
def test_an_authority_that_is_no_certificate_is_bad_configuration(command: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate\n", encoding="ascii")
    path = tmp_path / "k.yml"
    path.write_text(
        f"clusters: [{{bootstrap: ['127.0.0.1:1'], tls: {{ca_file: {tmp_path}/ca.pem}}}}]", encoding="utf-8"
    )
    done = keywatch(command, "--config.file", str(path))
    assert (done.returncode, done.stdout) == (BAD_CONFIGURATION, "")
    place = f"{path}:1: clusters[0].tls.ca_file"
    assert done.stderr == f"{place}: {tmp_path}/ca.pem holds no certificate that can be used\n"
