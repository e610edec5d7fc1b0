"""Runs one probe once and records the outcome: the only writer of the store and the only broad `except`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from itertools import islice

from keywatch.engine import supervised
from keywatch.engine.first_done import first_done
from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Probe, ProbeError, Reason, Sample
from keywatch.engine.series import SeriesSet, check
from keywatch.engine.slices import Pieces, in_slices
from keywatch.engine.store import Account, Key, Store, key_of
from keywatch.engine.supervised import Part
from keywatch.metrics import probe as probe_metrics

_LOG = logging.getLogger(__name__)
# A probe ends by its own deadline and names what it missed; only one that does not is stuck.
_GRACE = 0.5
# So many of what a failed run says is wrong are looked through for why it failed.
_NOTES_READ = 1000
# How many periods a failed probe's last values may still be shown.
_STALE_PERIODS = 3


class Runner:
    """Gives probes their deadline and turns what happens into frames, accounts and incidents."""

    def __init__(self, store: Store, incidents: Incidents) -> None:
        self._store = store
        self._incidents = incidents
        self._lingering: dict[Key, asyncio.Task[Collection[Sample]]] = {}
        self._defects: dict[Key, str] = {}

    async def run(self, probe: Probe) -> bool:
        """Run `probe` once and record the outcome; never raises but when cancelled, so no probe can stop another.

        A run that outlives its deadline is given up with the reason `stuck`, and no second one is started beside it.
        Returns whether the probe could answer.
        """
        key = key_of(probe)
        started = time.monotonic()
        lingering = self._lingering.get(key)
        if lingering is not None and not lingering.done():
            error = ProbeError(Reason.STUCK, "the run before has still not come back")
            await in_slices(self._failed(probe, started, error))
            return False
        self._lingering.pop(key, None)
        # Whatever it ends with is told below; only a run that was given up has nobody else.
        task = supervised.task(Part.RUN, _run(probe), "/".join(key), answers=(Exception,))
        try:
            await first_done((task,), probe.schedule.timeout + _GRACE)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.cancel()
            self._lingering[key] = task
            task.add_done_callback(lambda over: _forget(over, key))
            detail = f"no answer {_GRACE:g} s after its deadline of {probe.schedule.timeout:g} s"
            await in_slices(self._failed(probe, started, ProbeError(Reason.STUCK, detail)))
            return False
        try:
            samples = task.result()
            check(samples)
        except ProbeError as error:
            rest = self._failed(probe, started, self._checked(probe, error))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a defect must cost its own probe only
            self._defect(probe, error)
            rest = self._failed(probe, started, ProbeError(Reason.INTERNAL, type(error).__name__))
        else:
            rest = self._succeeded(probe, started, samples)
            await in_slices(rest)
            return True
        await in_slices(rest)
        return False

    def forget_run(self, key: Key) -> None:
        """Drop a run that was given up, because another probe takes over."""
        self._lingering.pop(key, None)
        self._defects.pop(key, None)

    def drop(self, probe: Probe) -> None:
        """Drop all about a probe that was taken out of service."""
        key = key_of(probe)
        self._store.drop(key)
        self._incidents.drop(key)
        self.forget_run(key)

    def _defect(self, probe: Probe, error: BaseException) -> None:
        """Log a defect with its trace: loudly when it is new, or else every run would repeat it."""
        key, name = key_of(probe), type(error).__name__
        level = logging.DEBUG if self._defects.get(key) == name else logging.ERROR
        self._defects[key] = name
        _LOG.log(level, "probe %s of cluster %s has a defect", probe.name, probe.cluster, exc_info=error)

    def _checked(self, probe: Probe, error: ProbeError) -> ProbeError:
        """Leave out what a failed run knows all the same when it is no samples: the failure is told in any case."""
        try:
            check(error.samples)
        except (TypeError, ValueError) as wrong:
            self._defect(probe, wrong)
            return ProbeError(error.reason, error.detail)
        return error

    def _succeeded(self, probe: Probe, started: float, samples: Collection[Sample]) -> Pieces[None]:
        """Record an answer; returns what is left to be done: to find out what is wrong, which may be very much."""
        key, wall, now = key_of(probe), time.time(), time.monotonic()
        expires = now + probe.schedule.timeout + _GRACE + _STALE_PERIODS * probe.schedule.period
        self._store.replace(key, samples, wall, expires)
        self._store.account(key, Account(True, wall, probe.schedule.period), now - started, None)
        self._defects.pop(key, None)
        return self._incidents.observing(key, samples, wall)

    def _failed(self, probe: Probe, started: float, error: ProbeError) -> Pieces[None]:
        """Record a failure; as `_succeeded`."""
        key, wall, now = key_of(probe), time.time(), time.monotonic()
        self._store.degrade(key, error.samples, wall, now + _STALE_PERIODS * probe.schedule.period)
        self._store.account(key, Account(False, wall, probe.schedule.period), now - started, error.reason)
        samples = error.samples if isinstance(error.samples, SeriesSet) else SeriesSet((), tuple(error.samples))
        # What is wrong with an object may be why the probe failed, or something else that is wrong beside.
        told = any(error.reason in (sample.note or "") for sample in islice(samples.noted(), _NOTES_READ))
        note = None if told else f"{error.reason}: {error.detail}"
        failure = Sample(probe_metrics.PROBE_SUCCESS, (key.cluster, key.probe), 0.0, note)
        return self._incidents.observing(key, samples.joined_by(failure), wall, partial=True)


async def _run(probe: Probe) -> Collection[Sample]:
    return await probe.run(probe.schedule.timeout)


def _forget(task: asyncio.Task[Collection[Sample]], key: Key) -> None:
    """Take the outcome of a run that was given up: nobody waits for it, and a defect would die unseen."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, ProbeError):
        supervised.defect(Part.RUN, error, "/".join(key))
