"""Cuts processes off from ports of this machine by rules of the kernel, which go away with whoever made them."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from tests.kafka.waiting import wait_until

_FIRST_GROUP = 61_000
_WITHIN = 10.0


def wrapper(number: int) -> Sequence[str]:
    """Return what runs a command so that a firewall can tell its connections from those of others, by a number."""
    return ["setpriv", "--regid", str(_FIRST_GROUP + number), "--clear-groups"]


@functools.cache
def lacks() -> str:
    """Return why nothing can be cut off on this machine; empty when it can."""
    if missing := [program for program in ("nft", "setpriv") if shutil.which(program) is None]:
        return f"{', '.join(missing)} missing (make deps)"
    if os.geteuid() != 0:
        return "only root may change the rules of the network"
    try:
        with Firewall():
            return ""
    except TimeoutError as error:
        return f"the kernel takes no rules: {error}"


class Firewall:
    """A table of nftables that is this object's own: the kernel removes it when its process ends, however it does.

    A context manager; what is dropped is neither answered nor refused, as when packets get lost.
    """

    def __init__(self) -> None:
        self._table = f"keywatch_{secrets.token_hex(6)}"
        self._process: subprocess.Popen[str] | None = None

    def drop(self, numbers: Iterable[int], addresses: Iterable[tuple[str, int]]) -> None:
        """Drop what the processes of these numbers (`wrapper`) send to the addresses, from when this returns."""
        rules = [
            f"meta skgid {_FIRST_GROUP + number} ip daddr {host} tcp dport {port} drop"
            for number in numbers
            for host, port in addresses
        ]
        self._say("; ".join(f"add rule inet {self._table} out {rule}" for rule in rules))
        wait_until(lambda: self._rules() == len(rules), _WITHIN, "the rules hold")

    def flow(self) -> None:
        """Let everything pass again."""
        self._say(f"flush chain inet {self._table} out")
        wait_until(lambda: self._rules() == 0, _WITHIN, "the rules are gone")

    def __enter__(self) -> Self:
        # The owner of a table is a process that lives on: an interactive one.
        self._process = subprocess.Popen(
            ["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )
        self._say(f"add table inet {self._table} {{ flags owner; }}")
        self._say(f"add chain inet {self._table} out {{ type filter hook output priority 0; }}")
        try:
            wait_until(lambda: self._rules() == 0, _WITHIN, "the kernel has the table")
        except TimeoutError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _say(self, command: str) -> None:
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the firewall was not entered")
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def _rules(self) -> int:
        """Return how many rules the kernel has in the chain; -1 where there is none."""
        command = ["nft", "list", "chain", "inet", self._table, "out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_WITHIN)
        return -1 if done.returncode else done.stdout.count(" drop")
