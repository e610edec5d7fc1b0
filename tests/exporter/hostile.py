"""Names as somebody chooses them who wants to be obeyed, to look like something else, or to break who shows them."""

from __future__ import annotations

from typing import Final

NAMES: Final[dict[str, str]] = {
    "rich closes": "[/red]",
    "rich opens": "[bold][link=https://evil.example]x[/link]",
    "rich escape": "\\[/red]",
    "script": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)',
    "entity": "&lt;b&gt;&amp;",
    "line feed": "a\nb",
    "forged line": "a\n09:00:00 ERROR   the disk is full",
    "forged json": '"}\n{"log.level":"error","message":"forged"}',
    "carriage return": "all is well\rFAKE",
    "other line ends": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "escape sequence": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "control": "\x9b31mred\x00\x08\x7f",
    "right to left": "abc\u202efdp.exe\u202c\u2066x\u2069",
    "zero width": "ad\u200bmin\ufeff\u00ad",
    "half a surrogate": "a\ud800b\udfff",
    "label ends": 'a"} 1\nkeywatch_cluster_up{cluster="kafka"} 0',
    "backslashes": "\\\\n\\",
    "percent": "%s %d %(x)s %n {0} {x}",
    "path": "../../etc/passwd",
    "dots": "..",
    "query": "a/b?c=d#e&f;g",
    "spaces": "  a  \t b  ",
    "empty": "",
    "not ASCII": "grüße-日本-🙂-\U0010ffff",
    "long": "x" * 30_000,
}
