"""Which files a configuration names: secrets, keys and certificates."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import BaseModel

from keywatch.config.model import Config

_MOST_FILES = 1000
_ENDING = "_file"


def named_files(config: Config) -> tuple[Path, ...]:
    """Return the files that the clusters' sections name, each once, a thousand at most.

    The file of the port is not among them: the port itself reads that one again.
    """
    return tuple(islice(dict.fromkeys(_files(config.clusters)), _MOST_FILES))


def _files(value: object) -> Iterator[Path]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            part = getattr(value, name)
            if isinstance(part, Path):
                if name.endswith(_ENDING):
                    yield part
            else:
                yield from _files(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _files(part)
