"""The flags that say how a running Keycloak is asked, and what it tells of a listener."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from keywatch.cli import source
from keywatch.cli.seconds import seconds
from keywatch.config.yaml_file import ConfigError, validated

if TYPE_CHECKING:
    from keywatch.provider.finding import Finding

_SECRETS = ("password_file", "password_env", "client_secret_file", "client_secret_env")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    at = parser.add_argument_group("a Keycloak that runs (--keycloak URL)")
    at.add_argument(
        "--realm", action="append", default=[], metavar="NAME", help="realms that must name it [all are shown]"
    )
    at.add_argument("--login-realm", default="master", metavar="NAME", help="where the one who asks logs in [master]")
    at.add_argument("--username", metavar="USER", help="who asks, by a password")
    at.add_argument("--password-file", type=Path, metavar="FILE", help="file that holds the password")
    at.add_argument("--password-env", metavar="NAME", help="variable that holds the password")
    at.add_argument("--client-id", default="admin-cli", metavar="ID", help="the client that asks [admin-cli]")
    at.add_argument(
        "--client-secret-file", type=Path, metavar="FILE", help="file that holds its secret, without a user"
    )
    at.add_argument("--client-secret-env", metavar="NAME", help="variable that holds its secret")
    at.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities to trust there, PEM")
    at.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="NAME",
        help="where the event of a login in the first --realm must come",
    )
    at.add_argument(
        "--event-within", type=seconds(600.0), default=30.0, metavar="SECONDS", help="longest wait for it [30]"
    )
    at.add_argument("--cluster", metavar="NAME", help="which Kafka, where the configuration has several clusters")
    source.add_flags(parser)


def findings(options: argparse.Namespace, url: str, ids: list[str]) -> list[Finding]:
    """Ask the Keycloak at a URL about listeners; raises `ConfigError` for flags that do not fit."""
    from keywatch.cli.listener_proof import proof  # noqa: PLC0415 - each command loads what it needs
    from keywatch.config.security import TlsSection  # noqa: PLC0415
    from keywatch.net.http_peer import HttpPeer  # noqa: PLC0415
    from keywatch.provider.admin import Admin, AdminError  # noqa: PLC0415
    from keywatch.provider.finding import broken, note  # noqa: PLC0415
    from keywatch.provider.in_use import in_use  # noqa: PLC0415
    from keywatch.provider.journal import ChangeError  # noqa: PLC0415

    form = _form(options)
    tls = validated(TlsSection, {"ca_file": options.ca_file}, "flags", {}) if options.ca_file else None
    asked = argparse.Namespace(**{**vars(options), "url": url, "ready": None, "within": options.event_within})
    asked.realm = options.realm[0] if options.realm else None
    if options.topic and not options.realm:
        raise ConfigError("--topic goes with --realm: an event is made by a login")
    checks = proof(asked) if options.realm else None

    async def ask() -> list[Finding]:
        peer = HttpPeer(url, tls)
        try:
            admin = Admin(peer)
            await admin.log_in(options.login_realm, form)
            return await in_use(admin, ids, options.realm)
        except AdminError as error:
            return [broken("in use", f"{url}: {error}")]
        finally:
            await peer.close()

    found = asyncio.run(ask())
    if checks is not None and options.topic:
        try:
            found.append(note("in use", checks.event()))
        except ChangeError as error:
            found.append(broken("in use", str(error)))
    return found


def _form(options: argparse.Namespace) -> dict[str, str]:
    """Return the form of the login; raises `ConfigError`."""
    from keywatch.config.secret import Secret, SecretError  # noqa: PLC0415 - each command loads what it needs

    given = [name for name in _SECRETS if getattr(options, name) is not None]
    if len(given) != 1:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in _SECRETS)
        raise ConfigError(f"--keycloak URL needs one of {names}")
    by_user = given[0].startswith("password")
    if by_user != bool(options.username):
        raise ConfigError("--username goes with --password-file or --password-env, and with no client's secret")
    value = getattr(options, given[0])
    try:
        secret = Secret(file=value) if given[0].endswith("_file") else Secret(env=value)
        words = secret.current()
    except SecretError as error:
        raise ConfigError(f"--{given[0].replace('_', '-')}: {error}") from None
    if by_user:
        return {
            "grant_type": "password",
            "client_id": options.client_id,
            "username": options.username,
            "password": words,
        }
    return {"grant_type": "client_credentials", "client_id": options.client_id, "client_secret": words}
