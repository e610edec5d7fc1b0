"""What the guide to the port's security shows can be used as it stands there."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from keywatch.web.config import WebConfig
from tests.exporter.web.server import hashed, served
from tests.kafka.certificates import CertificateAuthority

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "web-security.md"


def block(name: str) -> Any:
    """Return the YAML that begins with the comment `# name`."""
    found = re.search(rf"```yaml\n# {re.escape(name)}.*?\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return yaml.safe_load(found[1])


def test_the_web_configuration_is_good() -> None:
    data = block("web.yml")
    data["basic_auth_users"] = dict.fromkeys(data["basic_auth_users"], hashed("x"))
    assert WebConfig.model_validate(data).basic_auth_users


async def test_the_health_check_is_good_with_the_right_password_and_bad_with_another(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    authority.server("s", ["localhost"])
    web, password = tmp_path / "web.yml", tmp_path / "password"
    web.write_text(
        f"tls_server_config: {{cert_file: s.pem, key_file: s.key}}\nbasic_auth_users: {{health: {hashed('word')}}}",
        encoding="utf-8",
    )
    flags = block("compose.yml")["services"]["keywatch"]["healthcheck"]["test"][2:]
    async with served(web) as running:
        for old, new in (
            ("/run/secrets/health", str(password)),
            ("/etc/keywatch/ca.pem", str(authority.certificate)),
            ("localhost:9877", f"localhost:{running.number}"),
        ):
            assert old in flags[-1]
            flags[-1] = flags[-1].replace(old, new)
        for word, good in (("word", True), ("other", False)):
            password.write_text(f"{word}\n", encoding="utf-8")
            process = await asyncio.create_subprocess_exec(sys.executable, *flags, stderr=asyncio.subprocess.DEVNULL)
            assert (await process.wait() == 0) == good
