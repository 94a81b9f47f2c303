"""What clouds learn about callers: only what the credential asks for, in the form that each cloud takes."""

import json
import re
from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.bundles import target

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Attribution, Aws, Google, Role, Target, Wire
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.lanes.attribution import BEDROCK, VERTEX, attribution, role_session

ALL = (Attribution.CLIENT, Attribution.TEAM, Attribution.USER)
ALICE = Principal(Client(name="team-a/ci"), user="Alice.B@example.com", team="Red Team")


def at_bedrock(*wanted: Attribution) -> Target:
    return target(wire=Wire.BEDROCK, base_url="https://b.example", aws=Aws(region="us-east-1", attribution=wanted))


def at_vertex(*wanted: Attribution) -> Target:
    place = Google(project="p", location="global", attribution=wanted)
    return target(wire=Wire.VERTEX, base_url="https://v.example", google=place)


def labels(principal: Principal, *wanted: Attribution) -> dict[str, str]:
    found: dict[str, str] = json.loads(b64decode(attribution(at_vertex(*wanted), principal)[VERTEX]))
    return found


def metadata(principal: Principal, *wanted: Attribution) -> dict[str, str]:
    found: dict[str, str] = json.loads(attribution(at_bedrock(*wanted), principal)[BEDROCK])
    return found


def test_nothing_is_told_that_nobody_asked_for() -> None:
    for there in (at_bedrock(), at_vertex(), target(base_url="https://a.example")):
        assert attribution(there, ALICE) == {}
    assert metadata(ALICE, Attribution.CLIENT) == {"client": "team-a/ci"}
    assert labels(ALICE, Attribution.TEAM) == {"team": "red_team"}


def test_each_cloud_gets_its_own_form() -> None:
    assert metadata(ALICE, *ALL) == {"client": "team-a/ci", "team": "Red Team", "user": "Alice.B@example.com"}
    assert labels(ALICE, *ALL) == {"client": "team-a_ci", "team": "red_team", "user": "alice_b_example_com"}


def test_what_is_not_known_is_left_out() -> None:
    assert metadata(Principal(Client(name="ns/c")), *ALL) == {"client": "ns/c"}


def in_role(*wanted: Attribution) -> Target:
    role = Role(arn="arn:aws:iam::123456789012:role/claude", session_tags=wanted)
    return target(wire=Wire.BEDROCK, base_url="https://b.example", aws=Aws(region="us-east-1", role=role))


def test_the_session_of_a_role_is_the_callers() -> None:
    assert role_session(at_bedrock(*ALL), ALICE) is None
    assert role_session(at_vertex(*ALL), ALICE) is None
    named = role_session(in_role(*ALL), ALICE)
    assert named is not None
    assert dict(named.tags) == {"client": "team-a/ci", "team": "Red Team", "user": "Alice.B@example.com"}
    assert named.name == "team-a_ci"
    unnamed = role_session(in_role(), ALICE)
    assert unnamed is not None
    assert (unnamed.tags, unnamed.name) == ((), "claude-gateway")


@given(st.text(min_size=1, max_size=400), st.text(max_size=400))
def test_whatever_a_token_says_the_clouds_take_it(user: str, team: str) -> None:
    caller = Principal(Client(name="ns/c"), user=user, team=team)
    for value in metadata(caller, *ALL).values():
        assert re.fullmatch(r"[a-zA-Z0-9 :_@$#=/+,.-]{1,256}", value)
    for value in labels(caller, *ALL).values():
        assert re.fullmatch(r"[a-z0-9_-]{1,63}", value)
    session = role_session(in_role(*ALL), caller)
    assert session is not None
    for _, value in session.tags:
        assert re.fullmatch(r"[\w .:/=+@-]{1,256}", value)
    assert all(header.isascii() for header in attribution(at_bedrock(*ALL), caller).values())
