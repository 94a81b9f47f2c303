"""``explain`` says what the gateway does: by the functions of the gateway, on the same requests."""

import json
import subprocess
import sys
import time
from random import Random

import msgspec
import pytest
from tests.support.builders import questions
from tests.support.builders.bundles import bundle, route, target
from tests.support.builders.questions import Request

from claude_gateway.contract.bundle import BundleError
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Affinity, Match, Route, RouteRule
from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.explain import Explanation, Question, explain, explained
from claude_gateway_proxy.gateway.routing.choice import Choice, choose, find_route
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.paths import model_path
from claude_gateway_proxy.gateway.wire.reframe import read_body

KEY = "cgw_key-0123456789abcdef"
POLICIES, EACH = 25, 40
_MESSAGES = Format.MESSAGES


def decided(snapshot: Snapshot, asked: Request, *, random: Random, ejected: frozenset[str]) -> Choice | Failure:
    """What the gateway decides about a request, in its own steps."""
    path = model_path(asked.path, asked.path.encode())
    assert path is not None
    client = next(each for each in questions.CLIENTS if each.name == asked.client)
    headers = [(name.encode(), value.encode()) for name, value in asked.headers]
    try:
        body = read_body(asked.body, path)
        call = Call(
            wire=path.wire,
            format=path.format,
            path=asked.path,
            query=b"",
            headers=headers,
            login=snapshot.callers.own_login(headers),
            raw=asked.body,
            facts=Facts(body, headers),
            frames=None,
            snapshot=snapshot,
            principal=Principal(client=client),
            route=find_route(snapshot.routing, model=body.model, client=client),
            record=Record(wire=path.wire, format=path.format, started=time.monotonic()),
        )
        return choose(call, random=random.random, well=lambda target: target not in ejected)
    except Failure as failure:
        return failure


def agrees(explanation: Explanation, found: Choice | Failure) -> None:
    if isinstance(found, Failure):
        assert explanation.refused is not None
        assert (explanation.refused.status, explanation.refused.message) == (found.status, found.message)
        return
    assert explanation.refused is None
    assert (explanation.route, explanation.rule, explanation.why) == (found.route.name, found.rule, found.why.value)
    tried = {each.target: each for each in explanation.targets if each.place}
    assert tried.keys() == {candidate.target.id for candidate in found.candidates}
    for candidate in found.candidates:
        assert tried[candidate.target.id].lane == candidate.lane
    assert tried[found.candidates[0].target.id].share > 0
    assert {each.target for each in explanation.targets} == {each.id for each in found.route.all_targets}
    assert sum(each.share for each in explanation.targets) == pytest.approx(1)


def test_it_agrees_with_the_gateway_on_1000_random_requests() -> None:
    random = Random(20261129)
    chosen = rules = refused = 0
    for _ in range(POLICIES):
        whole = bundle(questions.routes(random), clients=questions.CLIENTS, keys={KEY: "ns/dev"})
        snapshot = build(whole)
        ids = [each.id for each in _targets(whole.gateway)]
        for _ in range(EACH):
            asked = questions.request(random)
            ejected = frozenset(each for each in ids if random.random() < 0.1)
            found = decided(snapshot, asked, random=random, ejected=ejected)
            client = next(each for each in questions.CLIENTS if each.name == asked.client)
            explanation = explained(_question(asked, ejected=ejected), snapshot, client)
            agrees(explanation, found)
            chosen += isinstance(found, Choice)
            rules += isinstance(found, Choice) and found.rule is not None
            refused += isinstance(found, Failure)
    assert min(chosen, rules, refused) > 100


def test_shares_follow_the_weights() -> None:
    heavy, light = target(base_url="http://a", weight=3), target(base_url="http://b", weight=1)
    explanation = _ask(route("m", targets=(heavy, light), affinity=Affinity.NONE))
    assert [(each.target, each.share) for each in explanation.targets] == [(heavy.id, 0.75), (light.id, 0.25)]
    assert explanation.targets[0].why == "drawn by weight 3 among priority 0"


@pytest.mark.parametrize(
    ("number", "ejected", "why"),
    [
        (0, False, "first: priority 0"),
        (1, False, "priority 1: tried only if those of priority 0 fail"),
        (0, True, "ejected after failures, so it is tried last"),
        (1, True, "first: those that would come before it are ejected"),
    ],
)
def test_each_target_says_why(number: int, ejected: bool, why: str) -> None:
    first, second = target(base_url="http://a"), target(base_url="http://b", priority=1)
    explanation = _ask(route("m", targets=(first, second)), ejected=frozenset({first.id} if ejected else ()))
    found = {each.target: each for each in explanation.targets}
    assert found[(first, second)[number].id].why == why


def test_each_rule_says_which_conditions_do_not_hold() -> None:
    rules = (
        RouteRule(
            name="long", match=Match(input_tokens_at_least=9999, tools=False), targets=(target(base_url="http://l"),)
        ),
        RouteRule(name="plain", match=Match(images=False), targets=(target(base_url="http://p"),)),
        RouteRule(name="late", match=Match(tools=False), targets=(target(base_url="http://z"),)),
    )
    explanation = _ask(route("m", targets=(target(base_url="http://d"),), rules=rules))
    assert explanation.rule == "plain"
    assert [(each.rule, each.chosen, each.failed) for each in explanation.rules] == [
        ("long", False, ("inputTokensAtLeast",)),
        ("plain", True, ()),
        ("late", False, ()),
    ]
    assert [each.why for each in explanation.targets] == [
        "the only one that can serve it",
        "for requests that no rule matches",
        "for rule long",
        "for rule late",
    ]


def test_a_target_that_needs_the_clients_login_says_so() -> None:
    explanation = _ask(route("m", targets=(target(base_url="http://a", forward_client_token=True),)))
    assert explanation.refused is not None
    assert explanation.targets[0].why == "it sends the client's own login on, and the request has none"
    login = (("x-gateway-key", "cgw_x"), ("authorization", "Bearer sk-ant-x"))
    assert _ask(route("m", targets=(target(base_url="http://a", forward_client_token=True),)), headers=login).target


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/nothing", b"{}", 404), ("/v1/messages", b"{", 400), ("/v1/messages", b'{"model": "unknown"}', 404)],
)
def test_what_would_be_rejected_is_said_in_the_gateways_words(path: str, body: bytes, status: int) -> None:
    explanation = explain(_question(Request("ns/dev", _MESSAGES, (), body), path=path, policy=_policy(route("m"))))
    assert explanation.refused is not None
    assert explanation.refused.status == status


def test_the_program_reads_a_question_and_prints_the_answer() -> None:
    question = _question(_plain(), policy=_policy(route("m", targets=(target(base_url="http://a"),))))
    done = _run(msgspec.json.encode(question))
    assert json.loads(done.stdout)["route"] == "ns/m"
    assert _run(b"{").returncode == 1
    strange = _run(msgspec.json.encode(msgspec.structs.replace(question, client="ns/nobody")))
    assert (strange.returncode, strange.stderr.strip()) == (1, b"there is no client ns/nobody")
    with pytest.raises(BundleError):
        explain(msgspec.structs.replace(question, client="ns/nobody"))


def _run(question: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "claude_gateway_proxy.gateway.explain"]
    return subprocess.run(command, input=question, capture_output=True, check=False, timeout=60)


def _plain() -> Request:
    return Request("ns/dev", _MESSAGES, (), b'{"model": "m", "max_tokens": 1, "messages": []}')


def _ask(
    only: Route, *, ejected: frozenset[str] = frozenset(), headers: tuple[tuple[str, str], ...] = ()
) -> Explanation:
    asked = Request("ns/dev", _MESSAGES, headers, _plain().body)
    return explain(_question(asked, ejected=ejected, policy=_policy(only)))


def _policy(*routes: Route) -> str:
    return bundle(routes, keys={KEY: "ns/dev"}).gateway.decode()


def _question(
    asked: Request, *, ejected: frozenset[str] = frozenset(), policy: str = "", path: str | None = None
) -> Question:
    return Question(
        policy=policy,
        client=asked.client,
        path=path or asked.path,
        headers=asked.headers,
        body=asked.body,
        ejected=ejected,
    )


def _targets(policy: bytes) -> list[Target]:
    return [each for one in Policy.model_validate_json(policy).routes for each in one.all_targets]
