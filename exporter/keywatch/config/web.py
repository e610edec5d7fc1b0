"""The part of the configuration that says where keywatch listens, and how it logs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from keywatch.config.endpoint import listen_address
from keywatch.config.paths import FilePath
from keywatch.config.security import Section


def _checked_listen(text: str) -> str:
    listen_address(text)
    return text


def _checked_host(text: str) -> str:
    if not re.fullmatch(r"\*|(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*", text) or len(text) > 253:
        raise ValueError(f"{text!r} is no name; allowed: a host's name without a port, *.NAME, or *")
    return text.lower()


class Web(Section):
    """The exporter's own port."""

    listen_address: Annotated[str, AfterValidator(_checked_listen)] = Field(
        ":9877", description="Address to listen on; without a host, all addresses."
    )
    config_file: FilePath | None = Field(
        None, description="File with TLS, users and headers of the port, in the form of Prometheus' exporters."
    )
    hosts: tuple[Annotated[str, AfterValidator(_checked_host)], ...] = Field(
        (),
        description="Names by which the port may be asked, beside addresses and local names; *.example.org: all below; "
        "*: any. Unset: any, with TLS or users.",
    )
    enable_lifecycle: bool = Field(False, description="Whether POST /-/reload has the configuration read anew.")


class Log(Section):
    """What keywatch says about itself."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity that is logged.")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="ECS JSON or plain text; auto: text on a terminal."
    )
