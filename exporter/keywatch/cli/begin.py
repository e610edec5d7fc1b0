"""The first that runs: makes the process fit, whatever it was started with, before all else is loaded."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence

from keywatch.cli.exit_codes import CANNOT_WRITE, INTERRUPTED, NOBODY_READS
from keywatch.cli.hangups import HANGUPS

_STANDARD = (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w"))
_NO_COMMAND_NEEDED = frozenset({"-h", "--help", "--version"})
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""Errors of a disk, or of what takes an output: they are nobody's defect here."""

Main = Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; flags without a command are those of `serve`."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0].startswith("-") and given[0] not in _NO_COMMAND_NEEDED:
        given = ["serve", *given]
    if given[:1] == ["serve"]:
        HANGUPS.hold()
    return guarded(_command, given)


def _command() -> Main:
    from keywatch.cli.command import main as command  # noqa: PLC0415 - takes a while, in which a signal may come

    return command


def guarded(load: Callable[[], Main], given: Sequence[str]) -> int:
    """Load a command and run it, so that neither Ctrl-C nor an output that takes nothing ends it with a traceback.

    From here on Ctrl-C ends the process at once, while modules are loaded too; who must tidy up sets another handler.
    """
    signal.signal(signal.SIGINT, _end)
    open_standard_descriptors()
    try:
        code: int | str | None = load()(given)
    except SystemExit as ended:  # argparse's, after a message
        code = ended.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        if (code := _unwritten(error)) is None:
            raise
    number = code if isinstance(code, int) else int(code is not None)
    for stream, descriptor in ((sys.stderr, 2), (sys.stdout, 1)):
        try:
            stream.flush()  # Python would complain at the very end of what cannot be written
        except OSError as error:
            _give_up(descriptor)
            number = number if stream is sys.stderr else (number or _unwritten(error) or CANNOT_WRITE)
        except (AttributeError, ValueError):
            pass  # such as a test's, or one that was closed
    return number


def _end(_: int, __: object) -> None:
    os._exit(INTERRUPTED)


def _unwritten(error: OSError) -> int | None:
    """Say that something cannot be written and return the exit code; None for another error, which is a defect."""
    code = NOBODY_READS if isinstance(error, BrokenPipeError) else CANNOT_WRITE
    if error.filename is None:  # standard output: nothing else is written without a name
        _give_up(1)
    if code == CANNOT_WRITE:
        if error.errno not in NO_ROOM:
            return None
        from keywatch.cli.out import complain  # noqa: PLC0415 - not needed as a rule

        complain(f"{error.filename or 'standard output'}: cannot be written: {error.strerror}")
    return code


def _give_up(descriptor: int) -> None:
    """Have what is held back, and what comes, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def open_standard_descriptors() -> None:
    """Have something at the descriptors 0, 1 and 2 that are closed, and let no name's letters end a command.

    A connection to Kafka would get one of these numbers otherwise, and what somebody writes to standard error.
    """
    for name, number, mode in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free: those below are open by now.
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - stays
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # such as a test's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # as above
