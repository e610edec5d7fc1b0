"""Which Elasticsearch or OpenSearch is watched: the one that answered first, and who answers in its place."""

from __future__ import annotations

from keywatch.engine.probe import ProbeError, Reason


class ClusterIdentity:
    """The UUID that is held, shared by all who ask at one address."""

    def __init__(self) -> None:
        self._held = ""
        self._words = ""

    def meet(self, uuid: str, url: str) -> None:
        """Hold the first UUID that is met at an address; raises `ProbeError` for another one."""
        self._held = self._held or uuid
        self._words = ""
        if uuid != self._held:
            self._words = f"{url}: the cluster {uuid} answers, but {self._held} is watched; restart if it is meant"
        self.check()

    def check(self) -> None:
        """Raise `ProbeError` while who was met last is another cluster: nothing is asked of it."""
        if self._words:
            raise ProbeError(Reason.OTHER_CLUSTER, self._words)
