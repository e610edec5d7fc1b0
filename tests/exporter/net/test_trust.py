"""The authorities of a token server are read again when their file changes, and a bad file never counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.config.secret import SecurityError
from keywatch.net.tls import Trust
from tests.kafka.certificates import CertificateAuthority

KEY = ("sasl", "token_ca_file")


def test_a_new_authority_is_trusted_without_a_reload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, new = (CertificateAuthority(tmp_path / name, name) for name in ("old", "new"))
    file = tmp_path / "ca.pem"
    file.write_bytes(old.certificate.read_bytes())
    trust = Trust(file, KEY)
    first = trust.current()
    trust.look()
    assert trust.current() is first
    file.write_text("half a cert", encoding="utf-8")
    trust.look()
    assert trust.current() is first
    assert "sasl.token_ca_file" in caplog.text
    file.write_bytes(new.certificate.read_bytes())
    trust.look()
    assert "'new'" in str(trust.current().get_ca_certs())
    assert "'old'" not in str(trust.current().get_ca_certs())


def test_what_is_bad_at_the_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecurityError, match=r"sasl\.token_ca_file"):
        Trust(tmp_path / "nowhere", KEY)
