"""The compose file is one that compose takes, names files that there are, and has no secret in an environment."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import keywatch
from keywatch.service.config_file import load
from tests.exporter.commands import keywatch as run_keywatch
from tests.exporter.documents.tree import ROOT

FOLDER = ROOT / "deploy" / "compose"
PROFILES = ("core", "logs", "faults")
# Started, done and over, or of an image that has neither a shell nor a program to ask itself with.
WITHOUT_HEALTH = {"topics", "objects", "toxiproxy", "keywatch", "logstash", "kibana"}


def config(file: Path, *profiles: str) -> subprocess.CompletedProcess[str]:
    """Have docker-compose read a file; it needs no engine for that."""
    if shutil.which("docker-compose") is None:
        reason = "there is no docker-compose"
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    flags = [word for profile in profiles for word in ("--profile", profile)]
    command = ["docker-compose", "-f", str(file), "--project-directory", str(FOLDER), *flags, "config"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=FOLDER)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Give all services as compose understands them."""
    done = config(FOLDER / "compose.yml", *PROFILES)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_is_whole(profile: str) -> None:
    done = config(FOLDER / "compose.yml", profile)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_key_that_there_is_not_would_be_noticed(tmp_path: Path) -> None:
    text = (FOLDER / "compose.yml").read_text(encoding="utf-8")
    (tmp_path / "compose.yml").write_text(
        text.replace("restart: unless-stopped", "restarts: always", 1), encoding="utf-8"
    )
    done = config(tmp_path / "compose.yml", "core")
    assert done.returncode != 0
    assert "restarts" in done.stderr


def test_every_file_that_is_mounted_is_there(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("/") and "/secrets/" not in source:
                assert Path(source).exists(), f"{name}: {source}"


def test_no_secret_stands_in_an_environment(services: dict[str, Any]) -> None:
    named = re.compile(r"PASSWORD|SECRET|TOKEN|KEY(?!CLOAK|WATCH)", re.IGNORECASE)
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if named.search(key):
                assert key.endswith(("_FILE", ".key")), f"{name}: {key}"
                assert "/" in str(value), f"{name}: {key}"
    assert not re.search(r"(?im)^\w*(password|secret|token)\w*=", (FOLDER / ".env").read_text(encoding="utf-8"))


def test_everything_is_published_on_the_loopback_only(services: dict[str, Any]) -> None:
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) >= 8
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_runs_on_is_asked_how_it_is_and_comes_back(services: dict[str, Any]) -> None:
    for name, service in services.items():
        over = name in {"topics", "objects"}
        assert service["restart"] == ("no" if over else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in WITHOUT_HEALTH), name
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in {"topics", "objects"} else "service_healthy"
            assert how["condition"] == wanted, f"{name}: {other}"


def test_each_version_stands_in_one_place() -> None:
    names = dict(re.findall(r"(?m)^(\w+)=(.*)$", (FOLDER / ".env").read_text(encoding="utf-8")))
    text = (FOLDER / "compose.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"(?<!\$)\$\{(\w+)\}", text))
    assert used <= set(names)
    assert {name for name in names if name.endswith(("_VERSION", "_PORT"))} <= used
    assert all("${" in image for image in re.findall(r"image: (\S+)", text))
    assert names["KEYWATCH_IMAGE"] == f"keywatch:{keywatch.__version__}"


def test_keywatch_takes_its_part(services: dict[str, Any]) -> None:
    config_file = load(FOLDER / "config" / "keywatch" / "keywatch.yml")
    brokers = {name for name in services if name.startswith("kafka-")}
    assert {address.split(":")[0] for address in config_file.clusters[0].bootstrap} == brokers
    command = services["keywatch"]["command"]
    known = run_keywatch("serve", "--help").stdout
    assert all(word in known for word in command if word.startswith("--"))
    objects = run_keywatch("logs", "bootstrap", "--help").stdout
    assert all(word.split("=")[0] in objects for word in services["objects"]["command"] if word.startswith("--"))
    assert services["keywatch"]["read_only"] is True


def test_prometheus_takes_its_part() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool")
    file = FOLDER / "config" / "prometheus.yml"
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    ours = yaml.safe_load((ROOT / "alerts" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    here = {job["job_name"]: job for job in yaml.safe_load(file.read_text(encoding="utf-8"))["scrape_configs"]}
    for job in ours:
        if job["job_name"] in here:
            same = {key: value for key, value in job.items() if key != "static_configs"}
            assert same == {key: value for key, value in here[job["job_name"]].items() if key != "static_configs"}


def prepared(folder: Path) -> dict[str, bytes]:
    """Make the secrets below a copy, and return what is in the files."""
    shutil.copy(FOLDER / "prepare.sh", folder / "prepare.sh")
    subprocess.run([folder / "prepare.sh"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    files = [path for path in (folder / "secrets").rglob("*") if path.is_file()]
    return {str(path.relative_to(folder / "secrets")): path.read_bytes() for path in files}


def test_secrets_are_made_once_and_lie_in_a_folder_of_their_owner(tmp_path: Path, services: dict[str, Any]) -> None:
    made = prepared(tmp_path)
    wanted = {name for service in services.values() for one in service.get("secrets", []) for name in [one["source"]]}
    assert wanted <= set(made)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert all(made[name] for name in wanted - {"kibana-token", "logstash-api-key"})
    assert len({made[name] for name in made if name.endswith("-password")}) == 5
    certificates = tmp_path / "secrets" / "certificates"
    assert {path.name for path in certificates.iterdir()} == {"authority.pem", "elasticsearch.pem", "elasticsearch.key"}
    verify: list[str | Path] = [
        "openssl",
        "verify",
        "-CAfile",
        certificates / "authority.pem",
        certificates / "elasticsearch.pem",
    ]
    subprocess.run(verify, check=True, capture_output=True, timeout=60)
    assert prepared(tmp_path) == made


@pytest.mark.parametrize("script", ["prepare.sh", "smoke.sh"])
def test_scripts_are_bash(script: str) -> None:
    subprocess.run(["bash", "-n", FOLDER / script], check=True, timeout=60)


def test_the_smoke_test_says_what_it_lacks() -> None:
    done = subprocess.run([FOLDER / "smoke.sh", "cores"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.startswith("usage: ")) == (2, True)
    if shutil.which("docker") is None:
        done = subprocess.run([FOLDER / "smoke.sh"], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, "docker compose is missing" in done.stderr) == (2, True)


def test_the_smoke_test_looks_for_series_that_there_are() -> None:
    from keywatch.metrics import catalogue  # noqa: PLC0415 - here only

    names = set(re.findall(r"\^(keywatch_\w+)", (FOLDER / "smoke.sh").read_text(encoding="utf-8")))
    assert names
    assert names <= {metric.name for metric in catalogue.METRICS}
