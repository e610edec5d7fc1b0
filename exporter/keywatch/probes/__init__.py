"""The probes: one file per question."""
