"""Rules for losing nothing and storing nothing twice: inputs from Kafka, outputs to Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator

from keywatch.logstash.fields import texts
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import PipelineFile, Plugin

# What a data stream's output refuses to start with.
_FORBIDDEN = ("index", "template", "template_name", "template_overwrite", "template_api", "join_field", "parent")
_KAFKA = (
    ("enable_auto_commit", "false", "kafka-commit", "otherwise offsets are committed before anything is stored"),
    ("auto_offset_reset", "earliest", "kafka-reset", "otherwise a new group leaves out what is there"),
    ("isolation_level", "read_committed", "kafka-isolation", "otherwise aborted transactions are read"),
    ("auto_create_topics", "false", "kafka-create", "otherwise a misspelt topic is made, and stays empty"),
)


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say which inputs may lose records, and which outputs cannot write to data streams safely."""
    for kind, plugin in config.plugins():
        if (kind, plugin.name) == ("input", "kafka"):
            yield from _kafka(plugin)
        elif (kind, plugin.name) == ("output", "elasticsearch"):
            yield from _elasticsearch(plugin)


def _kafka(plugin: Plugin) -> Iterator[LintFinding]:
    for name, wanted, rule, why in _KAFKA:
        if plugin.text(name) != wanted:
            setting = plugin.setting(name)
            yield LintFinding(setting.line if setting else plugin.line, rule, f"kafka needs {name} => {wanted}; {why}")
    for name in ("group_id", "client_id"):
        if plugin.text(name) is None:
            yield LintFinding(plugin.line, "kafka-name", f"kafka needs {name}, so that its lag can be told")
    if plugin.text("decorate_events") not in {"basic", "extended"}:
        yield LintFinding(
            plugin.line, "kafka-place", "kafka needs decorate_events => basic, so that lag and gaps can be told"
        )
    protocol = plugin.text("security_protocol")
    if protocol is None or protocol.endswith("PLAINTEXT"):
        yield LintFinding(plugin.line, "kafka-tls", "kafka needs security_protocol SSL or SASL_SSL, or a variable")


def _elasticsearch(plugin: Plugin) -> Iterator[LintFinding]:
    asked = plugin.text("data_stream") == "true"
    refused = [setting for setting in plugin.settings if _refused(setting.name, plugin)]
    for setting in refused if asked else ():
        yield LintFinding(setting.line, "output-option", f"elasticsearch refuses {setting.name} with data streams")
    action = plugin.setting("action")
    if asked and action is not None and not (plugin.text("action") or "create").startswith(("create", "${")):
        yield LintFinding(action.line, "output-option", "a data stream takes action => create only")
    if not asked and not refused and action is None and plugin.text("data_stream") is None:
        yield LintFinding(
            plugin.line, "output-data-stream", 'elasticsearch: data_stream => "true" says what is meant; auto guesses'
        )
    for setting in plugin.settings:
        if setting.name == "hosts" and any(text.raw.startswith("http:") for text in texts(setting.value)):
            yield LintFinding(setting.line, "output-tls", "elasticsearch is written to without TLS")
    if plugin.text("ssl_enabled") == "false" or plugin.text("ssl_verification_mode") == "none":
        yield LintFinding(
            plugin.line, "output-tls", "elasticsearch is written to without TLS, or without looking whom to"
        )
    if not any(
        plugin.setting(name)
        for name in ("api_key", "user", "cloud_auth", "ssl_certificate", "ssl_keystore_path", "keystore")
    ):
        yield LintFinding(plugin.line, "output-credentials", "elasticsearch has no credentials; give it an api_key")


def _refused(name: str, plugin: Plugin) -> bool:
    """Return whether an option speaks of indices, which a data stream does not have."""
    return (
        name in _FORBIDDEN
        or name.startswith("ilm_")
        or (name == "manage_template" and plugin.text("manage_template") != "false")
    )
