"""Class files are read as far as linking needs them, and what is damaged is told as such."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywatch.provider import code
from keywatch.provider.class_file import ClassFile, ClassFormatError, Reference
from tests.exporter.provider.class_maker import made

DATA = made(
    "org/shop/A",
    above="org/shop/Above",
    interfaces=["org/shop/I"],
    methods={"of": "(I)V"},
    calls=[("org/shop/B", "name", "()Ljava/lang/String;"), ("[Lorg/shop/C;", "clone", "()Ljava/lang/Object;")],
    says="id",
)


def test_a_class_is_read() -> None:
    found = ClassFile(DATA)
    assert (found.name, found.superclass, found.interfaces, found.java) == (
        "org/shop/A",
        "org/shop/Above",
        ["org/shop/I"],
        17,
    )
    assert ("of", "(I)V") in list(found.members())
    assert list(found.references()) == [Reference("org/shop/B", "name", "()Ljava/lang/String;")]
    assert {"org/shop/B", "org/shop/C", "org/shop/I", "org/shop/Above"} <= set(found.classes())
    assert found.strings() == {"id"}
    assert code.returned_text(found, "getId") == "id"


@pytest.mark.parametrize("data", [b"", b"\xca\xfe\xba\xbe", b"hello" * 10, DATA[:60]])
def test_what_is_no_class_is_told(data: bytes) -> None:
    with pytest.raises(ClassFormatError):
        ClassFile(data)


def test_a_name_that_thousands_of_methods_may_share_is_no_bomb() -> None:
    """Half a megabyte of methods with one name of 60,000 letters would be written out in four gigabytes."""
    with pytest.raises(ClassFormatError):
        list(ClassFile(made("org/shop/A", methods={"x" * 60_000: "()V"})).members())


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(st.integers(4, len(DATA) - 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_damage_is_told_or_read_over(changes: list[tuple[int, int]]) -> None:
    data = bytearray(DATA)
    for at, value in changes:
        data[at] = value
    try:
        found = ClassFile(bytes(data))
        found.classes(), list(found.members()), found.strings(), list(found.references()), list(code.settings(found))
        code.returned_text(found, "getId")
    except ClassFormatError:
        pass
