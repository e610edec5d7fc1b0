"""Everything at work: the store that is read, the incidents, the scheduler, and the clusters of the configuration."""

from __future__ import annotations

import asyncio

from keywatch.config.model import Config
from keywatch.engine import supervised
from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Sample
from keywatch.engine.runner import Runner
from keywatch.engine.scheduler import Scheduler
from keywatch.engine.store import Store
from keywatch.engine.supervised import Part
from keywatch.kafka.topology import Topology
from keywatch.metrics.probe import PROBE_LAST_RUN_TIMESTAMP_SECONDS
from keywatch.service.cluster_watch import ClusterWatch


class Watch:
    """What a configuration asks for, put into service and changed when the configuration does."""

    def __init__(self, config: Config, *, look_back: float = 0.0) -> None:
        """Put all probes together; raises `SecurityError`. Nothing is contacted before `start`.

        Events are read from `look_back` seconds ago on.
        """
        self.config = config
        self._look_back = look_back
        self.store = Store()
        self.incidents = Incidents()
        self.scheduler = Scheduler(Runner(self.store, self.incidents))
        self._clusters = {
            cluster.name: ClusterWatch(cluster, self.scheduler, look_back=look_back) for cluster in config.clusters
        }

    @property
    def topologies(self) -> dict[str, Topology]:
        """What is known of each cluster."""
        return {name: cluster.topology for name, cluster in self._clusters.items()}

    def warnings(self) -> list[str]:
        """Name what works but should not be so, such as a key that everybody can read."""
        return [words for cluster in self._clusters.values() for words in cluster.warnings()]

    def standing_still(self) -> list[Sample]:
        """Return, with a note, the probes that have not moved for longer than any run may take."""
        words = "stands still: a defect of keywatch, which does not look at it any more"
        return [
            Sample(PROBE_LAST_RUN_TIMESTAMP_SECONDS, (key.cluster, key.probe), 0.0, words)
            for key in self.scheduler.standing_still()
        ]

    def start(self) -> None:
        """Put all probes into service; needs a running event loop."""
        for cluster in self._clusters.values():
            cluster.start()

    async def change(self, config: Config) -> str:
        """Go over to another configuration and say in words what that changed.

        Raises `SecurityError` before anything has changed. Clusters and probes that it does not touch go on.
        """
        fresh = {
            cluster.name: ClusterWatch(cluster, self.scheduler, look_back=self._look_back)
            for cluster in config.clusters
            if cluster.name not in self._clusters or not self._clusters[cluster.name].serves(cluster)
        }
        old, self.config = self._clusters, config
        self._clusters = {cluster.name: fresh.get(cluster.name) or old[cluster.name] for cluster in config.clusters}
        left = [name for name in old if self._clusters.get(name) is not old[name]]
        ended = await asyncio.gather(*(old[name].stop() for name in left), return_exceptions=True)
        for name, error in zip(left, ended, strict=True):
            if isinstance(error, Exception):
                supervised.defect(Part.RELOAD, error, name)
        words = [f"{name} removed" for name in left if name not in fresh]
        for cluster in config.clusters:
            # From here on nothing can be taken back: what fails for one cluster must not keep the others dark.
            try:
                if cluster.name in fresh:
                    self._clusters[cluster.name].start()
                    words.append(f"{cluster.name} {'started anew' if cluster.name in left else 'added'}")
                elif probes := sorted({key.probe for key in await self._clusters[cluster.name].change(cluster)}):
                    words.append(f"{cluster.name}: made anew: {', '.join(probes)}")
            except Exception as error:  # noqa: BLE001 - told, and counted as a defect
                supervised.defect(Part.RELOAD, error, cluster.name)
                words.append(f"{cluster.name}: not as it should be, a defect: see the log")
        return "; ".join(words) or "nothing to change for the clusters"

    async def stop(self) -> None:
        """End all probes."""
        await self.scheduler.stop()
