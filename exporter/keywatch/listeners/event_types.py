"""Keycloak's event types and admin operations as labels: lower case, `_ERROR` cut off, what is not known is `other`."""

from __future__ import annotations

import re
from typing import Final

from keywatch.listeners.profile import Outcome

OTHER: Final = "other"
_ERROR: Final = "_error"
# How Keycloak writes its types; one that is not known yet looks like this too.
_SHAPE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")

# Keycloak 26.7's EventType without the errors, one of which each of them has; and jwt_bearer, which came before
# jwt_authorization_grant.
_NAMES: Final = """
authreqid_to_token client_delete client_info client_initiated_account_linking client_login client_register
client_update code_to_token custom_required_action delete_account execute_action_token execute_actions
federated_identity_link federated_identity_override_link grant_consent identity_provider_first_login
identity_provider_link_account identity_provider_login identity_provider_post_login identity_provider_response
identity_provider_retrieve_token impersonate introspect_token invalid_signature invite_org jwt_authorization_grant
jwt_bearer login logout oauth2_device_auth oauth2_device_code_to_token oauth2_device_verify_user_code
oauth2_extension_grant permission_token pushed_authorization_request refresh_token register register_node
remove_credential remove_federated_identity remove_totp reset_password restart_authentication revoke_grant
send_identity_provider_link send_reset_password send_verify_email token_exchange unregister_node update_consent
update_credential update_email update_password update_profile update_totp user_disabled_by_permanent_lockout
user_disabled_by_temporary_lockout user_info_request user_session_deleted validate_access_token
verifiable_credential_create_offer verifiable_credential_nonce_request verifiable_credential_offer_request
verifiable_credential_pre_authorized_grant verifiable_credential_request verify_email verify_profile
"""

USER_EVENTS: Final = frozenset(_NAMES.split())
"""The values of the label `event` for user events, beside `other`: those of Keycloak's own counter."""

ADMIN_EVENTS: Final = frozenset(f"admin_{operation}" for operation in ("create", "update", "delete", "action"))
"""The values of the label `event` for admin events, beside `admin_other`."""

_USER: Final = {
    written: (event, outcome)
    for event in USER_EVENTS
    for written, outcome in ((event.upper(), Outcome.SUCCESS), (f"{event}{_ERROR}".upper(), Outcome.ERROR))
}
_ADMIN: Final = {event.removeprefix("admin_").upper(): event for event in ADMIN_EVENTS}


def user_event(written: str, *, failed: bool = False) -> tuple[str, Outcome]:
    """Return label and outcome of a user event's type as Keycloak writes it, such as `LOGIN_ERROR`.

    `failed` tells that the event names an error. How an event of an unknown type ended is told by its error alone.
    """
    found = _USER.get(written) or _USER.get(_upper(written))
    if found is not None:
        return (found[0], Outcome.ERROR) if failed else found
    return OTHER, Outcome.ERROR if failed or written.lower().endswith(_ERROR) else Outcome.UNKNOWN


def admin_event(written: str) -> str:
    """Return the label of an admin operation as Keycloak writes it, such as `CREATE`."""
    return _ADMIN.get(written) or _ADMIN.get(_upper(written)) or f"admin_{OTHER}"


def is_user_event(written: str) -> bool:
    """Return whether it is a type of Keycloak's, known or not yet; somebody else's `order` is none."""
    return written in _USER or _upper(written) in _USER or _SHAPE.fullmatch(written) is not None


def is_admin_event(written: str) -> bool:
    """Return whether it is an operation of Keycloak's, known or not yet."""
    return _upper(written) in _ADMIN or _SHAPE.fullmatch(written) is not None


def _upper(written: str) -> str:
    """Return capitals of what is written in plain letters; others have capitals that are plain letters."""
    return written.upper() if written.isascii() else written
