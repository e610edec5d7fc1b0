"""What runs in the room: the servers that documents speak of, and then one command after the other."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.commands import furniture, servers
from tests.commands.kafka_tools import write_scripts
from tests.exporter.documents.tree import ROOT
from tests.kafka.waiting import wait_until

_LONGEST = 60.0
_ENDS_WITHIN = 30.0


def main() -> int:
    """Furnish the room, start everything, say so, then answer each line of standard input."""
    folder, tools = Path(sys.argv[1]), Path(sys.argv[2])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    tree = furniture.furnish(folder)
    write_scripts(tools, folder / "bin")
    shutil.copy(Path(__file__).with_name("make_dry.sh"), folder / "bin" / "make")
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "KEYWATCH_LOGSTASH": str(tree / "logstash"),
        "PII_HASH_KEY": "0123456789abcdef0123456789abcdef",
        "TMPDIR": str(folder),
    }
    os.environ["TMPDIR"] = str(folder)
    with contextlib.ExitStack() as stack:
        for one in (servers.kafka, servers.keycloak, servers.logstash, servers.elasticsearch, servers.prometheus):
            stack.enter_context(one(folder))
        with Exporter(environment, tree) as exporter:
            servers.traffic(environment)
            _say({})
            for line in sys.stdin:
                _say(answer(json.loads(line), exporter, environment, tree))
    return 0


class Exporter:
    """`keywatch serve`, which is there but while a document starts one itself; a context manager that enters up."""

    def __init__(self, environment: dict[str, str], tree: Path) -> None:
        self._environment = environment
        self._tree = tree
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it is healthy and its probes have answered."""
        with (Path(self._environment["TMPDIR"]) / "keywatch.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["keywatch", "serve"], env=self._environment, cwd=self._tree, stdout=log, stderr=log
            )
        wait_until(servers.keywatch_ready, 60, "keywatch serves and all is well")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Have it away for a while, so that its port is free."""
        self.stop()
        try:
            yield
        finally:
            self.start()


def answer(command: str, exporter: Exporter, environment: dict[str, str], tree: Path) -> dict[str, object]:
    """Run one command as bash would, with a pipeline failing where a part of it does."""
    if "keywatch serve" in command:
        with exporter.away():
            return _served(command, environment, tree)
    script = f"set -o pipefail\n{command}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=tree,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_LONGEST,
        check=False,
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def _served(command: str, environment: dict[str, str], tree: Path) -> dict[str, object]:
    """Start what does not end by itself, wait until it answers, and have it end."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        env=environment,
        cwd=tree,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: process.poll() is not None or servers.port_open("127.0.0.1", 9877), 30, "it listens")
        process.terminate()
        out, err = process.communicate(timeout=_ENDS_WITHIN)
    return {"code": process.returncode, "out": out, "err": err}


def _say(data: dict[str, object]) -> None:
    print(json.dumps(data), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
