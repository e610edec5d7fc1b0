"""Which classes are Java's own: by the image of a runtime, or by the names of packages."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywatch.provider.class_file import ClassFile
from keywatch.provider.java_runtime import JavaRuntime, NoRuntimeError, found_here, runtime
from keywatch.provider.jimage import Image, ImageError


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("java/lang/String", True),
        ("javax/net/ssl/SSLContext", True),
        ("javax/xml/parsers/SAXParser", True),
        ("org/w3c/dom/Node", True),
        ("com/sun/net/httpserver/HttpServer", True),
        ("javax/inject/Inject", False),
        ("javax/xml/bind/JAXB", False),
        ("jakarta/ws/rs/GET", False),
        ("com/sun/mail/smtp/SMTPTransport", False),
        ("org/keycloak/events/Event", False),
    ],
)
def test_packages_that_are_javas(name: str, own: bool) -> None:
    assert (name in JavaRuntime(17)) == own


@pytest.fixture
def home() -> Path:
    program = shutil.which("java")
    if program is None:
        pytest.skip("there is no java on the PATH")
    return Path(program).resolve().parent.parent


def test_the_classes_of_a_runtime(home: Path) -> None:
    java = runtime(home)
    try:
        assert java.release >= 11
        assert "java/lang/String" in java
        assert "javax/inject/Inject" not in java
        data = java.read("java/lang/String")
        assert data is not None
        found = ClassFile(data)
        assert (found.name, found.superclass) == ("java/lang/String", "java/lang/Object")
        assert ("isEmpty", "()Z") in found.members()
        assert java.read("no/Such") is None
    finally:
        java.close()


def test_the_runtime_that_kc_sh_would_take(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(home))
    java = found_here()
    assert java.home == home
    java.close()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert (found_here().home, found_here().release) == (None, 17)


def test_folders_that_are_no_runtime(tmp_path: Path) -> None:
    with pytest.raises(NoRuntimeError, match="its file `release` cannot be read"):
        runtime(tmp_path)
    (tmp_path / "release").write_text("hello\n")
    with pytest.raises(NoRuntimeError, match="names no version"):
        runtime(tmp_path)
    (tmp_path / "release").write_text('JAVA_VERSION="1.8.0_402"\n')
    assert runtime(tmp_path).release == 8
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "modules").write_bytes(b"no image" * 100)
    with pytest.raises(NoRuntimeError, match="lib/modules is no image"):
        runtime(tmp_path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_image_is_told_or_read_over(home: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "modules"
    with (home / "lib" / "modules").open("rb") as file:
        content = bytearray(file.read(400_000))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    before = _descriptors()
    with contextlib.suppress(ImageError):
        Image(path).close()
    assert _descriptors() == before


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
