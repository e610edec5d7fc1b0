"""Paths in a configuration: a relative one begins in the folder of the file that it stands in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo


def not_empty(value: Any) -> Any:
    """Return a value back that is not an empty text; raises `ValueError`."""
    if value == "":
        raise ValueError("is empty; leave it out")
    return value


def beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """Read a relative path as relative to the folder of the file that it stands in."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


FilePath = Annotated[Path, BeforeValidator(not_empty), AfterValidator(beside_the_file)]
"""The path of a file or folder."""
