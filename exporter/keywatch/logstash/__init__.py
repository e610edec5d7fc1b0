"""Reads and judges Logstash's pipelines: a strict reader of its language, and rules for what the language allows."""
