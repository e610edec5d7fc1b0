"""Reads PromQL as the chosen Prometheus does: tokens, grammar, functions, types."""
