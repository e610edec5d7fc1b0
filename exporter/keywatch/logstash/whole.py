"""Rules for a pipeline as a whole: what its files do together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keywatch.logstash.fields import texts
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import PipelineFile, Plugin, Table

_DATASET = "[data_stream][dataset]"
_ORIGINAL = "[event][original]"


def problems(configs: Sequence[PipelineFile]) -> Iterator[LintFinding]:
    """Say what the pipeline lacks that these files make up; the line is that of the plugin which needs it.

    Empty for files that are not a whole pipeline, with inputs and outputs.
    """
    inputs = [plugin for config in configs for _, plugin in config.plugins("input")]
    filters = [plugin for config in configs for _, plugin in config.plugins("filter")]
    outputs = [plugin for config in configs for _, plugin in config.plugins("output")]
    stores = [plugin for plugin in outputs if plugin.name == "elasticsearch"]
    if not inputs or not outputs:
        return
    keeps = [plugin for plugin in inputs if plugin.name != "dead_letter_queue"]
    if keeps and not any(_removes(plugin, _ORIGINAL) for plugin in filters):
        yield LintFinding(
            keeps[0].line, "original-kept", f"no filter removes {_ORIGINAL}: the whole event is stored beside"
        )
    streams = [store for store in stores if store.text("data_stream") == "true"]
    if any(store.text("data_stream_dataset") is None for store in streams) and not any(map(_sets_dataset, filters)):
        yield LintFinding(
            streams[0].line, "dataset-missing", f"nothing sets {_DATASET}: all goes to logs-generic-default"
        )
    reads_kafka = any(plugin.name == "kafka" for plugin in inputs)
    if reads_kafka and stores and all(store.text("document_id") is None for store in stores):
        yield LintFinding(
            stores[0].line, "output-twice", "without document_id a record that comes twice is stored twice"
        )


def _removes(plugin: Plugin, field: str) -> bool:
    setting = plugin.setting("remove_field")
    return setting is not None and any(text.raw == field for text in texts(setting.value))


def _sets_dataset(plugin: Plugin) -> bool:
    return any(
        isinstance(setting.value, Table) and any(text.raw == _DATASET for text in texts(setting.value))
        for setting in plugin.settings
    )
