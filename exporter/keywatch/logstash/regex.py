"""Says what Ruby's regular expressions refuse: Logstash compiles each pattern of a condition before it starts."""

from __future__ import annotations

import re

_OPTIONS = frozenset("imx")
_CHARACTER_SETS = frozenset("adu")
_POSIX = frozenset(
    "alnum alpha ascii blank cntrl digit graph lower print punct space upper xdigit word".split()  # noqa: SIM905
)
_INTERVAL = re.compile(r"\{(\d{0,9})(,?)(\d{0,9})\}")
_MOST_REPEATS = 100_000
_DEEPEST = 150
_LONGEST = 7
_LAST_BYTE = 0xFF
_REFERENCE = re.compile(r"([<'])(.*?)([>'])", re.DOTALL)
_PROPERTY = re.compile(r"\{\^?([^}]*)\}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,2}")
_CODE_POINT = re.compile(r"[0-9A-Fa-f]{4}|\{\s*[0-9A-Fa-f]{1,6}(?:\s+[0-9A-Fa-f]{1,6})*\s*\}")
_KINDS = "dDwWsShHpP"
_OCTAL = re.compile(r"[0-7]{0,2}")
_NUMBERED = re.compile(r"\d*")
_CHARACTER = re.compile(r"[0-7]{1,3}")
_POSIX_BRACKET = re.compile(r":\^?(\w+):\]")
_CONDITION = re.compile(r"(?:(\d+)|[<'](.+?)[>'])\)")
# Shorter than any: what has no length of its own, so that no look-behind can hold it.
_VARIES = None
_Length = int | None
# Parts of letters, numbers and marks that Unicode names by one or two letters.
_CATEGORY = re.compile(r"(?:L[lutmoC]?|M[nce]?|N[dlo]?|P[cdsefio]?|S[mcko]?|Z[slp]?|C[cfsno]?)\Z", re.IGNORECASE)


class _Flaw(Exception):  # noqa: N818 - what is found, raised out of the depth
    pass


def flaw(pattern: str) -> str | None:
    """Say what makes a pattern unreadable to Ruby (Oniguruma in Logstash's Java); None when nothing is known to."""
    try:
        _Reader(pattern).whole()
    except _Flaw as found:
        return str(found)
    return None


class _Reader:
    """Goes through a pattern; what it returns of each part is the part's length, or None where that varies."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
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
            raise _Flaw("a parenthesis is closed and never opened")
        if self.named and self.numbers:
            raise _Flaw("groups with names are not referred to by number")
        if any(number > self.groups for number in self.numbers):
            raise _Flaw("it refers to a group that is not there")
        for name in self.calls:
            known = int(name) <= self.groups if name.isdigit() else name in self.names
            if not known and not re.fullmatch(r"[+-]\d+", name):
                raise _Flaw(f"it calls the group {name}, which is not there")

    def peek(self, size: int = 1) -> str:
        return self.text[self.at : self.at + size]

    def take(self, words: str) -> str:
        if self.at >= len(self.text):
            raise _Flaw(words)
        self.at += 1
        return self.text[self.at - 1]

    def alternatives(self, *, top: bool = False) -> _Length:
        """Read up to a closing parenthesis or the end; `top` lets alternatives of a look-behind differ in length."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Flaw("it is nested too deeply")
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
            raise _Flaw(f"nothing stands before {self.peek()} to repeat")
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
            raise _Flaw(f"{found[0]} is too often")
        if high is not None and high < low:
            raise _Flaw(f"{found[0]} ends below where it begins")
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
                raise _Flaw("it ends within a comment")
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
            raise _Flaw("a group that is remembered stands in a negative look-behind")

    def look_behind(self) -> _Length:
        negative = self.take("") == "!"
        self.behind = self.at + 1
        self.unlike += negative
        if self.closed(self.alternatives(top=True)) is _VARIES:
            raise _Flaw("what a look-behind looks for must have one length")
        self.unlike -= negative
        return 0

    def closed(self, length: _Length) -> _Length:
        if self.peek() != ")":
            raise _Flaw("a parenthesis is opened and never closed")
        self.at += 1
        return length

    def name(self, opened: str) -> None:
        end = self.text.find(">" if opened == "<" else "'", self.at)
        name = self.text[self.at : end] if end >= 0 else self.text[self.at :]
        if not name or end < 0 or ")" in name or not (name[0].isalpha() or name[0] in "_ "):
            raise _Flaw("a group's name cannot be read")
        self.at = end + 1
        self.names.add(name)
        self.groups += 1

    def condition(self) -> None:
        found = _CONDITION.match(self.text, self.at)
        if found is None:
            raise _Flaw("a group's condition cannot be read")
        self.at = found.end()
        if found[1]:
            self.numbers.append(int(found[1]))
        elif found[2] not in self.names:
            raise _Flaw(f"it refers to the group {found[2]}, which is not there")

    def options(self, letter: str) -> _Length:
        off = False
        while letter not in {")", ":"}:
            if letter == "-":
                off = True
            elif letter not in _OPTIONS and (off or letter not in _CHARACTER_SETS):
                raise _Flaw(f"(?{letter} is no group that Ruby knows")
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
            self.skip(_OCTAL)
        elif letter in "xu":
            self.code(letter)
        return 1

    def code(self, letter: str) -> None:
        if not self.skip(_HEXADECIMAL if letter == "x" else _CODE_POINT):
            raise _Flaw(f"\\{letter} is followed by hexadecimal digits")

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def control(self, letter: str) -> None:
        if letter == "M":
            raise _Flaw("\\M names no letter of UTF-8")
        if letter == "C" and self.take("it ends within a control character") != "-":
            raise _Flaw(f"\\{letter} is followed by - and a letter")
        if self.take("it ends within a control character") == "\\":
            self.take("it ends within a control character")

    def numbered(self, letter: str) -> _Length:
        start = self.at
        digits = letter + self.skip(_NUMBERED)
        if len(digits) == 1 or (len(digits) < _LONGEST and int(digits) <= self.groups):
            self.numbers.append(int(digits))
            return _VARIES
        self.at = start - 1
        octal = self.skip(_CHARACTER)
        if octal and int(octal, 8) > _LAST_BYTE:
            raise _Flaw(f"\\{octal} is no character")
        if not octal:
            self.at = start
        return 1

    def reference(self, letter: str) -> _Length:
        if self.peek() not in {"<", "'"}:
            return 1
        found = _REFERENCE.match(self.text, self.at)
        if found is None or not found[2]:
            raise _Flaw("a reference to a group cannot be read")
        self.at = found.end()
        name = re.sub(r"(?<=.)[+-]\d+\Z", "", found[2])
        if letter == "g":
            self.calls.append(name)
        elif name.isdigit():
            self.numbers.append(int(name))
        elif re.fullmatch(r"-\d+", name):
            self.numbers.append(1 if -int(name) <= self.groups else self.groups + len(self.text))
        elif name not in self.names:
            raise _Flaw(f"it refers to the group {name}, which is not there")
        return _VARIES

    def properties(self) -> None:
        found = _PROPERTY.match(self.text, self.at)
        if found is None:
            return
        self.at = found.end()
        if not re.fullmatch(r"[\w -]+", found[1]):
            raise _Flaw(f"\\p{found[0]} is no property of characters")
        if len(found[1]) <= 2 and not _CATEGORY.match(found[1]):
            raise _Flaw(f"\\p{found[0]} is no property of characters")

    def bracket(self) -> None:
        """Read a class of characters up to its end; nested ones too."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Flaw("it is nested too deeply")
        if self.peek() == "^":
            self.at += 1
        if self.peek() == "]":
            if "]" not in self.text[self.at + 1 :]:
                raise _Flaw("a class of characters is empty")
            self.at += 1
        before: str | None = None
        while True:
            letter = self.take("a class of characters is opened and never closed")
            if letter == "]":
                self.depth -= 1
                return
            if letter == "[":
                if self.posix_or_nested():
                    self.no_range()
                before = None
            elif letter == "\\":
                kind = self.peek() != "" and self.peek() in _KINDS
                before = self.class_escape()
                if kind:
                    self.no_range()
            elif self.text.startswith("&&", self.at - 1):
                self.at += 1
                before = None
            elif letter == "-" and before is not None and self.peek() not in {"]", ""}:
                self.span(before)
                before = None
            else:
                before = letter

    def no_range(self) -> None:
        """Refuse a range that begins with a kind of characters, such as [\\w-.]."""
        if self.peek() == "-" and self.peek(2) != "-]" and self.peek(3) != "-&&":
            raise _Flaw("a range begins with a kind of characters; - goes last")

    def posix_or_nested(self) -> bool:
        """Read what a bracket within a class opens; true when it names a kind of characters."""
        found = _POSIX_BRACKET.match(self.text, self.at)
        if found is None:
            self.bracket()
            return False
        if found[1] not in _POSIX:
            raise _Flaw(f"[{found[0]} is no class of characters")
        self.at = found.end()
        return True

    def class_escape(self) -> str | None:
        """Return the character that stands here as itself; None for a kind of characters, or what is not reckoned."""
        letter = self.take("a class of characters is opened and never closed")
        if letter in "pP":
            self.properties()
        elif letter in "cCM":
            self.control(letter)
        elif letter in "xu":
            self.code(letter)
        elif letter.isdigit():
            self.skip(_OCTAL)
        elif not letter.isalnum():
            return letter
        return None

    def span(self, low: str) -> None:
        high = self.take("a class of characters is opened and never closed")
        if high == "\\":
            kind = self.peek()
            if kind and kind in _KINDS:
                raise _Flaw("a range ends with a kind of characters")
            escaped = self.class_escape()
            if escaped is None:
                return
            high = escaped
        elif high == "[":
            self.posix_or_nested()
            return
        if high < low:
            raise _Flaw(f"the range {low}-{high} ends before it begins")


def _sum(one: _Length, other: _Length) -> _Length:
    return _VARIES if one is None or other is None else one + other
