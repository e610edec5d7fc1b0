"""Tokens of Amazon MSK's IAM access control: signed by AWS's own library with whatever credentials it finds."""

from __future__ import annotations

import logging
import re
from typing import Any

from keywatch.kafka.security.oauth import TokenError
from keywatch.kafka.security.renewed_token import RenewedToken

# What these log of a request's signature is as good as the token.
_TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3")
_CODE = re.compile(r"[A-Za-z0-9.]{1,60}")


class SignerMissingError(Exception):
    """AWS's library is not installed; the text says how to."""


class AwsMskToken(RenewedToken):
    """A token of a region, by the default chain of credentials, a profile of it, or a role that is assumed."""

    def __init__(self, region: str, *, profile: str | None = None, role_arn: str | None = None) -> None:
        """Load AWS's library; raises `SignerMissingError`."""
        try:
            from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # noqa: PLC0415 - an extra of 35 MB
        except ImportError:
            raise SignerMissingError(
                "needs a library that is not installed here: in the source tree, pip install '.[aws]'"
            ) from None
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._signer: Any = MSKAuthTokenProvider
        self._region, self._profile, self._role_arn = region, profile, role_arn
        super().__init__("AWS's signer", self._signed)

    def _signed(self, timeout: float) -> tuple[str, float]:
        """Sign; the library looks for credentials in files, variables and on the network, for as long as it likes."""
        del timeout
        signer, region = self._signer, self._region
        try:
            if self._profile is not None:
                token, end = signer.generate_auth_token_from_profile(region, self._profile)
            elif self._role_arn is not None:
                token, end = signer.generate_auth_token_from_role_arn(region, self._role_arn, "keywatch")
            else:
                token, end = signer.generate_auth_token(region)
        except AttributeError:  # of the credentials, which are None
            raise TokenError("AWS's signer found no credentials") from None
        except Exception as error:  # noqa: BLE001 - whatever its libraries raise: told by its kind, as it may quote secrets
            raise TokenError(f"AWS's signer: {type(error).__name__}{_code(error)}") from None
        return str(token), float(end) / 1000


def _code(error: Exception) -> str:
    """Return what AWS called its refusal, such as AccessDenied, and nothing else of it."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
