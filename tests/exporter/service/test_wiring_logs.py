"""The configuration of logs makes the probes that it names, each anew only when its own part changed."""

from __future__ import annotations

from keywatch.engine.store import Key
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from keywatch.probes.logs.log_lag import LogLagProbe
from keywatch.service.base import Base
from keywatch.service.config_file import parse
from keywatch.service.wiring import plans

TEXT = """
clusters:
- name: c
  bootstrap: ['127.0.0.1:1']
  logs:
    logstash:
    - {name: one, url: 'http://127.0.0.1:2'}
    - {name: two, url: 'http://127.0.0.1:3'}
    elasticsearch: {url: 'http://127.0.0.1:4'}
    lag: [{group: g, topics: [a, b]}]
"""


async def test_each_node_the_search_and_its_lag_have_a_probe() -> None:
    cluster = parse(TEXT, "k.yml").clusters[0]
    made = plans(cluster)
    keys = [
        Key("c", "logstash", "one"),
        Key("c", "logstash", "two"),
        Key("c", "elasticsearch", ""),
        Key("c", "log_lag", ""),
    ]
    assert [key for key in made if key.probe in {"logstash", "elasticsearch", "log_lag"}] == keys
    base = Base.of(cluster)
    for key in keys:
        probe = made[key].probe(base)
        assert (probe.cluster, probe.name, probe.target) == key
        await probe.close()


def test_a_change_of_one_node_concerns_its_probe_only() -> None:
    before = plans(parse(TEXT, "k.yml").clusters[0])
    after = plans(parse(TEXT.replace("127.0.0.1:3", "127.0.0.1:5"), "k.yml").clusters[0])
    changed = [key for key in before if before[key] != after[key]]
    assert changed == [Key("c", "logstash", "two")]


def test_without_logs_there_is_none() -> None:
    made = plans(parse("clusters: [{bootstrap: ['k:1']}]", "k.yml").clusters[0])
    assert not {"logstash", "elasticsearch", "log_lag"} & {key.probe for key in made}


async def test_what_one_finds_to_be_another_cluster_all_know() -> None:
    cluster = parse(TEXT, "k.yml").clusters[0]
    base, made = Base.of(cluster), plans(cluster)
    probes = [made[Key("c", name, "")].probe(base) for name in ("elasticsearch", "log_lag")]
    searching, lag = probes
    assert isinstance(searching, ElasticsearchProbe)
    assert isinstance(lag, LogLagProbe)
    assert searching._server._identity is lag._server._identity is base.identities["http://127.0.0.1:4"]
    for probe in probes:
        await probe.close()
