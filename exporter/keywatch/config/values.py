"""Types of single values that several sections have: names, patterns, addresses, lengths of time."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from keywatch.config.endpoint import endpoint
from keywatch.patterns import checked


def _checked_address(text: str) -> str:
    endpoint(text)
    return text


Address = Annotated[str, AfterValidator(_checked_address)]
Pattern = Annotated[str, AfterValidator(checked)]
Period = Annotated[float, Field(ge=0.1, le=3600)]
Timeout = Annotated[float, Field(ge=0.1, le=60)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
ClusterId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
