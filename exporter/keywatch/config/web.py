"""The part of the configuration that says where keywatch listens, and how it logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from keywatch.config.endpoint import listen_address
from keywatch.config.paths import FilePath
from keywatch.config.security import Section


def _checked_listen(text: str) -> str:
    listen_address(text)
    return text


class Web(Section):
    """The exporter's own port."""

    listen_address: Annotated[str, AfterValidator(_checked_listen)] = Field(
        ":9877", description="Address to listen on; without a host, all addresses."
    )
    config_file: FilePath | None = Field(
        None, description="File with TLS, users and headers of the port, in the form of Prometheus' exporters."
    )
    enable_lifecycle: bool = Field(False, description="Whether POST /-/reload has the configuration read anew.")


class Log(Section):
    """What keywatch says about itself."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity that is logged.")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="ECS JSON or plain text; auto: text on a terminal."
    )
