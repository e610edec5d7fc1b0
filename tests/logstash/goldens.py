"""Documents that the model makes of the samples: `python -m tests.logstash.goldens` writes them anew."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.logstash.model.pipeline import Pipeline, Scripts
from tests.logstash.ours import HERE, SAMPLES, event, pipeline, samples
from tests.logstash.ruby import Ruby

FOLDER = HERE / "golden"


def documents(name: str, scripts: Scripts) -> tuple[Pipeline, list[list[dict[str, Any]]]]:
    """Run the samples of this name; returns the pipeline and, for each sample, its documents."""
    ran = pipeline(SAMPLES[name], scripts)
    return ran, [ran.run(event(sample)) for sample in samples(name)]


def main() -> int:
    """Write every file of documents."""
    ruby = Ruby()
    FOLDER.mkdir(exist_ok=True)
    for name in SAMPLES:
        _, found = documents(name, ruby)
        text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
        print(f"written: {name}")
    ruby.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
