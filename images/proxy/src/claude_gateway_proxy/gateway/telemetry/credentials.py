"""How upstreams answered to the gateway's own credentials: one memory per process, part of the agent's report."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.report import CredentialReport
from claude_gateway.names import HEADER_LOGIN_STATE, LOGIN_REJECTED
from claude_gateway_runtime.bounded_dict import BoundedDict

_MOST: Final = 256
"""The most credentials that are remembered; the least recently updated one is evicted first."""

_SAME_SECONDS: Final = 60.0
"""A success replaces an earlier success only after this time, so that requests cost almost nothing."""

_LONGEST: Final = 160
_LONGEST_MESSAGE: Final = 1024
_READ_LIMIT: Final = 64 * 1024

_AMAZON: Final = re.compile(
    r"UnrecognizedClient|InvalidClientTokenId|ExpiredToken|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature"
    r"|MissingAuthenticationToken|InvalidToken|AuthFailure|NotSignedUp|OptInRequired"
)
"""AWS's errors about the signer. AccessDenied is not among them, because it may be about one model."""

_WORDS: Final = frozenset(
    (
        *("authentication_error", "invalid_api_key", "invalid_authentication", "invalid_token", "token_expired"),
        *("unauthenticated", "unauthorized", "account_deactivated", "organization_disabled", "key_disabled"),
        *("oauth_scope_insufficient", "access_token_expired", "access_token_scope_insufficient", "api_key_invalid"),
        *("consumer_invalid", "consumer_suspended", "billing_disabled", "user_project_denied", "service_disabled"),
    )
)
"""Types, codes and reasons by which an upstream says that a 403 is about the credential."""

_OF_CREDENTIAL: Final = re.compile(
    r"\b(?:api[ _-]?keys?|oauth|access token|tokens?|credentials?|organi[sz]ation|account|workspace)\b[^.]{0,80}"
    r"\b(?:invalid|expired|revoked|disabled|suspended|deactivated|not valid|no longer|does not meet|unknown)\b",
    re.IGNORECASE,
)
_OF_CONTENT: Final = re.compile(r"flagged|moderat|policy|policies|safety|harmful|content|prompt", re.IGNORECASE)
_FIELDS: Final = ("type", "code", "status", "reason", "__type")


def rejects(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
    """Return whether an upstream's error is about the gateway's credential, and not about the request.

    A 401 always is. A 403 is only if the upstream says so in a separate field: providers also answer 403 to rejected
    content and to models and regions that are not allowed, and quote the prompt. The text of a message counts only at
    Anthropic, whose permission errors quote nothing.
    """
    found = {name.lower(): value.decode("latin-1") for name, value in headers}
    if found.get(HEADER_LOGIN_STATE.encode()) == LOGIN_REJECTED or status == 401:
        return True
    if status != 403:
        return False
    if _AMAZON.match(found.get(b"x-amzn-errortype", "")):
        return True
    error = _error(body)
    named = [*(error.get(field) for field in _FIELDS), *_reasons(error.get("details"))]
    if any(isinstance(each, str) and (each.lower() in _WORDS or _AMAZON.match(each)) for each in named):
        return True
    message = error.get("message")
    if error.get("type") != "permission_error" or not isinstance(message, str):
        return False
    message = message[:_LONGEST_MESSAGE]
    return _OF_CREDENTIAL.search(message) is not None and _OF_CONTENT.search(message) is None


def _error(body: bytes) -> Mapping[str, Any]:
    """Return the object that describes an error, wherever a vendor puts it."""
    if len(body) > _READ_LIMIT:
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return {}
    error = found.get("error")
    return error if isinstance(error, dict) else found


def _reasons(details: object) -> Sequence[object]:
    """Yield Google's reasons, one per detail."""
    listed = details if isinstance(details, list) else []
    return [each.get("reason") for each in listed[:16] if isinstance(each, dict)]


class Credentials:
    """The memory of one process; ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: BoundedDict[str, CredentialReport] = BoundedDict(_MOST)

    def accepted(self, credential: str, *, asked: str) -> None:
        """Record that an upstream answered a request under a credential."""
        now, last = self._clock(), self._last.get(credential)
        if last is None or last.outcome is not Outcome.OK or now - last.at > _SAME_SECONDS:
            self._keep(CredentialReport(credential=credential, outcome=Outcome.OK, asked=asked, answer="200", at=now))

    def failed(self, credential: str, outcome: Outcome, *, asked: str, answer: str) -> None:
        """Record that a credential was rejected or not available. ``answer`` contains no secret."""
        said = answer[:_LONGEST]
        now = self._clock()
        self._keep(CredentialReport(credential=credential, outcome=outcome, asked=asked, answer=said, at=now))

    def report(self) -> Mapping[str, CredentialReport]:
        """Return the last answer for each credential."""
        return dict(self._last)

    def _keep(self, report: CredentialReport) -> None:
        self._last[report.credential] = report
