"""What the guide to the port's security shows can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from keywatch.web.config import WebConfig
from tests.exporter.web.server import hashed

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
