"""The ways a connection fails, each turned into a `Reason`: names, ports, TLS and its certificates."""

from __future__ import annotations

import errno
import socket
import ssl

from keywatch.engine.probe import Reason

# What the process or its machine lacks, and not the other side.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})
REASONS = frozenset(
    {
        *(Reason.DNS, Reason.REFUSED, Reason.UNREACHABLE, Reason.RESET, Reason.INTERNAL),
        Reason.EXHAUSTED,
        *(Reason.TLS, Reason.TLS_UNTRUSTED, Reason.TLS_EXPIRED, Reason.TLS_HOSTNAME, Reason.TLS_CLIENT),
    }
)
"""All that are named here."""
# OpenSSL's verification results (X509_V_ERR_…, x509_vfy.h): expired; host name, IP address; the rest is distrust.
_VERIFY_EXPIRED = frozenset({10, 9})
_VERIFY_HOSTNAME = frozenset({62, 64})


def unresolvable(words: str) -> OSError:
    """Make the error of a name that does not resolve."""
    return socket.gaierror(socket.EAI_NONAME, words)


def connection_error(error: BaseException) -> tuple[Reason, str]:
    """Return the reason why a connection could not be made or broke, and its words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification(error)
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, socket.gaierror):
        return Reason.DNS, f"the name does not resolve: {error.strerror}"
    if isinstance(error, MemoryError):
        return Reason.EXHAUSTED, "keywatch itself: out of memory"
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return Reason.EXHAUSTED, f"keywatch itself: {error.strerror or error}"
    if isinstance(error, ConnectionRefusedError):
        return Reason.REFUSED, "connection refused"
    if isinstance(error, EOFError | ConnectionError):
        return Reason.RESET, "the connection was reset" if isinstance(error, OSError) else "the connection was closed"
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return Reason.UNREACHABLE, error.strerror or str(error)
    if isinstance(error, OSError):
        return Reason.RESET, error.strerror or str(error)
    return Reason.INTERNAL, type(error).__name__


def _verification(error: ssl.SSLCertVerificationError) -> tuple[Reason, str]:
    words = f"its certificate does not hold: {error.verify_message}"
    if error.verify_code in _VERIFY_EXPIRED:
        return Reason.TLS_EXPIRED, words
    if error.verify_code in _VERIFY_HOSTNAME:
        return Reason.TLS_HOSTNAME, words
    return Reason.TLS_UNTRUSTED, words


def _tls(error: ssl.SSLError) -> tuple[Reason, str]:
    name = error.reason or ""
    if name in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return Reason.TLS, f"the port does not speak TLS ({name})"
    if "_ALERT_" in name and ("CERTIFICATE" in name or "UNKNOWN_CA" in name):
        return Reason.TLS_CLIENT, f"it refused keywatch's certificate, or wants one ({name})"
    return Reason.TLS, f"TLS failed: {name or error}"
