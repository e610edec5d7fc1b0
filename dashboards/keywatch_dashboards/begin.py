"""The first that runs of `keywatch-dashboards`: says in a sentence when its extra is missing, and how to do without."""

from __future__ import annotations

import signal
import sys

from keywatch.cli.begin import Main, guarded

_BAD_USAGE = 2


def main() -> int:
    """Run the command and return its exit code."""
    return guarded(_command, sys.argv[1:])


def _command() -> Main:
    try:
        from keywatch_dashboards.cli import main as command  # noqa: PLC0415 - may be missing, and takes a while
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("keywatch"):
            raise
        missing = error.name
        return lambda _: _without(missing)
    # What was written to Grafana is put back when it is interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return command


def _without(missing: str | None) -> int:
    from keywatch.cli.out import complain  # noqa: PLC0415 - as above

    complain(
        f"keywatch-dashboards needs {missing}: install keywatch with its extra, `pip install '.[dashboards]'` in its "
        "source tree. The dashboards' JSON is there without it: keywatch assets export DIR --only dashboards/json"
    )
    return _BAD_USAGE
