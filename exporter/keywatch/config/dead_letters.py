"""The part of the configuration that names dead-letter queues: topics by pattern, or a folder of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from keywatch.config.paths import FilePath
from keywatch.config.security import Section
from keywatch.config.values import TopicName
from keywatch.patterns import checked

# What the listener writes: dlq-<milliseconds since 1970>-<nanoseconds of a clock of its own>.json.
_FILES = r"dlq-(?P<millis>\d+)--?\d+\.json"
_WHOLE_NAME = re.compile(r"[A-Za-z0-9._-]+")


Pattern = Annotated[str, AfterValidator(checked)]
Text = Annotated[str, Field(min_length=1, max_length=249)]


class DlqSection(Section):
    """Probe `dlq`: what died, how much of it lies there, since when and why? Either topics or a folder."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(
        ..., description="Value of the label `dlq`."
    )
    topics: tuple[Pattern, ...] | None = Field(None, min_length=1, description="Patterns of the topics it consists of.")
    folder: FilePath | None = Field(None, description="Folder of its files.")
    files: Pattern | None = Field(
        None,
        description="Pattern of the files' names; a group `millis` in it gives their time, otherwise the time of"
        " modification counts. Default: the listener's `dlq-<millis>-<nanos>.json`.",
    )
    reason_header: Text | None = Field(
        None, description="Header that names why a record died, looked at before those of Connect, Spring and others."
    )
    reason_field: Text | None = Field(
        None, description="Field of the JSON envelope that names it, dotted, looked at before the listener's."
    )
    destination: TopicName | None = Field(
        None, description="Topic that `dlq replay` puts letters into that do not tell where they came from."
    )
    parked: TopicName | None = Field(
        None, description="Topic that letters are parked in. Default: the dead-letter topic's name and `.parked`."
    )
    period: Annotated[float, Field(ge=0.1, le=3600)] = Field(0.5, description="Seconds between two looks.")
    timeout: Annotated[float, Field(ge=0.1, le=60)] = Field(2.0, description="Seconds for one look.")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.topics is None) == (self.folder is None):
            raise ValueError("needs either topics or folder" + ("" if self.topics is None else ", not both"))
        if self.topics is None:
            self._refuse("reason_header", "a folder")
            self._refuse("parked", "a folder, whose files are parked in one of its own")
        else:
            self._refuse("files", "topics")
        return self

    def _refuse(self, key: str, kind: str) -> None:
        if getattr(self, key) is not None:
            raise ValueError(f"{key} means nothing to {kind}")

    @property
    def file_pattern(self) -> str:
        """The pattern of the files' names."""
        return self.files or _FILES

    @property
    def named_topics(self) -> tuple[str, ...]:
        """The topics that are named in full, so that it can be told when they are missing."""
        return tuple(pattern for pattern in self.topics or () if _WHOLE_NAME.fullmatch(pattern))


def distinct(sections: Iterable[DlqSection]) -> tuple[DlqSection, ...]:
    """Return the sections if each has a name of its own; raises `ValueError`."""
    found = tuple(sections)
    names = [section.name for section in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two dead-letter queues are called {name!r}; each needs a name of its own")
    return found
