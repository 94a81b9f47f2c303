"""The claims of a verified token: whether it is valid now, whether a client accepts it, and who the caller is."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.contract.client import Client, TokenRule
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.errors import bad_token

SKEW_SECONDS: Final = 60.0
"""How far the issuer's clock may differ from ours."""

_LONGEST_NAME: Final = 256
_MOST_NAMED: Final = 3
"""The most audiences that an answer names."""

_WORDS: Final = frozenset(("scope", "scp"))
"""Claims that are a list of words in one string. Source: RFC 8693, 4.2."""

Claims = Mapping[str, Any]


def check_times(claims: Claims, *, now: float) -> float:
    """Return when a token ends, in Unix time with the skew. Raises Failure if it is not valid ``now``."""
    expires = _time(claims, "exp")
    if expires is None:
        raise bad_token("it never expires: it has no `exp`")
    if now >= expires + SKEW_SECONDS:
        raise bad_token("it has expired")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and now < begins - SKEW_SECONDS:
            raise bad_token(f"it is not valid yet: its `{name}` is in the future, by the gateway's clock")
    return expires + SKEW_SECONDS


class Reading:
    """The claims of one token. Thousands of rules may need them, so each is read once."""

    def __init__(self, claims: Claims) -> None:
        """Keep the claims, without reading them."""
        self._claims = claims
        self._audiences = _audiences(claims)
        self._values: dict[str, frozenset[str]] = {}

    def mismatch(self, rule: TokenRule) -> str | None:
        """Return why a rule of the token's issuer rejects it; None if the rule accepts it."""
        if not _is_for(self._audiences, rule.audiences):
            return another_audience(rule.audiences)
        for name, wanted in rule.claims.items():
            values = self._values.get(name)
            if values is None:
                values = self._values[name] = _values(self._claims, name)
            if values.isdisjoint(wanted):
                return f"its claim `{name}` is not one that a client accepts"
        return None


def for_audience(claims: Claims, audiences: tuple[str, ...]) -> bool:
    """Return whether a token is for one of these audiences; without any, whether it names no audience."""
    return _is_for(_audiences(claims), audiences)


def another_audience(wanted: tuple[str, ...]) -> str:
    """Return why a token is refused that is for none of these audiences."""
    if not wanted:
        return "it is for another audience: its client lists none in `audiences`"
    return f"it is for another audience than {' or '.join(f'`{each}`' for each in wanted[:_MOST_NAMED])}"


def _audiences(claims: Claims) -> frozenset[str] | None:
    """Return whom a token is for; None if it does not say."""
    named = claims.get("aud")
    if named is None:
        return None
    return frozenset(each for each in (named if isinstance(named, list) else [named]) if isinstance(each, str))


def _is_for(named: frozenset[str] | None, audiences: tuple[str, ...]) -> bool:
    return not audiences if named is None else not named.isdisjoint(audiences)


def principal(claims: Claims, rule: TokenRule, client: Client) -> Principal:
    """Return who a token is about. Raises Failure if a name is too long or not printable, so that none is cut."""
    groups = _claim(claims, rule.groups)
    listed = groups if isinstance(groups, list) else [groups]
    return Principal(
        client=client,
        proof=Proof.JWT,
        user=_name(claims, rule.user),
        team=_name(claims, rule.team),
        groups=tuple(group for group in listed if isinstance(group, str)),
    )


def _name(claims: Claims, name: str) -> str:
    found = _claim(claims, name)
    if found is None:
        return ""
    text = found if isinstance(found, str) else _text(found)
    if len(text) > _LONGEST_NAME or not text.isprintable():
        raise bad_token(f"its claim `{name}` is not a name of at most {_LONGEST_NAME} characters")
    return text


def _claim(claims: Claims, name: str) -> Any:
    """Return a claim by its name; a name with dots that no claim has is a path, such as ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _values(claims: Claims, name: str) -> frozenset[str]:
    found = _claim(claims, name)
    if isinstance(found, str) and name in _WORDS:
        return frozenset(found.split())
    listed = found if isinstance(found, list) else [found]
    return frozenset(each if isinstance(each, str) else _text(each) for each in listed if each is not None)


def _text(value: Any) -> str:
    """Return a number or a boolean as JSON writes it; other values are equal to no expected value."""
    return json.dumps(value) if isinstance(value, bool | int | float) else ""


def _time(claims: Claims, name: str) -> float | None:
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise bad_token(f"its `{name}` is not a time")
    return float(found)
