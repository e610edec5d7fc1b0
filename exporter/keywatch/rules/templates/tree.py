"""What is kept of a template: its pipelines and which templates it defines and calls."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Word:
    """One operand: a function, field, variable, dot, string, number, bool, nil, or a pipeline in parentheses."""

    kind: str
    text: str
    place: int
    inner: Pipeline | None = None


@dataclass(slots=True)
class Pipeline:
    """Commands, each with its operands, whose results go from one to the next."""

    place: int
    commands: list[list[Word]] = field(default_factory=list)


@dataclass(slots=True)
class Template:
    """A template that was read."""

    pipelines: list[tuple[Pipeline, bool]] = field(default_factory=list)
    """Each pipeline, and whether its dot is what Prometheus gives to the template."""
    called: list[tuple[str, int]] = field(default_factory=list)
    defined: set[str] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        """Whether it has no action."""
        return not self.pipelines and not self.called
