"""RedHatInsights/keycloak-kafka-events-spi: a fork of SnuK87's listener that writes the same and waits for Kafka."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keywatch.listeners.snuk87 import SNUK87

REDHATINSIGHTS: Final = replace(SNUK87, name="redhatinsights")
