"""Says what Ruby's regular expressions refuse: Logstash compiles each pattern of a condition before it starts."""

from __future__ import annotations

import re

from keywatch.logstash.regex_letters import DEEPEST, OCTAL, FlawError, Letters

_OPTIONS = frozenset("imx")
_CHARACTER_SETS = frozenset("adu")
_INTERVAL = re.compile(r"\{(\d{0,9})(,?)(\d{0,9})\}")
_MOST_REPEATS = 100_000
_LONGEST = 7
_LAST_BYTE = 0xFF
_REFERENCE = re.compile(r"([<'])(.*?)([>'])", re.DOTALL)
_NUMBERED = re.compile(r"\d*")
_CHARACTER = re.compile(r"[0-7]{1,3}")
_CONDITION = re.compile(r"(?:(\d+)|[<'](.+?)[>'])\)")
_Length = int | None
# No length that could be told, so that no look-behind can hold it.
_VARIES = None


def flaw(pattern: str) -> str | None:
    """Say what makes a pattern unreadable to Ruby (Oniguruma in Logstash's Java); None when nothing is known to."""
    try:
        _Reader(pattern).whole()
    except FlawError as found:
        return str(found)
    return None


class _Reader(Letters):
    """Goes through a pattern; what it returns of each part is the part's length, or None where that varies."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.names: set[str] = set()
        self.groups = 0
        self.numbers: list[int] = []
        self.calls: list[str] = []
        self.unlike = 0
        self.behind = -1
        self.named = re.search(r"(?<!\\)\(\?(?:<(?![=!])|')", text) is not None

    def whole(self) -> None:
        self.alternatives()
        if self.at < len(self.text):
            raise FlawError("a parenthesis is closed and never opened")
        if self.named and self.numbers:
            raise FlawError("groups with names are not referred to by number")
        if any(number > self.groups for number in self.numbers):
            raise FlawError("it refers to a group that is not there")
        for name in self.calls:
            known = int(name) <= self.groups if name.isdigit() else name in self.names
            if not known and not re.fullmatch(r"[+-]\d+", name):
                raise FlawError(f"it calls the group {name}, which is not there")

    def alternatives(self, *, top: bool = False) -> _Length:
        """Read up to a closing parenthesis or the end; `top` lets alternatives of a look-behind differ in length."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise FlawError("it is nested too deeply")
        lengths = [self.branch()]
        while self.peek() == "|":
            self.at += 1
            lengths.append(self.branch())
        self.depth -= 1
        if _VARIES in lengths or (len(set(lengths)) > 1 and not top):
            return _VARIES
        return lengths[0]

    def branch(self) -> _Length:
        length: _Length = 0
        while self.at < len(self.text) and self.peek() not in {"|", ")"}:
            length = _sum(length, self.piece())
        return length

    def piece(self) -> _Length:
        if self.peek() in {"*", "+", "?"} or ((found := self.interval()) and found[1] != ""):
            raise FlawError(f"nothing stands before {self.peek()} to repeat")
        length = self.atom()
        while True:
            if self.peek() in {"*", "+", "?"} and self.peek():
                self.at += 1
                length = _VARIES
            elif found := self.interval():
                length = self.repeated(length, found)
            else:
                return length

    def interval(self) -> re.Match[str] | None:
        found = _INTERVAL.match(self.text, self.at)
        return found if found and (found[1] or found[3]) else None

    def repeated(self, length: _Length, found: re.Match[str]) -> _Length:
        self.at = found.end()
        low = int(found[1] or 0)
        high = int(found[3]) if found[3] else (low if not found[2] else None)
        if max(low, high or 0) > _MOST_REPEATS:
            raise FlawError(f"{found[0]} is too often")
        if high is not None and high < low:
            raise FlawError(f"{found[0]} ends below where it begins")
        return length * low if length is not None and low == high else _VARIES

    def atom(self) -> _Length:
        letter = self.take("")
        if letter == "(":
            return self.group()
        if letter == "[":
            self.bracket()
            return 1
        if letter == "\\":
            return self.escape()
        return 0 if letter in "^$" else 1

    def group(self) -> _Length:
        start = self.at
        if self.peek() != "?":
            self.groups += not self.named
            self.countable()
            return self.closed(self.alternatives())
        self.at += 1
        kind = self.take("it ends within a group")
        if kind == "#":
            end = self.text.find(")", self.at)
            if end < 0:
                raise FlawError("it ends within a comment")
            self.at = end + 1
            return 0
        if kind in "=!>~|":
            self.closed(self.alternatives())
            return _VARIES
        if kind == "<" and self.peek() in {"=", "!"}:
            return self.look_behind()
        if kind in "<'":
            self.name(kind)
            self.countable()
            return self.closed(self.alternatives())
        if kind == ":":
            # Alternatives may differ where the group is all that a look-behind looks for.
            alone = self.closed(self.alternatives(top=self.behind == start))
            return alone if self.behind != start or self.peek() in {")", "|"} else _VARIES
        if kind == "(":
            self.condition()
            return self.closed(self.alternatives(top=True))
        return self.options(kind)

    def countable(self) -> None:
        if self.unlike:
            raise FlawError("a group that is remembered stands in a negative look-behind")

    def look_behind(self) -> _Length:
        negative = self.take("") == "!"
        self.behind = self.at + 1
        self.unlike += negative
        if self.closed(self.alternatives(top=True)) is _VARIES:
            raise FlawError("what a look-behind looks for must have one length")
        self.unlike -= negative
        return 0

    def closed(self, length: _Length) -> _Length:
        if self.peek() != ")":
            raise FlawError("a parenthesis is opened and never closed")
        self.at += 1
        return length

    def name(self, opened: str) -> None:
        end = self.text.find(">" if opened == "<" else "'", self.at)
        name = self.text[self.at : end] if end >= 0 else self.text[self.at :]
        if not name or end < 0 or ")" in name or not (name[0].isalpha() or name[0] in "_ "):
            raise FlawError("a group's name cannot be read")
        self.at = end + 1
        self.names.add(name)
        self.groups += 1

    def condition(self) -> None:
        found = _CONDITION.match(self.text, self.at)
        if found is None:
            raise FlawError("a group's condition cannot be read")
        self.at = found.end()
        if found[1]:
            self.numbers.append(int(found[1]))
        elif found[2] not in self.names:
            raise FlawError(f"it refers to the group {found[2]}, which is not there")

    def options(self, letter: str) -> _Length:
        off = False
        while letter not in {")", ":"}:
            if letter == "-":
                off = True
            elif letter not in _OPTIONS and (off or letter not in _CHARACTER_SETS):
                raise FlawError(f"(?{letter} is no group that Ruby knows")
            letter = self.take("it ends within a group")
        if letter == ":":
            return self.closed(self.alternatives())
        return self.alternatives()  # they hold up to the end of the group that they stand in

    def escape(self) -> _Length:
        letter = self.take("it ends with a backslash")
        if letter in "bBAZzGyYK":
            return 0
        if letter in "RX":
            return _VARIES
        if letter in "kg":
            return self.reference(letter)
        if letter in "pP":
            self.properties()
        elif letter in "cCM":
            self.control(letter)
        elif letter in "123456789":
            return self.numbered(letter)
        elif letter == "0":
            self.skip(OCTAL)
        elif letter in "xu":
            self.code(letter)
        return 1

    def numbered(self, letter: str) -> _Length:
        start = self.at
        digits = letter + self.skip(_NUMBERED)
        if len(digits) == 1 or (len(digits) < _LONGEST and int(digits) <= self.groups):
            self.numbers.append(int(digits))
            return _VARIES
        self.at = start - 1
        octal = self.skip(_CHARACTER)
        if octal and int(octal, 8) > _LAST_BYTE:
            raise FlawError(f"\\{octal} is no character")
        if not octal:
            self.at = start
        return 1

    def reference(self, letter: str) -> _Length:
        if self.peek() not in {"<", "'"}:
            return 1
        found = _REFERENCE.match(self.text, self.at)
        if found is None or not found[2]:
            raise FlawError("a reference to a group cannot be read")
        self.at = found.end()
        name = re.sub(r"(?<=.)[+-]\d+\Z", "", found[2])
        if letter == "g":
            self.calls.append(name)
        elif name.isdigit():
            self.numbers.append(int(name))
        elif re.fullmatch(r"-\d+", name):
            self.numbers.append(1 if -int(name) <= self.groups else self.groups + len(self.text))
        elif name not in self.names:
            raise FlawError(f"it refers to the group {name}, which is not there")
        return _VARIES


def _sum(one: _Length, other: _Length) -> _Length:
    return _VARIES if one is None or other is None else one + other
