"""What a user installs is whole: the commands and the files that they need, and nothing of the tree beside."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import keywatch
from keywatch.assets.shipped import FOLDERS
from tests.wheel.installed import ROOT, Installed

SOURCES = ROOT / "exporter" / "keywatch"


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    with Installed() as made:
        yield made


def test_the_copy_that_runs_is_the_installed_one(installed: Installed) -> None:
    done = installed.run(
        "python", "-c", "import keywatch, keywatch_dashboards as d; print(keywatch.__file__, d.__file__)"
    )
    places = [Path(place) for place in done.stdout.split()]
    assert places == [installed.packages / name / "__init__.py" for name in ("keywatch", "keywatch_dashboards")], (
        done.stderr
    )


def test_the_wheel_holds_every_module_and_file_of_the_packages_and_no_test(installed: Installed) -> None:
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    kept = {".py", ".yml", ".json", ".typed"}
    for folder in ("exporter/keywatch", "dashboards/keywatch_dashboards"):
        base = ROOT / folder
        files = {
            str(path.relative_to(base.parent))
            for path in base.rglob("*")
            if path.suffix in kept and "__pycache__" not in path.parts
        }
        assert files - names == set()
    assert "keywatch/py.typed" in names
    assert [name for name in names if "test" in Path(name).name.lower()] == []


def test_commands_say_their_version_and_help(installed: Installed) -> None:
    assert installed.run("keywatch", "--version").stdout == f"keywatch {keywatch.__version__}\n"
    assert installed.run("python", "-m", "keywatch", "--version").stdout == f"keywatch {keywatch.__version__}\n"
    for command in (
        ["serve"],
        ["check"],
        ["config", "check"],
        ["rules", "check"],
        ["logs", "lint"],
        ["logs", "search"],
        ["assets", "export"],
    ):
        done = installed.run("keywatch", *command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: keywatch ")


def test_the_example_that_is_printed_is_good(installed: Installed, tmp_path: Path) -> None:
    example = installed.run("keywatch", "config", "example").stdout
    assert example == (ROOT / "docs" / "keywatch.example.yml").read_text(encoding="utf-8")
    file = tmp_path / "keywatch.yml"
    file.write_text("clusters:\n  - bootstrap: ['127.0.0.1:1']\n", encoding="utf-8")
    done = installed.run("keywatch", "config", "check", str(file))
    assert (done.returncode, done.stdout) == (0, f"{file}: good; clusters: kafka\n")


def test_metrics_are_told(installed: Installed) -> None:
    assert installed.run("keywatch", "metrics", "--markdown").stdout == (
        (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    )


def test_rules_and_pipelines_are_checked_by_what_the_package_brings(installed: Installed) -> None:
    rules = sorted(map(str, (ROOT / "alerts" / "rules").glob("*.yml")))
    done = installed.run("keywatch", "rules", "check", *rules)
    assert (done.returncode, done.stderr) == (0, "")
    pipeline = ROOT / "tests" / "logstash" / "good.conf"
    done = installed.run("keywatch", "logs", "lint", str(pipeline))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("good: 1 files")


def test_what_elasticsearch_must_hold_is_in_the_package(installed: Installed) -> None:
    code = "from keywatch.elastic.objects import load, shipped; print(shipped()); print(len(load(shipped())))"
    folder, count = installed.run("python", "-c", code).stdout.split()
    assert Path(folder) == installed.packages / "keywatch" / "assets" / "files" / "logstash" / "elasticsearch"
    source = "from keywatch.elastic.objects import load; from pathlib import Path; print(len(load(Path({!r}))))"
    assert (
        count == installed.run("python", "-c", source.format(str(ROOT / "logstash" / "elasticsearch"))).stdout.strip()
    )


def test_what_documents_speak_of_is_in_the_package(installed: Installed, tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    done = installed.run("keywatch", "assets", "export", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    listed = subprocess.run(["git", "ls-files", "-z", *FOLDERS], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            assert (folder / name).read_bytes() == (ROOT / name).read_bytes(), name
    rules = sorted(map(str, (folder / "alerts" / "rules").glob("*.yml")))
    assert installed.run("keywatch", "rules", "check", *rules).returncode == 0


def test_dashboards_without_their_extra_are_a_sentence(installed: Installed) -> None:
    hidden = (
        "import sys; sys.modules['grafanalib'] = None; from keywatch_dashboards.begin import main; sys.exit(main())"
    )
    for flags in (["--help"], ["--out", "x"], []):
        done = installed.run("python", "-c", hidden, *flags)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("keywatch-dashboards needs grafanalib: install keywatch with its extra")
        assert done.stderr.count("\n") == 1


def test_dashboards_are_written_as_they_are_committed(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("keywatch-dashboards", "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    committed = {path.name: path.read_bytes() for path in (ROOT / "dashboards" / "json").glob("*.json")}
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json")} == committed


def test_one_look_at_a_cluster_that_is_down_says_so(installed: Installed) -> None:
    done = installed.run("keywatch", "check", "--kafka", "127.0.0.1:1", "--within", "5")
    assert done.returncode == 1
    assert "DOWN" in done.stdout
    assert "Traceback" not in done.stderr
