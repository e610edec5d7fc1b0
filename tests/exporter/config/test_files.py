"""Whatever lies where a configuration points, it is read at once or refused at once, and never without bounds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keywatch.cli.command import main
from keywatch.config.files import FileError, HeldFile, contents
from keywatch.config.secret import Secret, SecretError
from keywatch.config.yaml_file import ConfigError
from keywatch.service.config_file import load, parse
from keywatch.web.file import load as load_web

NOT_REGULAR: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a device that is empty": lambda path: path.symlink_to("/dev/null"),
    "a terminal": lambda path: path.symlink_to("/dev/ptmx"),
    "a folder": lambda path: path.mkdir(),
}
MAKERS = pytest.mark.parametrize("make", NOT_REGULAR.values(), ids=NOT_REGULAR)
CLUSTER = "clusters:\n- bootstrap: ['k:1']\n"
NAMED = {
    "tls.ca_file": CLUSTER + "  tls: {ca_file: %s}\n",
    "tls.key_file": CLUSTER + "  tls: {cert_file: /etc/hostname, key_file: %s}\n",
    "tls.key_password_file": CLUSTER
    + "  tls: {cert_file: /etc/hostname, key_file: /etc/hostname, key_password_file: %s}\n",
    "sasl.password_file": CLUSTER + "  sasl: {mechanism: PLAIN, username: u, password_file: %s}\n",
    "sasl.token_ca_file": CLUSTER
    + "  sasl: {mechanism: OAUTHBEARER, client_id: c, client_secret: s, token_url: 'https://t/', token_ca_file: %s}\n",
    "sasl.client_assertion_file": CLUSTER
    + "  sasl: {mechanism: OAUTHBEARER, client_id: c, token_url: 'https://t/', client_assertion_file: %s}\n",
    "sasl.client_key_file": CLUSTER
    + "  sasl: {mechanism: OAUTHBEARER, client_id: c, token_url: 'https://t/', client_key_file: %s}\n",
    "keycloaks[0].tls.ca_file": CLUSTER + "  keycloaks: [{name: k, url: 'https://k/', tls: {ca_file: %s}}]\n",
    "logs.elasticsearch.api_key": CLUSTER + "  logs: {elasticsearch: {url: 'http://e/', api_key_file: %s}}\n",
}


def within(seconds: float, act: Callable[[], Any]) -> BaseException | None:
    """Do it on a thread and return what it raised; fails when it takes too long."""
    raised: list[BaseException | None] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - handed back
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    return raised[0]


@MAKERS
@pytest.mark.parametrize("read", [load, load_web], ids=["configuration", "web configuration"])
def test_a_configuration_that_is_no_regular_file_is_refused_at_once(
    make: Callable[[Path], object], read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "it"
    make(path)
    error = within(10, lambda: read(path))
    assert str(error) == f"{path}: is not a regular file"


@MAKERS
@pytest.mark.parametrize("key", NAMED)
def test_what_it_names_and_is_no_regular_file_is_refused_at_once(
    make: Callable[[Path], object], key: str, tmp_path: Path
) -> None:
    path = tmp_path / "it"
    make(path)
    error = within(10, lambda: parse(NAMED[key] % path, "k.yml"))
    assert isinstance(error, ConfigError)
    assert f"k.yml:3: clusters[0].{key}: {path} is not a regular file" in str(error)


@MAKERS
@pytest.mark.parametrize(
    "command", [["rules", "check"], ["logs", "lint"], ["config", "check"], ["config", "check", "--web"]], ids=" ".join
)
def test_no_command_waits_for_a_file(make: Callable[[Path], object], command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "it"
    make(path)
    codes: list[int] = []
    assert within(30, lambda: codes.append(main([*command, str(path)]))) is None
    assert codes == [2]


@MAKERS
def test_a_secret_whose_file_becomes_something_else_keeps_its_last_value(
    make: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "it"
    path.write_text("hunter2\n", encoding="utf-8")
    secret = Secret(file=path)
    path.unlink()
    make(path)
    assert within(10, secret.look) is None
    assert (secret.current(), secret.version) == ("hunter2", 0)


def test_a_secret_is_asked_for_without_a_look_and_follows_one(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_text("old\n", encoding="utf-8")
    secret = Secret(file=path)
    path.unlink()
    path.write_text("a new one\r\n", encoding="utf-8")
    assert secret.current() == "old"
    secret.look()
    assert (secret.current(), secret.version) == ("a new one", 1)


@pytest.mark.parametrize(("text", "says"), [("", "is empty"), ("x" * 70_000, "is larger than 65536 bytes")])
def test_a_secret_that_is_none_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SecretError, match=says):
        Secret(file=path)


def test_a_file_that_says_it_is_empty_is_bounded_too() -> None:
    with pytest.raises(FileError, match="is larger than 100 bytes"):
        contents(Path("/proc/self/maps"), 100)
    assert contents(Path("/proc/self/comm"), 100)


def test_what_is_held_is_the_same_however_often_it_is_opened_and_goes_with_its_holder() -> None:
    held = HeldFile(b"words", "x")
    path = Path(held.path)
    assert [path.read_bytes(), path.read_bytes()] == [b"words", b"words"]
    del held
    assert not path.exists()


MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
TOO_MANY = "aliases make it more than 200000 keys and values"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(MERGES, TOO_MANY, id="merge keys that double"),
        pytest.param(MERGES.replace("<<: [", "y: ["), TOO_MANY, id="lists that double"),
        pytest.param(LAUGHS, TOO_MANY, id="a billion laughs"),
        pytest.param("a: &a {<<: *a}\n", "an alias stands for what it is a part of", id="a merge of itself"),
        pytest.param("a: &a {b: [*a]}\n", "an alias stands for what it is a part of", id="a list of itself"),
        pytest.param("[" * 100_000, "it is nested too deeply", id="brackets"),
        pytest.param("- " * 50_000, "it is nested too deeply", id="dashes"),
        pytest.param("{a: " * 50_000, "it is nested too deeply", id="braces"),
        pytest.param("a: 1" + ":59" * 200_000, "a number or date of more than 400 letters", id="base sixty"),
        pytest.param("a: " + "9" * 5000, "a number or date of more than 400 letters", id="digits"),
        pytest.param("a: !!int " + "1_" * 5000, "a number or date of more than 400 letters", id="underlines"),
    ],
)
def test_a_small_text_that_grows_huge_is_refused_within_a_second(text: str, says: str) -> None:
    error = within(20, lambda: parse(text, "k.yml"))  # a second, and a machine that is busy
    assert isinstance(error, ConfigError)
    assert says in str(error)


def test_aliases_and_merge_keys_of_a_usual_kind_are_good() -> None:
    text = "clusters:\n- &one {name: a, bootstrap: ['k:1'], topics: &t {period: 3}}\n- {<<: *one, name: b}\n"
    config = parse(text, "k.yml")
    assert [(cluster.name, cluster.topics.period) for cluster in config.clusters] == [("a", 3), ("b", 3)]


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.yml"
    path.write_text("# x\n" * 300_000, encoding="utf-8")
    with pytest.raises(ConfigError, match="is larger than 1048576 bytes"):
        load(path)
