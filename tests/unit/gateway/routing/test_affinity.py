"""What stays together, and where: the same in every pod, after every restart, and by weight over many sessions."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.builders.bundles import route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Affinity, Route
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.routing.affinity import Key, distance, key_of, names

_SESSION: Final = (b"x-claude-code-session-id", b"5e5510")
_AGENT: Final = (b"x-claude-code-agent-id", b"a9e27")


@dataclass(frozen=True)
class Asked:
    """A request as far as a key depends on it."""

    route: Route
    facts: Facts
    client: Client = field(default_factory=lambda: Client(name="ns/dev"))


def _key(
    *headers: tuple[bytes, bytes], affinity: Affinity = Affinity.SESSION, client: str = "ns/dev", **body: Any
) -> Key | None:
    facts = Facts(parse(json.dumps({"model": "m", **body}).encode()), headers)
    return key_of(Asked(route("m", affinity=affinity), facts, Client(name=client)))


def _by_user(user: object, **more: Any) -> Key | None:
    return _key(metadata={"user_id": user}, **more)


def _first(key: bytes, targets: Sequence[Target]) -> str:
    called = names(targets)
    return min(targets, key=lambda each: distance(key, called[each.id], each.weight)).id


def test_the_session_is_the_same_in_the_header_and_in_the_body() -> None:
    in_header = _key(_SESSION)
    claude_code = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "5e5510"})
    assert in_header == _by_user(claude_code) == _key(_SESSION, metadata={"user_id": "other"})
    assert in_header == _by_user("5e5510")
    assert in_header == _key(prompt_cache_key="5e5510")
    assert in_header != _by_user("5e5511")


def test_an_agent_is_part_of_its_session_where_agents_stay_together() -> None:
    assert _key(_SESSION, _AGENT) == _key(_SESSION)
    apart = _key(_SESSION, _AGENT, affinity=Affinity.AGENT)
    assert apart not in (None, _key(_SESSION, _AGENT))
    assert _key(_SESSION, affinity=Affinity.AGENT) == _key(_SESSION)
    assert apart != _key((b"x-claude-code-session-id", b"other"), _AGENT, affinity=Affinity.AGENT)


def test_without_a_session_a_client_stays_together_and_no_key_is_shared_between_clients() -> None:
    assert _key() == _key() == _key(_SESSION, affinity=Affinity.CLIENT) != _key(client="ns/other")
    assert _key(_SESSION) != _key(_SESSION, client="ns/other")
    assert _key(_SESSION, affinity=Affinity.NONE) is None


@pytest.mark.parametrize(
    "metadata",
    [None, 7, [], "text", {}, {"user_id": None}, {"user_id": 7}, {"user_id": ""}, {"user_id": "u" * 70_000}],
)
def test_metadata_that_names_nobody_leaves_the_client(metadata: object) -> None:
    assert _key(metadata=metadata) == _key()


@pytest.mark.parametrize("user", ["{", '{"session_id": 7}', "{" * 60_000, '{"session_id": ""}', "ü\ud800"])
def test_a_user_in_any_other_form_is_taken_as_it_is(user: str) -> None:
    assert _by_user(user) == _by_user(user) != _key()
    assert _by_user(user) != _by_user(user + " ")


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
def test_a_key_is_short_whatever_it_is_made_of(text: str) -> None:
    key = _key((b"x-claude-code-session-id", text.encode("latin-1", "replace")))
    assert key is not None
    assert len(key) == 16


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_over_many_sessions_the_choice_follows_the_weights(weights: list[int]) -> None:
    targets = [target(base_url=f"http://{n}", weight=weight) for n, weight in enumerate(weights)]
    sessions = 4000
    found = Counter(_first(b"%d" % n, targets) for n in range(sessions))
    for each in targets:
        share = each.weight / sum(weights)
        deviation = (sessions * share * (1 - share)) ** 0.5
        assert abs(found[each.id] - sessions * share) <= 6 * deviation


def test_a_target_that_comes_or_goes_moves_only_the_sessions_that_it_gets_or_had() -> None:
    targets = [target(base_url=f"http://{n}") for n in range(4)]
    keys = [b"%d" % n for n in range(500)]
    before = {key: _first(key, targets) for key in keys}
    left = targets[1:]
    moved = {key for key in keys if _first(key, left) != before[key]}
    assert moved == {key for key in keys if before[key] == targets[0].id}


def test_edits_that_keep_account_and_model_move_nobody() -> None:
    accounts = [
        target(base_url="https://a", model="m", credential=f"ns/{name}.01234567", secret="k.1") for name in "abc"
    ]
    edited = [
        target(base_url="https://proxy", model="m", credential=f"ns/{name}.89abcdef", max_output_tokens=9)
        for name in "abc"
    ]
    assert list(names(accounts).values()) == list(names(edited).values())
    assert set(names(accounts)).isdisjoint(names(edited))
    assert names(accounts[1:])[accounts[1].id] == names(accounts)[accounts[1].id]


def test_targets_with_one_account_and_model_have_names_of_their_own() -> None:
    twins = [target(base_url="http://a", weight=n) for n in (1, 2)]
    assert len(set(names(twins).values())) == 2


def test_another_process_computes_the_same() -> None:
    code = (
        "from claude_gateway_proxy.gateway.routing.affinity import distance;"
        "print([distance(b'%d' % n, f'p/m http://{n} 1', n + 1).hex() for n in range(20)])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": "7"})
    here = [distance(b"%d" % n, f"p/m http://{n} 1", n + 1).hex() for n in range(20)]
    assert run.stdout.decode().strip() == str(here)
    # A constant, so that an edit of the hash is noticed: it would move every session during a rollout.
    assert f"{distance(b'k', 'p/m http://a 1', 3):.12f}" == "0.012876625206"
