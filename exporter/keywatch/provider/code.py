"""Reads from a method's instructions what they say in plain: the text that it returns, the settings that it puts.

No control flow is followed: a constant is loaded (`ldc`, `ldc_w`, `sipush`, `bipush`, `iconst`), and the instruction
after it tells what becomes of it (JVMS 6.5). What is computed or read from somewhere is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from keywatch.provider.class_file import ClassFile

_LDC, _LDC_W, _ARETURN, _BIPUSH, _SIPUSH, _ICONST_0 = 0x12, 0x13, 0xB0, 0x10, 0x11, 0x03
_SETTING: Final = re.compile(r"[a-z]+(?:\.[a-z0-9]+)+|acks|retries")
"""What Kafka's settings look like."""
_LONGEST: Final = 200


def returned_text(found: ClassFile, name: str, descriptor: str = "()Ljava/lang/String;") -> str | None:
    """Return the text that a method returns when it does nothing else; None where it is computed, or not there."""
    for method in found.methods():
        if (method.name, method.descriptor) != (name, descriptor):
            continue
        code = method.code
        value, after = _constant(found, code, 0)
        if isinstance(value, str) and code[after : after + 1] == bytes([_ARETURN]):
            return value[:_LONGEST]
    return None


def has_method(found: ClassFile, name: str, descriptor: str) -> bool:
    """Return whether a class has a method itself."""
    return (name, descriptor) in found.members()


def settings(found: ClassFile) -> Iterator[tuple[str, str]]:
    """Return settings that a class puts with a plain value: a name like `max.block.ms`, right after it the value."""
    for method in found.methods():
        code = method.code
        at = 0
        while at < len(code) - 2:
            # Every byte is tried: what is no instruction's beginning rarely loads a text that looks like a setting.
            if code[at] in {_LDC, _LDC_W}:
                name, after = _constant(found, code, at)
                if isinstance(name, str) and len(name) < _LONGEST and _SETTING.fullmatch(name):
                    value, _ = _constant(found, code, after)
                    if value is not None:
                        yield name, str(value)[:_LONGEST]
            at += 1


def _constant(found: ClassFile, code: bytes, at: int) -> tuple[str | int | None, int]:
    """Return what the instruction there loads, and where the next one stands."""
    instruction = code[at : at + 3]
    if len(instruction) < 2:
        return None, at
    operation = instruction[0]
    if operation == _LDC:
        return found.literal(instruction[1]), at + 2
    if operation == _LDC_W and len(instruction) == 3:
        return found.literal(instruction[1] << 8 | instruction[2]), at + 3
    if operation == _BIPUSH:
        return int.from_bytes(instruction[1:2], "big", signed=True), at + 2
    if operation == _SIPUSH and len(instruction) == 3:
        return int.from_bytes(instruction[1:3], "big", signed=True), at + 3
    if _ICONST_0 - 1 <= operation <= _ICONST_0 + 5:
        return operation - _ICONST_0, at + 1
    return None, at
