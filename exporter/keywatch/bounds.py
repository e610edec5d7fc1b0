"""How much of what clients of a cluster make is taken in: any client may make groups, topics and names without end."""

from __future__ import annotations

from typing import Final

GROUPS: Final = 5_000
"""Consumer groups of a cluster that are read, unless configured otherwise."""
GROUP_PARTITIONS: Final = 100_000
"""Partitions that these groups committed on, all together, of which the lag is reckoned."""
NEW_GROUPS: Final = 500
"""Groups that are taken in anew in one cycle after the first, so that no flood makes a cycle long."""
TOPICS: Final = 20_000
"""Topics of a cluster that are reported."""
TOPIC_PARTITIONS: Final = 100_000
"""Partitions of these topics, all together."""
READ_TOPICS: Final = 1_000
"""Topics that one pattern of events or of dead letters may mean and whose records are read, beside those named."""
READ_PARTITIONS: Final = 10_000
"""Partitions of these topics, all together."""
COMMITS_PER_REQUEST: Final = 20_000
"""Commits that are asked for at once, about, so that no answer is too large to be read."""
NAMES_REMEMBERED: Final = 20_000
"""Names of which is remembered whether a pattern means them."""
LISTING_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the list of a broker's groups that are read: 300,000 groups with names of a usual length."""
