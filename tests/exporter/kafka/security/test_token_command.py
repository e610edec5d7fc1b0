"""A token is what a program prints, run once for all who ask, and nothing of it is shown when it fails."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from keywatch.kafka.security.oauth import TokenError
from keywatch.kafka.security.token_command import TokenCommand, printed


class Program:
    """A shell script that counts how often it was run."""

    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "token.sh"
        self._runs = folder / "runs"
        self.write(text)

    def write(self, text: str) -> None:
        """Have it do something else from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(f"#!/bin/sh\necho run >>{self._runs}\n{text}\n", encoding="utf-8")
        new.chmod(new.stat().st_mode | stat.S_IXUSR)
        new.replace(self.file)

    @property
    def command(self) -> tuple[str, ...]:
        """How it is run."""
        return (str(self.file), "argument")

    @property
    def runs(self) -> int:
        """How often it was run."""
        return len(self._runs.read_text(encoding="utf-8").splitlines()) if self._runs.exists() else 0


def written(life: float) -> str:
    claims = json.dumps({"exp": time.time() + life}).encode()
    return f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.sig"


async def test_it_is_run_once_for_all_who_ask_and_again_when_its_token_grows_old(tmp_path: Path) -> None:
    program = Program(tmp_path, "printf '%s\\n' opaque-$1")
    now = [1000.0]
    tokens = TokenCommand(program.command, clock=lambda: now[0])
    assert set(await asyncio.gather(*(tokens.token(10.0) for _ in range(5)))) == {"opaque-argument"}
    now[0] += 47
    assert tokens.for_client({"logicalCluster": "l"}, "") == ("opaque-argument", 1060.0, "", {"logicalCluster": "l"})
    assert program.runs == 1
    now[0] += 2
    await tokens.token(10.0)
    assert program.runs == 2
    tokens.drop()
    await tokens.token(10.0)
    assert program.runs == 2, "brokers that refuse ask again and again"
    now[0] += 1
    await tokens.token(10.0)
    assert program.runs == 3


async def test_a_program_that_fails_is_run_again_a_second_later(tmp_path: Path) -> None:
    program = Program(tmp_path, "exit 3")
    now = [1000.0]
    tokens = TokenCommand(program.command, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(TokenError, match="exit code 3"):
            await tokens.token(10.0)
    assert program.runs == 1
    program.write("echo good")
    now[0] += 1
    assert await tokens.token(10.0) == "good"


async def test_a_token_that_says_when_it_ends_is_kept_for_most_of_its_life(tmp_path: Path) -> None:
    program = Program(tmp_path, f"echo {written(1000.0)}")
    now = [time.time()]
    tokens = TokenCommand(program.command, clock=lambda: now[0])
    await tokens.token(10.0)
    now[0] += 790
    await tokens.token(10.0)
    assert program.runs == 1
    program.write("exit 3")
    now[0] += 20
    assert (await tokens.token(10.0)).startswith("e30.")  # it is still good
    now[0] += 300
    with pytest.raises(TokenError, match="exit code 3"):
        await tokens.token(10.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo secret; exit 1", "ended with exit code 1"),
        ("echo secret words", "did not print a token"),
        ("echo secret; echo lines", "did not print a token"),
        ("true", "did not print a token"),
        ("printf 'secret\\377'", "did not print a token"),
        ("exec yes secret", "did not print a token"),
        ("yes secret", "did not print a token"),
        ("echo secret; sleep 100", "printed no token in 0.3 s"),
        ("exec >&-; exec sleep 100", "printed no token in 0.3 s"),
    ],
)
def test_a_program_that_gives_none_is_named_and_nothing_that_it_printed(tmp_path: Path, text: str, words: str) -> None:
    program = Program(tmp_path, text)
    begun = time.monotonic()
    with pytest.raises(TokenError, match=words) as caught:
        printed(program.command, 0.3 if "sleep" in text else 10.0)
    assert "secret" not in str(caught.value)
    assert time.monotonic() - begun < 9.0


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(TokenError, match="/nonexistent/program: No such file"):
        printed(["/nonexistent/program"], 1.0)
