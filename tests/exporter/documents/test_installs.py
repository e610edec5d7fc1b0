"""Nobody is told to install keywatch by its name: on the public index that name is nobody's, so anybody's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from tests.exporter.documents.tree import ROOT, files

FILES = list(files("*.md", "*.py", "*.yml", "*.yaml", "*.sh", "*.toml", "Makefile", "Dockerfile*", "run"))
_OPTION = r"(?: --?[\w-]+(?:[ =][^\s-]\S*)?)"
_COMMAND = re.compile(rf"\b(?:pip3?|pipx|uv tool|uv pip)\b{_OPTION}* install\b([^`\"#;|&)\n]*)")
_OPTIONS = {
    *("--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--no-index", "--no-build-isolation"),
    *("-q", "-e", "--editable", "-r", "--requirement"),
}
_WITH_A_VALUE = {"--only-binary"}
# This tree, with extras or without; a list of hashed packages; a wheel that was built from this tree.
_ALLOWED = re.compile(r"\.(\[[a-z,]+\])?|(requirements/)?(runtime|dev|oldest|build|extras)\.lock|(wheel|dist)/\S*\.whl")


def installs(text: str) -> Iterator[tuple[int, str]]:
    """Return what each command in a text installs, with its line; lists of arguments in Python are commands too."""
    joined = text.replace("\\\n", "  ")
    told = re.sub(r"[\"'], *[\"']", lambda match: " " * len(match[0]), joined)
    told = re.sub(r"(?<=\bpip) {2,}(?=install)", " ", told)
    for match in _COMMAND.finditer(told):
        yield told[: match.start()].count("\n") + 1, match[1].strip()


def mistakes(text: str) -> list[str]:
    """Say which installations in a text get something that is not this tree."""
    found = []
    for line, arguments in installs(text):
        words = iter(shlex.split(arguments.rstrip("'") if arguments.count("'") % 2 else arguments))
        for word in words:
            if word in _WITH_A_VALUE:
                next(words, None)
            elif word not in _OPTIONS and not _ALLOWED.fullmatch(word):
                found.append(f"{line}: installs {word}")
    return found


def test_whatever_is_installed_is_this_tree() -> None:
    found = {str(path.relative_to(ROOT)): wrong for path in FILES if (wrong := mistakes(path.read_text("utf-8")))}
    assert found == {}


def test_the_known_installations_are_seen() -> None:
    seen = {str(path.relative_to(ROOT)) for path in FILES if any(installs(path.read_text("utf-8")))}
    assert {"README.md", "Makefile", "deploy/image/Dockerfile", "alerts/README.md", "docs/dashboards.md"} <= seen
    assert "exporter/keywatch/cli/rules.py" in seen


_INSTALL = "pip " + "install"


@pytest.mark.parametrize(
    "planted",
    [
        f"{_INSTALL} keywatch",
        f"`{_INSTALL} 'keywatch[rules]'` brings it",
        f"venv/bin/{_INSTALL} --quiet keywatch-dashboards",
        f"python -m {_INSTALL} -e . keywatch",
        f"{_INSTALL} --extra-index-url https://example.org/simple .",
        f"{_INSTALL} -r more.txt",
        f"{_INSTALL} \\\n  --no-deps keywatch",
        f'"{_INSTALL} keywatch"',
        'run(["pip", ' + '"install", "keywatch"])',
        f"bin/pip --python /opt/bin/python {_INSTALL.removeprefix('pip ')} keywatch",
        f"{_INSTALL} https://example.org/keywatch-1-py3-none-any.whl",
        "pipx " + "install keywatch",
        "uv tool " + "install keywatch",
    ],
)
def test_an_installation_of_something_else_is_told(planted: str) -> None:
    assert mistakes(f"First line\n{planted}")


@pytest.mark.parametrize(
    "good",
    [
        f"{_INSTALL} .",
        f"`{_INSTALL} '.[rules]'` in the source tree",
        f"{_INSTALL} --require-hashes -r requirements/dev.lock",
        f"{_INSTALL} --no-deps --only-binary :all: -r build.lock \\\n && echo keywatch",
        f"{_INSTALL} -e .  # as it is",
        f"{_INSTALL} --no-index --no-deps wheel/*.whl",
    ],
)
def test_an_installation_of_this_tree_is_good(good: str) -> None:
    assert list(installs(good))
    assert mistakes(good) == []
