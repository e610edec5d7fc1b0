"""A bundle of letters: a folder with `letters.ndjson` and a manifest that says what is in it, and its digest."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from keywatch import __version__
from keywatch.redrive.dialects import letter_of
from keywatch.redrive.errors import BadInputError, CannotWriteError
from keywatch.redrive.letter import Letter, Place, Raw

LETTERS: Final = "letters.ndjson"
MANIFEST: Final = "manifest.json"
_VERSION: Final = 1
_MOST_MANIFEST: Final = 1 << 20
# A record of 16 MiB in base 64, with headers.
_LONGEST_LINE: Final = 64 << 20


def write(folder: Path, letters: Iterable[Letter], about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a bundle into a new folder and return its manifest; raises `BadInputError` and `CannotWriteError`.

    The manifest comes last: a bundle without one was not finished.
    """
    try:
        folder.mkdir(mode=0o700)
        digest, count, size = hashlib.sha256(), 0, 0
        spans: dict[str, list[int]] = {}
        with open(folder / LETTERS, "xb", opener=_private) as file:
            for letter in letters:
                line = json.dumps(_line(letter), separators=(",", ":")).encode() + b"\n"
                file.write(line)
                digest.update(line)
                count, size = count + 1, size + len(line)
                place = letter.place
                if not place.file:
                    spans.setdefault(f"{place.queue}/{place.partition}", [place.offset, place.offset])[1] = place.offset
            file.flush()
            os.fsync(file.fileno())
        manifest = {
            "version": _VERSION,
            "keywatch": __version__,
            "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "letters": count,
            "bytes": size,
            "sha256": digest.hexdigest(),
            "offsets": spans,
            **about,
        }
        with open(folder / MANIFEST, "x", opener=_private, encoding="utf-8") as file:
            file.write(json.dumps(manifest, indent=2) + "\n")
    except FileExistsError as error:
        raise BadInputError(f"{folder}: is there already; a bundle is written into a new folder") from error
    except FileNotFoundError as error:
        raise BadInputError(f"{folder.parent}: there is no such folder") from error
    except OSError as error:
        raise CannotWriteError(f"{folder}: cannot be written: {error.strerror}") from error
    return manifest


def check(folder: Path) -> dict[str, Any]:
    """Return the manifest of a bundle that is whole; raises `BadInputError` for any other, before anything is done."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = json.loads(file.read(_MOST_MANIFEST))
        if not isinstance(manifest, dict) or manifest.get("version") != _VERSION:
            raise BadInputError(f"{folder}: its manifest is of no version that is known; allowed: {_VERSION}")
        with (folder / LETTERS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{folder / MANIFEST}: is not JSON") from error
    if digest != manifest.get("sha256"):
        raise BadInputError(f"{folder / LETTERS}: its digest is not that of the manifest: it was changed, or cut")
    return manifest


def read(folder: Path) -> Iterator[Letter]:
    """Return the letters of a bundle; raises `BadInputError` at a line that is none."""
    with (folder / LETTERS).open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            try:
                yield _letter(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
                raise BadInputError(f"{folder / LETTERS}, line {number}: is no letter") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _line(letter: Letter) -> dict[str, Any]:
    place, raw = letter.place, letter.raw
    return {
        "queue": place.queue,
        **({"file": place.file} if place.file else {"partition": place.partition, "offset": place.offset}),
        "timestamp": raw.timestamp,
        "key": _text(raw.key),
        "value": _text(raw.value),
        "headers": [[name, _text(said)] for name, said in raw.headers],
    }


def _letter(line: Mapping[str, Any]) -> Letter:
    file = line.get("file", "")
    if not isinstance(file, str) or "/" in file or file in {".", ".."} or "\0" in file:
        raise ValueError("no name of a file")
    place = Place(str(line["queue"]), int(line.get("partition", -1)), int(line.get("offset", -1)), file)
    timestamp = line["timestamp"]
    headers = [(str(name), _bytes(said)) for name, said in line["headers"]]
    raw = Raw(_bytes(line["key"]), _bytes(line["value"]), headers, None if timestamp is None else int(timestamp))
    return letter_of(place, raw)


def _text(said: bytes | None) -> str | None:
    return None if said is None else base64.b64encode(said).decode()


def _bytes(said: str | None) -> bytes | None:
    return None if said is None else base64.b64decode(said, validate=True)
