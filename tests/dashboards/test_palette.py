"""Colours that must be told apart can be, by everybody, on Grafana's dark ground and on its light one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import pytest

from keywatch_dashboards import house, palette

Color = tuple[float, float, float]
Matrix = Sequence[Sequence[float]]

# What Grafana makes of its names of colours: dark, light.
GRAFANAS = {
    "super-light-blue": ("#C0D8FF", "#8AB8FF"),
    "semi-dark-yellow": ("#F2CC0C", "#E0B400"),
    "dark-purple": ("#8F3BB8", "#7C2EA3"),
    "dark-green": ("#37872D", "#19730E"),
    "blue": ("#5794F2", "#3274D9"),
    "green": ("#73BF69", "#56A64B"),
    "orange": ("#FF9830", "#FF780A"),
    "red": ("#F2495C", "#E02F44"),
}
GROUNDS = ("#181B1F", "#FFFFFF")
# Each kind of colour blindness at its strongest, by Machado, Oliveira and Fernandes (2009), for linear RGB.
EYES: Mapping[str, Matrix] = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
_XYZ: Matrix = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.95047, 1.0, 1.08883)


def linear(written: str) -> Color:
    """Give linear RGB of #RRGGBB."""
    red, green, blue = (int(written[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _linear(red), _linear(green), _linear(blue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def times(matrix: Matrix, color: Color) -> Color:
    """Multiply."""
    first, second, third = (sum(a * b for a, b in zip(row, color, strict=True)) for row in matrix)
    return first, second, third


def seen(written: str, eye: Matrix) -> Color:
    """Give CIELAB of a colour as an eye sees it."""
    red, green, blue = (min(max(part, 0.0), 1.0) for part in times(eye, linear(written)))
    xyz = times(_XYZ, (red, green, blue))
    x, y, z = (
        (part / white) ** (1 / 3) if part / white > 0.008856 else 7.787 * part / white + 16 / 116
        for part, white in zip(xyz, _WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(written: str, ground: str) -> float:
    """Return the contrast by WCAG: 1 to 21."""
    lights = sorted(sum(w * p for w, p in zip(_XYZ[1], linear(color), strict=True)) for color in (written, ground))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def nearest(names: Sequence[str]) -> float:
    """Return the smallest distance in CIELAB between two of the colours, over all eyes and both grounds."""
    return min(
        math.dist(seen(GRAFANAS[one][ground], eye), seen(GRAFANAS[other][ground], eye))
        for one, other in itertools.combinations(names, 2)
        for ground in range(len(GROUNDS))
        for eye in EYES.values()
    )


def test_colours_of_series_are_told_apart() -> None:
    assert nearest(palette.SERIES) > 17
    assert nearest(palette.SERIES[:4]) > 35, "most clusters have three brokers, and most panels fewer queries"


def test_colours_of_states_are_told_apart() -> None:
    assert nearest((house.GOOD, house.ATTENTION, house.BAD)) > 22


def test_green_and_red_would_not_be() -> None:
    assert nearest(("green", "orange", "red")) < 8


@pytest.mark.parametrize("name", GRAFANAS)
def test_colours_stand_out_from_the_ground(name: str) -> None:
    assert min(contrast(GRAFANAS[name][ground], GROUNDS[ground]) for ground in range(len(GROUNDS))) > 1.8
