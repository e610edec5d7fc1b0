"""Reads the templates of annotations and labels as Prometheus does: Go's language, Prometheus' functions."""
