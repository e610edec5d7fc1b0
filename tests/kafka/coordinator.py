"""Commits for consumer groups without members, and deletes groups, by requests of its own to their coordinators.

librdkafka's admin client ends the process there at times (2.16.1): where an answer of a coordinator is lost, an
assertion of `rd_kafka_admin_coord_response_parse` fails on its thread.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from keywatch.kafka.errors import name_of
from keywatch.kafka.wire.codec import Reader, WireError, Writer

# Versions that Kafka 2.8 to 4.4 speak, none of which is flexible.
_FIND_COORDINATOR, _OFFSET_COMMIT, _DELETE_GROUPS = (10, 1), (8, 2), (42, 1)
_GROUP_ID_NOT_FOUND = 69
_SECONDS = 10.0

Address = tuple[str, int]


class Coordinators:
    """Plain connections to brokers, kept while they answer; a context manager that closes them."""

    def __init__(self, bootstrap: str) -> None:
        pairs = (address.rpartition(":") for address in bootstrap.split(","))
        self._bootstrap = [(host, int(port)) for host, _, port in pairs]
        self._connections: dict[Address, socket.socket] = {}

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> str:
        """Commit offsets by topic and partition; returns why one was not taken, empty when all were."""
        topics: dict[str, list[tuple[int, int]]] = {}
        for (topic, partition), offset in offsets.items():
            topics.setdefault(topic, []).append((partition, offset))
        body = Writer().string(group).int32(-1).string("").int64(-1)
        body.array(
            topics.items(),
            lambda topic: body.string(topic[0]).array(
                topic[1], lambda one: body.int32(one[0]).int64(one[1]).string(None)
            ),
        )

        def read(reader: Reader) -> list[int]:
            def error_of_partition() -> int:
                reader.int32()
                return reader.int16()

            def errors_of_topic() -> list[int]:
                reader.string()
                return reader.array(error_of_partition)

            return [code for codes in reader.array(errors_of_topic) for code in codes]

        return self._ask(group, _OFFSET_COMMIT, body, read)

    def delete(self, group: str) -> str:
        """Delete a group; returns why it is still there, empty when it is gone."""
        body = Writer()
        body.array([group], body.string)

        def read(reader: Reader) -> list[int]:
            reader.int32()

            def result() -> int:
                reader.string()
                return reader.int16()

            return [code for code in reader.array(result) if code != _GROUP_ID_NOT_FOUND]

        return self._ask(group, _DELETE_GROUPS, body, read)

    def _ask(self, group: str, api: tuple[int, int], body: Writer, read: Callable[[Reader], list[int]]) -> str:
        try:
            codes = read(self._exchange(self._coordinator(group), api, body))
        except (OSError, WireError) as error:
            return str(error) or type(error).__name__
        return ", ".join(sorted({name_of(code) for code in codes if code}))

    def _coordinator(self, group: str) -> Address:
        error: OSError = ConnectionError("no broker is named")
        for address in self._bootstrap:
            try:
                reader = self._exchange(address, _FIND_COORDINATOR, Writer().string(group).int8(0))
            except OSError as refused:
                error = refused
                continue
            reader.int32()
            code = reader.int16()
            reader.nullable_string()
            reader.int32()
            if code:
                raise ConnectionError(name_of(code))
            return reader.string(), reader.int32()
        raise error

    def _exchange(self, address: Address, api: tuple[int, int], body: Writer) -> Reader:
        """Send one request and return its answer; a connection that fails is closed."""
        data = struct.pack(">hhih", *api, 0, -1) + body.done()
        connection = self._connections.get(address) or socket.create_connection(address, _SECONDS)
        self._connections[address] = connection
        try:
            connection.settimeout(_SECONDS)
            connection.sendall(struct.pack(">i", len(data)) + data)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            return Reader(_exactly(connection, size), position=4)
        except OSError:
            self._connections.pop(address).close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.ExitStack() as closing:
            for connection in self._connections.values():
                closing.callback(connection.close)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (more := connection.recv(size - len(found))):
            raise ConnectionResetError("the broker closed the connection")
        found += more
    return found
