"""Draws which alerts paged at which faults, as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_CELL, _LEFT, _TOP, _EDGE = 26, 420, 210, 12
_FONT = 'font-family="sans-serif" font-size="13"'
_RIGHT, _FALSE, _NONE = "#1b7f4d", "#c62828", "#f1f3f4"


def draw(
    faults: Sequence[str],
    alerts: Sequence[str],
    shares: Sequence[Sequence[float]],
    allowed: Sequence[Sequence[bool]],
) -> str:
    """Return a matrix: green where an alert paged that has to, red where one paged that must not, in each the share."""
    width, height = _LEFT + len(alerts) * _CELL + 150, _TOP + len(faults) * _CELL + _EDGE
    parts = [f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for column, alert in enumerate(alerts):
        x, y = _LEFT + column * _CELL + _CELL / 2 + 4, _TOP - 8
        parts.append(f'<text x="{x:g}" y="{y:g}" {_FONT} transform="rotate(-55 {x:g} {y:g})">{escape(alert)}</text>')
    for number, fault in enumerate(faults):
        y = _TOP + number * _CELL
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 18}" {_FONT} text-anchor="end">{escape(fault)}</text>')
        parts += [
            _cell(_LEFT + column * _CELL, y, share, right=allowed[number][column])
            for column, share in enumerate(shares[number])
        ]
    body = "\n".join(parts)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    title = "<title>Which alerts paged at which faults, in percent of the runs</title>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{title}\n{body}\n</svg>\n'


def _cell(x: float, y: float, share: float, *, right: bool) -> str:
    colour = _NONE if not share and not right else _RIGHT if right else _FALSE
    paint = f'fill="{colour}" fill-opacity="{max(share, 0.15) if colour != _NONE else 1:g}"'
    square = f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" rx="3" {paint}/>'
    if not share and not right:
        return square
    ink = "#ffffff" if share > 0.5 else "#202124"
    middle = f'x="{x + _CELL / 2 - 1:g}" y="{y + 16}" text-anchor="middle"'
    return f'{square}<text {middle} font-family="sans-serif" font-size="9" fill="{ink}">{share * 100:.0f}</text>'
