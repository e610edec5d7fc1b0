"""A configuration is taken whole or refused with the place, the mistake and what is allowed; secrets never show."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from keywatch.config.model import Cluster, Config
from keywatch.documents.reference import example
from keywatch.service.config_file import ConfigError, from_data, load, parse
from tests.kafka.certificates import CertificateAuthority

GOLDEN = Path(__file__).parents[1] / "golden"
SECRET = "hunter2-planted"  # noqa: S105 - planted to be looked for


def blocks(name: str) -> list[tuple[str, str, str]]:
    """Read the blocks `### what`, text, `=> message` of a file."""
    rows = []
    for block in (GOLDEN / name).read_text(encoding="utf-8").split("\n### ")[1:]:
        what, _, rest = block.partition("\n")
        lines = rest.removesuffix("\n").splitlines(keepends=True)
        says = [line.removeprefix("=> ").rstrip("\n") for line in lines if line.startswith("=> ")]
        rows.append((what, "".join(line for line in lines if not line.startswith("=> ")), "\n".join(says)))
    return rows


BAD = blocks("bad_configurations.txt")


def said(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse(text, "k.yml")
    return str(refused.value)


def test_relative_paths_begin_in_the_configuration_files_own_folder(tmp_path: Path) -> None:
    files = {"tls": {"ca_file": "ca.pem"}, "sasl": {"mechanism": "PLAIN", "username": "u", "password_file": "word"}}
    node = {"name": "kc", "url": "https://kc:9000", "basic_auth": {"username": "u", "password_file": "word"}}
    queues = [{"name": "a", "folder": "dlq/kafka"}, {"name": "b", "folder": "/var/dlq"}]
    cluster = {"bootstrap": ["k:1"], "keycloaks": [node], "dlq": queues, **files}
    authority = CertificateAuthority(tmp_path)
    authority.certificate.rename(tmp_path / "ca.pem")
    (tmp_path / "word").write_text(SECRET, encoding="utf-8")
    path = tmp_path / "keywatch.yml"
    path.write_text(yaml.safe_dump({"clusters": [cluster], "web": {"config_file": "web.yml"}}), encoding="utf-8")
    config = load(path)
    (read,) = config.clusters
    assert read.tls is not None
    assert read.sasl is not None
    assert read.keycloaks[0].basic_auth is not None
    assert read.tls.ca_file == tmp_path / "ca.pem"
    assert read.sasl.password_file == read.keycloaks[0].basic_auth.password_file == tmp_path / "word"
    assert [queue.folder for queue in read.dlq] == [tmp_path / "dlq/kafka", Path("/var/dlq")]
    assert config.web.config_file == tmp_path / "web.yml"
    again = from_data(config.model_dump(exclude_unset=True), "flags")
    assert again == config, "flags are laid over what was read, and move nothing"


def test_the_table_of_bad_configurations_was_read() -> None:
    assert len(BAD) > 60
    assert all(says.startswith("k.yml") for _, _, says in BAD)


@pytest.mark.parametrize(("text", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_configuration_is_refused_in_an_operators_words(text: str, says: str) -> None:
    assert said(text) == says


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("clusters: 2024-13-45\n", "k.yml: is not YAML: a date or number cannot be read: month must be"),
        ("[" * 3000, "k.yml: is not YAML: it is nested too deeply"),
        ("a: '\x01'\n", "k.yml: is not YAML: unacceptable character #x0001"),
    ],
)
def test_what_python_or_the_parser_stumbles_over_is_no_traceback(text: str, beginning: str) -> None:
    assert said(text).startswith(beginning)


def test_no_more_than_twenty_mistakes_are_told_at_once() -> None:
    lines = said("".join(f"key{number}: 1\n" for number in range(30))).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "k.yml: and 11 more"  # the missing clusters are one of them


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (lambda path: path.write_bytes(b"name: \xff"), "is not UTF-8 text: byte 6 is wrong"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(make: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "k.yml"
    make(path)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert str(refused.value) == f"{path}: {says}"


def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "k.yml"
    path.touch(mode=0o000)
    me = os.geteuid()
    if me == 0:  # root may read everything
        os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
            load(path)
    finally:
        os.seteuid(me)


def test_the_example_is_good_and_holds_the_defaults() -> None:
    config = parse(example(), "example")
    (cluster,) = config.clusters
    assert cluster.name == "production"
    assert cluster.broker == Cluster(bootstrap=("k:1",)).broker
    assert cluster.groups.limits[0].records == 10_000
    assert config.web.listen_address == ":9877"


def test_ipv6_and_several_clusters_are_taken() -> None:
    config = parse(
        "clusters: [{name: a, bootstrap: ['[::1]:9092', 'k:1']}, {name: b, bootstrap: ['[fe80::1%eth0]:2']}]", ""
    )
    addresses = [[str(endpoint) for endpoint in cluster.endpoints] for cluster in config.clusters]
    assert addresses == [["[::1]:9092", "k:1"], ["[fe80::1%eth0]:2"]]


def test_an_alias_may_be_used_in_several_places() -> None:
    config = parse("clusters: [{name: a, bootstrap: &b ['k:1']}, {name: c, bootstrap: *b}]", "")
    assert [cluster.bootstrap for cluster in config.clusters] == [("k:1",), ("k:1",)]


def test_tls_without_keys_means_tls_with_the_systems_authorities() -> None:
    assert parse("clusters: [{bootstrap: ['k:1'], tls: {}}]", "").clusters[0].tls is not None
    assert parse("clusters: [{bootstrap: ['k:1']}]", "").clusters[0].tls is None


def with_secrets() -> Config:
    client = {"ssl.key.pem": SECRET, "ssl.keystore.password": SECRET, "client.rack": "r1"}
    sasl = {"mechanism": "PLAIN", "username": "keywatch", "password": SECRET}
    return from_data({"clusters": [{"bootstrap": ["k:1"], "tls": {}, "sasl": sasl, "client": client}]}, "flags")


def test_no_secret_is_in_what_is_shown_of_a_configuration() -> None:
    config = with_secrets()
    for shown in (repr(config), str(config), config.model_dump_json(), str(config.model_dump(mode="json"))):
        assert SECRET not in shown
    assert '"client.rack":"r1"' in config.model_dump_json()
    assert '"ssl.key.pem":"**********"' in config.model_dump_json()
    assert '"password":"**********"' in config.model_dump_json()
    assert config.clusters[0].client["ssl.key.pem"] == SECRET


def test_a_configuration_survives_being_checked_again_with_its_secrets() -> None:
    config = with_secrets()
    again = from_data(config.model_dump(exclude_unset=True), "flags")
    assert again == config
    assert again.clusters[0].sasl is not None
    assert again.clusters[0].sasl.password is not None
    assert again.clusters[0].sasl.password.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "line",
    [
        "key_password: [SECRET]",
        "key_password: {SECRET: 1}",
        "key_password: *SECRET",
        "key_password: !SECRET x",
        "key_password: !SECRET!x x",
        "key_password: SECRET, key_passwrd: SECRET",
        "key_password: SECRET, cert_file: /dev/null",
        "key_password: SECRET, server_name: [SECRET]",
        "key_password: SECRET, ca_file: /nowhere",
    ],
)
def test_no_secret_is_in_a_message(line: str) -> None:
    text = f"clusters:\n- bootstrap: [k:1]\n  client: {{ssl.key.pem: SECRET}}\n  tls: {{{line}}}\n"
    assert SECRET not in said(text.replace("SECRET", SECRET))


@pytest.mark.parametrize(
    "line",
    [
        "mechanism: PLAIN, username: u, password: [SECRET]",
        "mechanism: PLAIN, username: u, password: {SECRET: 1}",
        "mechanism: PLAIN, username: u, password: SECRET, password_file: /nowhere",
        "mechanism: PLAIN, password: SECRET",
        "mechanism: SECRET, username: u",
        "mechanism: OAUTHBEARER, client_secret: SECRET, token_url: 'http://u:SECRET@host/'",
    ],
)
def test_no_secret_is_in_a_message_about_sasl(line: str) -> None:
    text = f"clusters:\n- bootstrap: [k:1]\n  sasl: {{{line}}}\n"
    shown = said(text.replace("SECRET", SECRET))
    assert SECRET not in shown or "mechanism: SECRET" in line  # a mechanism is no place for one, and is shown


def test_no_secret_is_in_what_librdkafka_says_of_a_setting() -> None:
    message = said(f"clusters: [{{bootstrap: ['k:1'], client: {{ssl.key.pom: {SECRET}}}}}]")
    assert 'No such configuration property: "ssl.key.pom"' in message
    assert SECRET not in message
