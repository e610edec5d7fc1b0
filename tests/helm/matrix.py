"""Values to render the chart with: each toggle on and off, and some together, by a name that says what they are."""

from __future__ import annotations

from typing import Any, Final

_MEMORY: Final = {"limits": {"memory": "64Mi"}}
MATRIX: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "names": {"nameOverride": "other", "commonLabels": {"team": "sre"}},
    "whole name": {"fullnameOverride": "a-name-that-is-as-long-as-names-of-objects-may-be-in-kubernetes-x"},
    "one instance": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
    "none": {"replicas": 0},
    "tag": {"image": {"repository": "registry.example:5000/a/keywatch", "tag": "1.2.3", "pullPolicy": "Always"}},
    "digest": {"image": {"digest": "sha256:" + "a" * 64}, "imagePullSecrets": [{"name": "registry"}]},
    "configuration": {
        "config": {"clusters": [{"name": "a", "bootstrap": ["a:1"]}, {"name": "b", "bootstrap": ["b:1"]}]}
    },
    "existing ConfigMap": {"existingConfigMap": "mine"},
    "existing Secret": {"existingConfigSecret": "mine"},
    "not watched": {"watchConfig": False},
    "secrets": {
        "secrets": {
            "kafka": {"secretName": "kafka-user"},
            "ca": {"secretName": "prod-cluster-ca-cert", "items": [{"key": "ca.crt", "path": "ca.pem"}]},
        }
    },
    "users at the port": {"web": {"existingSecret": "web"}},
    "TLS at the port": {
        "web": {"existingSecret": "web", "tls": True},
        "monitor": {
            "kind": "ServiceMonitor",
            "tlsConfig": {"ca": {"secret": {"name": "web-ca", "key": "ca.crt"}}, "serverName": "keywatch"},
            "basicAuth": {
                "username": {"name": "web-user", "key": "user"},
                "password": {"name": "web-user", "key": "word"},
            },
        },
    },
    "TLS at the port, asked by HTTP": {"web": {"existingSecret": "web", "tls": True}, "probes": {"kind": "http"}},
    "asked by exec": {"probes": {"kind": "exec", "liveness": {"periodSeconds": 30}}},
    "more of the pod": {
        "extraArgs": ["--log.level=debug"],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraVolumes": [{"name": "letters", "persistentVolumeClaim": {"claimName": "letters"}}],
        "extraVolumeMounts": [{"name": "letters", "mountPath": "/letters", "readOnly": True}],
        "extraContainers": [{"name": "beside", "image": "busybox"}],
        "initContainers": [{"name": "before", "image": "busybox"}],
        "podAnnotations": {"vault.hashicorp.com/agent-inject": "true"},
        "podLabels": {"sidecar": "none"},
        "resources": _MEMORY,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/arch": "arm64"},
        "tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "rack",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "keywatch"}},
            }
        ],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["kafka-1"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
        "strategy": {"type": "Recreate"},
        "minReadySeconds": 0,
        "terminationGracePeriodSeconds": 30,
        "revisionHistoryLimit": 1,
    },
    "a CSI driver": {
        "extraVolumes": [
            {
                "name": "vault",
                "csi": {
                    "driver": "secrets-store.csi.k8s.io",
                    "readOnly": True,
                    "volumeAttributes": {"secretProviderClass": "keywatch"},
                },
            }
        ],
        "extraVolumeMounts": [{"name": "vault", "mountPath": "/run/secrets/keywatch/vault", "readOnly": True}],
    },
    "other security": {
        "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    },
    "account of one's own": {"serviceAccount": {"create": False, "name": "mine"}},
    "account of a cloud": {"serviceAccount": {"name": "cloud", "annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}},
    "the namespace's account": {"serviceAccount": {"create": False}},
    "no service": {"service": {"enabled": False}, "monitor": {"kind": "PodMonitor", "labels": {"release": "p"}}},
    "a service outside": {"service": {"type": "NodePort", "port": 80, "annotations": {"a": "b"}}},
    "annotations": {"monitor": {"kind": "annotations"}},
    "monitor": {
        "monitor": {"kind": "ServiceMonitor", "healthInterval": "2s", "healthTimeout": "1s", "interval": "30s"}
    },
    "rules": {"rules": {"enabled": True, "labels": {"release": "p"}, "runbooks": "https://wiki.example/k/"}},
    "two files of rules": {"rules": {"enabled": True, "files": ["kafka", "keycloak"]}},
    "dashboards": {
        "dashboards": {"enabled": True, "annotations": {"grafana_folder": "keywatch"}, "namespace": "grafana"}
    },
    "dashboards by another label": {"dashboards": {"enabled": True, "label": "grafana", "labelValue": "yes"}},
    "evictions": {"podDisruptionBudget": {"maxUnavailable": "50%"}},
    "no policy": {"networkPolicy": {"enabled": False}},
    "nobody asks": {"networkPolicy": {"prometheus": []}},
    "a tight policy": {
        "networkPolicy": {
            "dns": {"to": [{"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}], "ports": [53, 8053]},
            "kafka": {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [9093]},
            "keycloak": {"ports": []},
            "logstash": {"ports": []},
            "elasticsearch": {"ports": []},
            "extraEgress": [{"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}],
        }
    },
    "nothing goes out": {
        "networkPolicy": {name: {"ports": []} for name in ("dns", "kafka", "keycloak", "logstash", "elasticsearch")}
    },
    "Strimzi": {"strimzi": {"cluster": "prod", "namespace": "kafka"}},
    "older Strimzi": {
        "strimzi": {"cluster": "prod", "apiVersion": "kafka.strimzi.io/v1beta2", "authentication": "scram-sha-512"}
    },
    "more objects": {
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}},
            'apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ include "keywatch.fullname" . }}-text\n',
        ]
    },
}
