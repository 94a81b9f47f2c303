"""One pure function chooses targets, their order and their lanes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.bundles import route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Target, Translation, Wire
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.lanes.endpoint import has_endpoint
from claude_gateway_proxy.gateway.routing.choice import LaneName, Why, choose, eligible, find_route
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.routing.route_ref import RouteRef

_DEV = Client(name="ns/dev")
_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Asked:
    """A request as far as a choice depends on it."""

    route: Route
    format: Format = Format.MESSAGES
    asked: str = "m"
    login: Sequence[tuple[bytes, bytes]] = ()
    client: Client = _DEV
    facts: Facts = field(default_factory=lambda: Facts(parse(b'{"model":"m"}')))


_TARGETS = st.builds(
    Target,
    id=st.uuids().map(str),
    provider=st.just("p"),
    model=st.sampled_from(["*", "m"]),
    wire=st.none() | st.sampled_from(Wire),
    formats=st.lists(st.sampled_from(Format), unique=True).map(tuple),
    base_url=st.sampled_from([None, _OPENAI, "http://a"]),
    weight=st.integers(1, 9),
    priority=st.integers(0, 3),
    forward_client_token=st.booleans(),
)
_REQUESTS = st.builds(
    Asked,
    route=st.lists(_TARGETS, min_size=1, max_size=6).map(lambda targets: route("m", targets=targets)),
    format=st.sampled_from(Format),
    asked=st.sampled_from(["gpt-5", "gpt-5-codex"]),
    login=st.sampled_from([(), ((b"authorization", b"Bearer x"),)]),
)


@given(_REQUESTS, st.randoms(use_true_random=False), st.data())
def test_candidates_are_the_eligible_targets_by_health_and_priority(
    request: Asked, random: Random, data: st.DataObject
) -> None:
    try:
        open_to = eligible(request)
    except Failure:
        with pytest.raises(Failure):
            choose(request, random=random.random, well=lambda _: True)
        return
    ill = set(data.draw(st.lists(st.sampled_from([each.id for each in open_to]))))
    choice = choose(request, random=random.random, well=lambda ident: ident not in ill)
    found = [candidate.target for candidate in choice.candidates]
    assert sorted(each.id for each in found) == sorted(each.id for each in open_to)
    if len(found) > 1:
        keys = [(each.id in ill, each.priority) for each in found]
        assert keys == sorted(keys)
    assert (choice.route, choice.rule) == (request.route, None)


@given(_REQUESTS)
def test_the_relay_takes_what_an_upstream_serves_by_itself(request: Asked) -> None:
    try:
        choice = choose(request, random=lambda: 0.0, well=lambda _: True)
    except Failure:
        return
    for candidate in choice.candidates:
        each = candidate.target
        translated = (
            each.model == "*"
            and request.format is Format.CHAT
            and request.asked == "gpt-5-codex"
            and each.base_url == _OPENAI
        )
        relayed = request.format in each.formats and not translated and has_endpoint(each, request.format)
        assert candidate.lane is (LaneName.RELAY if relayed else LaneName.LITELLM)


@given(_REQUESTS)
def test_a_login_goes_to_no_other_target_and_to_no_translator(request: Asked) -> None:
    try:
        found = eligible(request)
    except Failure:
        return
    for each in found:
        assert not each.forward_client_token or (request.login and request.format in each.formats)


@pytest.mark.parametrize(
    ("format", "lane"),
    [
        (Format.CHAT, LaneName.RELAY),
        (Format.MESSAGES, LaneName.CODEC),
        (Format.COUNT_TOKENS, LaneName.LITELLM),
        (Format.RESPONSES, LaneName.LITELLM),
    ],
)
def test_the_target_says_what_the_codec_translates(format: Format, lane: LaneName) -> None:
    there = target(
        wire=Wire.OPENAI,
        base_url="http://a/v1",
        formats=(Format.CHAT,),
        translation=Translation(codec=(Format.MESSAGES,)),
    )
    choice = choose(Asked(route("m", targets=[there]), format), random=lambda: 0.0, well=lambda _: True)
    assert [candidate.lane for candidate in choice.candidates] == [lane]


def test_a_login_opens_the_targets_that_forward_it_in_their_own_formats() -> None:
    forwarding = target(base_url="http://a", forward_client_token=True)
    ours = target(base_url="http://b")
    both = route("c", targets=[forwarding, ours])
    login = ((b"authorization", b"Bearer sk-ant-oat01-private"),)
    assert eligible(Asked(both, login=login)) == [forwarding, ours]
    assert eligible(Asked(both)) == [ours]
    assert eligible(Asked(both, format=Format.CHAT, login=login)) == [ours]
    only = route("c", targets=[forwarding])
    for format_, shown, status in ((Format.MESSAGES, (), 401), (Format.CHAT, (), 401), (Format.CHAT, login, 400)):
        with pytest.raises(Failure) as caught:
            eligible(Asked(only, format=format_, login=shown))
        assert (caught.value.status, caught.value.retry) == (status, False)


def test_a_route_without_targets_serves_nobody() -> None:
    with pytest.raises(Failure):
        eligible(Asked(route("m")))


@pytest.mark.parametrize(
    ("priorities", "ill", "why"),
    [
        ([0], [], Why.ONLY),
        ([0], [0], Why.ONLY),
        ([0, 1], [], Why.PRIORITY),
        ([0, 0, 1], [], Why.AFFINITY),
        ([0, 1], [0], Why.EJECTION),
        ([0, 1], [0, 1], Why.PRIORITY),
    ],
)
def test_why_the_first_comes_first(priorities: list[int], ill: list[int], why: Why) -> None:
    targets = [target(base_url=f"http://{n}", priority=priority) for n, priority in enumerate(priorities)]
    put_aside = {targets[n].id for n in ill}
    choice = choose(Asked(route("m", targets=targets)), random=lambda: 0.0, well=lambda each: each not in put_aside)
    assert choice.why is why


def test_an_unknown_model_has_no_route() -> None:
    known, client = route("claude-a"), Client(name="ns/dev")
    routing = Routing([RouteRef.of(known, known.model_dump_json(by_alias=True).encode())], [client])
    assert find_route(routing, model="claude-a", client=client) == known
    with pytest.raises(Failure, match="claude-a") as caught:
        find_route(routing, model="claude-b", client=client)
    assert caught.value.status == 404
