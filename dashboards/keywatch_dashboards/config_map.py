"""Wraps a dashboard's JSON as a ConfigMap, in the form that the sidecar of Grafana's Helm chart looks for."""

from __future__ import annotations

from collections.abc import Mapping

import yaml


def config_maps(files: Mapping[str, str], folder: str | None = None) -> dict[str, str]:
    """Return a manifest for each dashboard: one for all would be too large for `kubectl apply`.

    `folder` is told by the annotation `grafana_folder`, which the sidecar reads when its `folderAnnotation` says so.
    """
    found = {}
    for name, text in files.items():
        stem = name.removesuffix(".json")
        metadata: dict[str, object] = {"name": f"{stem}-dashboard", "labels": {"grafana_dashboard": "1"}}
        if folder is not None:
            metadata["annotations"] = {"grafana_folder": folder}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        block = "".join(f"    {line}\n" for line in text.splitlines())
        found[f"{stem}.yml"] = yaml.safe_dump(manifest, sort_keys=False) + f"data:\n  {name}: |\n{block}"
    return found
