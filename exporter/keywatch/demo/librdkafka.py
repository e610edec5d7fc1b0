"""Finds the librdkafka that confluent-kafka carries, and declares what the embedded cluster calls of it."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import confluent_kafka

_PRODUCER: Final = 0  # RD_KAFKA_PRODUCER of rd_kafka_type_t; the owner never produces, a consumer would start more
_CONF_OK: Final = 0  # RD_KAFKA_CONF_OK of rd_kafka_conf_res_t
_REASON_BYTES: Final = 512  # the buffer that librdkafka writes the reason of a failure into
# librdkafka logs to stderr, among others every request that its mock does not know; 0 lets only emergencies pass.
# There is no bootstrap.servers on purpose: the owner of the mock cluster is not a client of anything.
_OWNER_CONFIG: Final = {"client.id": "keywatch-embedded", "log_level": "0"}
_Prototype = tuple[Any, tuple[Any, ...]]  # restype, argtypes
# rdkafka.h and rdkafka_mock.h. Without restype and argtypes ctypes would cut the 64-bit pointers down to a C int.
_PROTOTYPES: Final[Mapping[str, _Prototype]] = {
    "rd_kafka_conf_new": (ctypes.c_void_p, ()),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    ),
    "rd_kafka_conf_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_new": (ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)),
    "rd_kafka_mock_cluster_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "rd_kafka_mock_set_apiversion": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_int16, ctypes.c_int16, ctypes.c_int16),
    ),
    "rd_kafka_mock_topic_create": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int)),
    "rd_kafka_mock_partition_set_leader": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32),
    ),
    "rd_kafka_mock_coordinator_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int32),
    ),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        (ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)),
    ),
}


class EmbeddedError(Exception):
    """Something is wrong with an embedded cluster, other than its arguments."""


class EmbeddedUnavailableError(EmbeddedError):
    """There is no librdkafka with a mock cluster, or it could not start one."""


@functools.cache
def load_library() -> ctypes.CDLL:
    """Load librdkafka and declare what is used of it; raises `EmbeddedUnavailableError` when none has all."""
    tried = []
    for path in _library_paths():
        try:
            library = ctypes.CDLL(path)
            for name, (restype, argtypes) in _PROTOTYPES.items():
                function = getattr(library, name)
                function.restype = restype
                function.argtypes = argtypes
        except (OSError, AttributeError) as error:  # not loadable, or built without the mock cluster
            tried.append(str(error))
        else:
            return library
    raise EmbeddedUnavailableError(
        "no librdkafka with a mock cluster: " + ("; ".join(tried) or "no shared library found")
    )


def _library_paths() -> Iterator[str]:
    """Return the shared libraries that may be librdkafka, the one that confluent-kafka itself uses first."""
    package = Path(confluent_kafka.__file__).parent
    # auditwheel puts the shared libraries of a Linux wheel beside the package.
    yield from map(str, sorted(package.with_name("confluent_kafka.libs").glob("librdkafka-*.so*")))
    # A build against the system's library has loaded it into this process by now, from wherever the linker found it.
    with suppress(OSError):  # no /proc: not Linux
        mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
        yield from sorted(path for path in mapped if Path(path).name.startswith("librdkafka"))
    system = ctypes.util.find_library("rdkafka")
    if system is not None:
        yield system


def new_owner(library: ctypes.CDLL) -> int:
    """Create the client handle that a mock cluster needs for its threads and timers."""
    reason = ctypes.create_string_buffer(_REASON_BYTES)
    config: int = library.rd_kafka_conf_new()
    for key, value in _OWNER_CONFIG.items():
        if library.rd_kafka_conf_set(config, key.encode(), value.encode(), reason, len(reason)) != _CONF_OK:
            library.rd_kafka_conf_destroy(config)
            raise EmbeddedUnavailableError(f"librdkafka refused {key}={value}: {reason.value.decode()}")
    owner: int | None = library.rd_kafka_new(_PRODUCER, config, reason, len(reason))
    if owner is None:
        library.rd_kafka_conf_destroy(config)  # rd_kafka_new takes it over only when it succeeds
        raise EmbeddedUnavailableError(f"librdkafka did not start: {reason.value.decode()}")
    return owner
