"""Planted secrets and personal data never come out: not in a document, not in a tag, not in a line of the log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.logstash.model.pipeline import Pipeline
from tests.logstash.ours import HERE, SAMPLES, event, pipeline, samples
from tests.logstash.plants import Plant, places, planted, shaped
from tests.logstash.ruby import Ruby

# An opaque word is let through only where the contract keeps a name or id that somebody chose.
_KEPT = {
    ("id",),
    ("realmId",),
    ("realmName",),
    ("clientId",),
    ("userId",),
    ("sessionId",),
    ("error",),
    ("resourcePath",),
    ("authRealmId",),
    ("authClientId",),
    ("authUserId",),
    *(("authDetails", name) for name in ("realmId", "clientId", "userId", "sessionId")),
    # Dead letters.
    ("realm",),
    ("destination",),
    ("failureReason",),
    ("metadata", "errorClass"),
    # Logs: words of a message are known by their shape only.
    *((name,) for name in ("message", "level", "loggerName", "threadName", "processName", "hostName")),
    *((f"{part}",) for part in ("log.level", "log.logger", "process.thread.name", "process.name", "host.hostname")),
    *((f"service.{part}",) for part in ("name", "version", "environment")),
    *((f"error.{part}",) for part in ("type", "message", "stack_trace")),
    *(("error", part) for part in ("type", "message", "stack_trace")),
    *(("log", part) for part in ("level", "logger")),
    *(("service", part) for part in ("name", "version", "environment")),
    *(("process", "name"), ("process", "thread", "name"), ("host", "hostname")),
    ("event", "action"),
    ("kafka", "topic"),
    ("mdc", "traceId"),
    ("mdc", "spanId"),
}
_DETAILS = {
    "auth_method auth_type grant_type response_type response_mode client_auth_method identity_provider register_method",
    "remember_me consent reason credential_type code_id scope refresh_token_type",
}
_KEPT |= {("details", name) for line in _DETAILS for name in line.split()} | {("details", "user_agent")}
_WORDS = st.text("bcdfghjkmnpqrstvwxz", min_size=10, max_size=16).map(lambda word: f"Q{word}7")
_SHAPES = [(name, number) for name in SAMPLES if name != "rejected" for number in range(len(samples(name)))]
_RECORDS = [shape for shape in _SHAPES if samples(shape[0])[shape[1]]["text"].startswith("{")]


class _Beds:
    """Our pipelines, each made once."""

    def __init__(self, ruby: Ruby) -> None:
        self._ruby = ruby
        self._made: dict[tuple[str, ...], Pipeline] = {}

    def seen(self, sample: dict[str, Any], name: str, **environment: str) -> str:
        """Return all that is seen of a sample: its documents, what was logged, what a queue of dead letters has."""
        key = (SAMPLES[name], *(f"{variable}={value}" for variable, value in sorted(environment.items())))
        if key not in self._made:
            self._made[key] = pipeline(SAMPLES[name], self._ruby, **environment)
        ran = self._made[key]
        return json.dumps([ran.run(event(sample)), ran.log, ran.metadata], ensure_ascii=False)


@pytest.fixture(scope="module")
def beds(ruby: Ruby) -> _Beds:
    return _Beds(ruby)


def test_no_field_of_any_shape_lets_out_what_can_be_told_by_its_shape(beds: _Beds) -> None:
    seen: set[tuple[str, tuple[Any, ...]]] = set()
    for name, number in _RECORDS:
        sample = samples(name)[number]
        record = _parsed(sample["text"]) or {}
        for path in places(record):
            place = (name, tuple("" if isinstance(key, int) else key for key in path))
            if place in seen:
                continue
            seen.add(place)
            for plant in shaped("Qswordfish7"):
                text = json.dumps(planted(record, path, plant.text), ensure_ascii=False)
                assert plant.secret not in beds.seen({**sample, "text": text}, name), (name, number, path, plant.text)
    assert len(seen) >= 150


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.sampled_from(_RECORDS), word=_WORDS, data=st.data())
def test_a_secret_that_can_be_told_by_its_shape_comes_out_of_no_field(
    shape: tuple[str, int], word: str, data: st.DataObject, beds: _Beds
) -> None:
    name, number = shape
    sample = samples(name)[number]
    plant: Plant = data.draw(st.sampled_from(shaped(word)))
    record = _parsed(sample["text"])
    if record is None:
        text = sample["text"] + plant.text
    else:
        path = data.draw(st.sampled_from(list(places(record))))
        put = data.draw(st.sampled_from([plant.text, [plant.text], {"a": plant.text}, {plant.text: 1}]))
        text = json.dumps(planted(record, path, put), ensure_ascii=False)
    assert plant.secret not in beds.seen({**sample, "text": text}, name)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.sampled_from(_RECORDS), word=_WORDS, data=st.data())
def test_an_opaque_word_comes_out_only_where_a_name_or_id_is_kept(
    shape: tuple[str, int], word: str, data: st.DataObject, beds: _Beds
) -> None:
    name, number = shape
    sample = samples(name)[number]
    record = _parsed(sample["text"])
    if record is None:
        text = f"{sample['text']} {word}"
    else:
        found = [path for path in places(record) if not _kept(path)]
        path = data.draw(st.sampled_from(found)) if found else ()
        put = data.draw(st.sampled_from([word, [word], {"a": word}, {word: word}]))
        text = json.dumps(planted(record, path, put) if path else {**record, word: word}, ensure_ascii=False)
    assert word not in beds.seen({**sample, "text": text}, name)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.sampled_from(_RECORDS), word=_WORDS)
def test_a_field_that_nobody_knows_does_not_come_out(shape: tuple[str, int], word: str, beds: _Beds) -> None:
    name, number = shape
    sample = samples(name)[number]
    record = _parsed(sample["text"]) or {}
    record |= {"password": word, "@metadata": {"_id": word}, "tags": [word], "data_stream": {"dataset": word}}
    record |= {word: word, "details": {**_object(record.get("details")), word: word, "email": word}}
    assert word not in beds.seen({**sample, "text": json.dumps(record)}, name)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.sampled_from(_SHAPES), word=_WORDS, cut=st.integers(0, 400))
def test_a_text_that_is_no_record_any_more_does_not_come_out(
    shape: tuple[str, int], word: str, cut: int, beds: _Beds
) -> None:
    name, number = shape
    sample = samples(name)[number]
    text = f"{sample['text'][:cut]} {word}"
    assert word not in beds.seen({**sample, "text": text}, name)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=_WORDS, header=st.sampled_from(["x-exception-message", "user", "kafka_dlt-exception-stacktrace"]))
def test_the_key_and_the_headers_of_a_record_do_not_come_out(word: str, header: str, beds: _Beds) -> None:
    sample = {**samples("dead-letters")[0], "key": f"realm:LOGIN:{word}", "headers": {header: word}}
    assert word not in beds.seen(sample, "dead-letters")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=_WORDS, number=st.integers(0, 1), data=st.data())
def test_a_document_that_was_refused_does_not_come_out_with_the_reason(
    word: str, number: int, data: st.DataObject, beds: _Beds
) -> None:
    sample = samples("rejected")[number]
    document = {**sample["event"], "message": word, word: word, "user": {"name": word}, "tags": [word]}
    reason = data.draw(
        st.sampled_from(
            [
                f'status: 400, action: ["create", {{}}, {{"a"=>", response: {word}"}}], response: {{"create"=>{{}}}}',
                f'status: 400, action: ["create", {{}}, {{"a"=>"{word}"}}',
                f"failed to parse field [a] of type [ip]. Preview of field's value: '{word}'",
                f"Preview of field's value: '{word}', '{word}'\"",
                f'For input string: "{word}"',
                f"'{word}' is not an IP string literal.",
            ]
        )
    )
    letters = {**sample["dead_letter_queue"], "reason": reason}
    assert word not in beds.seen({"event": document, "dead_letter_queue": letters}, "rejected")


@pytest.mark.parametrize("mode", ["hash", "drop"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.sampled_from([s for s in _RECORDS if s[0] in {"user-events", "keycloak-log-ecs"}]), data=st.data())
def test_with_addresses_hashed_or_dropped_no_part_of_one_comes_out(
    mode: str, shape: tuple[str, int], data: st.DataObject, beds: _Beds
) -> None:
    name, number = shape
    sample = samples(name)[number]
    record = _parsed(sample["text"])
    if record is None:
        return
    address = data.draw(
        st.sampled_from(["203.0.113.77", "2001:db8:aaaa::77", "::ffff:203.0.113.77", "203.0.113.77:443"])
    )
    path = data.draw(st.sampled_from(list(places(record))))
    text = json.dumps(planted(record, path, f"to {address} " if data.draw(st.booleans()) else address))
    seen = beds.seen({**sample, "text": text}, name, PII_IP_MODE=mode)
    assert "203.0.113" not in seen
    assert "2001:db8" not in seen


def _kept(path: tuple[Any, ...]) -> bool:
    """Return whether the contract keeps what somebody wrote there: of an exception its words and names of classes."""
    names = {"exceptionType", "message", "error.message", "class", "method"}
    return path in _KEPT or (path[0] == "exception" and path[-1] in names)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# What the rules look for, written again and again: a pattern that is quadratic would take minutes for one of these.
_PARTS: list[str] = json.loads((HERE / "cases" / "hostile-parts.json").read_text(encoding="utf-8"))


def test_a_hostile_text_keeps_no_worker_busy(beds: _Beds, ruby: Ruby) -> None:
    sample = samples("keycloak-log-json")[0]
    record = json.loads(sample["text"])
    for part in _PARTS:
        text = json.dumps({**record, "message": (part * 40_000)[:40_000]})
        start = ruby.cpu_seconds()
        assert beds.seen({**sample, "text": text}, "keycloak-log-json")
        assert ruby.cpu_seconds() - start < 8, part
