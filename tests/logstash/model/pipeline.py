"""Runs the filters of real pipeline files over events, and notes which plugins ran. A model of Logstash, no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from keywatch.logstash.language import parse
from keywatch.logstash.tree import Branch, Items, Number, Plugin, Step, Table, Text, Value, Word
from keywatch.logstash.variables import substituted
from tests.logstash.model import filters, mutate
from tests.logstash.model.conditions import compiled
from tests.logstash.model.event import Event, path_of


class Scripts(Protocol):
    """What runs the scripts of `ruby` filters."""

    def load(self, path: Path, parameters: Mapping[str, Any]) -> Callable[[Event], None]:
        """Run a script's tests, have it register, and give the function that filters by it."""
        ...


class Pipeline:
    """The filters and outputs of these files, joined as Logstash joins them."""

    def __init__(self, files: Sequence[Path], environment: Mapping[str, str], scripts: Scripts) -> None:
        """Read the files and make their plugins; raises what would keep Logstash from starting."""
        self.log: list[str] = []
        self.ran: set[str] = set()
        self.metadata: dict[str, Any] = {}
        self._stored = False
        self._environment, self._scripts = environment, scripts
        configs = [parse(file.read_text(encoding="utf-8")) for file in files]
        sections = [section for config in configs for section in config.sections]
        self.filters = [plugin for config in configs for _, plugin in config.plugins("filter")]
        self.outputs = [plugin for config in configs for _, plugin in config.plugins("output")]
        self._filter = self._steps([step for section in sections if section.kind == "filter" for step in section.body])
        self._output = self._steps([step for section in sections if section.kind == "output" for step in section.body])

    def run(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the outputs would write of an event: `_id` where there is one, and the document."""
        event = Event(data)
        self._stored = False
        self._filter(event)
        if event.dropped:
            return []
        self._output(event)
        self.metadata = event.data.get("@metadata", {})
        if not self._stored:
            return []
        found = {"_id": event.get(("@metadata", "_id")), **event.document()}
        return [{key: value for key, value in found.items() if value is not None}]

    def _steps(self, steps: Sequence[Step]) -> Callable[[Event], None]:
        runs = [self._branch(step) if isinstance(step, Branch) else self._plugin(step) for step in steps]

        def run(event: Event) -> None:
            for one in runs:
                if event.dropped:
                    return
                one(event)

        return run

    def _branch(self, branch: Branch) -> Callable[[Event], None]:
        cases = [
            (compiled(case.condition, self._variables) if case.condition else None, self._steps(case.body))
            for case in branch.cases
        ]

        def run(event: Event) -> None:
            for condition, body in cases:
                if condition is None or condition(event):
                    body(event)
                    return

        return run

    def _plugin(self, plugin: Plugin) -> Callable[[Event], None]:
        settings = {setting.name: self._value(setting.value) for setting in plugin.settings}
        identity = settings.pop("id")
        add_tag, remove_field = settings.pop("add_tag", ()), [path_of(f) for f in settings.pop("remove_field", ())]
        work = self._work(plugin.name, settings)
        ran = self.ran

        def run(event: Event) -> None:
            ran.add(identity)
            if work(event):
                for path in remove_field:
                    event.remove(path)
                for tag in add_tag:
                    event.tag(tag)

        return run

    def _work(self, name: str, settings: dict[str, Any]) -> filters.Run:
        if name == "elasticsearch":
            return self._store
        if name == "mutate":
            operations = mutate.operations(settings)

            def run(event: Event) -> bool:
                for operation in operations:
                    operation(event)
                return True

            return run
        if name == "ruby":
            return self._script(settings)
        if name == "json":
            made = filters.parse_json(settings, self.log)
        else:
            makers = {
                "date": filters.date,
                "translate": filters.translate,
                "fingerprint": filters.fingerprint,
                "drop": filters.drop,
            }
            if name not in makers:
                raise NotImplementedError(name)
            made = makers[name](settings)
        if settings:
            raise NotImplementedError(f"{name}: {', '.join(settings)}")
        return made

    def _store(self, _: Event) -> bool:
        self._stored = True
        return True

    def _script(self, settings: dict[str, Any]) -> filters.Run:
        script = self._scripts.load(Path(settings["path"]), settings.get("script_params", {}))

        def run(event: Event) -> bool:
            script(event)
            return True

        return run

    def _variables(self, text: str) -> str:
        return substituted(text, self._environment)

    def _value(self, value: Value) -> Any:
        match value:
            case Text(raw):
                return self._variables(raw)
            case Word(raw):
                return {"true": True, "false": False}.get(raw, raw)
            case Number():
                return value.value
            case Items(values):
                return [self._value(inner) for inner in values]
            case Table(entries):
                return {key.raw: self._value(inner) for key, inner in entries}
            case Plugin():
                return value
