"""The status of a ClaudeCredential beyond its spec: whether upstreams accept it, when it ends, what is known of it.

No upstream is queried for it: the proxy pods report how upstreams answered requests, and the sign-in service writes
what it knows about a login into the login's Secret. The newest report counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.contract.login import (
    CREDENTIALS_KEY,
    STATE_KEY,
    LoginState,
    OAuth,
    Outcome,
    parse_credentials,
    parse_state,
)
from claude_gateway.contract.report import CredentialReport
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.secret import Secret
from claude_gateway.plan.status.credential_details import CredentialDetails, LastAnswer, Window
from claude_gateway.plan.status.programmed import ConditionState
from claude_gateway.plan.status.stored_status import timestamp
from claude_gateway.plan.world import Item, World

SOON_RENEWED: Final = timedelta(days=3)
"""How long before the end of a refreshed login its owner is warned; Claude Code warns its user at the same time."""
SOON: Final = timedelta(days=14)
"""The same for a token that has to be replaced by hand."""
_FRESH: Final = timedelta(minutes=10)
"""An answer that says the same as the one in the status replaces it only after this time."""
_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about one credential: its last answer, its end and, for a login, its subscription.

    ``soon`` is how long before ``ends`` its owner should be warned; None: it is renewed by itself.
    """

    answer: LastAnswer | None = None
    ends: datetime | None = None
    soon: timedelta | None = None
    failing: str = ""
    details: CredentialDetails = field(default_factory=CredentialDetails)


def known(item: Item[ClaudeCredentialSpec], name: str | None, world: World) -> Known:
    """Return what is known about a credential whose name in reports is ``name`` (None: it cannot be used)."""
    reports = [report for report in _reports(world) if report.credential == name]
    answers = [answer for answer in map(_answer, reports) if answer is not None]
    renewed = max((report for report in reports if report.renewed_at), key=lambda r: r.renewed_at or 0.0, default=None)
    failing = next((report.failing for report in reports if report.failing), "")
    expires = None if renewed is None else _time(renewed.expires_at)
    refreshed = None if renewed is None else _time(renewed.renewed_at)
    secret = _login_secret(item, world)
    if secret is not None:
        return _of_login(secret, answers)
    # An access token is renewed early, so that one near its end is one that cannot be renewed.
    soon = timedelta(minutes=10) if failing else None
    details = CredentialDetails(expires_at=_text(expires), refreshed_at=_text(refreshed))
    return Known(_newest(answers), ends=expires, soon=soon, failing=failing, details=details)


def states(found: Known, now: datetime) -> dict[ConditionType, ConditionState]:
    """Return the conditions that only ClaudeCredentials have."""
    states = {ConditionType.VALID: _valid(found)}
    if found.ends is not None:
        states[ConditionType.EXPIRING_SOON] = _expiring(found, now)
    return states


def details(found: Known, before: CredentialDetails | None) -> CredentialDetails | None:
    """Return what the status says beyond conditions, None if nothing is known.

    An answer that says nothing new replaces the old one only after a while.
    """
    answer, old = found.answer, None if before is None else before.last_answer
    if answer is not None and old is not None and old.outcome == answer.outcome and _recent(old.at, answer.at):
        answer = old
    known = found.details.with_answer(answer)
    return None if known == CredentialDetails() else known


def _valid(found: Known) -> ConditionState:
    answer = found.answer
    if answer is None:
        return ("Unknown", Reason.NOT_USED, "No request has used it since it was created, or since the pods started.")
    said = f"{answer.asked}: {answer.answer}".removesuffix(": ")
    if answer.outcome == Outcome.OK:
        return ("True", Reason.VALID, "The upstream accepts it.")
    if answer.outcome == Outcome.REJECTED:
        return ("False", Reason.REJECTED, f"It was rejected. {said}")
    return ("Unknown", Reason.UNAVAILABLE, f"No upstream has answered about it yet. {said}")


def _expiring(found: Known, now: datetime) -> ConditionState:
    ends = f"It ends at {_text(found.ends)}"
    if found.ends is None or found.soon is None:
        return ("False", Reason.NOT_EXPIRING, "It is renewed before it ends.")
    if found.ends - now > found.soon:
        return ("False", Reason.NOT_EXPIRING, f"{ends}.")
    why = f", and the last renewal failed: {found.failing}" if found.failing else ". Replace it before"
    return ("True", Reason.EXPIRING, f"{ends}{why}.")


def _reports(world: World) -> Iterable[CredentialReport]:
    for pod in world.pods or ():
        if pod.report is not None and pod.report.gateway is not None:
            yield from pod.report.gateway.credentials


def _answer(report: CredentialReport) -> LastAnswer | None:
    if report.outcome is None:
        return None
    at = _text(_time(report.at)) or ""
    return LastAnswer(at, report.outcome, report.asked[:_LONGEST], report.answer[:_LONGEST])


def _newest(answers: Iterable[LastAnswer]) -> LastAnswer | None:
    return max(answers, key=lambda answer: answer.at, default=None)


def _login_secret(item: Item[ClaudeCredentialSpec], world: World) -> Secret | None:
    subscription = None if item.spec is None else item.spec.subscription
    if subscription is None:
        return None
    return world.secrets.get(ObjectRef(Kind.SECRET, item.ref.namespace, subscription.secret_name))


def _of_login(secret: Secret, answers: list[LastAnswer]) -> Known:
    """Combine what the gateway reports and what the sign-in service knows; a rejected refresh is final."""
    state = parse_state(secret.values.get(STATE_KEY) or b"{}")
    state = state if isinstance(state, LoginState) else LoginState()
    file = parse_credentials(secret.values.get(CREDENTIALS_KEY) or b"")
    oauth = file if isinstance(file, OAuth) else None
    failing = ""
    if state.probe is not None:
        probe = state.probe
        answers.append(LastAnswer(_text(probe.at) or "", probe.outcome, probe.asked, probe.message[:_LONGEST]))
    if state.refresh is not None and state.refresh.outcome != Outcome.OK:
        failing = state.refresh.message or "no reason given"
        if state.refresh.outcome == Outcome.REJECTED:
            refused = LastAnswer(_text(state.refresh.at) or "", Outcome.REJECTED, "Refresh", failing[:_LONGEST])
            answers = [answer for answer in answers if answer.at > refused.at and answer.outcome != Outcome.OK]
            answers.append(refused)
    refreshes = oauth is not None and oauth.refresh_token is not None
    access = state.expires_at or (None if oauth is None else oauth.expires)
    ends = (oauth.refresh_expires if oauth is not None else None) if refreshes else access
    return Known(
        _newest(answers),
        ends=ends,
        soon=SOON_RENEWED if refreshes else SOON,
        failing=failing,
        details=CredentialDetails(
            expires_at=_text(access),
            refreshed_at=_text(state.refreshed_at),
            subscription_type=state.subscription_type or (None if oauth is None else oauth.subscription_type),
            rate_limit_tier=state.rate_limit_tier or (None if oauth is None else oauth.rate_limit_tier),
            windows=tuple(_windows(state)),
        ),
    )


def _windows(state: LoginState) -> Iterator[Window]:
    """Yield the windows whose use is known."""
    for name, window in sorted(state.windows.items()):
        if window.utilization is not None:
            yield Window(name, round(window.utilization * 100), _text(window.resets_at))


def _time(seconds: float | None) -> datetime | None:
    """Return a reported time; None for one that is not a possible date."""
    if seconds is None or not 0 <= seconds < 253_402_300_800:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _text(time: datetime | None) -> str | None:
    return None if time is None else timestamp(time if time.tzinfo is not None else time.replace(tzinfo=UTC))


def _recent(before: str, after: str) -> bool:
    try:
        return datetime.fromisoformat(after) - datetime.fromisoformat(before) < _FRESH
    except (ValueError, TypeError):
        # Somebody else wrote the status.
        return False
