"""Does a rule file have the shape that `rules.schema.json` demands, which is stricter than Prometheus?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from keywatch.rules.rule_file import RuleFile

_LONGEST = 60


def schema() -> dict[str, Any]:
    """Return the schema."""
    found: dict[str, Any] = json.loads(
        files("keywatch.rules").joinpath("rules.schema.json").read_text(encoding="utf-8")
    )
    return found


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def problems(file: RuleFile) -> Iterator[str]:
    """Say what does not have the right shape."""
    for error in _validator().iter_errors(file.data):
        yield file.words(tuple(error.absolute_path), _words(error))


def _words(error: ValidationError) -> str:
    allowed: Any = error.validator_value
    part: Any = error.schema
    instance: Any = error.instance
    found = json.dumps(instance, ensure_ascii=False, default=str)
    found = found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"
    hint = part.get("description", "")
    match error.validator:
        case "required":
            missing = [key for key in allowed if key not in instance]
            return f"{', '.join(missing)} is missing"
        case "enum":
            return f"{found} is not allowed; allowed: {', '.join(map(str, allowed))}"
        case "pattern":
            return f"{found} is not allowed; allowed: {hint or allowed}"
        case "type":
            kinds = [allowed] if isinstance(allowed, str) else allowed
            return f"must be {' or '.join(kinds)}, is {found}"
        case "additionalProperties":
            known = part.get("properties", {})
            unknown = sorted(map(str, instance.keys() - known.keys()))
            return f"unknown key {', '.join(unknown)} (allowed: {', '.join(sorted(known))})"
        case _:
            return f"{found} is not allowed; allowed: {hint or f'{error.validator} {allowed}'}"
