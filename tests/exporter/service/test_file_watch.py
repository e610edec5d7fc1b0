"""A changed configuration takes effect by itself: once, whole, and never one that is bad or only half written."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from keywatch.config.files import Stamp, stamp_of
from keywatch.config.named_files import named_files
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.service.config_file import load, parse
from keywatch.service.file_watch import Changes, FileWatch
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.reload import Reload
from keywatch.service.watch import Watch
from tests.exporter.commands import keywatch
from tests.exporter.waiting import until
from tests.kafka.exporter_process import ExporterProcess, Recorder
from tests.kafka.waiting import wait_until

FILE = Path("/etc/keywatch/keywatch.yml")
OTHER = Path("/etc/keywatch/password")


def looks(**files: int) -> Mapping[Path, Stamp | None]:
    """Make what files look like, told apart by a number."""
    return {Path("/", name): (number, 0, 0) if number else None for name, number in files.items()}


def settled(changes: Changes, stamps: Mapping[Path, Stamp | None], now: float, *, good: bool = True) -> None:
    """Have them read."""
    changes.done(stamps, now, good=good, files=tuple(stamps))


def test_what_changed_is_read_once_it_is_at_rest() -> None:
    changes = Changes()
    settled(changes, looks(a=1), 0.0)
    assert not changes.due(looks(a=1), 0.5)
    assert not changes.due(looks(a=2), 1.0)
    assert not changes.due(looks(a=3), 1.5)  # still being written
    assert not changes.due(looks(a=3), 2.0)
    assert changes.due(looks(a=3), 2.5)
    settled(changes, looks(a=3), 2.6)
    assert not changes.due(looks(a=3), 100.0)


def test_what_never_rests_is_read_all_the_same_and_not_all_the_time() -> None:
    changes = Changes()
    settled(changes, looks(a=1), 0.0)
    read = []
    for tick in range(2, 42):
        now, stamps = tick / 2, looks(a=tick)
        if changes.due(stamps, now):
            read.append(now)
            settled(changes, stamps, now)
    assert read == [6.0, 11.5, 17.0]


def test_what_went_and_came_back_as_it_was_is_not_read() -> None:
    changes = Changes()
    settled(changes, looks(a=1), 0.0)
    assert not changes.due(looks(a=0), 1.0)
    assert not changes.due(looks(a=1), 1.5)
    assert not changes.due(looks(a=0), 20.0)  # and the patience of then is over
    assert changes.due(looks(a=0), 21.0)


def test_a_bad_one_is_tried_again_as_what_it_lacks_may_come() -> None:
    changes = Changes()
    settled(changes, looks(a=1), 0.0, good=False)
    assert not changes.due(looks(a=1), 4.9)
    assert changes.due(looks(a=1), 5.0)


def test_a_file_that_is_named_anew_is_read_once_more() -> None:
    changes = Changes()
    settled(changes, looks(a=1), 0.0)
    changes.done(looks(a=1), 1.0, good=True, files=(Path("/a"), Path("/b")))
    assert not changes.due(looks(a=1, b=1), 1.5)
    assert changes.due(looks(a=1, b=1), 2.5)


def test_the_files_of_all_sections_are_known_and_no_folder(tmp_path: Path) -> None:
    for name in ("ca", "user", "password", "key"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "letters").mkdir()
    text = """
clusters:
  - bootstrap: [a:1]
    sasl: {mechanism: SCRAM-SHA-512, username_file: user, password_file: password}
    keycloaks: [{name: k, url: "http://k:9000", basic_auth: {username: u, password_file: password}}]
    logs: {elasticsearch: {url: "http://e:9200", api_key_file: key}}
    dlq: [{name: d, folder: letters}]
web: {config_file: web.yml}
"""
    config = parse(text, "keywatch.yml", tmp_path)
    assert [file.name for file in named_files(config)] == ["user", "password", "key"]


async def test_a_file_system_that_hangs_shows_in_the_series_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keywatch.service.file_watch._LOOK_WITHIN", 0.05)
    monkeypatch.setattr("keywatch.service.file_watch._EVERY", 0.01)
    file = tmp_path / "keywatch.yml"
    file.write_text("clusters: [{bootstrap: [127.0.0.1:1]}]\n", encoding="utf-8")
    watch = Watch(load(file))
    reload = Reload(watch, OwnMetrics(watch.store), lambda: load(file))
    answers = threading.Event()

    def hang(path: Path) -> Stamp | None:
        answers.wait(30)
        return stamp_of(path)

    looked = FileWatch(file, tuple, reload, hang)
    (before,) = looked.samples()
    task = looked.begin()
    await asyncio.sleep(0.3)
    (meanwhile,) = looked.samples()
    assert meanwhile.value == before.value
    answers.set()
    await until(lambda: next(looked.samples()).value > before.value, "it looks again")
    task.cancel()


class Mounted(ExporterProcess):
    """Its configuration is mounted as Kubernetes mounts a ConfigMap, and changed as the kubelet does it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.flags = ("--config.watch",)
        self._turn = 0
        self.folder = self.file.parent / "mounted"
        self.folder.mkdir()
        self.file = self.folder / "keywatch.yml"

    def configure(self, config: Mapping[str, Any]) -> None:
        """Mount another configuration."""
        web = {"listen_address": f"127.0.0.1:{self.port}"}
        self.mount(yaml.safe_dump({**config, "web": web}))

    def mount(self, text: str, **others: str) -> None:
        """Write a new folder, and swap the one link that everything is reached by."""
        self._turn += 1
        fresh = self.folder / f"..2026_{self._turn}"
        fresh.mkdir()
        for name, content in {"keywatch.yml": text, **others}.items():
            (fresh / name).write_text(content, encoding="utf-8")
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(Path("..data", name))
        link, old = self.folder / "..data", self.folder / "..data"
        before = old.resolve() if old.is_symlink() else None
        (self.folder / "..data_tmp").symlink_to(fresh.name)
        (self.folder / "..data_tmp").rename(link)
        if before is not None:
            for file in before.iterdir():
                file.unlink()
            before.rmdir()


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(3) as made:
        made.create_topic("keywatch-canary", 3, 3)
        yield made


@pytest.fixture
def mounted(cluster: EmbeddedCluster) -> Iterator[Mounted]:
    with Mounted(of(cluster)) as running:
        running.until(lambda s: s.total("keywatch_canary_up") == 3, 20, "all is well")
        wait_until(lambda: "read anew" in said(running), 10, "what it was started with is looked at")
        yield running


def of(cluster: EmbeddedCluster, **changes: Any) -> dict[str, Any]:
    return {"clusters": [{"name": "one", "bootstrap": cluster.bootstrap.split(","), **changes}]}


def said(exporter: ExporterProcess) -> str:
    return exporter.log.read_text(encoding="utf-8")


def limit(exporter: ExporterProcess) -> Any:
    """Return the limit in force."""
    config: Any = yaml.safe_load(exporter.get("/-/config")[1])
    return config["clusters"][0]["groups"]["limits"]


def test_a_swapped_link_is_in_force_and_a_bad_one_never(mounted: Mounted, cluster: EmbeddedCluster) -> None:
    mounted.configure(of(cluster, groups={"limits": [{"records": 7}]}))
    wait_until(lambda: "one: made anew: groups" in said(mounted), 10, "it says what changed")
    assert limit(mounted)[0]["records"] == 7
    mounted.configure(of(cluster, groups={"limit": 3}))
    bad = mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 0, 10, "the series says so")
    assert bad.total("keywatch_broker_up", cluster="one") == 3
    assert limit(mounted)[0]["records"] == 7
    mounted.configure(of(cluster, groups={"limits": [{"records": 8}]}))
    mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 1, 10, "and that it is mended")
    assert limit(mounted)[0]["records"] == 8
    assert "Traceback" not in said(mounted)


def test_half_a_file_is_not_read_although_it_is_a_good_one(mounted: Mounted, cluster: EmbeddedCluster) -> None:
    """Whoever edits in place writes two clusters; a reader in between would find one, and stop watching the other."""
    first, second = cluster.bootstrap.split(",")[:2]
    parts = (
        f"web: {{listen_address: '127.0.0.1:{mounted.port}'}}\n",
        "clusters:\n",
        f"- {{name: one, bootstrap: ['{first}']}}\n",
        f"- {{name: two, bootstrap: ['{second}']}}\n",
    )
    with mounted.file.open("w", encoding="utf-8") as file:
        for part in parts:
            file.write(part)
            file.flush()
            time.sleep(0.4)  # a slow writer, and no wait for anything
    mounted.until(lambda s: s.total("keywatch_broker_up", cluster="two"), 15, "the second cluster is watched")
    assert "two added" in said(mounted)
    assert mounted.scrape().value("keywatch_config_reload_successful") == 1
    assert "ERROR" not in said(mounted)


def test_ten_swaps_a_second_leave_the_last_one_in_force_and_no_scrape_fails(
    mounted: Mounted, cluster: EmbeddedCluster
) -> None:
    with Recorder(mounted, 0.05) as recorder:
        for turn in range(1, 81):
            mounted.configure(of(cluster, groups={"limits": [{"records": turn}]}))
            time.sleep(0.1)  # this is the load, and no wait for anything
        wait_until(lambda: limit(mounted)[0]["records"] == 80, 10, "the last one is in force")
    assert not recorder.errors
    assert {s.total("keywatch_broker_up", cluster="one") for s in recorder.scrapes} == {3.0}
    assert {s.value("keywatch_config_reload_successful") for s in recorder.scrapes} == {1.0}
    assert said(mounted).count("read anew") <= 6, said(mounted)


def test_a_secret_that_goes_bad_is_told_and_taken_when_it_is_good_again(
    mounted: Mounted, cluster: EmbeddedCluster
) -> None:
    keycloak = {"name": "k", "url": "http://127.0.0.1:1", "basic_auth": {"username": "u", "password_file": "secret"}}
    mounted.configure(of(cluster, keycloaks=[keycloak]))  # its secret is not there yet
    mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 0, 10, "the series says so")
    (mounted.folder / "secret").write_text("first", encoding="utf-8")
    mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 1, 15, "it is tried again")
    assert said(mounted).count("secret cannot be read") == 1  # once, however often it was tried
    (mounted.folder / "secret").write_text("", encoding="utf-8")
    mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 0, 10, "an empty one is told")
    (mounted.folder / "secret").write_text("second", encoding="utf-8")
    mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 1, 10, "a good one is taken")


def test_a_file_that_goes_leaves_what_is_in_force(mounted: Mounted) -> None:
    (mounted.folder / "keywatch.yml").unlink()
    gone = mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 0, 10, "the series says so")
    assert gone.total("keywatch_broker_up", cluster="one") == 3
    assert "No such file" in said(mounted)
    (mounted.folder / "keywatch.yml").symlink_to(Path("..data", "keywatch.yml"))
    mounted.until(lambda s: s.value("keywatch_config_reload_successful") == 1, 15, "it is back")


def test_it_is_off_unless_asked_for(cluster: EmbeddedCluster) -> None:
    with ExporterProcess(of(cluster)) as running:
        assert running.scrape().value("keywatch_config_looked_at_timestamp_seconds") is None
        running.configure(of(cluster, groups={"limits": [{"records": 5}]}))
        time.sleep(2.5)  # longer than a watch would take; that nothing happens can only be waited for
        assert limit(running) == []


def test_without_a_file_there_is_nothing_to_watch() -> None:
    done = keywatch("serve", "--kafka", "127.0.0.1:1", "--config.watch")
    assert (done.returncode, "--config.watch needs a configuration file" in done.stderr) == (2, True)
