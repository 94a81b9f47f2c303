"""What ``state.json`` says after each event. Pure."""

import json
from datetime import datetime, timedelta
from typing import Final

from claude_gateway.contract.login import (
    STATE_KEY,
    LoginState,
    LongLivedToken,
    OAuth,
    Outcome,
    Probe,
    Refresh,
    Window,
    parse_credentials,
    parse_token,
)
from claude_gateway_auth.credential import Method

YEAR: Final = timedelta(days=365)
"""How long a token of ``claude setup-token`` is valid."""


def parse(login: bytes, method: Method) -> OAuth | LongLivedToken | str:
    """Return a login of either kind, or what is wrong with it."""
    return parse_credentials(login) if method is Method.LOGIN else parse_token(login)


def signed_in(login: OAuth | LongLivedToken, *, by: str, now: datetime) -> LoginState:
    """Return the state after somebody signed in."""
    if isinstance(login, LongLivedToken):
        return LoginState(signed_in_at=now, signed_in_by=by[:256], expires_at=now + YEAR)
    return LoginState(
        signed_in_at=now,
        signed_in_by=by[:256],
        expires_at=login.expires,
        subscription_type=login.subscription_type,
        rate_limit_tier=login.rate_limit_tier,
    )


def refreshed(state: LoginState, login: OAuth, now: datetime) -> LoginState:
    """Return the state after a refresh that returned a new login."""
    return state.model_copy(
        update={
            "refreshed_at": now,
            "expires_at": login.expires,
            "refresh": Refresh(at=now, outcome=Outcome.OK),
            "subscription_type": login.subscription_type or state.subscription_type,
            "rate_limit_tier": login.rate_limit_tier or state.rate_limit_tier,
        }
    )


def not_refreshed(state: LoginState, outcome: Outcome, message: str, now: datetime) -> LoginState:
    """Return the state after a refresh that returned no new login."""
    return state.model_copy(update={"refresh": Refresh(at=now, outcome=outcome, message=message)})


def probed(state: LoginState, probe: Probe, windows: dict[str, Window]) -> LoginState:
    """Return the state after a probe; windows that it did not see stay as they were."""
    return state.model_copy(update={"probe": probe, "windows": windows or state.windows})


def written(state: LoginState) -> dict[str, bytes]:
    """Return the entry of the Secret."""
    return {STATE_KEY: state.model_dump_json(by_alias=True, exclude_none=True).encode()}


def due_for_refresh(login: bytes, now: datetime) -> bytes:
    """Return Claude Code's own file with an access token that ends now, so that it refreshes at once.

    Raises ValueError if it is not such a file.
    """
    found = json.loads(login)
    found["claudeAiOauth"]["expiresAt"] = int(now.timestamp() * 1000)
    return json.dumps(found).encode()


def blank(login: bytes) -> bool:
    """Whether Claude Code emptied the tokens in its file, as it does after Anthropic rejected the refresh token."""
    try:
        return bool(json.loads(login)["claudeAiOauth"]["accessToken"] == "")
    except (ValueError, KeyError, TypeError):
        return False


def needs_person(state: LoginState, now: datetime, refresh_expires: datetime | None) -> bool:
    """Whether only a person can make the login work again."""
    if state.refresh is not None and state.refresh.outcome is Outcome.REJECTED:
        return True
    if state.probe is not None and state.probe.outcome is Outcome.REJECTED:
        return True
    return refresh_expires is not None and refresh_expires <= now
