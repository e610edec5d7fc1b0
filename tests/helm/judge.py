"""Has kubernetes-validate judge the objects on standard input by each release given; prints what they refuse."""

from __future__ import annotations

import json
import sys

import kubernetes_validate  # type: ignore[import-not-found] # in an environment of its own

refused: list[str] = []
manifests = json.load(sys.stdin)
for release in sys.argv[1:]:
    for manifest in manifests:
        name = f"{release}: {manifest['kind']}/{manifest['metadata']['name']}"
        try:
            kubernetes_validate.validate(manifest, release, strict=True)
        except kubernetes_validate.ValidationError as error:
            refused.append(f"{name}: {'.'.join(map(str, error.path))}: {error.message}"[:500])
        except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
            refused.append(f"{name}: {error}")
json.dump(refused, sys.stdout)
