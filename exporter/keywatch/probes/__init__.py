"""The questions: a folder a subject, and no subject imports another but reconciliation, which reads events."""
