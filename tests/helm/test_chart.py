"""The chart makes what Kubernetes takes, at the level restricted, whatever is switched; a wrong value is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import keywatch
from keywatch.documents.chart import described, undescribed
from keywatch.rules.rule_file import RuleFile
from keywatch.service.config_file import parse
from tests.exporter.documents.tree import ROOT
from tests.helm.chart import CHART, RELEASES, Manifest, RefusedError, judged, of, only, render, rendered, required
from tests.helm.matrix import MATRIX

pytestmark = [pytest.mark.helm, pytest.mark.timeout(1200)]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _helm() -> None:
    required()


@pytest.fixture(scope="module")
def made() -> dict[str, list[Manifest]]:
    """Give what each row of the matrix makes."""
    required()
    return {name: render(values) for name, values in MATRIX.items()}


def pod(manifests: list[Manifest]) -> dict[str, Any]:
    """Return the specification of the pods."""
    found: dict[str, Any] = only(manifests, "Deployment")["spec"]["template"]["spec"]
    return found


def container(manifests: list[Manifest]) -> dict[str, Any]:
    """Return keywatch's container."""
    found: dict[str, Any] = pod(manifests)["containers"][0]
    return found


def test_every_release_takes_every_object_of_the_matrix(made: dict[str, list[Manifest]]) -> None:
    everything = [one for manifests in made.values() for one in manifests if one["kind"] != "ConfigMap"]
    configs = [one for name in ("defaults", "dashboards", "more objects") for one in of(made[name], "ConfigMap")]
    assert judged(everything, (RELEASES[0], RELEASES[-1])) == []
    assert judged([*made["defaults"], *made["more of the pod"], *configs]) == []


def test_the_judge_refuses_a_key_that_there_is_not(made: dict[str, list[Manifest]]) -> None:
    bad = json.loads(json.dumps(only(made["defaults"], "Deployment")))
    bad["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    (first, *_) = judged([bad], RELEASES[:1])
    assert "livenessprobe" in first


def test_each_value_is_set_by_some_row_of_the_matrix() -> None:
    def paths(values: dict[str, Any], depth: int, before: str = "") -> Iterator[str]:
        for key, value in values.items():
            path = f"{before}{key}"
            if isinstance(value, dict) and depth and path not in {"config", "resources"}:
                yield from paths(value, depth - 1, f"{path}.")
            yield path

    known = {path for path, _, _ in described((CHART / "values.yaml").read_text(encoding="utf-8"))}
    set_by_rows = {path for values in MATRIX.values() for path in paths(values, 2)}
    # The whole of these is one value; what stands below is Kubernetes'.
    left = {path for path in known - set_by_rows if not path.startswith("probes.")}
    assert left == set(), left


def test_each_value_is_explained_and_has_its_place_in_the_schema() -> None:
    assert undescribed((CHART / "values.yaml").read_text(encoding="utf-8")) == []
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) == {*VALUES, "global"}

    def same(values: dict[str, Any], part: dict[str, Any], path: str) -> None:
        if part.get("additionalProperties") is False:
            assert set(values) <= set(part["properties"]), path
            for key, value in values.items():
                if isinstance(value, dict):
                    same(value, part["properties"][key], f"{path}.{key}")

    same(VALUES, schema, "")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"tags": "x"}}, "tags"),
        ({"networkPolicy": {"kafka": {"port": [9092]}}}, "port"),
        ({"monitor": {"kind": "Prometheus"}}, "monitor/kind"),
        ({"image": {"digest": "sha256:abc"}}, "image/digest"),
        ({"secrets": {"kafka": {"name": "x"}}}, "secretName"),
        ({"secrets": {"Kafka User": {"secretName": "x"}}}, "Kafka User"),
        ({"replicas": "two"}, "replicas"),
        ({"terminationGracePeriodSeconds": 1}, "terminationGracePeriodSeconds"),
        ({"config": {"cluster": []}}, "cluster"),
        ({"existingConfigMap": "a", "existingConfigSecret": "b"}, "either existingConfigMap or existingConfigSecret"),
        ({"web": {"tls": True}}, "web.tls needs web.existingSecret"),
        ({"service": {"enabled": False}, "monitor": {"kind": "ServiceMonitor"}}, "needs service.enabled"),
        ({"rules": {"enabled": True, "files": ["kafak"]}}, 'there is no "kafak"; allowed: consumers, dlq'),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(words)):
        render(values)


@pytest.mark.parametrize(
    "cluster",
    [
        {"sasl": {"mechanism": "PLAIN", "username": "u", "password": "hunter2"}},
        {"tls": {"key_password": "hunter2"}},
        {"sasl": {"mechanism": "OAUTHBEARER", "client_secret": "hunter2"}},
        {"logs": {"elasticsearch": {"url": "https://e", "api_key": "hunter2"}}},
        {"client": {"ssl.key.password": "hunter2"}},
        {"keycloaks": [{"name": "k", "basic_auth": {"username": "u", "password": "hunter2"}}]},
    ],
)
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(cluster: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="is a secret") as told:
        render({"config": {"clusters": [{"name": "k", "bootstrap": ["k:1"], **cluster}]}})
    assert "hunter2" not in str(told.value)
    named = {"config": {"clusters": [{"name": 'a "password": b', "bootstrap": ["k:1"]}]}}
    assert render(named)


@pytest.mark.parametrize("row", MATRIX)
def test_pods_run_at_the_level_restricted(made: dict[str, list[Manifest]], row: str) -> None:
    spec = pod(made[row])
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    security = spec["containers"][0]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    if row != "other security":
        assert security["readOnlyRootFilesystem"] is True
    assert not any("hostPath" in volume for volume in spec["volumes"])
    assert not of(made[row], "Role") + of(made[row], "ClusterRole") + of(made[row], "RoleBinding")
    for account in of(made[row], "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("row", MATRIX)
def test_names_are_short_enough_and_selectors_fit(made: dict[str, list[Manifest]], row: str) -> None:
    deployment = only(made[row], "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for one in made[row]:
        assert len(one["metadata"]["name"]) <= 63, one["metadata"]["name"]
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [one["spec"]["selector"] for one in of(made[row], "Service")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of(made[row], "PodDisruptionBudget")]
    selectors += [one["spec"]["podSelector"]["matchLabels"] for one in of(made[row], "NetworkPolicy")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of(made[row], "PodMonitor")]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
    ports = {port["name"] for port in container(made[row])["ports"]}
    assert all(port["targetPort"] in ports for one in of(made[row], "Service") for port in one["spec"]["ports"])


@pytest.mark.parametrize("row", MATRIX)
def test_each_volume_is_mounted_once_and_never_by_sub_path(made: dict[str, list[Manifest]], row: str) -> None:
    volumes = [volume["name"] for volume in pod(made[row])["volumes"]]
    mounts = container(made[row])["volumeMounts"]
    assert sorted(volumes) == sorted(mount["name"] for mount in mounts)
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)
    assert not any("subPath" in mount for mount in mounts)


def test_keywatch_itself_takes_the_configuration_and_the_flags(made: dict[str, list[Manifest]]) -> None:
    for row in ("defaults", "configuration", "Strimzi"):
        text = only(made[row], "ConfigMap")["data"]["keywatch.yml"]
        assert len(parse(text, "keywatch.yml").clusters) == (2 if row == "configuration" else 1)
    flags = container(made["TLS at the port"])["args"]
    assert "--config.watch" in flags
    assert "--web.config.file=/run/secrets/keywatch-web/web.yml" in flags
    assert "--config.watch" not in container(made["not watched"])["args"]
    assert made["not watched"] != made["defaults"]


def test_a_changed_configuration_replaces_pods_only_where_it_is_not_watched() -> None:
    other = {"config": {"clusters": [{"bootstrap": ["other:1"]}]}}
    watched = [only(render(values), "Deployment") for values in ({}, other)]
    assert watched[0] == watched[1]
    replaced = [only(render({"watchConfig": False, **values}), "Deployment") for values in ({}, other)]
    assert replaced[0] != replaced[1]


def test_probes_ask_what_can_answer(made: dict[str, list[Manifest]]) -> None:
    plain = container(made["defaults"])
    assert plain["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http", "scheme": "HTTP"}
    assert plain["readinessProbe"]["httpGet"]["path"] == "/-/ready"
    guarded = container(made["TLS at the port"])
    assert guarded["livenessProbe"]["exec"]["command"][1:] == [
        "check",
        "--live",
        "--exporter",
        "https://127.0.0.1:9877",
    ]
    assert guarded["readinessProbe"]["tcpSocket"] == {"port": "http"}
    assert container(made["TLS at the port, asked by HTTP"])["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"


@pytest.mark.parametrize(
    ("row", "kind", "key"),
    [
        ("monitor", "ServiceMonitor", "endpoints"),
        ("no service", "PodMonitor", "podMetricsEndpoints"),
    ],
)
def test_two_jobs_are_scraped_as_the_rules_select(
    made: dict[str, list[Manifest]], row: str, kind: str, key: str
) -> None:
    monitor = only(made[row], kind)
    endpoints = monitor["spec"][key]
    assert [one["relabelings"][0]["replacement"] for one in endpoints] == ["keywatch-health", "keywatch"]
    assert endpoints[0]["params"] == {"collect[]": ["health"]}
    assert "params" not in endpoints[1]


def test_rules_are_those_of_the_tree_with_the_address_of_ones_own_runbooks(made: dict[str, list[Manifest]]) -> None:
    rules = {one["metadata"]["name"]: one["spec"] for one in of(made["rules"], "PrometheusRule")}
    files = [RuleFile(path) for path in sorted((ROOT / "alerts" / "rules").glob("*.yml"))]
    assert len(rules) == len(files)
    for file in files:
        found = json.dumps(rules[f"watch-keywatch-{file.path.stem}"], sort_keys=True)
        assert "keywatch.example" not in found
        was = json.dumps(file.data, sort_keys=True)
        assert found == was.replace("https://keywatch.example/alerts/runbooks", "https://wiki.example/k")
    some = {one["metadata"]["name"] for one in of(made["two files of rules"], "PrometheusRule")}
    assert some == {"watch-keywatch-kafka", "watch-keywatch-keycloak"}


def test_dashboards_are_those_of_the_tree_for_the_sidecar(made: dict[str, list[Manifest]]) -> None:
    found = [one for one in of(made["dashboards"], "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    texts = {name: text for one in found for name, text in one["data"].items()}
    files = sorted((ROOT / "dashboards" / "json").glob("*.json"))
    assert sorted(texts) == [file.name for file in files]
    for file in files:
        assert json.loads(texts[file.name]) == json.loads(file.read_text(encoding="utf-8"))
    assert {one["metadata"]["namespace"] for one in found} == {"grafana"}


def test_the_policy_lets_in_prometheus_and_out_what_is_listed(made: dict[str, list[Manifest]]) -> None:
    policy = only(made["defaults"], "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for port in policy["ingress"][0]["ports"]] == ["http"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 9092, 9093, 9000, 9600, 9200}
    assert only(made["nobody asks"], "NetworkPolicy")["spec"]["ingress"] == []
    closed = only(made["nothing goes out"], "NetworkPolicy")["spec"]
    assert not closed["egress"]
    assert "Egress" in closed["policyTypes"]
    tight = only(made["a tight policy"], "NetworkPolicy")["spec"]["egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in tight] == [[53, 53, 8053, 8053], [9093], [443]]
    assert not of(made["no policy"], "NetworkPolicy")


def test_strimzis_user_has_the_least_rights(made: dict[str, list[Manifest]]) -> None:
    user = only(made["Strimzi"], "KafkaUser")
    assert user["metadata"]["labels"]["strimzi.io/cluster"] == "prod"
    acls = user["spec"]["authorization"]["acls"]
    allowed = {(acl["resource"]["type"], operation) for acl in acls for operation in acl["operations"]}
    assert ("topic", "Write") in allowed
    assert ("group", "Read") not in allowed
    assert not [
        acl for acl in acls if "Write" in acl["operations"] and acl["resource"].get("name") != "keywatch-canary"
    ]


def test_secrets_can_be_read_by_keywatch_and_not_by_everybody(made: dict[str, list[Manifest]]) -> None:
    spec = pod(made["secrets"])
    volumes = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
    assert {name: secret["defaultMode"] for name, secret in volumes.items()} == {
        "secret-ca": 0o440,
        "secret-kafka": 0o440,
    }
    assert spec["securityContext"]["fsGroup"] == 65532


def test_objects_of_ones_own_are_worked_out(made: dict[str, list[Manifest]]) -> None:
    names = {one["metadata"]["name"] for one in made["more objects"]}
    assert {"watch-more", "watch-keywatch-text"} <= names


def test_the_version_is_that_of_the_code() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == keywatch.__version__


def test_a_release_fits_into_the_secret_that_helm_keeps_it_in() -> None:
    import base64  # noqa: PLC0415 - here only
    import gzip  # noqa: PLC0415 - here only

    everything = {"rules": {"enabled": True}, "dashboards": {"enabled": True}}
    files = "".join(path.read_text(encoding="utf-8") for path in CHART.rglob("*") if path.is_file())
    kept = base64.b64encode(gzip.compress(base64.b64encode((files * 2 + rendered(everything)).encode())))
    assert len(kept) < 1_000_000, len(kept)


def test_an_upgrade_changes_nothing_that_cannot_be_changed() -> None:
    """A Deployment's selector is for ever: values that people change must not be in it."""
    before = only(render({}), "Deployment")["spec"]["selector"]
    for values in ({"image": {"tag": "9"}}, {"commonLabels": {"a": "b"}}, {"podLabels": {"c": "d"}}):
        assert only(render(values), "Deployment")["spec"]["selector"] == before
