"""The part of the configuration that says how dead letters are put back: ledger, audit trail, loop guard."""

from __future__ import annotations

from pydantic import Field

from keywatch.config.paths import FilePath
from keywatch.config.security import Section
from keywatch.config.values import TopicName


class RedriveSection(Section):
    """Command `dlq`: where it notes what it did. The exporter does not read it."""

    ledger: TopicName = Field(
        "keywatch-redrive", description="Topic that notes what was put back; made when it is missing."
    )
    audit_file: FilePath | None = Field(
        None, description="File that audit lines are appended to. Default: `dlq-audit.jsonl` in the state folder."
    )
    audit_topic: TopicName | None = Field(
        None, description="Topic that audit lines go to as well, in the same transactions as the letters."
    )
    state_folder: FilePath | None = Field(
        None, description="Folder of locks and audit file. Default: `~/.local/state/keywatch`, or `XDG_STATE_HOME`."
    )
    max_attempts: int = Field(
        3, ge=1, le=1000, description="How often a letter is put back before it is parked instead."
    )
    max_died_again: float = Field(
        0.2, gt=0, le=1, description="Share of letters that may die again while a replay runs before it stops."
    )
