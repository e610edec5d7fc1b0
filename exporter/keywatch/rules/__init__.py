"""Checks rule files of Prometheus: shape, expressions, series, runbooks, tests; needs the extra `rules`."""
