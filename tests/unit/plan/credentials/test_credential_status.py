"""Whether upstreams accept a credential and when it ends: from reports and from a login's own state."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.builders.objects import (
    NOW,
    credential,
    federated,
    login_file,
    route,
    secret,
    setup_token,
    subscription,
)

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.report import CredentialReport, PodReport, ProcessReport
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.status.credential_details import CredentialDetails, LastAnswer, read_details
from claude_gateway.plan.status.programmed import PodState
from claude_gateway.plan.world import Settings, World
from claude_gateway_operator.status_writer import document

_RULES = Settings(
    release="cg", namespace="gateway", strict=False, claude_code_url="http://cc:4100", claude_code_key=b"k" * 40
)


def world(*manifests: Any) -> World:
    return read(manifests, _RULES)


def decided(manifests: list[Any], *reports: Mapping[str, Any], now: datetime = NOW) -> Plan:
    """Decide where each of ``reports`` comes from a pod of its own; their credential is the only route's."""
    found = world(*manifests)
    first = decide(found, now)
    targets = [target for one in first.policy.routes for target in one.targets]
    name = targets[0].credential if targets else "?"
    pods = tuple(
        PodState(
            name=f"p{number}",
            ready=True,
            report=PodReport(
                gateway=ProcessReport(credentials=(CredentialReport.model_validate({"credential": name, **report}),))
            ),
        )
        for number, report in enumerate(reports)
    )
    return decide(replace(found, pods=(*pods, PodState("silent", True), PodState("half", True, PodReport()))), now)


def conditions(found: Plan, name: str = "anthropic") -> dict[str, tuple[str, str, str]]:
    (status,) = [s for s in found.statuses if (s.object.kind, s.object.name) == ("ClaudeCredential", name)]
    return {c.type: (c.status, c.reason, c.message) for c in status.conditions}


def details(found: Plan, name: str = "anthropic") -> CredentialDetails:
    (status,) = [s for s in found.statuses if (s.object.kind, s.object.name) == ("ClaudeCredential", name)]
    assert status.credential is not None
    return status.credential


def stored(manifest: dict[str, Any], found: Plan) -> dict[str, Any]:
    """The manifest as an API server would return it after our write."""
    (write,) = [w for w in found.changed if w.object.name == manifest["metadata"]["name"]]
    return {**manifest, "status": document(write)["status"]}


def events(found: Plan, name: str = "anthropic") -> list[tuple[str, str]]:
    return [(e.type, e.reason) for e in found.events if e.object.name == name]


_KEY = [secret(), credential(), route()]
_OK = {"outcome": Outcome.OK, "asked": "Messages", "answer": "200", "at": NOW.timestamp() - 60}
_NO = {"outcome": Outcome.REJECTED, "asked": "Messages", "answer": "401 invalid x-api-key", "at": NOW.timestamp() - 30}


def test_a_credential_that_nobody_used_is_neither_valid_nor_invalid() -> None:
    found = decided(_KEY)
    assert conditions(found)[ConditionType.VALID][:2] == ("Unknown", Reason.NOT_USED)
    assert ConditionType.EXPIRING_SOON not in conditions(found)


def test_outside_of_a_cluster_nothing_is_said_about_it() -> None:
    assert ConditionType.VALID not in conditions(decide(world(*_KEY), NOW))


def test_the_newest_answer_of_all_pods_counts() -> None:
    assert conditions(decided(_KEY, _OK, _NO))[ConditionType.VALID] == (
        "False",
        Reason.REJECTED,
        "It was rejected. Messages: 401 invalid x-api-key",
    )
    assert conditions(decided(_KEY, {**_OK, "at": NOW.timestamp()}, _NO))[ConditionType.VALID][0] == "True"
    last = details(decided(_KEY, _OK, _NO)).last_answer
    assert last == LastAnswer("2026-11-21T09:29:30Z", "rejected", "Messages", "401 invalid x-api-key")


def test_no_answer_about_it_is_not_a_rejection() -> None:
    found = decided(_KEY, {**_NO, "outcome": Outcome.UNAVAILABLE, "answer": "", "asked": ""})
    assert conditions(found)[ConditionType.VALID][:2] == ("Unknown", Reason.UNAVAILABLE)


def test_a_rejected_credential_is_not_ready() -> None:
    found = conditions(decided(_KEY, _NO))
    assert found[ConditionType.READY][0] == "False"
    route_ready = [c for s in decided(_KEY, _NO).statuses if s.object.kind == "ModelRoute" for c in s.conditions]
    assert all(c.reason != Reason.REJECTED for c in route_ready)


def test_another_key_in_the_secret_starts_without_a_verdict() -> None:
    named = decide(world(*_KEY), NOW).policy.routes[0].targets[0].credential
    changed = [secret(values={"api": "sk-another-key-0123456789"}), credential(), route()]
    report = CredentialReport.model_validate({"credential": named, **_NO})
    pods = (PodState("p", True, PodReport(gateway=ProcessReport(credentials=(report,)))),)
    found = decide(replace(world(*changed), pods=pods), NOW)
    assert conditions(found)[ConditionType.VALID][0] == "Unknown"


def test_events_come_with_transitions_only() -> None:
    first = decided(_KEY, _OK)
    assert (Reason.VALID not in dict(map(reversed, events(first)))) is True  # type: ignore[arg-type]
    kept = [secret(), stored(credential(), first), route()]
    rejected = decided(kept, _NO)
    assert ("Warning", Reason.REJECTED) in events(rejected)
    again = [secret(), stored(credential(), rejected), route()]
    other_words = decided(again, {**_NO, "answer": "401 revoked", "at": NOW.timestamp()})
    assert events(other_words) == []
    assert conditions(other_words)[ConditionType.VALID][2].endswith("401 invalid x-api-key")
    assert [w for w in other_words.changed if w.object.name == "anthropic"] == []
    back = decided(again, {**_OK, "at": NOW.timestamp()})
    assert ("Normal", Reason.VALID) in events(back)


def test_the_same_answer_is_written_again_after_a_while() -> None:
    kept = [secret(), stored(credential(), decided(_KEY, _OK)), route()]
    later = {**_OK, "at": NOW.timestamp() + 3600}
    found = decided(kept, later, now=NOW + timedelta(hours=1))
    assert details(found).last_answer == LastAnswer("2026-11-21T10:30:00Z", "ok", "Messages", "200")


_TOKEN = {"renewed_at": NOW.timestamp() - 3300, "expires_at": NOW.timestamp() + 300}


def test_an_access_token_that_is_renewed_does_not_expire_soon() -> None:
    found = decided([federated(), route()], {**_OK, **_TOKEN})
    assert conditions(found)[ConditionType.EXPIRING_SOON][:2] == ("False", Reason.NOT_EXPIRING)
    known = details(found)
    assert (known.refreshed_at, known.expires_at) == ("2026-11-21T08:35:00Z", "2026-11-21T09:35:00Z")


def test_an_access_token_that_cannot_be_renewed_does() -> None:
    found = decided([federated(), route()], {**_OK, **_TOKEN, "failing": "the token exchange took too long"})
    status, reason, message = conditions(found)[ConditionType.EXPIRING_SOON]
    assert (status, reason) == ("True", Reason.EXPIRING)
    assert "the token exchange took too long" in message
    assert ("Warning", Reason.EXPIRING) in events(found)
    assert conditions(found)[ConditionType.VALID][0] == "True"


@pytest.mark.parametrize("odd", [-1.0, 1e300])
def test_a_time_that_no_clock_shows_is_left_out(odd: float) -> None:
    found = decided([federated(), route()], {**_TOKEN, "expires_at": odd, "at": odd})
    assert details(found).expires_at is None
    assert conditions(found)[ConditionType.VALID][0] == "Unknown"


def login(method: str = "Login", state: object = None, **file: Any) -> list[Any]:
    """A subscription's credential and its Secret."""
    held = login_file(**file) if method == "Login" else setup_token()
    if state is not None:
        held["stringData"]["state.json"] = json.dumps(state)
    return [subscription("mine", method=method), held]


def at(days: float) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_logins_state_is_shown() -> None:
    state = {
        "version": 1,
        "refreshedAt": at(0),
        "expiresAt": at(0.3),
        "refresh": {"at": at(0), "outcome": "ok"},
        "probe": {"at": at(0), "asked": "one token of haiku", "outcome": "ok"},
        "subscriptionType": "max",
        "rateLimitTier": "default_claude_max_20x",
        "windows": {
            "five_hour": {"utilization": 0.425, "resetsAt": at(0.1)},
            "odd": {},
            "seven_day": {"utilization": 1},
        },
    }
    found = decided(login(state=state))
    known = details(found, "mine")
    assert (known.subscription_type, known.rate_limit_tier) == ("max", "default_claude_max_20x")
    assert [(w.name, w.percent) for w in known.windows] == [("five_hour", 42), ("seven_day", 100)]
    assert conditions(found, "mine")[ConditionType.VALID][0] == "True"
    assert ConditionType.EXPIRING_SOON not in conditions(found, "mine")
    assert read_details(known.document()) == known


def test_a_login_that_was_refused_for_good_needs_its_owner() -> None:
    refusal = {"at": at(0), "outcome": "rejected", "message": "Sign in again at https://gateway/auth"}
    state = {"version": 1, "refresh": refusal, "probe": {"at": at(1), "outcome": "ok"}}
    status, reason, message = conditions(decided(login(state=state)), "mine")[ConditionType.VALID]
    assert (status, reason) == ("False", Reason.REJECTED)
    assert "Sign in again at https://gateway/auth" in message


@pytest.mark.parametrize(
    ("method", "days", "state", "expected"),
    [
        ("SetupToken", 30, {}, "False"),
        ("SetupToken", 13, {}, "True"),
        ("Login", 30, {}, "False"),
        ("Login", 2, {}, "True"),
        ("Login", 2, {"refresh": {"at": at(0), "outcome": "unavailable"}}, "True"),
    ],
)
def test_owners_hear_early_of_what_they_must_replace(method: str, days: int, state: Any, expected: str) -> None:
    ends = {"expiresAt": at(days)} if method == "SetupToken" else {}
    file = {"refreshTokenExpiresAt": int((NOW + timedelta(days=days)).timestamp() * 1000)} if method == "Login" else {}
    found = decided(login(method, {"version": 1, **ends, **state}, **file))
    assert conditions(found, "mine")[ConditionType.EXPIRING_SOON][0] == expected


def test_a_login_that_does_not_refresh_ends_with_its_token() -> None:
    ends = int((NOW + timedelta(days=1)).timestamp() * 1000)
    found = decided(login(refreshToken=None, expiresAt=ends))
    assert conditions(found, "mine")[ConditionType.EXPIRING_SOON][0] == "True"
    assert details(found, "mine").expires_at == at(1)


def test_a_state_that_cannot_be_read_and_a_secret_that_is_missing_are_no_trouble() -> None:
    broken = login()
    broken[1]["stringData"]["state.json"] = "{"
    assert conditions(decided(broken), "mine")[ConditionType.VALID][0] == "Unknown"
    assert conditions(decided(broken[:1]), "mine")[ConditionType.VALID][0] == "Unknown"


@pytest.mark.parametrize("written", ["yesterday", "2026-11-21T09:00:00"])
def test_a_status_of_somebody_else_is_replaced(written: str) -> None:
    kept = stored(credential(), decided(_KEY, _OK))
    kept["status"]["gateways"][0]["credential"]["lastAnswer"]["at"] = written
    found = decided([secret(), kept, route()], _OK)
    assert details(found).last_answer == LastAnswer("2026-11-21T09:29:00Z", "ok", "Messages", "200")


def test_malformed_details_are_skipped() -> None:
    assert read_details("text") is None
    assert read_details({"expiresAt": 7, "windows": [1, {"name": "a"}, {"usedPercent": 3}], "lastAnswer": [1]}) == (
        CredentialDetails()
    )
    assert read_details({"lastAnswer": {"at": "x"}, "windows": 7}) == CredentialDetails()
    assert read_details({"lastAnswer": {"at": "x", "outcome": "ok"}}) == CredentialDetails(
        last_answer=LastAnswer("x", "ok")
    )
    window = {"windows": [{"name": "a", "usedPercent": 3}]}
    found = read_details(window)
    assert found is not None
    assert found.document() == window
