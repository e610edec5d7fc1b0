"""One kind of event at all samples that are looked at: how many were counted, and how many arrived."""

from __future__ import annotations

from dataclasses import dataclass, field

# An event from later than this is of a clock that nobody can reckon with.
_MOST_AHEAD = 120.0


@dataclass(slots=True)
class Account:
    """One kind of event at all samples: counted so far, and arrived between each sample and the one before.

    What is counted is None at samples at which that could not be read. Of those that arrived, the `fresh` ones have a
    time at which the sample may have been under way; `off` is what was found out at a sample never to be counted.
    `before` is what arrived with a time before all samples, `beyond` the times of what is later than all of them.
    `unsure` is what may have been counted before the account `begins`, when Keycloak had counted `base` events.

    A `quiet` one has no lists: at all samples as many are counted as arrived before them, and nothing came since.
    """

    begins: float | None
    base: int = 0
    confirmed: bool = False
    quiet: bool = True
    counted: list[int | None] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    off: list[int] = field(default_factory=list)
    before: int = 0
    beyond: list[float] = field(default_factory=list)
    unsure: int = 0
    missing: int = 0
    least: int = 0
    since: float = 0.0

    def wake(self, samples: int) -> None:
        """Write out what a quiet one is at so many samples."""
        self.quiet, self.counted = False, [self.before] * samples
        self.arrived, self.fresh, self.off = ([0] * samples for _ in range(3))

    def record(self, counted: int | None, earliest: float, latest: float) -> int:
        """Take a sample in; returns how many of those that are `beyond` it reaches.

        What is further ahead than any clock may be has arrived all the same, and counts from now on.
        """
        taken = [time for time in self.beyond if not latest < time <= latest + _MOST_AHEAD]
        self.counted.append(counted)
        self.arrived.append(len(taken))
        self.fresh.append(sum(time > earliest for time in taken))
        self.off.append(0)
        if taken:
            self.beyond = [time for time in self.beyond if latest < time <= latest + _MOST_AHEAD]
        return len(taken)

    def fold(self, count: int) -> None:
        """Drop the oldest samples; what arrived before them stays in the sums."""
        self.before += sum(self.arrived[:count]) - sum(self.off[:count])
        del self.counted[:count], self.arrived[:count], self.fresh[:count], self.off[:count]

    def settle(self) -> bool:
        """Become quiet if nothing keeps it from that; returns whether it is."""
        if not self.beyond and not self.missing and not any(self.arrived) and not any(self.off):
            self.quiet = self.counted.count(self.before) == len(self.counted)
        if self.quiet:
            self.counted, self.arrived, self.fresh, self.off, self.least = [], [], [], [], 0
        return self.quiet
