"""Rules against secrets and personal data in files, outputs and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keywatch.logstash.fields import texts
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.options import known
from keywatch.logstash.tree import PipelineFile, Plugin, Text, Word, codecs
from keywatch.logstash.variables import variables

_SECRET = re.compile(r"pass(word|phrase)|api_key|cloud_auth|secret|token$|jaas_config", re.IGNORECASE)
_USER_IN_URL = re.compile(r"://[^\s/@:]+:(?!\$\{)[^\s/@]+@")
_JAAS = re.compile(r"password\s*=\s*['\"]?(?!\$\{)[^'\";\s]+", re.IGNORECASE)
_UNHASHED = {"UUID", "PUNCTUATION", "IPV4_NETWORK"}


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say where a secret stands in the file, and where events would be shown to whoever reads a log."""
    for kind, plugin in config.plugins():
        for what, one in ((kind, plugin), *(("codec", codec) for codec in codecs(plugin))):
            yield from _literals(what, one)
        yield from _quoted(kind, plugin)
        if kind == "output" and plugin.name == "stdout":
            yield LintFinding(
                plugin.line, "stdout", "stdout writes whole events into Logstash's log; keep it for debugging"
            )
        if kind == "filter" and plugin.name == "fingerprint":
            yield from _unkeyed(plugin)


def _literals(kind: str, plugin: Plugin) -> Iterator[LintFinding]:
    options = known().get(kind, {}).get(plugin.name, {})
    for setting in plugin.settings:
        option = options.get(setting.name)
        secret = (option is not None and option.type == "password") or _SECRET.search(setting.name) is not None
        for text in texts(setting.value):
            named = list(variables(text.raw))
            if _USER_IN_URL.search(text.raw) or (_JAAS.search(text.raw) and setting.name == "sasl_jaas_config"):
                yield LintFinding(text.line, "secret-literal", f"{setting.name} holds a password; take a variable")
            elif secret and isinstance(setting.value, Text | Word):
                if not named and text.raw:
                    yield LintFinding(
                        text.line, "secret-literal", f"{setting.name} is a secret in a file; take a variable"
                    )
                elif any(variable.default for variable in named):
                    yield LintFinding(
                        text.line, "secret-default", f"{setting.name}: the variable has a secret for default"
                    )


def _quoted(kind: str, plugin: Plugin) -> Iterator[LintFinding]:
    """What JSON plugins cannot read they quote in the log."""
    setting = plugin.setting("codec")
    if kind == "input" and setting is not None:
        name = setting.value.name if isinstance(setting.value, Plugin) else getattr(setting.value, "raw", "")
        if name in {"json", "json_lines"}:
            yield LintFinding(
                setting.line,
                "json-quotes",
                f"the codec {name} quotes what it cannot read in Logstash's log; read it as text, then filter by json",
            )
    if kind == "filter" and plugin.name == "json" and plugin.text("skip_on_invalid_json") != "true":
        yield LintFinding(
            plugin.line,
            "json-quotes",
            "json quotes what it cannot read in Logstash's log; skip_on_invalid_json => true tags it only",
        )


def _unkeyed(plugin: Plugin) -> Iterator[LintFinding]:
    if plugin.text("method") in _UNHASHED:
        return
    source = plugin.setting("source")
    # Where a record lies is nobody's secret.
    if source is not None and all("[kafka]" in text.raw for text in texts(source.value)):
        return
    key = plugin.setting("key")
    if key is None or not isinstance(key.value, Text | Word) or not key.value.raw:
        yield LintFinding(plugin.line, "hash-unkeyed", "a hash without a key can be undone for names and addresses")
    elif any(variable.default is not None for variable in variables(key.value.raw)) or "${" not in key.value.raw:
        yield LintFinding(
            key.line, "hash-key", "the key must be a variable without default, so that none means no start"
        )
