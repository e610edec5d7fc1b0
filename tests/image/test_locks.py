"""What the image has beside keywatch's own dependencies is what developers test with."""

from __future__ import annotations

from tests.image.container import ROOT


def test_extras_are_those_of_the_developers_lock() -> None:
    developers = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    extras = (ROOT / "deploy" / "image" / "extras.lock").read_text(encoding="utf-8").splitlines()
    assert any("--hash=" in line for line in extras)
    for line in extras:
        assert line.removesuffix(" \\") in developers
