# The verbs of keywatch; CI runs the same ones. Everything is installed into .venv from hashed locks.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?= embedded
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help demo test check lint types fmt docs lock deps docs-check image bench clean rules rules-mutants
.PHONY: coverage test-kafka test-oldest test-suite test-wide dashboards dashboards-check logs-proof faults faults-short faults-soft faults-calm faults-logs soak scan kustomize redrive-proof

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 15

.venv/.runtime: requirements/runtime.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keywatch needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/.runtime ## watch a cluster break and heal, in half a minute (DEMO=kafka: a real one; KAFKA=host:port: yours)
	@if [ "$(DEMO)" = kafka ]; then $(MAKE) -s .venv/.dev && PYTHONPATH=exporter:. $(BIN)/python -m tests.kafka.demo; \
	else PYTHONPATH=exporter $(BIN)/python -m keywatch demo $(if $(KAFKA),--kafka "$(KAFKA)"); fi

test: .venv/.dev ## run all tests; what the machine lacks is skipped with its reason (KEYWATCH_REQUIRE=all: fails)
	tests/run.sh $(TESTS)

# Tests of the code itself, without servers: what a change of Python or of a dependency breaks shows here.
PLAIN := tests/exporter tests/wheel tests/dashboards/test_cli.py tests/dashboards/test_dashboards.py

MEASURED := --cov --cov-report=term:skip-covered
coverage: .venv/.dev ## measure which lines the plain tests run; fails below the floor in pyproject.toml
	$(BIN)/pytest -q -n 2 --dist loadfile $(MEASURED) tests/exporter

.venv-oldest/.made: requirements/oldest.lock requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/oldest.lock
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test-oldest: .venv-oldest/.made ## run the plain tests with the oldest dependencies allowed (COVERAGE=1: and measure it)
	.venv-oldest/bin/pytest -q -n 2 --dist loadfile $(if $(COVERAGE),$(MEASURED)) $(PLAIN)

KAFKA_RELEASE ?= 3.9.1
OF_ANY_KAFKA := $(addprefix tests/kafka/test_exporter_,faults.py identity.py limits.py)
test-kafka: .venv/.dev ## run the tests of what differs between releases of Kafka (KAFKA_RELEASE=3.9.1)
	KEYWATCH_KAFKA=$(KAFKA_RELEASE) $(BIN)/pytest -q -n 2 --dist loadfile $(OF_ANY_KAFKA)

test-wide: ## run the tests of what keywatch must also run with: the oldest dependencies (measuring coverage), Kafka 3.9
	$(MAKE) test-oldest COVERAGE=1
	$(MAKE) test-kafka

SUITE ?= trixie
test-suite: ## run the tests on another Debian, as root (SUITE=trixie: Python 3.13)
	tests/suite.sh $(SUITE)

check: lint types docs-check dashboards-check ## lint, types, and whether generated files are fresh

lint: .venv/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/yamllint -s .
	KEYWATCH_LOGSTASH=logstash $(BIN)/keywatch logs lint logstash/config/pipelines.yml --severity style

types: .venv/.dev
	$(BIN)/mypy

fmt: .venv/.dev ## format the code
	$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format .

docs: .venv/.dev ## write the generated documents, and what follows from the alert rules
	$(BIN)/python -m keywatch.documents.reference docs
	$(BIN)/python -m keywatch.documents.probes docs
	$(BIN)/python -m keywatch.documents.rights docs
	$(BIN)/python -m keywatch.documents.alerts alerts
	$(BIN)/python -m keywatch.documents.opensearch logstash
	$(BIN)/python -m keywatch.documents.chart .

docs-check: .venv/.dev
	$(BIN)/python -m keywatch.documents.reference docs --check
	$(BIN)/python -m keywatch.documents.probes docs --check
	$(BIN)/python -m keywatch.documents.rights docs --check
	$(BIN)/python -m keywatch.documents.alerts alerts --check
	$(BIN)/python -m keywatch.documents.opensearch logstash --check
	$(BIN)/python -m keywatch.documents.chart . --check

dashboards: .venv/.dev ## write the dashboards' JSON (CHECK=1: fail when a file is not up to date)
	$(BIN)/python -m keywatch_dashboards.cli --out dashboards/json $(if $(CHECK),--check)
	$(BIN)/python -m keywatch.documents.chart . $(if $(CHECK),--check)

dashboards-check:
	@$(MAKE) -s dashboards CHECK=1

rules: .venv/.dev ## check the alert rules (shape, series, runbooks, tests) and evaluate their tests with promtool
	$(BIN)/keywatch rules check --style keywatch --runbooks alerts/runbooks --tests tests/alerts alerts/rules/*.yml
	$(BIN)/keywatch rules check --prometheus 2.42 alerts/rules/*.yml alerts/kubernetes/*.yml
	$(BIN)/pytest -q tests/alerts

rules-mutants: .venv/.dev ## change each rule in many ways and show that its tests notice
	$(BIN)/python -m tests.alerts.mutants

lock: ## renew the hashed locks (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements/runtime.lock
	uv pip compile pyproject.toml --group dev --all-extras --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements/dev.lock
	uv pip compile pyproject.toml --all-extras --resolution lowest-direct --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements/oldest.lock
	uv pip compile --group pyproject.toml:chart --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements/chart.lock
	uv pip compile --group pyproject.toml:scan --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements/scan.lock
	sed -nE '/^(cffi|cryptography|grafanalib|pycparser|pyjwt)==/,/^    # via/p' requirements/dev.lock | grep -v '# via' >deploy/image/extras.lock

# Debian starts what it installs; a policy-rc.d that forbids it stands there meanwhile, where there is none yet.
POLICY := /usr/sbin/policy-rc.d
deps: ## install what CI needs on Debian, as root: image tools, a browser, npm, Prometheus (not started), what runbooks use
	apt-get update -q
	test -e $(POLICY) || { printf '#!/bin/sh\nexit 101 # keywatch\n' >$(POLICY) && chmod +x $(POLICY); }
	apt-get install -yq --no-install-recommends buildah debootstrap docker-compose chromium prometheus prometheus-alertmanager \
		iproute2 jq lsof nftables openssl procps strace systemd
	command -v npm >/dev/null || apt-get install -yq --no-install-recommends npm
	! grep -qs '# keywatch$$' $(POLICY) || rm $(POLICY)

kustomize: .venv/.dev ## write deploy/kustomize from the Helm chart (builds Helm once, by Go)
	$(BIN)/python -m tests.helm.kustomize deploy/kustomize

image: ## build the container image with buildah
	deploy/image/build.sh

bench: .venv/.dev ## measure detection times and costs on a real Kafka, and write docs/benchmarks.md
	$(BIN)/python -m tests.bench $(BENCH)

faults: .venv/.dev ## make every hard fault 20 times on a real path, hours; write docs/faults.md (FAULTS="--repetitions 3")
	$(BIN)/python -m tests.faults $(FAULTS)

faults-short: .venv/.dev ## make every hard fault once, minutes: each must page within 5 s, rightly named, and nothing else
	$(BIN)/python -m tests.faults --short $(FAULTS)

logs-proof: .venv/.dev ## prove the pipelines on a real Logstash, in containers: golden documents, and a kill that loses nothing
	$(BIN)/python -m tests.logproof

redrive-proof: .venv/.dev ## kill `keywatch dlq` 100 times, and brokers under it: nothing lost, nothing doubled (PROOF="--kills 10")
	$(BIN)/python -m tests.kafka.redrive_proof $(PROOF)

faults-soft: .venv/.dev ## wear a real path out in many ways at once until each alert fires, a quarter of an hour
	$(BIN)/python -m tests.faults.soft $(FAULTS)

faults-logs: .venv/.dev ## have the path of logs suffer in many ways at once until each alert fires, half an hour
	$(BIN)/python -m tests.logpath.soft $(FAULTS)

faults-calm: .venv/.dev ## disturb a real path for an hour in ways that are no faults: nobody may be called (FAULTS="--minutes 10")
	$(BIN)/python -m tests.faults.calm $(FAULTS)

soak: .venv/.dev ## a day of churn in minutes, without servers: memory, descriptors, threads and tasks must stay (SOAK="--seconds 600")
	nice $(BIN)/python -m tests.soak $(SOAK)

scan: .venv/.dev ## scan code, history, dependencies, Dockerfiles, licences; list what is inside (SCAN=--strict: all must look)
	$(BIN)/python -m tests.scan $(SCAN)
	$(BIN)/pytest -q tests/scan

clean: ## remove what was installed and built here
	rm -rf .venv .venv-oldest dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
