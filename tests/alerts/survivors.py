"""Why some mutants survive: changes after which the rule means the same."""

from __future__ import annotations

import re
from typing import Final

_EXPLAINED: Final[tuple[tuple[str, str], ...]] = (
    (
        (
            r"(Keycloak(Heap|Threads|Cpu|Files|Database)|Keywatch(Files|EventLoop|Reload|WebReload|Down|Probe)|Volume|Disk)"
            r"\w* aggregation: .*"
        ),
        "one target has one such series, so the greatest is the least",
    ),
    (r"Container\w+ aggregation: .*", "a container has one such series"),
    (
        r"(Container\w+|VolumeNearlyFull) label: .*(container|persistentvolumeclaim)=~.* → nothing",
        "the other side of the division selects as well",
    ),
    (r"cluster:keywatch_\w+_down:\w+ aggregation: 1:1 count → max", "only that there is a value counts, not which"),
    (
        (
            r"(KafkaGroupLagGrowing|DeadLettersGrowing|KafkaAuthorizationFailed|KeycloakClusterSplit|LogIndexLagGrowing"
            r"|LogstashDeadLettersGrowing|LogstashQueueFilling|LogstashQueueFull) label: .*"
            r"(job|reason)=\"[^\"]*\",? → nothing"
        ),
        "the other side has the label with that value, and both must be equal",
    ),
    (
        (
            r"(KafkaGroup(Stuck|NotReading) label: [4-6]|KafkaGroupPartitionsUnknown label: [2-4])"
            r":\d+ job=\"[^\"]*\",? → nothing"
        ),
        "the other side of the difference has the label with that value, and both must be equal",
    ),
    (r"KafkaGroup(Stuck|NotReading) threshold: 6:\d+ 0 → .*", "twice what is unknown is above 0 as well"),
    (r"KafkaAuthorizationFailed threshold: 4:\d+ 0 → .*", "any number that is not above 1 makes a difference above 0"),
    (
        (
            r"(KeycloakEvents(Lost|Skipped)|KeycloakLogsStalled|LogstashDeadLettersDropped|LogstashRejecting) "
            r"threshold: .* 0 → 1"
        ),
        "increase() makes a little more than 1 of one event",
    ),
    (
        (
            r"LogstashRetryStorm (aggregation: 5:.* sum → max|label: 6:.*job=.* → nothing)"
            r"|KeycloakLogsStalled label: 5:.*job=.*"
        ),
        "only whether any was stored counts, however it is summed and whichever job saw it",
    ),
    (
        r"KeycloakEventsSilent (label: 5:7|aggregation: 4:8) .*",
        "only whether anything arrived counts, however it is summed",
    ),
    (
        r"KeycloakEventsDeadLettered (label: 2:7|aggregation: 2:3) .*",
        "only whether any came counts, however it is summed",
    ),
    (r"KeycloakNotReady aggregation: 2:3 max → min", "all the values are 0"),
    (r"KeycloakEvents(Malformed|Late) aggregation: .* sum → max", "there is one value to sum for each"),
    (r"KeywatchProbeStuck label: 2:.*job=.*", "an instance has the same period in each job"),
    (r"cluster:keywatch_events_lost:ratio30d label: 2:.*job=.*", "each job has the same series of an instance"),
    (r"Watchdog threshold: .*", "any number fires"),
    (
        r"EventPathBudgetBurns\w+ threshold: 2:.*",
        "a short window has so few samples that one is above both thresholds, or below",
    ),
)


def explanation(mutant: str) -> str:
    """Return the reason why a mutant cannot be noticed; nothing when it should be."""
    return next((reason for pattern, reason in _EXPLAINED if re.fullmatch(pattern, mutant)), "")
